//! Somebody who signs the guestbook by its form, without JavaScript.

use anyhow::{Context as _, ensure};

use crate::cluster::http::{Connection, get, request};

/// What a browser names the site that a page is of.
const ORIGIN: &str = "http://localhost";

const BOUNDARY: &str = "callboard-compose-check";

/// Signs the book at this address, and gives the message.
pub(super) async fn sign(address: &str) -> anyhow::Result<String> {
    let page = page(address).await?;
    let form = form(&page).context("the page has no form to sign the book by")?;
    let message = format!("written by compose-check {:08x}", rand::random::<u32>());
    let hidden = form.split("<input type=\"hidden\"").skip(1);
    let hidden = hidden.map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)));
    let mut fields = hidden.collect::<Option<Vec<_>>>().context("a hidden field has no name or no value")?;
    fields.extend([("name".to_owned(), "Ada".to_owned()), ("message".to_owned(), message.clone())]);
    let part = |(name, value): (String, String)| {
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body: String = fields.into_iter().map(part).chain([format!("--{BOUNDARY}--\r\n")]).collect();
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let action = attribute(form, "action").context("the form has no action")?;
    let headers = [("origin", ORIGIN), ("content-type", content_type.as_str())];
    let answer = Connection::open(address).await?.ask(&request("POST", &action, &headers, &body)).await?;
    let said = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 303, "signing the book was answered {}: {said}", answer.status);
    Ok(message)
}

/// Fails unless the first page that this node serves has the entry: it was answered before.
pub(super) async fn sees(address: &str, message: &str) -> anyhow::Result<()> {
    ensure!(page(address).await?.contains(message), "the entry is not in the book at {address}");
    Ok(())
}

async fn page(address: &str) -> anyhow::Result<String> {
    let answer = get(address, "/").await.with_context(|| format!("http://{address}/"))?;
    ensure!(answer.status == 200, "http://{address}/ was answered {}", answer.status);
    Ok(String::from_utf8(answer.body)?)
}

/// The form of a page that has a field for a message.
fn form(page: &str) -> Option<&str> {
    let forms = page.split("<form").skip(1).filter_map(|rest| rest.split("</form>").next());
    forms.into_iter().find(|form| form.contains("name=\"message\""))
}

/// The first attribute of this name, as a browser reads it.
fn attribute(html: &str, name: &str) -> Option<String> {
    let (_, rest) = html.split_once(&format!(" {name}=\""))?;
    let escaped = rest.split('"').next()?;
    let plain = escaped.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<");
    Some(plain.replace("&gt;", ">").replace("&amp;", "&"))
}
