//! HTML that is known to be HTML.

use std::fmt;

/// A piece of HTML or a whole page. Text becomes HTML by [`Html::escape`]; a template's output by [`Html::raw`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Takes the text for HTML as it is. Never pass what a person typed; that is what [`Html::escape`] is for.
    #[must_use]
    pub fn raw(html: impl Into<String>) -> Self {
        Self(html.into())
    }

    /// HTML that shows this text, in an element or in a quoted attribute.
    #[must_use]
    pub fn escape(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        for char in text.chars() {
            match char {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                other => html.push(other),
            }
        }
        Self(html)
    }

    /// The HTML as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The HTML as text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(pieces: I) -> Self {
        Self(pieces.into_iter().map(Html::into_string).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_neither_opens_an_element_nor_closes_an_attribute() {
        assert_eq!(Html::escape(r#"<a href="x">'&"#).as_str(), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
