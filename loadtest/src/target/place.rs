//! Where a server is, as it is named on a command line.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail};
use hyper::{Uri, header::HeaderValue};

use crate::{
    client::{Endpoint, Tls, Trust},
    scenario::Http,
};

/// Whether whoever asks may load servers that are not on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// `--i-own-this-target`.
    Owned,
    Unknown,
}

/// An origin: `http://HOST:PORT` or `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    is_https: bool,
    host: String,
    port: u16,
    /// As it was written, less a slash at the end.
    pub(crate) url: String,
}

impl Place {
    /// # Errors
    ///
    /// What is no such origin: another scheme, a path, a query, a user.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let url = text.trim_end_matches('/').to_owned();
        let uri: Uri = url.parse().with_context(|| format!("{text:?} is no URL"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => bail!("{text:?} begins neither with http:// nor with https://"),
        };
        if uri.path() != "/" || uri.query().is_some() {
            bail!("{text:?} has a path: what is asked for stands in the scenario");
        }
        let authority = uri.authority().with_context(|| format!("{text:?} names no host"))?;
        if authority.as_str().contains('@') {
            bail!("{text:?} names a user, and none is sent");
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            bail!("{text:?} names no host");
        }
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        Ok(Self { is_https, host, port, url })
    }

    /// `HOST:PORT`.
    #[must_use]
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether a redirect with this `location` leads to another host.
    #[must_use]
    pub(crate) fn leads_elsewhere(&self, location: &str) -> bool {
        let Ok(uri) = location.parse::<Uri>() else { return false };
        uri.authority().is_some_and(|authority| authority.host().trim_matches(['[', ']']) != self.host)
    }

    /// What its name stands for now.
    ///
    /// # Errors
    ///
    /// If it stands for nothing.
    pub(crate) fn addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found: Vec<_> = found.with_context(|| format!("cannot find the host of {}", self.url))?.collect();
        if found.is_empty() {
            bail!("the host of {} has no address", self.url);
        }
        Ok(found)
    }

    /// That it is on this machine, or that whoever loads it says that it is theirs.
    ///
    /// # Errors
    ///
    /// If neither is so.
    pub(crate) fn check_may_be_loaded(&self, ownership: Ownership) -> anyhow::Result<()> {
        let is_here = self.addresses()?.iter().all(|address| address.ip().to_canonical().is_loopback());
        if !is_here && ownership == Ownership::Unknown {
            bail!(
                "{} is not on this machine: load takes servers down. If it is yours, say --i-own-this-target",
                self.url
            );
        }
        Ok(())
    }

    /// How a client reaches it.
    ///
    /// # Errors
    ///
    /// If its name stands for nothing, or is no name for TLS.
    pub(crate) fn endpoint(&self, trust: &Trust, http: Http) -> anyhow::Result<Endpoint> {
        let authority = self.authority();
        let tls = self.is_https.then(|| Tls::new(&self.host, trust, http)).transpose()?;
        let host = HeaderValue::from_str(&authority).with_context(|| format!("{authority} is no host"))?;
        Ok(Endpoint { host, addresses: self.addresses()?, tls, authority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_apart() {
        let place = Place::parse("http://[::1]:3000/").unwrap();
        assert_eq!((place.authority().as_str(), place.url.as_str()), ("[::1]:3000", "http://[::1]:3000"));
        assert_eq!(Place::parse("https://a.example").unwrap().authority(), "a.example:443");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in ["", "localhost:3000", "ftp://a", "http://a/b", "http://a?b", "http://me@a", "http://:1"]
        {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loaded_without_a_word() {
        let here = Place::parse("http://127.0.0.2:1").unwrap();
        here.check_may_be_loaded(Ownership::Unknown).unwrap();
        // Of the block that is reserved for documentation.
        let elsewhere = Place::parse("http://192.0.2.1:1").unwrap();
        let refused = elsewhere.check_may_be_loaded(Ownership::Unknown).unwrap_err();
        assert!(refused.to_string().contains("--i-own-this-target"), "{refused}");
        elsewhere.check_may_be_loaded(Ownership::Owned).unwrap();
    }

    #[test]
    fn a_redirect_within_a_host_leads_nowhere_else() {
        let place = Place::parse("http://127.0.0.1:80").unwrap();
        assert!(!place.leads_elsewhere("/login"));
        assert!(!place.leads_elsewhere("http://127.0.0.1:81/"));
        assert!(place.leads_elsewhere("https://login.example/"));
    }
}
