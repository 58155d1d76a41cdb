//! Which Redis to connect to: a Sentinel knows the master, and any node of a Redis Cluster knows who has the keys. The
//! answer may be old, so whoever connects checks that it found a master, and asks again after it lost the connection.

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisConnectionInfo, RedisResult, Value,
    aio::MultiplexedConnection,
};

use super::{
    Settings,
    failures::OpenError,
    url::{Kind, Url},
};

/// The address to connect to now, of whoever has the keys with this hash tag.
pub(crate) async fn resolve(settings: &Settings, tag: &str) -> Result<ConnectionInfo, OpenError> {
    let url = &settings.url;
    let address = match &url.kind {
        Kind::Node(address) => address.clone(),
        Kind::Sentinels { addresses, login, master } => {
            ask_in_turn(url, addresses, login, async |connection, asked| {
                let mut question = redis::cmd("SENTINEL");
                question.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
                let found: Option<(String, u16)> = question.query_async(connection).await?;
                Ok(found.map(|(host, port)| elsewhere(asked, host, port)))
            })
            .await?
            .ok_or_else(|| OpenError::NoMaster { place: url.to_string(), name: master.clone() })?
        }
        Kind::Cluster { seeds } => {
            let mut slot = 0;
            ask_in_turn(url, seeds, &url.login, async |connection, asked| {
                slot = redis::cmd("CLUSTER").arg("KEYSLOT").arg(tag).query_async(connection).await?;
                let ranges: Vec<Value> = redis::cmd("CLUSTER").arg("SLOTS").query_async(connection).await?;
                Ok(owner(&ranges, slot).map(|(host, port)| match host {
                    Some(host) => elsewhere(asked, host, port),
                    // A node that does not know its own address: it is at the one where it was asked.
                    None => elsewhere(asked, host_of(asked), port),
                }))
            })
            .await?
            .ok_or_else(|| OpenError::NoOwner { place: url.to_string(), slot })?
        }
    };
    Url::at(&address, &url.login).map_err(|source| OpenError::of(&address.to_string(), source))
}

/// Asks each address until one knows the answer. `None` where one answered that it knows none.
async fn ask_in_turn(
    url: &Url,
    addresses: &[ConnectionAddr],
    login: &RedisConnectionInfo,
    mut ask: impl AsyncFnMut(&mut MultiplexedConnection, &ConnectionAddr) -> RedisResult<Option<ConnectionAddr>>,
) -> Result<Option<ConnectionAddr>, OpenError> {
    let mut last = Ok(None);
    for address in addresses {
        let asked = async {
            let client = Client::open(Url::at(address, login)?)?;
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&AsyncConnectionConfig::new()).await?;
            ask(&mut connection, address).await
        };
        match asked.await {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => last = Ok(None),
            Err(source) => last = Err(OpenError::of(&format!("{address} (of {url})"), source)),
        }
    }
    last
}

/// The master of the range that has the slot: `[first, last, [host, port, …], replicas…]`.
fn owner(ranges: &[Value], slot: u16) -> Option<(Option<String>, u16)> {
    ranges.iter().find_map(|range| {
        let Value::Array(range) = range else { return None };
        let (first, last): (u16, u16) = (
            redis::from_redis_value_ref(range.first()?).ok()?,
            redis::from_redis_value_ref(range.get(1)?).ok()?,
        );
        let Value::Array(master) = range.get(2)? else { return None };
        let host: Option<String> = redis::from_redis_value_ref(master.first()?).ok()?;
        let port = redis::from_redis_value_ref(master.get(1)?).ok()?;
        (first..=last).contains(&slot).then_some((host.filter(|host| !host.is_empty() && host != "?"), port))
    })
}

/// Another address that is reached in the same way.
fn elsewhere(asked: &ConnectionAddr, host: String, port: u16) -> ConnectionAddr {
    match asked {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host, port),
    }
}

fn host_of(address: &ConnectionAddr) -> String {
    match address {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.clone(),
        other => other.to_string(),
    }
}
