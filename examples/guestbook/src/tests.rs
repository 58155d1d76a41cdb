//! The guestbook as a browser without JavaScript sees it: over HTTP, form by form.

use callboard::{App, Running};
use reqwest::{
    StatusCode,
    blocking::{Client, Response, multipart},
    redirect::Policy,
};
use tempfile::TempDir;

use crate::book::Book;

/// A guestbook of its own for one test.
struct Site {
    node: Running,
    _state_dir: TempDir,
}

/// A visitor with a cookie jar, who follows no redirect unasked.
struct Visitor {
    client: Client,
    site: String,
}

/// What came back.
struct Answer {
    status: StatusCode,
    location: Option<String>,
    cache_status: Option<String>,
    cache_control: String,
    body: String,
}

impl Site {
    fn open() -> Self {
        let state_dir = tempfile::tempdir().unwrap();
        let folder = state_dir.path().to_str().unwrap();
        let settings = [("listen", "127.0.0.1:0"), ("admin", "127.0.0.1:0"), ("state_dir", folder)];
        let app = App::new("guestbook").setup(|start| Book::open_file(start.state_dir));
        Self { node: app.start(&settings).unwrap(), _state_dir: state_dir }
    }

    fn visitor(&self) -> Visitor {
        let client = Client::builder().cookie_store(true).redirect(Policy::none()).build().unwrap();
        Visitor { client, site: format!("http://{}", self.node.address()) }
    }
}

impl Visitor {
    fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.site)).send().unwrap())
    }

    /// Sends the first form of a page whose HTML contains `mark`, with these fields filled in.
    fn submit(&self, page: &str, mark: &str, filled: &[(&str, &str)]) -> Answer {
        let form = form(page, mark);
        let mut body = multipart::Form::new();
        for (name, value) in hidden_fields(form) {
            body = body.text(name, value);
        }
        for (name, value) in filled {
            body = body.text((*name).to_owned(), (*value).to_owned());
        }
        let url = format!("{}{}", self.site, attribute(form, "action"));
        let request = self.client.post(url).header("origin", &self.site).multipart(body);
        Answer::of(request.send().unwrap())
    }

    fn sign(&self, name: &str, message: &str) -> Answer {
        self.submit(&self.get("/").body, "name=\"message\"", &[("name", name), ("message", message)])
    }

    fn sign_in(&self, name: &str) {
        let answer = self.submit(&self.get("/sign-in").body, "name=\"name\"", &[("name", name)]);
        assert_eq!((answer.status.as_u16(), answer.location.as_deref()), (303, Some("/mine")));
    }
}

impl Answer {
    fn of(response: Response) -> Self {
        let header = |name| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
        Self {
            status: response.status(),
            location: header("location"),
            cache_status: header("cache-status"),
            cache_control: header("cache-control").unwrap_or_default(),
            body: response.text().unwrap(),
        }
    }
}

fn form<'a>(page: &'a str, mark: &str) -> &'a str {
    let mut forms = page.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap());
    forms.find(|form| form.contains(mark)).unwrap_or_else(|| panic!("no form with {mark} in {page}"))
}

fn hidden_fields(form: &str) -> Vec<(String, String)> {
    let inputs = form.split("<input type=\"hidden\"").skip(1);
    inputs.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()
}

fn without_nonce(page: &str) -> String {
    let fields = hidden_fields(page);
    let nonce = fields.iter().find(|(name, _)| name == "$CALLBOARD_NONCE").expect("a form");
    page.replace(&nonce.1, "")
}

/// The first attribute of this name, as the browser reads it.
fn attribute(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!(" {name}=\"")).unwrap();
    let escaped = rest.split('"').next().unwrap();
    let plain = escaped.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<");
    plain.replace("&gt;", ">").replace("&amp;", "&")
}

fn percent_encoded(byte: u8) -> [char; 3] {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
    ['%', digit(byte >> 4), digit(byte & 15)]
}

/// The numbers of the entries on a page, in order.
fn entries(page: &str) -> Vec<u64> {
    let items = page.split("<li id=\"entry-").skip(1);
    items.map(|item| item.split('"').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn an_empty_book_invites_to_write() {
    let page = Site::open().visitor().get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("The first page is yours"), "{}", page.body);
    assert!(entries(&page.body).is_empty());
}

/// Goal: a reload repeats nothing and shows no old page. Method: the answer is a redirect to a page that was cached
/// before.
#[test]
fn who_signs_is_sent_to_the_book_and_finds_the_entry_there() {
    let site = Site::open();
    let visitor = site.visitor();
    visitor.get("/");
    assert!(visitor.get("/").cache_status.unwrap().contains("hit"));

    let answer = visitor.sign("Ada ☃", " <b>one</b>\r\ntwo & \"three\" ");
    assert_eq!((answer.status.as_u16(), answer.location.as_deref()), (303, Some("/")));

    let page = visitor.get("/");
    assert_eq!(entries(&page.body).len(), 1);
    assert!(page.body.contains("Ada ☃"), "{}", page.body);
    assert!(page.body.contains("&#60;b&#62;one&#60;/b&#62;\ntwo &#38; &#34;three&#34;</p>"), "{}", page.body);
    assert!(page.body.contains("<time datetime=\"20"));
    assert!(visitor.get("/").cache_status.unwrap().contains("hit"));
}

#[test]
fn what_is_wrong_stands_beside_the_field_and_what_was_typed_stays() {
    let site = Site::open();
    let visitor = site.visitor();

    let answer = visitor.sign("<Ada>", "  ");
    assert_eq!(answer.status, 200);
    assert!(answer.cache_control.contains("no-store"));
    let error = "<p class=\"error\" role=\"alert\" id=\"message-error\">Please write a message.</p>";
    assert!(answer.body.contains(error), "{}", answer.body);
    assert!(answer.body.contains("aria-describedby=\"message-error message-hint\""));
    assert!(answer.body.contains("value=\"&#60;Ada&#62;\""), "{}", answer.body);
    assert!(!answer.body.contains("id=\"name-error\""));

    // The page with the errors is a form like any other.
    let again = visitor.submit(&answer.body, "name=\"message\"", &[("name", ""), ("message", "kept\u{7}")]);
    assert!(again.body.contains("id=\"name-error\">Please write a name.</p>"));
    assert!(again.body.contains("id=\"message-error\">A message cannot hold control characters.</p>"));
    let long = "é".repeat(1001);
    let again = visitor.submit(&again.body, "name=\"message\"", &[("name", "Ada"), ("message", &long)]);
    assert!(again.body.contains("A message has at most 1000 characters; this one has 1001."));
    assert!(again.body.contains(&format!("\n{long}</textarea>")));
    let last = visitor.submit(&again.body, "name=\"message\"", &[("name", "Ada"), ("message", "fits")]);
    assert_eq!(last.status, 303);

    // Nobody else saw any of it.
    let page = visitor.get("/");
    assert!(!page.body.contains("role=\"alert\""));
    assert_eq!(entries(&page.body).len(), 1);
}

#[test]
fn a_form_may_come_urlencoded_and_without_its_fields() {
    let site = Site::open();
    let visitor = site.visitor();
    let page = visitor.get("/").body;
    let mut fields = hidden_fields(form(&page, "name=\"message\""));
    let post = |fields: &[(String, String)]| {
        let encoded = |text: &str| -> String { text.bytes().flat_map(percent_encoded).collect() };
        let fields = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let body = fields.collect::<Vec<_>>().join("&");
        let request = visitor.client.post(&visitor.site).header("origin", &visitor.site).body(body);
        Answer::of(request.header("content-type", "application/x-www-form-urlencoded").send().unwrap())
    };
    let answer = post(&fields);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("id=\"name-error\"") && answer.body.contains("id=\"message-error\""));

    fields.extend([("name".into(), "Ada".into()), ("message".into(), "hello".into())]);
    assert_eq!(post(&fields).status, 303);
}

#[test]
fn the_book_is_leafed_through_from_new_to_old() {
    let site = Site::open();
    let visitor = site.visitor();
    for count in 1..=11 {
        assert_eq!(visitor.sign("Ada", &format!("message {count}")).status, 303);
    }
    let first = visitor.get("/").body;
    assert_eq!(entries(&first), (2..=11).rev().collect::<Vec<_>>());
    assert!(first.contains("<a rel=\"next\" href=\"/?page=2\">") && !first.contains("rel=\"prev\""));
    let second = visitor.get("/?page=2").body;
    assert_eq!(entries(&second), [1]);
    assert!(second.contains("<a rel=\"prev\" href=\"/?page=1\">") && !second.contains("rel=\"next\""));

    let beyond = visitor.get("/?page=3");
    assert_eq!((beyond.status.as_u16(), beyond.location.as_deref()), (303, Some("/?page=2")));
    for nonsense in ["/?page=0", "/?page=-1", "/?page=two", "/?page=", "/?page=99999999999"] {
        assert_eq!(visitor.get(nonsense).status, 404, "{nonsense}");
    }
}

#[test]
fn an_own_entry_is_deleted_where_it_is_listed() {
    let site = Site::open();
    let ada = site.visitor();
    assert_eq!(ada.sign("Ada", "written before signing in").status, 303);
    ada.sign_in("Ada ☃");
    assert!(ada.get("/mine").body.contains("You have not written anything"));
    ada.submit(&ada.get("/mine").body, "name=\"message\"", &[("name", "Ada"), ("message", "hers")]);
    assert_eq!(entries(&ada.get("/").body), [2, 1]);

    let mine = ada.get("/mine");
    assert!(mine.cache_control.contains("no-store"));
    assert_eq!(entries(&mine.body), [2]);
    let answer = ada.submit(&mine.body, ">Delete<", &[]);
    assert_eq!((answer.status.as_u16(), answer.location.as_deref()), (303, Some("/mine")));
    assert_eq!(entries(&ada.get("/").body), [1]);

    // The same form once more, from another tab: what it asks for is so.
    assert_eq!(ada.submit(&mine.body, ">Delete<", &[]).status, 303);
}

#[test]
fn nobody_deletes_what_another_wrote() {
    let site = Site::open();
    let (ada, ben, stranger) = (site.visitor(), site.visitor(), site.visitor());
    ada.sign_in("Ada");
    ada.sign("Ada", "hers");
    let mine = ada.get("/mine").body;

    ben.sign_in("Ben");
    assert_eq!(ben.submit(&mine, ">Delete<", &[]).status, 403);
    let refused = stranger.submit(&mine, ">Delete<", &[]);
    assert_eq!((refused.status.as_u16(), refused.location.as_deref()), (303, Some("/sign-in")));
    assert_eq!(entries(&stranger.get("/").body), [1]);
}

#[test]
fn who_is_signed_in_shows_on_their_own_page_alone() {
    let site = Site::open();
    let (ada, stranger) = (site.visitor(), site.visitor());
    let sent = stranger.get("/mine");
    assert_eq!((sent.status.as_u16(), sent.location.as_deref()), (303, Some("/sign-in")));
    ada.sign_in("Ada");
    assert!(ada.get("/mine").body.contains("Hello, <bdi>Ada</bdi>"));
    assert_eq!(stranger.get("/mine").status, 303);
    // The book is one page for everybody, but for the nonce of its form.
    assert_eq!(without_nonce(&ada.get("/").body), without_nonce(&stranger.get("/").body));

    let out = ada.submit(&ada.get("/mine").body, ">Sign out<", &[]);
    assert_eq!((out.status.as_u16(), out.location.as_deref()), (303, Some("/")));
    assert_eq!(ada.get("/mine").status, 303);
}

/// Goal: who has the guestbook's components needs its data alone, and gets what a document would show. Method: the data of
/// the book, before and after somebody signs it, and those of a page that is somebody's own.
#[test]
fn the_book_is_data_for_those_that_take_data() {
    let site = Site::open();
    let (ada, stranger) = (site.visitor(), site.visitor());
    let data = |visitor: &Visitor, path: &str| {
        let request = visitor.client.get(format!("{}{path}", visitor.site));
        let response = request.header("accept", "text/x-component").send().unwrap();
        let render = response.headers()["callboard-render"].to_str().unwrap().to_owned();
        (render, response.text().unwrap())
    };
    assert_eq!(
        data(&stranger, "/").1,
        r#"0:{"entries":[],"number":1,"last":1,"entriesTotal":0}"#.to_owned() + "\n"
    );
    ada.sign_in("Ada");
    ada.sign("Ada", "hello <there>");
    let (render, book) = data(&stranger, "/");
    assert!(book.contains(r#""name":"Ada","message":"hello <there>","written":"$D20"#), "{book}");
    let document = stranger.client.get(&stranger.site).send().unwrap();
    assert_eq!(document.headers()["callboard-render"], render);
    assert!(document.text().unwrap().contains("hello &#60;there&#62;"));
    assert!(data(&ada, "/mine").1.contains("hello <there>"));
}

#[test]
fn a_session_that_this_node_did_not_sign_is_none() {
    let site = Site::open();
    let visitor = site.visitor();
    let forged = ["Ada", "Ada.AAAA", "", "."];
    for cookie in forged {
        let request = visitor.client.get(format!("{}/mine", visitor.site));
        let answer = request.header("cookie", format!("guestbook_session={cookie}")).send().unwrap();
        assert_eq!(answer.status(), 303, "{cookie:?}");
    }
}

#[test]
fn a_visitor_without_a_name_is_not_signed_in() {
    let site = Site::open();
    let visitor = site.visitor();
    let answer = visitor.submit(&visitor.get("/sign-in").body, "name=\"name\"", &[("name", " ")]);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("id=\"name-error\">Please write a name.</p>"));
    assert_eq!(visitor.get("/mine").status, 303);
}
