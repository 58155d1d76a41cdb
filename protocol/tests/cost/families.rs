//! Bodies that would cost a careless decoder the square of their length, or more memory than they have bytes.

use callboard_protocol::{multipart::Part, reply::Encoded};

/// A family: its name, and the body of size `n`.
pub(crate) type Family = (&'static str, fn(usize) -> Encoded);

fn text(items: impl IntoIterator<Item = String>) -> Encoded {
    Encoded::Text(format!("[{}]", items.into_iter().collect::<Vec<_>>().join(",")))
}

fn part(id: usize, model: impl Into<String>) -> Part {
    Part::text(id.to_string(), model.into())
}

fn list(n: usize, item: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..n).map(item).collect::<Vec<_>>().join(","))
}

fn members(n: usize, value: &str) -> String {
    (0..n).map(|at| format!("\"key{at}\":{value}")).collect::<Vec<_>>().join(",")
}

fn form(parts: impl IntoIterator<Item = Part>) -> Encoded {
    Encoded::Form(parts.into_iter().collect())
}

/// Nesting and references.
pub(crate) const REFERENCES: &[Family] = &[
    ("deep arrays", |n| Encoded::Text("[".repeat(n) + &"]".repeat(n))),
    ("deep objects", |n| Encoded::Text(r#"{"a":"#.repeat(n) + "1" + &"}".repeat(n))),
    ("arrays that never close", |n| Encoded::Text("[".repeat(n))),
    ("a long path", |n| {
        Encoded::Text(format!("[{}{},\"$0{}\"]", "[".repeat(n), "]".repeat(n), ":0".repeat(n)))
    }),
    ("a wide object and references into it", |n| {
        text(
            [format!("{{{}}}", members(n, "1"))]
                .into_iter()
                .chain((0..n).map(|at| format!("\"$0:0:key{at}\""))),
        )
    }),
    ("references behind references", |n| {
        text((0..n).map(|at| format!("\"$0:{}\"", at + 1)).chain(["[]".to_owned()]))
    }),
    ("references behind references, backwards", |n| {
        text(["[]".to_owned()].into_iter().chain((0..n).map(|at| format!("\"$0:{at}\""))))
    }),
    ("one key many times", |n| Encoded::Text(format!("{{{}}}", vec!["\"k\":1"; n].join(",")))),
    ("many keys, each twice", |n| Encoded::Text(format!("{{{},{}}}", members(n, "1"), members(n, "\"$0\"")))),
    ("a long text referred to often", |n| {
        let long = format!("\"{}\"", "é".repeat(n));
        text([long].into_iter().chain((0..n).map(|_| r#"{"a":["$0:0",1]}"#.to_owned())))
    }),
    ("half of a pair at the end of a long text", |n| {
        Encoded::Text(format!("[\"{}\\ud800\"]", "é".repeat(n)))
    }),
    ("a path of halves of pairs", |n| Encoded::Text(format!("[{{}},\"$0:0{}\"]", ":\\ud800".repeat(n)))),
    ("a chain of parts", |n| {
        let chain = (1..n).map(|at| part(at, format!("\"${:x}\"", at + 1)));
        form(chain.chain([part(n, "1"), part(0, "[\"$1\"]")]))
    }),
    ("lists that hold the next one twice", |n| {
        let lists = (1..n).rev().map(|at| part(at, format!("[\"${0:x}\",\"${0:x}\"]", at + 1)));
        form([part(n, "[]")].into_iter().chain(lists).chain([part(0, "[\"$1\"]")]))
    }),
];

/// Promises and server references.
pub(crate) const PROMISES: &[Family] = &[
    ("a chain of promises", |n| form((0..n).map(|at| part(at, format!("[\"$@{:x}\"]", at + 1))))),
    ("promises that resolve to the next", |n| {
        let chain = (1..n).map(|at| part(at, format!("\"$@{:x}\"", at + 1)));
        form([part(0, "[\"$@1\"]")].into_iter().chain(chain))
    }),
    ("promises that resolve to the one before", |n| {
        let chain = (2..n).map(|at| part(at, format!("\"$@{:x}\"", at - 1)));
        form(
            [part(0, list(n, |at| format!("\"$@{:x}\"", at + 1)))]
                .into_iter()
                .chain(chain)
                .chain([part(1, "1")]),
        )
    }),
    ("a ring of promises", |n| {
        let ring = (1..=n).map(|at| part(at, format!("\"$@{:x}\"", at % n + 1)));
        form([part(0, "[\"$@1\"]")].into_iter().chain(ring))
    }),
    ("promises that fail at one wide description", |n| {
        let root = list(n, |at| format!("\"$@{:x}\"", at + 2));
        let failing = (0..n).map(|at| part(at + 2, "\"$h1\""));
        let wide = part(1, format!("{{{},\"id\":\"unknown\"}}", members(n, "1")));
        form([wide, part(0, format!("[\"$1\",{root}]"))].into_iter().chain(failing))
    }),
    ("promises that fail at one long id", |n| {
        let root = list(n, |at| format!("\"$@{:x}\"", at + 2));
        let failing = (0..n).map(|at| part(at + 2, "\"$h1\""));
        let long = part(1, format!("{{\"id\":\"unknown\\ud800{}\"}}", "x".repeat(8 * n)));
        form([long, part(0, format!("[\"$1\",{root}]"))].into_iter().chain(failing))
    }),
    ("promises that fail at one long path", |n| {
        let root = list(n, |at| format!("\"$@{:x}\"", at + 2));
        let failing = (0..n).map(|at| part(at + 2, "\"$1:x\""));
        let long = part(1, format!("[\"{}\"]", "x".repeat(8 * n)));
        form([long, part(0, format!("[\"$1\",{root}]"))].into_iter().chain(failing))
    }),
    ("promises that fail with one part", |n| {
        let failing = (2..n + 2).map(|at| part(at, "\"$1\""));
        form([part(1, "["), part(0, list(n, |at| format!("\"$@{:x}\"", at + 2)))].into_iter().chain(failing))
    }),
    ("references bound to one promise that is last, also in rows", |n| {
        let reference = part(1, r#"{"id":"a","bound":"$@2"}"#);
        let root = part(0, format!("[\"$R3\",{}]", list(n, |_| "\"$h1\"".into())));
        let rows = (0..n).map(|_| Part::text("S3", "\"$h1\""));
        form([reference, root].into_iter().chain(rows).chain([part(2, "[1]")]))
    }),
    ("one description of many references", |n| {
        form([part(1, r#"{"id":"a","bound":null}"#), part(0, list(n, |_| "\"$h1\"".into()))])
    }),
    ("references that wait for one promise", |n| {
        let described = (2..n + 2).map(|at| part(at, r#"{"id":"a","bound":"$@1"}"#));
        let root = part(0, list(n, |at| format!("\"$h{:x}\"", at + 2)));
        form(described.chain([root, part(1, "[1,2,3]")]))
    }),
    ("references that wait for what never comes", |n| {
        let described = (2..n + 2).map(|at| part(at, r#"{"id":"a","bound":"$@1"}"#));
        form(described.chain([part(0, list(n, |at| format!("\"$h{:x}\"", at + 2)))]))
    }),
];

/// Maps, sets, forms, streams: what is made of other parts.
pub(crate) const CONTAINERS: &[Family] = &[
    ("a map whose entries are one wide object", |n| {
        let wide = part(2, format!("{{{}}}", members(n, "1")));
        form([wide, part(1, list(n, |_| "\"$2\"".into())), part(0, "[\"$Q1\"]")])
    }),
    ("one part for many maps", |n| {
        form([part(1, list(n, |_| "[1,2]".into())), part(0, list(n, |_| "\"$Q1\"".into()))])
    }),
    ("a map that fails at its end, behind many promises", |n| {
        let entries = part(1, format!("[{}3]", "[1,2],".repeat(n)));
        let root = part(0, list(n, |at| format!("\"$@{:x}\"", at + 2)));
        form([entries, root].into_iter().chain((2..n + 2).map(|at| part(at, "\"$Q1\""))))
    }),
    ("one part for the maps of many promises", |n| {
        let promised = (2..n + 2).map(|at| part(at, "\"$Q1\""));
        let root = part(0, format!("[\"$1\",{}]", list(n, |at| format!("\"$@{:x}\"", at + 2))));
        form([part(1, list(n, |_| "1".into())), root].into_iter().chain(promised))
    }),
    ("maps in maps", |n| {
        let maps = (1..n).map(|at| part(at, format!("[[\"$Q{:x}\",1]]", at + 1)));
        form(maps.chain([part(n, "[]"), part(0, "[\"$Q1\"]")]))
    }),
    ("one form for many values", |n| {
        let entries = (0..n).map(|_| Part::text("_1_a", ""));
        form(entries.chain([part(0, list(n, |_| "\"$K1\"".into()))]))
    }),
    ("many forms, used backwards", |n| {
        let entries = (1..=n).map(|at| Part::text(format!("_{at}_a"), ""));
        form(entries.chain([part(0, list(n, |at| format!("\"$K{:x}\"", n - at)))]))
    }),
    ("one file for many values", |n| {
        form([Part::file("1", "f", "a/b", vec![7; n]), part(0, list(n, |_| "\"$B1\"".into()))])
    }),
    ("rows of a stream that nobody has", |n| {
        form((0..n).map(|_| Part::text("S1", "1")).chain([part(0, "[]")]))
    }),
    ("rows of one stream", |n| {
        form([part(0, "[\"$R1\"]")].into_iter().chain((0..n).map(|_| Part::text("S1", "[1]"))))
    }),
    ("rows after the end of a stream", |n| {
        let rows = (0..n).map(|_| Part::text("S1", "[1]"));
        form([part(0, "[\"$R1\"]"), Part::text("S1", "C")].into_iter().chain(rows))
    }),
    ("rows that cannot be read", |n| {
        form([part(0, "[\"$X1\"]")].into_iter().chain((0..n).map(|_| Part::text("S1", "}"))))
    }),
    ("rows of many streams in turn", |n| {
        let rows = (0..2 * n).map(|at| Part::text(format!("S{}", at % n + 1), "1"));
        form([part(0, list(n, |at| format!("\"$x{:x}\"", at + 1)))].into_iter().chain(rows))
    }),
    ("rows for nobody, and one stream many times", |n| {
        let root = part(0, format!("[\"$@2\",\"$@3\",{}]", list(n, |_| "1".into())));
        let streams = [part(2, "[\"$R1\"]"), part(3, list(n, |_| "\"$R1\"".into()))];
        form((0..n).map(|_| Part::text("S1", "1")).chain([root]).chain(streams))
    }),
    ("one stream for many values", |n| form([part(0, list(n, |_| "\"$R1\"".into()))])),
    ("streams in streams", |n| {
        let rows = (1..n).map(|at| Part::text(format!("S{at}"), format!("\"$R{:x}\"", at + 1)));
        form([part(0, "[\"$R1\"]")].into_iter().chain(rows))
    }),
];
