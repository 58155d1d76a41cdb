use actix::{Message, System};
use bytes::Bytes;
use callboard_cluster::{core::Settings, mutant::Mutants, store::Profile};
use callboard_protocol::{
    envelope::{Direction, Namespace},
    identity::{Incarnation, ProcessId},
};

use super::*;

/// How many transfers somebody is thought to read.
#[derive(Message)]
#[rtype(result = "usize")]
struct CountReaders;

impl Handler<CountReaders> for Membership {
    type Result = usize;

    fn handle(&mut self, _: CountReaders, _: &mut Self::Context) -> usize {
        self.readers.len()
    }
}

/// Of a node that is alone.
fn membership(shared: &Arc<Standing>) -> Membership {
    let (process, settings) = (ProcessId::from_u128(1), Arc::new(Settings::default()));
    let core = Core::new(process, Namespace::named("test"), Profile::default(), settings, Mutants::NONE);
    let store = Store::new(Incarnation::named("memory"), usize::MAX, Mutants::NONE);
    Membership::new(core, SharedStore::Memory(Box::new(store)), Arc::clone(shared), 16)
}

#[test]
fn whoever_stops_reading_before_the_end_is_forgotten() {
    System::new().block_on(async {
        let transfer = TransferId { call: CallId::from_u128(1), attempt: 1, direction: Direction::Arguments };
        let mut reader = None;
        let membership = Membership::create(|context| {
            let mut membership = membership(&Arc::default());
            reader = Some(membership.rows_of(transfer, context));
            membership.deliver(transfer, Bytes::from_static(b"piece"), None);
            membership
        });
        assert_eq!(membership.send(CountReaders).await, Ok(1));
        drop(reader);
        // It is told by one message, which leads to another.
        for _ in 0..100 {
            if membership.send(CountReaders).await == Ok(0) {
                return;
            }
        }
        panic!("it is still there");
    });
}

#[test]
fn a_node_whose_membership_is_gone_is_no_member() {
    let shared = Arc::<Standing>::default();
    let membership = membership(&shared);
    shared.change(|inner| inner.state = Some(SessionState::Serving));
    assert!(shared.serves());
    drop(membership);
    assert!(!shared.serves());
}
