//! Every key of a scenario: what it takes, what it is if it is missing, and what it means. The parser, the help and the
//! documentation are made of this table.

use std::fmt::Write as _;

/// A key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    /// As it would be written; without one, the meaning says what happens.
    pub(super) default: Option<&'static str>,
    pub(super) meaning: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Takes {
    Text,
    /// A path of a server, with placeholders.
    Path,
    Flag,
    /// A number from the first on; above it, if it is not allowed itself.
    Number {
        min: f64,
        is_min_allowed: bool,
        max: f64,
    },
    Count {
        min: u32,
        max: u32,
    },
    Time {
        is_zero_allowed: bool,
    },
    OneOf(&'static [&'static str]),
    /// `{ from = …, to = … }`
    Ramp,
    /// `[[rate, time], …]`
    Steps,
    /// `[rate, …]`
    Rates,
    /// A table of texts, with placeholders.
    Fields,
    /// An array, see [`super::template`].
    Arguments,
}

impl Takes {
    /// In words, as in "`weight` has to be a number from 0 on".
    pub(super) fn words(self) -> String {
        match self {
            Self::Text => "a text that is not empty".into(),
            Self::Path => "a path such as \"/tagged/{pick}\"".into(),
            Self::Flag => "true or false".into(),
            Self::Number { min, max, .. } if max.is_finite() => format!("a number from {min} to {max}"),
            Self::Number { min, is_min_allowed: true, .. } => format!("a number from {min} on"),
            Self::Number { min, .. } => format!("a number above {min}"),
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Time { is_zero_allowed: true } => "a time such as \"10s\" or \"0s\"".into(),
            Self::Time { is_zero_allowed: false } => "a time such as \"10s\" or \"500ms\"".into(),
            Self::OneOf(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", quoted.join(", "))
            }
            Self::Ramp => "a table such as { from = 100, to = 2000 }".into(),
            Self::Steps => "pairs of a rate and a time such as [[100, \"10s\"], [200, \"10s\"]]".into(),
            Self::Rates => "an array of rates such as [100, 120, 90]".into(),
            Self::Fields => "a table of texts such as { name = \"Ada\" }".into(),
            Self::Arguments => "an array of arguments such as [\"text\", 2, { deep = true }]".into(),
        }
    }
}

const fn key(name: &'static str, takes: Takes, default: Option<&'static str>, meaning: &'static str) -> Key {
    Key { name, takes, default, meaning }
}

const RATE: Takes = Takes::Number { min: 0.0, is_min_allowed: false, max: f64::INFINITY };

/// At the top.
pub(super) const TOP: &[Key] = &[key(
    "about",
    Takes::Text,
    None,
    "What the scenario is for, in a sentence that stands in its report. The name of the scenario is that of its file.",
)];

/// In `[load]`. One of the first four says how many requests there are.
pub(super) const LOAD: &[Key] = &[
    key("rate", RATE, None, "Requests per second, all the time."),
    key("ramp", Takes::Ramp, None, "Requests per second, rising or falling evenly over `duration`."),
    key(
        "steps",
        Takes::Steps,
        None,
        "Requests per second and for how long, one after the other; the last step holds until the end.",
    ),
    key(
        "replay",
        Takes::Rates,
        None,
        "Requests per second of each second of a recording, which begins anew if `duration` is longer. Results of a run hold one: `jq -c '[.seconds[].asked]'`.",
    ),
    key(
        "spacing",
        Takes::OneOf(&["poisson", "even"]),
        Some("\"poisson\""),
        "How requests lie within a rate: as of independent clients, or at equal distances.",
    ),
    key(
        "warm_up",
        Takes::Time { is_zero_allowed: true },
        Some("\"5s\""),
        "How long load is applied before anything is measured.",
    ),
    key(
        "duration",
        Takes::Time { is_zero_allowed: false },
        Some("\"30s\""),
        "How long it is measured, after that.",
    ),
    key(
        "connections",
        Takes::Count { min: 1, max: 50_000 },
        Some("64"),
        "Most connections to each target. They stay open between requests.",
    ),
    key(
        "http",
        Takes::OneOf(&["1.1", "2"]),
        Some("\"1.1\""),
        "The protocol on the connections; 2 with prior knowledge on plain TCP, by ALPN on TLS.",
    ),
    key(
        "timeout",
        Takes::Time { is_zero_allowed: false },
        Some("\"40s\""),
        "How long an answer is waited for: longer than `call_timeout` of the nodes and `publish_timeout` together, or what they answer in time is taken for no answer.",
    ),
];

/// In every `[[operation]]`.
pub(super) const OPERATION: &[Key] = &[
    key("name", Takes::Text, None, "What it is called in reports; without one, what it asks for."),
    key(
        "weight",
        Takes::Number { min: 0.0, is_min_allowed: true, max: f64::INFINITY },
        Some("1"),
        "Its share of the requests, in relation to the weights of the others.",
    ),
    key(
        "picks",
        Takes::Count { min: 1, max: 1_000_000 },
        None,
        "How many values `{pick}` has: 0 and so on. Each request picks one.",
    ),
    key(
        "skew",
        Takes::Number { min: 0.0, is_min_allowed: true, max: 1.0 },
        None,
        "Share of the requests that pick 0; without it, all values are equally likely.",
    ),
];

/// In an `[[operation]]` with `action`.
pub(super) const ACTION: &[Key] = &[
    key("action", Takes::Text, None, "Calls this action, by its name in the manifest."),
    key("path", Takes::Path, Some("\"/\""), "Where it is posted to."),
    key("arguments", Takes::Arguments, Some("[]"), "The arguments; see \"Arguments\"."),
    key("multipart", Takes::Flag, Some("false"), "Sends a form even where one text would do."),
    key(
        "duplicates",
        Takes::Count { min: 0, max: 16 },
        Some("0"),
        "How often the call is sent, at once and to several targets, with one idempotency key. 0: once and without a key; 1 is not allowed.",
    ),
    key(
        "abort_after",
        Takes::Time { is_zero_allowed: true },
        None,
        "The client hangs up this long after it has sent the call.",
    ),
    key("bytes_per_second", Takes::Count { min: 1, max: 1_000_000_000 }, None, "Sends the body this slowly."),
    key(
        "oracle",
        Takes::OneOf(&["none", "ledger", "ledger-keyed", "ledger-idempotent", "bump"]),
        Some("\"none\""),
        "What the oracles may take it for: an action that writes its runs to the ledger (arguments: account, `{ \"$number\" = true }`, milliseconds) or one that raises the counter of a tag (argument: the tag).",
    ),
];

/// In an `[[operation]]` with `form`.
pub(super) const FORM: &[Key] = &[
    key(
        "form",
        Takes::Path,
        None,
        "Gets this page, fills in the form on it and sends it, as a browser without JavaScript does.",
    ),
    key(
        "fields",
        Takes::Fields,
        Some("{}"),
        "What a person types. The form is the first of the page that has all of these.",
    ),
    key(
        "sends",
        Takes::Count { min: 1, max: 16 },
        Some("1"),
        "How often it is sent, at once: 2 is somebody who pressed the button twice.",
    ),
];

/// In an `[[operation]]` with `page`.
pub(super) const PAGE: &[Key] = &[
    key("page", Takes::Path, None, "Gets this page."),
    key(
        "conditional",
        Takes::Flag,
        Some("false"),
        "Sends the `etag` that came last with `if-none-match`, so that the answer may be 304.",
    ),
    key(
        "shows_counters",
        Takes::Flag,
        Some("false"),
        "The page shows the counters of its tags, as `/tagged/N` of the workload does: the oracles look whether it is stale.",
    ),
];

/// In an `[[operation]]` with `hostile`.
pub(super) const HOSTILE: &[Key] = &[key(
    "hostile",
    Takes::Text,
    None,
    "Sends this action what no server may act on: bodies of published attacks, and garbage.",
)];

/// The kinds of operations, each named by the key that makes it one.
pub(super) const KINDS: &[(&str, &[Key])] =
    &[("action", ACTION), ("form", FORM), ("page", PAGE), ("hostile", HOSTILE)];

/// Tables of arguments with one key that begins with `$`: what TOML has no value for.
pub(super) const VALUES: &[(&str, &str, &str)] = &[
    ("$undefined", "true", "`undefined`"),
    ("$null", "true", "`null`"),
    (
        "$number",
        "true",
        "The number of the call: another one for each call of a run. Within texts: `{number}`.",
    ),
    ("$pick", "true", "What the call picks of `picks`, as a number. Within texts: `{pick}`, the same one."),
    ("$date", "\"2026-01-01T00:00:00Z\"", "A date. TOML's own dates are dates as well."),
    ("$bigint", "\"12345678901234567890\"", "A big integer."),
    ("$map", "[[\"key\", 1], …]", "A `Map`."),
    ("$set", "[1, 2, …]", "A `Set`."),
    ("$bytes", "1000", "A `Uint8Array` of this length."),
    (
        "$file",
        "{ bytes = 65536, type = \"image/png\", name = \"a.png\" }",
        "A `File` of this length; a `Blob` without `name`.",
    ),
    ("$form", "[[\"name\", \"value\"], …]", "A `FormData` of texts and files."),
];

/// What placeholders within texts stand for.
pub(super) const PLACEHOLDERS: &[&str] = &["number", "pick"];

/// All keys and values, as Markdown: for the documentation and for a terminal.
pub(crate) fn text() -> String {
    let mut text = String::new();
    let sections: [(&str, &[&[Key]]); 7] = [
        ("At the top", &[TOP]),
        ("[load]", &[LOAD]),
        ("[[operation]]", &[OPERATION]),
        ("[[operation]] with `action`", &[ACTION]),
        ("[[operation]] with `form`", &[FORM]),
        ("[[operation]] with `page`", &[PAGE]),
        ("[[operation]] with `hostile`", &[HOSTILE]),
    ];
    for (title, tables) in sections {
        write_all(
            &mut text,
            &format!("### {title}\n\n| key | takes | default | meaning |\n|---|---|---|---|\n"),
        );
        for key in tables.iter().flat_map(|keys| keys.iter()) {
            let default = key.default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
            let (name, takes, meaning) = (key.name, key.takes.words(), key.meaning);
            write_all(&mut text, &format!("| `{name}` | {takes} | {default} | {meaning} |\n"));
        }
        text.push('\n');
    }
    text.push_str(
        "### Arguments\n\nTexts, numbers, booleans, arrays and tables are themselves. What TOML has no value for is a table with one key:\n\n\
         | key | takes | value |\n|---|---|---|\n",
    );
    for (name, takes, meaning) in VALUES {
        write_all(&mut text, &format!("| `{name}` | `{takes}` | {meaning} |\n"));
    }
    text.push_str(
        "\nA text that should hold a placeholder's name in braces writes them twice: `{{pick}}`.\n",
    );
    text
}

fn write_all(text: &mut String, what: &str) {
    text.write_str(what).expect("a string takes all that is written");
}
