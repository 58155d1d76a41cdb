//! A node in this process, and a client that calls it as React's and browsers do.

use std::{
    collections::HashMap,
    io::Read as _,
    time::{Duration, Instant},
};

use callboard::{App, Running};
use reqwest::{
    Method,
    blocking::{Client, Response, multipart},
};

use crate::order::Journal;

/// What a node is called by its test.
pub(crate) struct NodeName(pub(crate) &'static str);

/// A node and what can be called on it.
pub(crate) struct Caller {
    pub(crate) node: Running,
    pub(crate) http: Client,
    pub(crate) journal: Journal,
    references: HashMap<String, String>,
    _state: tempfile::TempDir,
}

impl Caller {
    /// Starts a node with these settings beside the usual ones of tests.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_with(&Journal::default(), "alone", settings)
    }

    /// Starts a node of this name that shares a journal with others.
    pub(crate) fn start_with(journal: &Journal, name: &'static str, settings: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().to_str().expect("text").to_owned();
        let mut all = vec![("state_dir", folder.as_str()), ("log", "off")];
        all.extend_from_slice(settings);
        let node =
            App::new("it").state(journal.clone()).state(NodeName(name)).start(&all).expect("the node starts");
        let no_redirects = reqwest::redirect::Policy::none();
        let http = Client::builder()
            .redirect(no_redirects)
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        let token = all.iter().find(|(name, _)| *name == "admin_token").map_or("", |(_, token)| token);
        let manifest: serde_json::Value = http
            .get(format!("http://{}/actions", node.admin()))
            .bearer_auth(token)
            .send()
            .and_then(Response::json)
            .expect("a manifest");
        let actions = manifest["actions"].as_array().expect("a list").iter();
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let references = actions.map(|action| (text(&action["name"]), text(&action["reference"]))).collect();
        Self { node, http, journal: journal.clone(), references, _state: state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.node.address())
    }

    pub(crate) fn reference(&self, action: &str) -> &str {
        self.references.get(action).unwrap_or_else(|| panic!("no action {action}"))
    }

    /// A call as React's client makes it, with JSON as its encoded arguments.
    pub(crate) fn call(&self, action: &str, arguments: &str) -> Answer {
        let request = self.http.post(self.url("/")).header("next-action", self.reference(action));
        Answer::of(
            request.header("content-type", "text/plain;charset=UTF-8").body(arguments.to_owned()).send(),
        )
    }

    /// A POST with these headers and bytes, whatever they are.
    pub(crate) fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::blocking::Body>,
    ) -> Answer {
        let request = self.http.post(self.url(path)).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Answer::of(request.send())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(self.url(path)).send())
    }

    /// Asks for a page with these headers, and takes the body as it is.
    pub(crate) fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Raw {
        let request = self.http.request(method, self.url(path));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().expect("an answer");
        let (headers, status) = (response.headers().clone(), response.status().as_u16());
        Raw { status, headers, body: response.bytes().expect("a body").to_vec() }
    }

    /// Asks for a page with these headers until it comes compressed; until then it comes as this.
    pub(crate) fn compressed(&self, path: &str, headers: &[(&str, &str)], plain: &[u8]) -> Raw {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.ask(Method::GET, path, headers);
            if answer.header("content-encoding") == "gzip" {
                return answer;
            }
            assert_eq!(answer.body, plain);
            assert!(Instant::now() < end, "it was never compressed");
        }
    }

    /// Asks until the answer is as wanted.
    pub(crate) fn until(&self, url: &str, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = Answer::of(self.http.get(url).send());
            if is_wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{url} never came to it: {answer:?}");
        }
    }

    /// A form without JavaScript: the hidden fields of the page and what a person typed.
    pub(crate) fn submit(&self, path: &str, fields: &[(String, String)], cookie: Option<&str>) -> Answer {
        let form = fields
            .iter()
            .fold(multipart::Form::new(), |form, (name, value)| form.text(name.clone(), value.clone()));
        let mut request =
            self.http.post(self.url(path)).multipart(form).header("sec-fetch-site", "same-origin");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        Answer::of(request.send())
    }
}

/// An answer whose body is bytes.
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("text")
    }

    /// Its body before it was compressed.
    pub(crate) fn decompressed(&self) -> Vec<u8> {
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut read).expect("gzip");
        read
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(response: reqwest::Result<Response>) -> Self {
        let response = response.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().expect("text") }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// Row 1: the value, or the error.
    pub(crate) fn row(&self) -> &str {
        self.body
            .lines()
            .find_map(|line| line.strip_prefix("1:"))
            .unwrap_or_else(|| panic!("no row 1 in {}", self.body))
    }

    /// Names and values of a page's hidden fields.
    pub(crate) fn hidden_fields(&self) -> Vec<(String, String)> {
        let inputs = self.body.split("<input type=\"hidden\" name=\"").skip(1);
        let text = |html: &str| html.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
        inputs
            .map(|input| {
                let (name, rest) = input.split_once("\" value=\"").expect("a value");
                let (value, _) = rest.split_once('"').expect("an end");
                (text(name), text(value))
            })
            .collect()
    }
}
