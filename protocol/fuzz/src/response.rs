//! Rows that a server would have sent, in pieces of any length.

use callboard_protocol::{
    Value,
    flight::{Limits, Parser, Row, RowError, RowWriter, parse, parse_action},
    value::Node,
};

use super::checks;

const ROW_BYTES_MAX: usize = 512;

/// The first byte says how the rest is cut into pieces.
pub fn run(bytes: &[u8]) {
    let Some((&cuts, body)) = bytes.split_first() else { return };
    let whole = rows(body, body.len().max(1));
    assert!(whole == rows(body, usize::from(cuts % 16) + 1), "the rows depend on where the body was cut");
    let taken: usize = whole.0.iter().map(|row| row.body.len()).sum();
    assert!(taken <= body.len());

    let limits = Limits { row_bytes_max: 1 << 20, levels_max: 256, objects_max: 100_000 };
    match parse(body, &limits) {
        Err(error) => checks::short(&error),
        Ok(response) => {
            if let Ok(value) = response.root {
                assert!(value.graph().nodes().count() <= limits.objects_max);
                survives_the_way_back(&value);
            }
        }
    }
    let _ = parse_action(body);
}

fn rows(body: &[u8], piece_bytes: usize) -> (Vec<Row>, Option<RowError>) {
    let mut parser = Parser::new(ROW_BYTES_MAX);
    let mut rows = Vec::new();
    for piece in body.chunks(piece_bytes) {
        parser.push(piece);
        loop {
            match parser.next_row() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(error) => return (rows, Some(error)),
            }
        }
    }
    (rows, None)
}

/// What was read can be written, unless only rendering makes it, and is read again as the same graph.
fn survives_the_way_back(value: &Value) {
    let rendered =
        |node: &Node| matches!(node, Node::Element { .. } | Node::Lazy(_) | Node::ClientReference { .. });
    if value.graph().nodes().any(rendered) {
        return;
    }
    let mut written = Vec::new();
    if RowWriter::new(&mut written, 0).graph(0, value).is_err() {
        return;
    }
    let again = parse(&written, &Limits::default());
    let again = again.unwrap_or_else(|error| panic!("what was written is refused: {error}"));
    assert!(again.root.as_ref() == Ok(value), "{value:?} came back as {:?}", again.root);
}
