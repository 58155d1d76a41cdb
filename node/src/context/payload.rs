//! The data of a page, beside its HTML.

use callboard_protocol::flight;
use serde::Serialize;

use super::page::PageContext;
use crate::PageError;

impl PageContext {
    /// Tells the data of this page, for a client that has the page's components itself: a request that accepts
    /// `text/x-component`, and HTML no more than that, is answered with them in place of the HTML.
    ///
    /// ```
    /// use callboard::{Html, PageContext, PageError, page};
    /// use serde::Serialize;
    ///
    /// #[derive(Serialize)]
    /// struct Post {
    ///     title: String,
    /// }
    /// # async fn load(_: u64) -> Result<Post, PageError> { Ok(Post { title: String::new() }) }
    ///
    /// #[page("/posts/{id}", tags = ["posts"])]
    /// async fn post(cx: &PageContext, id: u64) -> Result<Html, PageError> {
    ///     let post = load(id).await?;
    ///     cx.payload(&post)?;
    ///     Ok(Html::raw(format!("<h1>{}</h1>", Html::escape(&post.title))))
    /// }
    /// ```
    ///
    /// React's client of `react-server-dom` reads them:
    ///
    /// ```js
    /// const post = await createFromFetch(fetch("/posts/7", { headers: { accept: "text/x-component" } }));
    /// ```
    ///
    /// HTML and payload are two representations of one page. They come of one render, which is named by both, is kept once,
    /// and is fresh or stale as a whole; who asks for either while it is rendered waits for the same.
    ///
    /// The value is written at once, as that of an action is: what serialises, and the types of [`js`](crate::js) that are
    /// there by then. What would still be to come is an error, and so is an action. A form's hidden fields
    /// ([`PageContext::form`]) may be part of a text in it: each response has a nonce of its own there, too.
    ///
    /// # Errors
    ///
    /// If the value cannot be written; if the page has a payload already; and within a [`fragment`](Self::fragment), which is
    /// not rendered again as long as it is kept: the page would have a payload at one time and none at another.
    pub fn payload<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), PageError> {
        let refuse = |reason: &str| Err(PageError::Failed(reason.into()));
        if self.gathered.borrow().is_fragment {
            return refuse("a payload belongs to the page: tell it outside of its fragments");
        }
        if self.payload.borrow().is_some() {
            return refuse("a page has one payload, and this one has it already");
        }
        // Not borrowed meanwhile: the value's own `Serialize` may hold the page.
        let rows = flight::encode(value, 0)
            .map_err(|error| PageError::Failed(format!("the payload cannot be written: {error}")))?;
        self.payload.replace(Some(rows));
        Ok(())
    }
}
