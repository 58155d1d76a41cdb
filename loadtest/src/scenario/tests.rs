//! Scenarios as they should be, and everything that is said about those that are not.

use super::*;

/// A load and an operation that nothing is wrong with.
const LOAD: &str = "[load]\nrate = 1\n";
const ECHO: &str = "[[operation]]\naction = \"echo\"\n";

fn problems(text: &str) -> String {
    Scenario::parse("bad.toml", text).expect_err(text).to_string()
}

/// What is wrong with lines after `[load]`, `rate = 1`, the first of which is the third.
fn wrong_load(lines: &str) -> String {
    problems(&format!("{LOAD}{lines}\n{ECHO}"))
}

/// What is wrong with lines after those two and `[[operation]]`, the first of which is the fourth.
fn wrong_operation(lines: &str) -> String {
    problems(&format!("{LOAD}[[operation]]\n{lines}\n"))
}

#[test]
fn what_is_not_said_is_the_documented_default() {
    let scenario = Scenario::parse("echo", &format!("{LOAD}{ECHO}")).unwrap();
    let load = &scenario.load;
    assert_eq!((scenario.name.as_str(), scenario.about.as_str()), ("echo", ""));
    assert_eq!((&load.rate, load.spacing, load.http), (&Rate::Constant(1.0), Spacing::Poisson, Http::One));
    assert_eq!((load.warm_up, load.duration), (Duration::from_secs(5), Duration::from_secs(30)));
    assert_eq!((load.connections_max, load.timeout), (64, Duration::from_secs(40)));
    let [operation] = &scenario.operations[..] else { panic!() };
    assert_eq!((operation.name.as_str(), operation.weight), ("echo", 1.0));
    let Kind::Action(action) = &operation.kind else { panic!() };
    assert_eq!((action.path.as_str(), action.multipart, action.duplicates), ("/", false, 0));
    assert_eq!((action.abort_after, action.bytes_per_second), (None, None));
    assert!(
        matches!(&action.arguments, Arguments::Fixed(value) if value.as_array().is_some_and(<[_]>::is_empty))
    );
}

#[test]
fn every_way_to_say_a_rate_is_read() {
    let rate = |written: &str| {
        Scenario::parse("s", &format!("[load]\n{written}\nduration = \"1m\"\n{ECHO}")).unwrap().load.rate
    };
    assert_eq!(rate("ramp = { from = 0, to = 12.5 }"), Rate::Ramp { from: 0.0, to: 12.5 });
    let steps = vec![(100.0, Duration::from_secs(10)), (0.0, Duration::from_millis(500))];
    assert_eq!(rate("steps = [[100, \"10s\"], [0, \"500ms\"]]"), Rate::Steps(steps));
    assert_eq!(rate("replay = [1, 2.5, 0]"), Rate::Replay(vec![1.0, 2.5, 0.0]));
}

#[test]
fn all_problems_are_said_at_once_with_their_lines() {
    let text = "abuot = \"x\"\n[load]\nrate = -5\nwarmup = \"5s\"\nconnections = 0\n\n[[operation]]\naction = \"echo\"\nwieght = 2\n\
                [[operation]]\npage = \"/{who}\"\nconditional = \"yes\"\n[[operation]]\nweight = 1\n";
    let expected = "\
bad.toml:1: a scenario has no `abuot`; did you mean `about`?
bad.toml:3: `rate` has to be a number above 0, not -5
bad.toml:4: `[load]` has no `warmup`; did you mean `warm_up`?
bad.toml:5: `connections` has to be a whole number from 1 to 50000, not 0
bad.toml:9: an operation with `action` has no `wieght`; did you mean `weight`?
bad.toml:11: `{who}` stands for nothing; there are `{number}` and `{pick}` (write `{{who}}` for the text itself)
bad.toml:12: `conditional` has to be true or false, not \"yes\"
bad.toml:13: an operation needs one of `action`, `form`, `page`, `hostile`";
    assert_eq!(problems(text), expected);
}

#[test]
fn a_text_without_what_is_needed_says_so() {
    for (text, expected) in [
        (
            "",
            "bad.toml:1: there is no `[[operation]]`, which says what is asked: one with `action`, `form`, `page`, `hostile`\n\
             bad.toml:1: there is no `[load]`, which says how many requests there are",
        ),
        (
            "load = 1\noperation = 2",
            "bad.toml:1: `load` has to be a table: `[load]`\nbad.toml:2: `operation` has to be an array of tables: `[[operation]]`",
        ),
        (
            &format!("{LOAD}[operation]\naction = \"echo\""),
            "bad.toml:3: `operation` has to be an array of tables: `[[operation]]`",
        ),
        (&format!("[load]\n{ECHO}"), "bad.toml:1: `[load]` needs one of `rate`, `ramp`, `steps`, `replay`"),
        (
            &format!("{LOAD}{ECHO}weight = 0\n[[operation]]\npage = \"/\"\nweight = 0.0"),
            "bad.toml:3: all operations have `weight = 0`: nothing would be asked",
        ),
        (
            &format!("{LOAD}{ECHO}{ECHO}"),
            "bad.toml:5: there are two operations `echo`: give one another `name`",
        ),
    ] {
        assert_eq!(problems(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    let said = problems("[load]\nrate = \n");
    assert!(said.starts_with("bad.toml:2: no TOML: "), "{said}");
    let said = problems("[load]\nrate = 1\nrate = 2\n");
    assert!(said.starts_with("bad.toml:3: no TOML: ") && said.contains("duplicate"), "{said}");
}

#[test]
fn each_value_of_the_load_says_what_it_has_to_be() {
    for (line, expected) in [
        ("rat = 1", "`[load]` has no `rat`; did you mean `rate`?"),
        (
            "colour = 1",
            "`[load]` has no `colour`; there are `rate`, `ramp`, `steps`, `replay`, `spacing`, `warm_up`, `duration`, `connections`, `http`, `timeout`",
        ),
        ("spacing = \"random\"", "`spacing` has to be one of \"poisson\", \"even\", not \"random\""),
        ("spacing = 3", "`spacing` has to be one of \"poisson\", \"even\", not 3"),
        ("duration = 30", "`duration` has to be a time such as \"10s\" or \"500ms\", not 30"),
        ("duration = \"0s\"", "`duration` has to be a time such as \"10s\" or \"500ms\", not \"0s\""),
        ("warm_up = \"soon\"", "`warm_up` has to be a time such as \"10s\" or \"0s\", not \"soon\""),
        ("connections = 60000", "`connections` has to be a whole number from 1 to 50000, not 60000"),
        ("connections = 1.5", "`connections` has to be a whole number from 1 to 50000, not 1.5"),
        ("http = \"3\"", "`http` has to be one of \"1.1\", \"2\", not \"3\""),
        ("timeout = \"-1s\"", "`timeout` has to be a time such as \"10s\" or \"500ms\", not \"-1s\""),
        (
            "ramp = { from = 1, to = 2 }",
            "`ramp` beside `rate`: `[load]` takes only one of `rate`, `ramp`, `steps`, `replay`",
        ),
        (
            "steps = [[1, \"1s\"]]",
            "`steps` beside `rate`: `[load]` takes only one of `rate`, `ramp`, `steps`, `replay`",
        ),
    ] {
        assert_eq!(wrong_load(line), format!("bad.toml:3: {expected}"), "{line}");
    }
}

#[test]
fn each_way_to_say_a_rate_says_what_it_has_to_be() {
    let pairs = "`steps` has to be pairs of a rate and a time such as [[100, \"10s\"], [200, \"10s\"]]";
    for (line, expected) in [
        ("rate = 0", "`rate` has to be a number above 0, not 0".into()),
        ("rate = inf", "`rate` has to be a number above 0, not inf".into()),
        ("rate = \"fast\"", "`rate` has to be a number above 0, not \"fast\"".into()),
        (
            "ramp = { from = 1 }",
            "`ramp` has to be a table such as { from = 100, to = 2000 }, not { from = 1 }".into(),
        ),
        (
            "ramp = { from = -1, to = 2 }",
            "`ramp` has to be a table such as { from = 100, to = 2000 }, not { from = -1, to = 2 }".into(),
        ),
        ("ramp = { from = 0, to = 0 }", "`ramp` never asks for a request".into()),
        ("steps = [[1, 10]]", format!("{pairs}, not [[1, 10]]")),
        ("steps = [[1, \"1s\", 2]]", format!("{pairs}, not [[1, \"1s\", 2]]")),
        ("steps = []", "`steps` never asks for a request".into()),
        ("steps = [[0, \"1s\"]]", "`steps` never asks for a request".into()),
        (
            "steps = [[1, \"1m\"], [2, \"1s\"]]",
            "the last of `steps` would begin after 1m, and `duration` is 30s".into(),
        ),
        (
            "replay = [1, -1]",
            "`replay` has to be an array of rates such as [100, 120, 90], not [1, -1]".into(),
        ),
        ("replay = [0]", "`replay` never asks for a request".into()),
    ] {
        assert_eq!(problems(&format!("[load]\n{line}\n{ECHO}")), format!("bad.toml:2: {expected}"), "{line}");
    }
}

#[test]
fn each_operation_says_what_it_may_not_be() {
    for (line, lines, expected) in [
        (
            3,
            "action = \"a\"\npage = \"/\"",
            "`page` beside `action`: an operation takes only one of `action`, `form`, `page`, `hostile`",
        ),
        (
            5,
            "page = \"/\"\nabort_after = \"1s\"",
            "an operation with `page` has no `abort_after`; there are `name`, `weight`, `picks`, `skew`, `page`, `conditional`, `shows_counters`",
        ),
        (4, "action = \"\"", "`action` has to be a text that is not empty, not \"\""),
        (4, "page = \"tagged\"", "`page` has to be a path such as \"/tagged/{pick}\", not \"tagged\""),
        (4, "page = \"/a b\"", "`page` has to be a path such as \"/tagged/{pick}\", not \"/a b\""),
        (4, "page = \"/<a>\"", "`page` has to be a path such as \"/tagged/{pick}\", not \"/<a>\""),
        (5, "action = \"a\"\nweight = -1", "`weight` has to be a number from 0 on, not -1"),
        (
            5,
            "action = \"a\"\nduplicates = 1",
            "`duplicates = 1` is no duplicate: write 2 or more, or 0 for a call without an idempotency key",
        ),
        (5, "action = \"a\"\nduplicates = 17", "`duplicates` has to be a whole number from 0 to 16, not 17"),
        (
            5,
            "action = \"a\"\nabort_after = \"40s\"",
            "`abort_after` is not below `timeout`, when the client gives up anyway",
        ),
        (
            5,
            "action = \"a\"\nbytes_per_second = 0",
            "`bytes_per_second` has to be a whole number from 1 to 1000000000, not 0",
        ),
        (
            5,
            "action = \"a\"\narguments = 1",
            "`arguments` has to be an array of arguments such as [\"text\", 2, { deep = true }], not 1",
        ),
        (
            5,
            "form = \"/\"\nfields = { name = 1 }",
            "`fields` has to be a table of texts such as { name = \"Ada\" }, not { name = 1 }",
        ),
        (
            5,
            "form = \"/\"\nfields = { name = \"{who}\" }",
            "`{who}` stands for nothing; there are `{number}` and `{pick}` (write `{{who}}` for the text itself)",
        ),
        (5, "form = \"/\"\nsends = 0", "`sends` has to be a whole number from 1 to 16, not 0"),
    ] {
        assert_eq!(wrong_operation(lines), format!("bad.toml:{line}: {expected}"), "{lines}");
    }
}

#[test]
fn what_does_not_go_together_is_said() {
    for (line, lines, expected) in [
        (3, "page = \"/{pick}\"", "`{pick}` needs `picks`, which says how many values it has"),
        (5, "page = \"/\"\npicks = 3", "`picks` without `{pick}`: nothing would be picked"),
        (5, "page = \"/\"\nskew = 0.5", "`skew` without `picks`: nothing would be picked"),
        (6, "page = \"/{pick}\"\npicks = 2\nskew = 1.5", "`skew` has to be a number from 0 to 1, not 1.5"),
        (
            5,
            "action = \"a\"\noracle = \"leger\"",
            "`oracle` has to be one of \"none\", \"ledger\", \"ledger-keyed\", \"ledger-idempotent\", \"bump\", not \"leger\"",
        ),
        (
            6,
            "action = \"a\"\noracle = \"ledger\"\narguments = [\"a\", 7, 1]",
            "the oracle judges calls with an account as text, `{ \"$number\" = true }` and milliseconds",
        ),
        (
            6,
            "action = \"a\"\noracle = \"bump\"\narguments = [1]",
            "the oracle judges calls with one argument, the tag as text",
        ),
    ] {
        assert_eq!(wrong_operation(lines), format!("bad.toml:{line}: {expected}"), "{lines}");
    }
}

#[test]
fn each_argument_says_what_it_has_to_be() {
    for (argument, expected) in [
        ("{ \"$mpa\" = [] }", "`$mpa` is no kind of value; did you mean `$map`?"),
        ("{ \"$set\" = [1], b = 2 }", "a table with `$set` has no other keys"),
        ("{ \"$set\" = 1 }", "`$set` has to be as in [1, 2, …], not 1"),
        ("{ \"$map\" = [[1]] }", "`$map` has to be as in [[\"key\", 1], …], not [[1]]"),
        ("{ \"$undefined\" = false }", "`$undefined` has to be as in true, not false"),
        ("{ \"$bigint\" = \"1.5\" }", "`$bigint` has to be as in \"12345678901234567890\", not \"1.5\""),
        ("{ \"$date\" = \"today\" }", "\"today\" is no date that JavaScript can hold"),
        ("07:32:00", "07:32:00 is no date that JavaScript can hold"),
        (
            "9007199254740993",
            "JavaScript has no number 9007199254740993: write { \"$bigint\" = \"9007199254740993\" }",
        ),
        ("{ \"$bytes\" = -1 }", "`$bytes` has to be as in 1000, not -1"),
        (
            "{ \"$file\" = { type = \"a/b\" } }",
            "`$file` has to be as in { bytes = 65536, type = \"image/png\", name = \"a.png\" }, not { type = \"a/b\" }",
        ),
        (
            "{ \"$file\" = { bytes = 1, media = \"a/b\" } }",
            "a `$file` has no `media`; there are `bytes`, `type`, `name`",
        ),
        (
            "{ \"$form\" = [[\"a\", 1]] }",
            "`$form` has to be as in [[\"name\", \"value\"], …], not [[\"a\", 1]]",
        ),
        (
            "{ deep = [\"{deep}\"] }",
            "`{deep}` stands for nothing; there are `{number}` and `{pick}` (write `{{deep}}` for the text itself)",
        ),
    ] {
        let said = wrong_operation(&format!("action = \"a\"\narguments = [{argument}]"));
        assert_eq!(said, format!("bad.toml:5: {expected}"), "{argument}");
    }
}

/// Goal: the file in the documentation is a scenario that runs. Method: each is read, and what it calls is looked up in
/// the sources of the examples.
#[test]
fn every_scenario_that_comes_along_is_right_and_calls_what_there_is() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let sources = |example: &str| {
        let files = std::fs::read_dir(examples.join(example).join("src")).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect::<String>()
    };
    let (workload, guestbook) = (sources("workload"), sources("guestbook"));
    for (name, text) in SHIPPED {
        let scenario = Scenario::parse(name, text).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(scenario.about.len() > 20 && scenario.about.ends_with('.'), "{name}");
        let source = if *name == "guestbook" { &guestbook } else { &workload };
        for operation in &scenario.operations {
            let needed = match &operation.kind {
                Kind::Action(Action { action, .. }) | Kind::Hostile(Hostile { action }) => {
                    format!("#[action(public, name = \"{action}\"")
                }
                Kind::Form(Form { path, .. }) | Kind::Page(Page { path, .. }) => {
                    format!(
                        "#[page(\"{}\"",
                        path.replace("tagged-{pick}", "{tag}").replace("{pick}", "{number}")
                    )
                }
            };
            assert!(source.contains(&needed), "{name}, {}: no {needed}", operation.name);
        }
    }
    assert_eq!(shipped("echo"), Some(SHIPPED[0].1));
    assert_eq!(shipped("echo.toml"), None);
}

#[test]
fn a_scenario_is_found_by_its_name_or_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.toml");
    std::fs::write(&path, format!("{LOAD}{ECHO}")).unwrap();
    let find = |given: &str| Scenario::find(given).map_err(|error| error.to_string());
    assert_eq!(find(path.to_str().unwrap()).unwrap().name, "mine");
    assert_eq!(find("hot90").unwrap().name, "hot90");
    let misspelt =
        "no scenario `eco` comes along; did you mean `echo`? (the path of your own ends with .toml)";
    assert_eq!(find("eco").unwrap_err(), misspelt);
    assert_eq!(find("none/here.toml").unwrap_err(), "cannot read none/here.toml");
    std::fs::write(&path, "load = 1").unwrap();
    assert!(find(path.to_str().unwrap()).unwrap_err().contains("mine.toml:1: `load` has to be a table"));
}

#[test]
fn the_schema_names_every_key_and_value() {
    let text = schema_text();
    let keys = [schema::TOP, schema::LOAD, schema::OPERATION];
    let own = schema::KINDS.iter().map(|(_, keys)| *keys);
    for key in keys.into_iter().chain(own).flatten() {
        assert!(text.contains(&format!("| `{}` | {} |", key.name, key.takes.words())), "{}", key.name);
    }
    for (name, ..) in schema::VALUES {
        assert!(text.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// Goal: a run that was made shorter says that it did not come to what the scenario is about.
#[test]
fn steps_that_come_after_the_end_are_known() {
    let mut load = Scenario::find("overload5x").unwrap().load;
    assert_eq!(load.steps_left(), Duration::ZERO);
    load.duration = Duration::from_secs(12);
    assert_eq!(load.steps_left(), Duration::from_secs(48));
    load.rate = Rate::Constant(5.0);
    assert_eq!(load.steps_left(), Duration::ZERO);
}
