//! Server actions, executed by Rust nodes: the crate that applications depend on.
//!
//! *Objective*: mark a function `#[action]` or `#[page]`, and the unmodified React or Next.js client, or a plain
//! HTML form, calls it. This crate is the only one that knows actix; it composes `callboard-protocol` (the wire) and
//! `callboard-cluster` (the decisions) into a process.
//!
//! *Non-objective*: no protocol decision is made here. Actors and handlers feed the core and perform its outputs.
//!
//! Reading order: [`App`] is where an application starts; [`ActionContext`] and [`PageContext`] are what its
//! functions get; `http` turns requests into calls and outcomes into responses; `actors` run them.

// Pages of the unit tests name the crate as applications do.
#[cfg(test)]
extern crate self as callboard;

mod actors;
mod app;
mod arguments;
mod build_id;
mod call;
mod carry;
mod clock;
mod context;
mod cookies;
mod doctor;
mod drain;
mod first_connection;
mod form;
mod handle;
mod html;
mod http;
mod keys;
mod manifest;
mod metrics;
mod node;
mod output;
mod page_body;
#[cfg(test)]
#[expect(dead_code, reason = "shared with the tests of the store, which use all of it")]
#[path = "../../cluster/tests/conformance/server.rs"]
mod redis_server;
mod registry;
mod render_cache;
mod renders;
mod request;
mod retained;
mod session;
mod settings;
mod state;
mod status;
mod telemetry;

pub use app::{App, Running, Start};
pub use callboard_macros::{action, page};
pub use callboard_protocol::{
    Value,
    action_error::ActionError,
    de::{Form, Rest},
    js,
    revalidation::Profile,
};
pub use context::{ActionContext, GuardContext, PageContext, Principal, Refusal, Revalidating};
pub use cookies::{Cookie, SameSite};
pub use form::{Action, Bound};
pub use html::Html;
pub use metrics::{Metric, MetricKind, MetricLabel};
pub use output::{Failure, PageError};
pub use settings::{LogFormat, Secret, Setting, SettingError, Settings, Sources};

/// What `#[action]` and `#[page]` expand to. Not for people; it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use linkme;
    pub use serde;

    pub use crate::{
        arguments::{CallArguments, Cursor, decoded},
        context::path_parameter,
        form::bound_values,
        handle::serialize_action,
        output::{Output, PageOutput, PlainOutput, mismatch},
        registry::{ACTIONS, ActionEntry, ArgumentEntry, Class, Fenced, Guard, PAGES, PageEntry},
    };
}
