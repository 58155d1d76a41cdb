//! What a node tells about itself: logs, and where metrics and spans are sent.

mod application;
mod collector;
mod context;
mod logs;
mod repeats;
mod timeline;
mod traces;

use opentelemetry_sdk::Resource;
use opentelemetry_semantic_conventions::resource::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION};

pub(crate) use self::{
    collector::Collector,
    context::{TRACEPARENT, baggage},
    logs::{log_panics, start},
    timeline::{Phase, Timeline},
    traces::Traces,
};
use crate::build_id::BuildId;

/// Who says it: the application, its build, and this process of it.
pub(crate) fn resource(application: &'static str, build: BuildId) -> Resource {
    let instance = format!("{:032x}", rand::random::<u128>());
    Resource::builder_empty()
        .with_attribute(opentelemetry::KeyValue::new(SERVICE_NAME, application))
        .with_attribute(opentelemetry::KeyValue::new(SERVICE_VERSION, build.to_string()))
        .with_attribute(opentelemetry::KeyValue::new(SERVICE_INSTANCE_ID, instance))
        .build()
}
