//! Items of streams that are complete.

use std::sync::Arc;

use super::{
    super::{
        encoder::Session,
        row::{push_close_row, push_error_row, push_piece_rows, push_row_start, push_text_row},
    },
    write::Writer,
};
use crate::value::{Graph, Items, Node, NodeId, Slot, StreamEnd, StreamKind};

impl Session {
    /// Writes the items of every stream that was opened, and those of streams in them. What an item needs stands
    /// before it: the client looks at items as they arrive.
    pub(super) fn write_items(&mut self, tail: &mut Vec<u8>) {
        while let Some((row, graph, node)) = self.graphs.streams.pop() {
            let arena = self.graphs.arena(graph);
            self.write_stream(row, graph, &arena, node, tail);
        }
    }

    fn write_stream(&mut self, row: u32, graph: usize, arena: &Arc<Graph>, node: NodeId, tail: &mut Vec<u8>) {
        let Node::Stream(stream) = arena.node(node) else { return };
        let Items::Complete { items, end } = &stream.items else { return };
        for slot in items {
            match slot {
                _ if stream.kind == StreamKind::Bytes => {
                    if let Slot::Node(piece) = slot
                        && let Node::Bytes(array) = arena.node(*piece)
                    {
                        push_piece_rows(tail, row, &array.bytes);
                    }
                }
                Slot::String(text) if text.as_str().is_some_and(|text| push_text_row(tail, row, text)) => {}
                _ => self.write_model(row, "", graph, arena, slot, tail),
            }
        }
        match end {
            StreamEnd::Closed => push_close_row(tail, row),
            StreamEnd::Returned(value) => self.write_model(row, "C", graph, arena, value, tail),
            StreamEnd::Errored { digest } => push_error_row(tail, row, digest.as_deref()),
        }
    }

    fn write_model(
        &mut self,
        row: u32,
        tag: &str,
        graph: usize,
        arena: &Arc<Graph>,
        slot: &Slot,
        tail: &mut Vec<u8>,
    ) {
        let mut model = Vec::new();
        push_row_start(&mut model, row);
        model.extend_from_slice(tag.as_bytes());
        Writer { out: &mut model, session: self, graph }.value(arena, slot);
        model.push(b'\n');
        self.write_jobs(tail);
        tail.extend_from_slice(&model);
    }
}
