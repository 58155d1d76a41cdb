//! Where metrics and spans are sent.

use std::{collections::HashMap, time::Duration};

use anyhow::bail;

use crate::settings::Settings;

/// A collector that takes OTLP over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    endpoint: String,
    headers: HashMap<String, String>,
}

impl Collector {
    /// How long it may take to take something: it is tried again with the next.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

    /// The one that the settings name, if they do.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(crate) fn of(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
        let place = endpoint.split_once("://").map_or(&**endpoint, |(_, place)| place);
        if place.split('/').next().is_some_and(|host| host.contains('@')) {
            // Not the text: it may be a secret, which nobody would be told, as it is not sent.
            bail!(
                "setting otlp_endpoint: no name and password stand in it; otlp_headers may hold `authorization`"
            );
        }
        let is_http = ["http://", "https://"].iter().any(|scheme| {
            endpoint.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
        if !is_http {
            bail!("setting otlp_endpoint: {endpoint:?} is no address such as http://collector:4318");
        }
        let mut headers = HashMap::new();
        for header in &settings.otlp_headers {
            let Some((name, value)) = header.split_once('=').filter(|(name, _)| !name.trim().is_empty())
            else {
                // Not the text: it may be a secret.
                bail!("setting otlp_headers: expected name=value, comma-separated");
            };
            headers.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        Ok(Some(Self { endpoint: endpoint.trim_end_matches('/').to_owned(), headers }))
    }

    /// Where one kind of what is told goes: `traces`, `metrics`.
    pub(crate) fn url(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.endpoint)
    }

    /// What goes along with each request.
    pub(crate) fn headers(&self) -> HashMap<String, String> {
        self.headers.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;

    fn of(texts: &[(&str, &str)]) -> anyhow::Result<Option<Collector>> {
        let texts = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Collector::of(&Sources::of_test(texts).expect("values"))
    }

    #[test]
    fn each_signal_has_its_path() {
        let collector =
            of(&[("otlp_endpoint", "http://collector:4318/"), ("otlp_headers", "a=b, token = c=d")]);
        let collector = collector.expect("fits").expect("there is one");
        assert_eq!(collector.url("traces"), "http://collector:4318/v1/traces");
        let headers = collector.headers();
        assert_eq!((headers["a"].as_str(), headers["token"].as_str()), ("b", "c=d"));
        assert!(of(&[]).expect("fits").is_none());
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_secret_is_told() {
        for endpoint in ["collector:4318", "grpc://collector:4317", "http://", "http:///v1"] {
            let error = of(&[("otlp_endpoint", endpoint)]).expect_err("is none").to_string();
            assert!(error.starts_with("setting otlp_endpoint") && error.contains(endpoint), "{error}");
        }
        let error = of(&[("otlp_endpoint", "http://name:s3cret@c:4318")]).expect_err("none").to_string();
        assert!(error.contains("otlp_headers") && !error.contains("s3cret"), "{error}");
        let error =
            of(&[("otlp_endpoint", "http://c"), ("otlp_headers", "s3cret")]).expect_err("none").to_string();
        assert!(error.contains("otlp_headers") && !error.contains("s3cret"), "{error}");
    }
}
