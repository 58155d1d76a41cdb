//! Where Redis is, as it is configured. Passwords are in it, so it prints without them.

use std::{fmt, str::FromStr};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

/// Where Redis is:
///
/// - `redis://[user[:password]@]host[:port][/db]`, by TLS `rediss://…`;
/// - `unix:///path[?user=…&pass=…&db=…]`;
/// - `redis-sentinel://[user[:password]@]host[:port][,host[:port]…]/master[/db][?sentinel_user=…&sentinel_password=…]`:
///   the Sentinels, asked in turn where the master is; by TLS `rediss-sentinel://…`;
/// - `redis-cluster://[user[:password]@]host[:port][,host[:port]…]`: nodes of a Redis Cluster, asked in turn which node has
///   the keys; by TLS `rediss-cluster://…`.
///
/// User and password may be percent-encoded. Neither is ever printed.
#[derive(Clone)]
pub struct Url {
    pub(crate) kind: Kind,
    /// User, password and database at the Redis that has the data.
    pub(crate) login: RedisConnectionInfo,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Node(ConnectionAddr),
    Sentinels { addresses: Vec<ConnectionAddr>, login: RedisConnectionInfo, master: String },
    Cluster { seeds: Vec<ConnectionAddr> },
}

/// A text that does not say where Redis is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It begins with something else.
    #[error(
        "the Redis URL begins with none of redis, rediss, unix, redis-sentinel, rediss-sentinel, redis-cluster and rediss-cluster, followed by ://"
    )]
    Scheme,
    /// It asks for TLS, which was not built in.
    #[error("the Redis URL asks for TLS: build with the feature redis-tls")]
    NoTls,
    /// A part of it is no part of a URL. The part is not shown, as it may be a password.
    #[error("the Redis URL has a wrong {part}: expected {expected}")]
    Part {
        /// Which.
        part: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
}

const HOSTS: BadUrl = BadUrl::Part {
    part: "address",
    expected: "[user[:password]@]host[:port], and a password percent-encoded",
};

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::Scheme)?;
        if scheme.starts_with("rediss") && !cfg!(feature = "redis-tls") {
            return Err(BadUrl::NoTls);
        }
        match scheme {
            "redis" | "rediss" | "unix" | "redis+unix" => {
                let info = parse(text)?;
                Ok(Self { kind: Kind::Node(info.addr().clone()), login: login(&info) })
            }
            "redis-sentinel" | "rediss-sentinel" => Self::sentinels(&scheme.replace("-sentinel", ""), rest),
            "redis-cluster" | "rediss-cluster" => {
                let (seeds, login) = hosts(&scheme.replace("-cluster", ""), rest.trim_end_matches('/'), "")?;
                Ok(Self { kind: Kind::Cluster { seeds }, login })
            }
            _ => Err(BadUrl::Scheme),
        }
    }
}

impl Url {
    fn sentinels(scheme: &str, rest: &str) -> Result<Self, BadUrl> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut path = rest.split('/');
        let authority = path.next().unwrap_or_default();
        let master = path.next().filter(|name| !name.is_empty());
        let master =
            master.ok_or(BadUrl::Part { part: "path", expected: "/<name of the master>[/<database>]" })?;
        let (addresses, data) = hosts(scheme, authority, path.next().unwrap_or_default())?;
        let (mut user, mut password) = ("", "");
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sentinel_user", value)) => user = value,
                Some(("sentinel_password", value)) => password = value,
                _ => {
                    let expected = "sentinel_user=… and sentinel_password=…";
                    return Err(BadUrl::Part { part: "query", expected });
                }
            }
        }
        // The redis crate decodes what is percent-encoded.
        let asked = match (user, password) {
            ("", "") => parse("redis://sentinel")?,
            _ => parse(&format!("redis://{user}:{password}@sentinel"))?,
        };
        let kind = Kind::Sentinels { addresses, login: login(&asked), master: master.to_owned() };
        Ok(Self { kind, login: data })
    }

    /// Whether any of it is reached by TLS.
    #[cfg(feature = "redis-tls")]
    pub(crate) fn is_tls(&self) -> bool {
        let first = match &self.kind {
            Kind::Node(address) => Some(address),
            Kind::Sentinels { addresses, .. } => addresses.first(),
            Kind::Cluster { seeds } => seeds.first(),
        };
        matches!(first, Some(ConnectionAddr::TcpTls { .. }))
    }

    /// The same place with another address.
    pub(crate) fn at(
        address: &ConnectionAddr,
        login: &RedisConnectionInfo,
    ) -> Result<ConnectionInfo, redis::RedisError> {
        // Without it, small answers would wait for the acknowledgement of earlier ones.
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        Ok(address.clone().into_connection_info()?.set_redis_settings(login.clone()).set_tcp_settings(tcp))
    }
}

/// `user:password@` once, and the hosts after it.
fn hosts(
    scheme: &str,
    authority: &str,
    db: &str,
) -> Result<(Vec<ConnectionAddr>, RedisConnectionInfo), BadUrl> {
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), authority),
    };
    let mut all = Vec::new();
    let mut data = None;
    for host in hosts.split(',') {
        let info = parse(&format!("{scheme}://{credentials}{host}/{db}"))?;
        all.push(info.addr().clone());
        data = Some(login(&info));
    }
    Ok((all, data.ok_or(HOSTS)?))
}

fn parse(text: &str) -> Result<ConnectionInfo, BadUrl> {
    // The reason is not kept: it could quote the URL, with the password in it.
    text.into_connection_info().map_err(|_| HOSTS)
}

/// With push messages, by which a connection says that it broke, and without telling Redis the name of a library, which
/// would need one more permission.
fn login(info: &ConnectionInfo) -> RedisConnectionInfo {
    info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name()
}

/// The addresses, without users and passwords.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |addresses: &[ConnectionAddr]| {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        match &self.kind {
            Kind::Node(address) => write!(f, "{address}"),
            Kind::Sentinels { addresses, master, .. } => write!(f, "{} ({master})", list(addresses)),
            Kind::Cluster { seeds } => f.write_str(&list(seeds)),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_printed_and_credentials_are_not() {
        for (url, printed) in [
            ("redis://u:s3cret@host:7000/2", "host:7000"),
            ("redis://host", "host:6379"),
            ("unix:///run/redis.sock?user=u&pass=s3cret", "/run/redis.sock"),
            ("redis-sentinel://u:s3cret@a:1,b/main/3?sentinel_password=s3cret", "a:1,b:6379 (main)"),
            ("redis-cluster://:s3cret@a:1,b:2", "a:1,b:2"),
        ] {
            let parsed: Url = url.parse().unwrap();
            assert_eq!(parsed.to_string(), printed);
            assert_eq!(format!("{parsed:?}"), printed);
        }
    }

    #[test]
    fn credentials_and_database_go_to_the_redis_that_has_the_data() {
        let url: Url =
            "redis-sentinel://u:p%40ss@a:1,b/main/3?sentinel_user=w&sentinel_password=x".parse().unwrap();
        assert_eq!(
            (url.login.username(), url.login.password(), url.login.db()),
            (Some("u"), Some("p@ss"), 3)
        );
        let Kind::Sentinels { login, .. } = url.kind else { panic!("{url}") };
        assert_eq!((login.username(), login.password()), (Some("w"), Some("x")));
    }

    #[test]
    fn a_wrong_url_says_what_is_wrong_without_saying_the_password() {
        for url in
            ["http://u:s3cret@host", "redis://u:s3cret@ho st", "redis-sentinel://u:s3cret@host", "s3cret"]
        {
            let error = url.parse::<Url>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
