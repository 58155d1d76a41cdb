//! The README's application does what the README says.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::{
    blocking::{Client, multipart::Form},
    redirect::Policy,
};

/// Ends the application with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ran");
    }
}

fn hidden_name(page: &str) -> &str {
    let (_, rest) = page.split_once("type=\"hidden\" name=\"").expect("a hidden field");
    rest.split('"').next().expect("a name")
}

#[test]
fn a_visitor_signs_and_everybody_sees_the_name() {
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_visitors"));
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--state-dir"]).arg(state.path());
    let mut node = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(node.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().nth(2).unwrap().to_owned();
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let home = || client.get(&url).send().unwrap().text().unwrap();

    let page = home();
    assert!(page.contains("<ul></ul>"), "{page}");
    let form = Form::new().text(hidden_name(&page).to_owned(), "").text("name", "Ada & Bob");
    let answer = client.post(&url).multipart(form).send().unwrap();

    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/".parse().unwrap()));
    assert!(home().contains("<ul><li>Ada &amp; Bob</ul>"));
}
