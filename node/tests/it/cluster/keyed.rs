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
