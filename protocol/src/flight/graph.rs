//! Values of the graph as rows: an object that is met more than once gets a row of its own, so that all who hold
//! it refer to one thing by a short name. (The reference writes paths instead, whose length is up to the value.)

mod survey;
mod write;

use std::{collections::HashMap, sync::Arc};

use super::{
    FlightError,
    encoder::{Ids, push_reference},
};
use crate::{
    Value,
    value::{Graph, Node, NodeId},
};

/// The graphs met in one response.
#[derive(Default)]
pub(super) struct Graphs {
    list: Vec<Surveyed>,
    /// Position in `list` by the graph's address, which stays its own as long as it is listed.
    by_address: HashMap<usize, usize>,
    /// The object that is all of the main row.
    main: Option<(usize, NodeId)>,
    /// Rows to be written.
    jobs: Vec<Job>,
}

/// A graph, and what is known of its objects.
struct Surveyed {
    /// Keeps the graph, and with it its address.
    graph: Arc<Graph>,
    marks: Vec<Mark>,
}

/// What is known of an object.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// The row that is this object; references name it.
    row: Option<u32>,
    progress: Progress,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    Unseen,
    /// The survey is inside this object.
    Open,
    Seen,
}

/// A row that is still to be written.
#[derive(Clone, Copy)]
struct Job {
    row: u32,
    graph: usize,
    node: NodeId,
    part: Part,
}

/// What of an object stands in a row.
#[derive(Clone, Copy)]
enum Part {
    /// The object itself.
    Whole,
    /// What is in it, as its constructor takes it.
    Content,
    /// The bytes of a blob.
    Bytes,
    /// The arguments bound to a server reference.
    Bound,
}

impl Graphs {
    /// Takes an object that is all of the main row, which is numbered `row`.
    pub(super) fn hand_row(
        &mut self,
        value: &Value,
        node: NodeId,
        row: u32,
        out: &mut Vec<u8>,
        ids: &mut Ids,
    ) -> Result<(), FlightError> {
        if matches!(value.graph().node(node), Node::Bytes(_) | Node::Promise(_) | Node::Temporary { .. }) {
            return self.hand(value, node, out, ids);
        }
        let graph = self.list(value.graph());
        self.list[graph].marks[node.index()].row = Some(row);
        self.main = Some((graph, node));
        self.survey(graph, value, node, ids)
    }

    /// Takes an object that stands inside something else: writes a reference to its row.
    pub(super) fn hand(
        &mut self,
        value: &Value,
        node: NodeId,
        out: &mut Vec<u8>,
        ids: &mut Ids,
    ) -> Result<(), FlightError> {
        let graph = self.list(value.graph());
        self.survey(graph, value, node, ids)?;
        match value.graph().node(node) {
            Node::Temporary { path } => super::text::push_tagged(out, "$T", path),
            other => push_reference(out, reference_tag(other), self.own_row(graph, node, ids)),
        }
        Ok(())
    }

    /// The position of a graph in the list.
    fn list(&mut self, graph: &Arc<Graph>) -> usize {
        // Nearly always all values of a response are of one graph.
        if let Some(last) = self.list.last()
            && Arc::ptr_eq(&last.graph, graph)
        {
            return self.list.len() - 1;
        }
        *self.by_address.entry(Arc::as_ptr(graph).addr()).or_insert_with(|| {
            let marks = vec![Mark::default(); graph.len()];
            self.list.push(Surveyed { graph: Arc::clone(graph), marks });
            self.list.len() - 1
        })
    }

    /// The row of an object, which from now on has one.
    fn own_row(&mut self, graph: usize, node: NodeId, ids: &mut Ids) -> u32 {
        let mark = &mut self.list[graph].marks[node.index()];
        *mark.row.get_or_insert_with(|| {
            let row = ids.next();
            self.jobs.push(Job { row, graph, node, part: Part::Whole });
            row
        })
    }
}

/// What stands before the id in a reference to an object's own row.
fn reference_tag(node: &Node) -> &'static str {
    if matches!(node, Node::Promise(_)) { "$@" } else { "$" }
}
