//! The arguments of a call that another node took in, read as that node read them.

use std::{future::poll_fn, sync::Arc};

use actix_web::{dev, error::PayloadError};
use bytes::Bytes;
use callboard_protocol::{
    ErrorCode, Value, carried::Framing, envelope::TransferEnd, form_action, js::JsString, reply,
};
use futures_util::{StreamExt as _, stream};

use super::{Refused, body::Body, form, intake::Intake, parts::Parts};
use crate::{actors::known, carry::ChunkReader, node::Node};

/// Decodes arguments that stand in an envelope, or that come in pieces.
///
/// # Errors
///
/// What the other node would have refused; [`Refused::is_incomplete`] where they did not come.
pub(crate) async fn carried_arguments(
    node: &Arc<Node>,
    framing: &Framing,
    arguments: Bytes,
    chunks: Option<ChunkReader>,
) -> Result<Value, Refused> {
    let mut body = Body::carried(payload(arguments, chunks), carried_bytes_max(node));
    match framing {
        Framing::Text => {
            let text = reply::Body::Text(body.whole().await?);
            let known = |id: &JsString| known(node, id);
            Ok(reply::decode_arguments(text, &node.decode_limits, &known)?)
        }
        Framing::Multipart(boundary) => {
            let mut intake = Intake::new(body, Parts::new(boundary, node)?, node);
            let (arguments, _) = intake.arguments(false, None).await?;
            Ok(arguments)
        }
        Framing::Form(boundary) => {
            let mut parts = Parts::new(boundary, node)?;
            let mut all = Vec::new();
            while let Some(part) = poll_fn(|context| parts.poll_part(&mut body, None, context)).await? {
                all.push(part);
            }
            let call = form_action::find(&all, &node.decode_limits)?;
            let call =
                call.ok_or_else(|| Refused::new(ErrorCode::NotAnAction, "the form names no action"))?;
            form::decode(&call, node)
        }
    }
}

/// What another node may send: as much as the largest body that any action takes, and the framing that it made anew. Only
/// what is no node of ours sends more.
fn carried_bytes_max(node: &Node) -> usize {
    node.form_bytes_max.saturating_mul(2).saturating_add(64 << 10)
}

fn payload(arguments: Bytes, chunks: Option<ChunkReader>) -> dev::Payload {
    let first = stream::iter((!arguments.is_empty()).then_some(Ok(arguments)));
    let rest = stream::unfold(chunks, |chunks| async {
        let mut chunks = chunks?;
        match poll_fn(|context| chunks.poll_chunk(context)).await {
            Ok(bytes) => Some((Ok(bytes), Some(chunks))),
            Err(TransferEnd::Complete) => None,
            Err(TransferEnd::Broken) => Some((Err(PayloadError::Incomplete(None)), None)),
        }
    });
    dev::Payload::from(Box::pin(first.chain(rest)) as std::pin::Pin<Box<dyn futures_util::Stream<Item = _>>>)
}
