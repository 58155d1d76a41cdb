//! Calls of one key, over several nodes.

use super::Cluster;

/// Goal: one at a time, whichever node they come to.
#[test]
fn calls_of_one_key_wait_for_each_other_over_all_nodes() {
    let cluster = Cluster::start(3);
    let journal = &cluster.journal;
    std::thread::scope(|scope| {
        let first = scope.spawn(|| cluster.nodes[0].call("line", r#"["a",0,true]"#));
        journal.wait_for("a begins 0");
        let others: Vec<_> = cluster
            .nodes
            .iter()
            .enumerate()
            .map(|(number, node)| {
                scope.spawn(move || node.call("line", &format!(r#"["a",{},false]"#, number + 1)))
            })
            .collect();
        // Another key is not held up, on any node.
        for node in &cluster.nodes {
            assert_eq!(node.call("line", r#"["b",1,false]"#).status, 200);
        }
        journal.release();
        assert_eq!(first.join().expect("no panic").status, 200);
        for other in others {
            assert_eq!(other.join().expect("no panic").status, 200);
        }
    });
    let notes = journal.notes();
    let of_a: Vec<_> = notes.iter().filter(|note| note.starts_with('a')).collect();
    assert_eq!(of_a.len(), 8);
    for pair in of_a.chunks(2) {
        assert_eq!(pair[0].replace("begins", "ends"), *pair[1], "{of_a:?}");
    }
}

/// Goal: a node that stops hands over, and nobody's call fails.
#[test]
fn a_node_that_leaves_hands_over_what_waits() {
    let mut cluster = Cluster::start(3);
    let leaving = cluster.nodes.remove(2);
    std::thread::scope(|scope| {
        for key in 0..8 {
            let call = format!(r#"["k{key}",1,false]"#);
            assert_eq!(cluster.nodes[0].call("line", &call).status, 200);
        }
        let left = scope.spawn(move || drop(leaving));
        for round in 0..20 {
            for key in 0..8 {
                let call = format!(r#"["k{key}",{},false]"#, round + 2);
                let answer = cluster.nodes[round % 2].call("line", &call);
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
        left.join().expect("it stops");
    });
}

/// Goal: a node that nobody needs stops, also when it cannot say so. Method: Redis is killed once it has told everybody what
/// became of his frames, as one in doubt is kept; and then a node is stopped that would wait for an hour.
#[test]
fn a_node_without_redis_stops_when_it_is_told_to() {
    let mut cluster = Cluster::start_with(2, &[("drain_timeout", "1h")]);
    cluster.redis.command("PING");
    cluster.redis.kill();
    drop(cluster.nodes);
}

/// Goal: a client cannot make a frame that no node reads, and in which the calls of others are lost.
#[test]
fn a_key_that_fits_no_frame_is_refused_and_holds_up_nobody() {
    let cluster = Cluster::start(2);
    for node in &cluster.nodes {
        // Half of some keys belongs to each node, so that some of these would have been sent.
        for letter in ["a", "b", "c", "d"] {
            let long = node.call("line", &format!(r#"["{}",0,false]"#, letter.repeat(70_000)));
            assert_eq!((long.status, long.header("callboard-error")), (400, "argument-mismatch"), "{long:?}");
            assert_eq!(long.header("callboard-outcome"), "not-run");
        }
        let longest = node.call("line", &format!(r#"["{}",0,false]"#, "l".repeat(4096)));
        assert_eq!(longest.status, 200, "{longest:?}");
    }
}
