//! The arguments of a call, and the cursor that actions take them from.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use callboard_protocol::{
    Value,
    de::{self, DeError, Problem, Rest},
    value::{Flow, Node as ValueNode, Pending, Promise, Slot},
};
use serde::de::DeserializeOwned;

/// What a call brings: the values sealed at render time, if the action has any, and the client's own.
#[derive(Clone, Debug)]
pub struct CallArguments {
    /// The array of opened values.
    pub(crate) bound: Option<Value>,
    /// The array that the client sent. Where values are bound, its first item was their sealed text.
    pub(crate) sent: Value,
    /// What is known of the body, if it still arrives.
    pub(crate) arriving: Option<Arriving>,
}

/// A body that still arrives while its call is on its way.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    /// Settled when nothing more comes.
    ended: Pending,
    /// Whether the action cannot start before more of it is there.
    awaited: Arc<AtomicBool>,
}

impl Arriving {
    pub(crate) fn new(flow: &Flow) -> Self {
        Self { ended: Pending::new(flow), awaited: Arc::default() }
    }

    /// Says that nothing more comes.
    pub(crate) fn end(&self) {
        self.ended.settle(Promise::Fulfilled(Slot::Undefined));
    }

    /// Whether the action cannot start before more of it is there.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Acquire)
    }

    /// Returns once a promise is settled without which the action cannot start.
    pub(crate) async fn settled(&self, pending: &Pending) {
        // First of all: waiting wakes whoever reads the body, and then he has to see it.
        self.awaited.store(true, Ordering::Release);
        poll_fn(|context| pending.poll_settled(context).map(|_| ())).await;
        self.awaited.store(false, Ordering::Release);
    }
}

/// How often arguments are read again because one more promise in them is settled, before the whole body is waited
/// for: reading is linear in the arguments, and a client could settle them one by one.
const READS_MAX: usize = 16;

/// Reads arguments. What has to be settled to be a value of its type is waited for; the action has not started then.
/// Used by generated code.
///
/// # Errors
///
/// If one is not of its type.
pub async fn decoded<T>(
    arguments: &CallArguments,
    decode: impl Fn(&mut Cursor<'_>) -> Result<T, DeError>,
) -> Result<T, DeError> {
    for reads in 1.. {
        let read = decode(&mut Cursor::new(arguments));
        let (Err(error), Some(arriving)) = (&read, &arguments.arriving) else { return read };
        match error.problem() {
            Problem::Unsettled(pending) if reads < READS_MAX => arriving.settled(pending).await,
            Problem::Unsettled(_) if reads == READS_MAX => arriving.settled(&arriving.ended).await,
            _ => return read,
        }
    }
    unreachable!("it is read a limited number of times")
}

/// Takes arguments one after the other. Used by generated code.
pub struct Cursor<'a> {
    arguments: &'a CallArguments,
    bound: usize,
    sent: usize,
}

impl<'a> Cursor<'a> {
    /// Before the first argument.
    #[must_use]
    pub fn new(arguments: &'a CallArguments) -> Self {
        Self { arguments, bound: 0, sent: usize::from(arguments.bound.is_some()) }
    }

    /// The next value that was captured at render time.
    ///
    /// # Errors
    ///
    /// If it is not a `T`: the page was rendered by a build whose parameter had another type.
    pub fn bound<T: DeserializeOwned>(&mut self) -> Result<T, DeError> {
        let index = self.bound;
        self.bound += 1;
        let values = self.arguments.bound.as_ref();
        let value = values.map_or_else(Value::undefined, |values| item(values, index));
        // What was sealed is not repeated in a message.
        de::from_argument(index, &value).map_err(|_| {
            serde::de::Error::custom(format_args!(
                "bound value {} is of a build with other types; reload",
                index + 1
            ))
        })
    }

    /// The next argument. One that was not sent counts as `undefined`.
    ///
    /// # Errors
    ///
    /// If it is not a `T`; the error names the argument and the path inside it.
    #[allow(clippy::should_implement_trait)] // each item has a type of its own
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<T, DeError> {
        let index = self.sent;
        self.sent += 1;
        de::from_argument(index, &item(&self.arguments.sent, index))
    }

    /// Passes over an argument.
    pub fn skip(&mut self) {
        self.sent += 1;
    }

    /// Passes over a value that was captured at render time.
    pub fn skip_bound(&mut self) {
        self.bound += 1;
    }

    /// All arguments that are left.
    ///
    /// # Errors
    ///
    /// If one of them is not a `T`.
    pub fn rest<T: DeserializeOwned>(&mut self) -> Result<Rest<T>, DeError> {
        de::from_rest(self.sent, &self.arguments.sent)
    }
}

fn item(values: &Value, index: usize) -> Value {
    match values.node() {
        Some(ValueNode::Array(items)) => {
            items.get(index).map_or_else(Value::undefined, |slot| values.at(slot))
        }
        _ => Value::undefined(),
    }
}
