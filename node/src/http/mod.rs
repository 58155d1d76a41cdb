//! HTTP in and out: requests become calls, settlements become responses.

mod action;
mod admin;
mod body;
mod carried;
mod error_response;
mod explain;
mod form;
mod idempotency;
mod intake;
mod origin;
mod page;
mod parts;
mod respond;
mod server;
mod spill;
mod status;
mod streamed;
mod webhook;

pub(crate) use carried::carried_arguments;
pub(crate) use error_response::Refused;
pub(crate) use server::Servers;
