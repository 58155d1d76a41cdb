//! Forms without JavaScript.

use callboard::{ActionContext, Failure, Form, Html, PageContext, PageError, Principal, action, page};
use serde::{Deserialize, Serialize};

use crate::client::{Answer, Caller};

#[derive(Deserialize)]
struct Order {
    cups: u8,
    milk: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Ordered {
    text: String,
}

#[action(public, name = "order")]
async fn order(
    cx: &ActionContext,
    #[bound] table: u32,
    _previous: Option<Ordered>,
    form: Form<Order>,
) -> Result<Ordered, Failure> {
    match form.cups {
        0 => return Err(Failure::public("no-cups", "order a cup at least")),
        99 => cx.redirect("/done"),
        98 => cx.not_found(),
        _ => {}
    }
    let milk = form.milk.as_deref().unwrap_or("no milk");
    Ok(Ordered { text: format!("table {table}: {} cups, {milk}", form.cups) })
}

#[page("/order/{table}")]
async fn order_page(cx: &PageContext, table: u32) -> Result<Html, PageError> {
    let action = order.bind(&table);
    let state: Option<Ordered> = cx.form_state(action.clone());
    let text = state.as_ref().map_or("nothing yet", |ordered| &ordered.text);
    Ok(Html::raw(format!(
        "<p>{}</p><form>{}</form>",
        Html::escape(text),
        cx.form_with_state(action, &state)?
    )))
}

#[action(public, name = "plain")]
async fn plain(_cx: &ActionContext, form: Form<Order>) -> u8 {
    form.cups
}

#[page("/plain")]
async fn plain_page(cx: &PageContext) -> Result<Html, PageError> {
    Ok(Html::raw(format!("<form>{}</form>", cx.form(plain)?)))
}

#[action(public, name = "prefer")]
async fn prefer(cx: &ActionContext, form: Form<Preference>) {
    cx.set_cookie(&callboard::Cookie::new("colour", &form.colour));
}

#[derive(Deserialize)]
struct Preference {
    colour: String,
}

#[page("/prefer")]
async fn prefer_page(cx: &PageContext) -> Result<Html, PageError> {
    let colour = cx.cookie("colour").unwrap_or_else(|| "none".into());
    Ok(Html::raw(format!("<p>{}</p><form>{}</form>", Html::escape(&colour), cx.form(prefer)?)))
}

#[page("/unbound")]
async fn unbound_page(cx: &PageContext) -> Result<Html, PageError> {
    cx.form(order)
}

#[page("/mine")]
async fn mine(cx: &PageContext) -> Result<Html, PageError> {
    cx.form(order.bind(&1).for_principal(&Principal::new("ann")))
}

#[page("/late")]
async fn late(cx: &PageContext) -> Result<Html, PageError> {
    cx.form(order.bind(&1).expires_in(std::time::Duration::ZERO))
}

fn with(fields: Vec<(String, String)>, typed: &[(&str, &str)]) -> Vec<(String, String)> {
    let typed = typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    fields.into_iter().chain(typed).collect()
}

fn submit(caller: &Caller, path: &str, typed: &[(&str, &str)]) -> Answer {
    let fields = caller.get(path).hidden_fields();
    caller.submit(path, &with(fields, typed), None)
}

#[test]
fn a_form_is_answered_by_its_page_with_what_the_action_said() {
    let caller = Caller::start(&[]);
    let answer = submit(&caller, "/order/3", &[("cups", "2"), ("milk", "")]);
    assert_eq!((answer.status, answer.header("callboard-outcome")), (200, "done"));
    assert!(answer.body.contains("<p>table 3: 2 cups, no milk</p>"), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "private, no-store");

    // The state went into the form; the page itself is as it was for everybody else.
    let again =
        caller.submit("/order/3", &with(answer.hidden_fields(), &[("cups", "3"), ("milk", "oat")]), None);
    assert!(again.body.contains("<p>table 3: 3 cups, oat</p>"), "{}", again.body);
    assert!(caller.get("/order/3").body.contains("<p>nothing yet</p>"));
}

#[test]
fn the_state_of_one_form_is_not_that_of_another() {
    let caller = Caller::start(&[]);
    let fields = caller.get("/order/3").hidden_fields();
    // Posted at table 4's page, whose form is another one.
    let answer = caller.submit("/order/4", &with(fields, &[("cups", "2")]), None);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("<p>nothing yet</p>"), "{}", answer.body);
}

#[test]
fn a_form_may_lead_elsewhere() {
    let caller = Caller::start(&[]);
    let redirected = submit(&caller, "/order/1", &[("cups", "99")]);
    assert_eq!((redirected.status, redirected.header("location")), (303, "/done"));
    assert_eq!(submit(&caller, "/order/1", &[("cups", "98")]).status, 404);
    let failed = submit(&caller, "/order/1", &[("cups", "0")]);
    assert_eq!((failed.status, failed.header("callboard-outcome")), (500, "failed"));
    let mismatch = submit(&caller, "/order/1", &[("cups", "many")]);
    assert_eq!((mismatch.status, mismatch.header("callboard-outcome")), (400, "not-run"));
    assert!(
        mismatch.body.contains("argument 3, .cups: expected an integer from 0 to 255"),
        "{}",
        mismatch.body
    );
}

#[test]
fn sealed_values_are_refused_when_they_are_not_what_the_page_sealed() {
    let caller = Caller::start(&[]);
    let fields = caller.get("/order/3").hidden_fields();
    let change = |from: &str, to: &str| {
        let mut changed = fields.clone();
        for (_, value) in &mut changed {
            *value = value.replacen(from, to, 1);
        }
        caller.submit("/order/3", &with(changed, &[("cups", "2")]), None)
    };
    // What it begins with depends on the key of this build.
    let first = fields.iter().find_map(|(_, value)| value.strip_prefix("[\"")?.get(..1)).expect("a seal");
    let other = if first == "A" { "B" } else { "A" };
    let damaged = change(&format!("[\"{first}"), &format!("[\"{other}"));
    for altered in [damaged, change("\",null]", "x\",null]"), change("[\"", "[1,\"")] {
        assert_eq!(
            (altered.status, altered.header("callboard-error")),
            (400, "bad-seal"),
            "{}",
            altered.body
        );
    }
    for path in ["/mine", "/late"] {
        let refused = submit(&caller, path, &[("cups", "2")]);
        assert_eq!((refused.status, refused.header("callboard-error")), (400, "bad-seal"));
    }
    assert_eq!(caller.get("/mine").header("cache-control"), "private, no-store");
    // By the client, with a value of its own choice in place of the sealed one.
    assert_eq!(caller.call("order", r#"[3,null,{"cups":1}]"#).header("callboard-error"), "bad-seal");
}

#[test]
fn the_page_after_a_form_sees_the_cookies_that_the_action_set() {
    let caller = Caller::start(&[]);
    let answer = submit(&caller, "/prefer", &[("colour", "sea green")]);
    assert!(answer.body.contains("<p>sea green</p>"), "{}", answer.body);
    assert!(answer.header("set-cookie").starts_with("colour=sea%20green"));
}

/// Goal: nothing in the page tells what was sealed. Method: two nodes with keys of their own, the same values.
#[test]
fn the_key_of_a_form_says_nothing_of_its_sealed_values() {
    let key = |caller: &Caller, path: &str| {
        let fields = caller.get(path).hidden_fields();
        fields.into_iter().find(|(name, _)| name == "$ACTION_KEY").expect("a key").1
    };
    let (one, other) = (Caller::start(&[]), Caller::start(&[]));
    assert_eq!(key(&one, "/order/3"), key(&one, "/order/3?again"));
    assert_ne!(key(&one, "/order/3"), key(&one, "/order/4"));
    assert_ne!(key(&one, "/order/3"), key(&other, "/order/3"));
}

#[test]
fn a_page_that_forgets_to_bind_says_so() {
    let caller = Caller::start(&[]);
    assert_eq!(caller.get("/unbound").status, 500);
}

#[test]
fn a_url_encoded_form_is_taken_too() {
    let caller = Caller::start(&[]);
    let mut fields = caller.get("/plain").hidden_fields();
    fields.push(("cups".into(), "5".into()));
    let answer = Answer::of(caller.http.post(caller.url("/plain")).form(&fields).send());
    assert_eq!((answer.status, answer.header("callboard-outcome")), (200, "done"));
}

#[test]
fn a_form_posted_to_a_path_without_a_page_goes_back_where_it_came_from() {
    let caller = Caller::start(&[]);
    let fields = with(caller.get("/plain").hidden_fields(), &[("cups", "5")]);
    let post = |referer: Option<String>| {
        let mut request = caller.http.post(caller.url("/nowhere")).form(&fields);
        if let Some(referer) = referer {
            request = request.header("referer", referer);
        }
        Answer::of(request.send())
    };
    let back = post(Some(caller.url("/plain?x=1")));
    assert_eq!(
        (back.status, back.header("location"), back.header("callboard-outcome")),
        (303, "/plain?x=1", "done")
    );
    for elsewhere in [None, Some("https://evil.example/plain".to_owned()), Some(caller.url("//evil.example"))]
    {
        let stays = post(elsewhere);
        assert_eq!((stays.status, stays.header("location")), (200, ""));
    }
}

#[test]
fn what_is_no_call_is_refused() {
    let caller = Caller::start(&[]);
    let plain_field = caller.submit("/plain", &[("cups".into(), "1".into())], None);
    assert_eq!((plain_field.status, plain_field.header("x-nextjs-action-not-found")), (400, "1"));
    let no_form = Answer::of(caller.http.post(caller.url("/plain")).body("x").send());
    assert_eq!((no_form.status, no_form.header("callboard-error")), (400, "not-an-action"));
    let foreign =
        caller.http.post(caller.url("/plain")).header("origin", "https://evil.example").form(&[("a", "b")]);
    assert_eq!(Answer::of(foreign.send()).header("callboard-error"), "foreign-origin");
}
