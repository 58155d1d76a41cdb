//! Why a page is fresh or stale, as the admin port tells it.

use serde_json::Value;

use crate::client::Caller;

fn explain(caller: &Caller, query: &str) -> Value {
    let url = format!("http://{}/explain?{query}", caller.node.admin());
    caller.http.get(url).send().and_then(reqwest::blocking::Response::json).expect("JSON")
}

#[test]
fn a_kept_page_says_why_it_is_fresh_stale_or_dead() {
    let caller = Caller::start(&[]);
    let nothing = explain(&caller, "path=/blog/x");
    assert_eq!((&nothing["page"], &nothing["found"]), (&"/blog/{*rest}".into(), &0.into()));

    let first = caller.get("/blog/x");
    let fresh = explain(&caller, "path=/blog/x");
    let birth = fresh["applied"].as_str().expect("text").to_owned();
    assert_eq!(fresh["leased"], true);
    let entry = &fresh["entries"][0];
    assert_eq!(entry["render"], first.header("callboard-render"));
    assert_eq!((&entry["verdict"], &entry["birth"]), (&"fresh".into(), &Value::from(birth.as_str())));
    assert!(entry["age_ms"].is_u64());
    let tags = entry["parts"][0]["tags"].as_array().expect("a list");
    let named = |name: &str| {
        tags.iter().find(|tag| tag["tag"] == name).unwrap_or_else(|| panic!("no {name} in {tags:?}"))
    };
    for name in ["tag blog", "path /blog/x", "layout /", "layout /blog", "layout /blog/x"] {
        assert_eq!(named(name)["hard"], Value::Null);
    }

    let after = |order: &str| {
        caller.call("revalidate_as", order);
        let told = explain(&caller, "path=/blog/x");
        let at = told["applied"].as_str().expect("text").to_owned();
        (told["entries"][0].clone(), at)
    };
    let (soft, at) = after(r#"["soft","blog"]"#);
    assert_eq!(soft["verdict"], "stale");
    assert_eq!(soft["because"], format!("the tag blog was revalidated at {at}, and it began at {birth}"));
    let (dead, at) = after(r#"["layout","/blog"]"#);
    assert_eq!(dead["verdict"], "dead");
    assert_eq!(dead["because"], format!("the layout /blog was revalidated at {at}, and it began at {birth}"));
}

#[test]
fn a_page_of_one_host_can_be_asked_for_and_names_that_are_not_kept_are_hashes() {
    let caller = Caller::start(&[]);
    for host in ["one.example", "two.example"] {
        caller.http.get(caller.url("/news/7?a=1")).header("host", host).send().expect("an answer");
    }
    assert_eq!(explain(&caller, "path=/news/7")["found"], 2);
    let one = explain(&caller, "path=/news/7&host=one.example");
    assert_eq!((&one["found"], &one["entries"][0]["query"]), (&1.into(), &"a=1".into()));
    let tags = one["entries"][0]["parts"][0]["tags"].as_array().expect("a list").clone();
    let hashes = tags
        .iter()
        .filter(|tag| tag["tag"].as_str().is_some_and(|tag| tag.starts_with("tag with the hash ")));
    assert_eq!(hashes.count(), 1);
}

#[test]
fn a_path_is_explained_however_it_is_escaped() {
    let caller = Caller::start(&[]);
    caller.get("/words/caf%C3%A9");
    for path in ["/words/caf%C3%A9", "/words/caf%25C3%25A9"] {
        let told = explain(&caller, &format!("path={path}"));
        assert_eq!((&told["found"], &told["more"]), (&1.into(), &false.into()), "{path}");
        let tags = told["entries"][0]["parts"][0]["tags"].as_array().expect("a list").clone();
        assert!(
            tags.iter().all(|tag| !tag["tag"].as_str().is_some_and(|tag| tag.contains("hash"))),
            "{tags:?}"
        );
    }
}

#[test]
fn however_much_is_kept_of_a_path_the_answer_is_bounded_and_says_so() {
    let caller = Caller::start(&[]);
    for number in 0..101 {
        caller.get(&format!("/news/7?number={number}"));
    }
    let told = explain(&caller, "path=/news/7");
    assert_eq!((&told["found"], &told["more"]), (&100.into(), &true.into()));
    assert_eq!(told["entries"].as_array().map(Vec::len), Some(100));
}

#[test]
fn what_is_no_question_is_refused() {
    let caller = Caller::start(&[]);
    let url = format!("http://{}/explain", caller.node.admin());
    assert_eq!(caller.http.get(url).send().expect("an answer").status(), 400);
}
