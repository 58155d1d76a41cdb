//! A user with exactly the permissions that docs/OPERATIONS.md lists.

use std::{sync::Arc, time::Duration};

use callboard_cluster::{
    core::Connection as Role,
    redis::{ACL_COMMANDS, CacheConnection, CacheStore, Connection, OpenError, Pushes, Settings},
};

use crate::{server::Server, world::settings};

/// As it stands before the host in the URL.
pub(crate) const USER: &str = "callboard:s3cret@";

/// A durable server with that user.
pub(crate) fn server() -> Server {
    with_user(ACL_COMMANDS)
}

fn with_user(commands: &[&str]) -> Server {
    let commands: Vec<_> = commands.iter().map(|command| format!("+{command}")).collect();
    let mut arguments = vec!["--appendonly", "yes", "--appendfsync", "always"];
    arguments.extend(["--user", "callboard", "on", ">s3cret", "~{cb:test:*", "&{cb:test:*"]);
    arguments.extend(commands.iter().map(String::as_str));
    Server::with(&arguments)
}

/// Opens all that a node opens.
async fn open(server: &Server, user: &str) -> Result<(), OpenError> {
    let settings = Arc::new(settings(&format!("redis://{user}127.0.0.1:{}", server.port)));
    Connection::open(&settings, Role::Commands).await?;
    let log = CacheStore::new(settings);
    CacheConnection::open(&log).await?;
    Pushes::open(&log).await.map(|_| ())
}

#[test]
fn the_permissions_are_those_of_the_manual() {
    let manual = include_str!("../../../docs/OPERATIONS.md");
    let commands: Vec<_> = ACL_COMMANDS.iter().map(|command| format!("+{command}")).collect();
    let listed: Vec<_> = manual.split_whitespace().filter(|word| word.starts_with('+')).collect();
    assert_eq!(listed, commands);
}

/// Goal: nothing runs half-way into a missing permission. Method: take away one after the other.
#[tokio::test]
async fn each_permission_is_missed_when_connecting() {
    let server = with_user(ACL_COMMANDS);
    open(&server, USER).await.unwrap();
    for command in ACL_COMMANDS {
        assert_eq!(server.command(&format!("ACL SETUSER callboard -{command}")), "+OK");
        let error = open(&server, USER).await.expect_err(command);
        assert!(
            matches!(error, OpenError::Forbidden { .. } | OpenError::NoIncarnation { .. }),
            "{command}: {error:?}"
        );
        assert_eq!(server.command(&format!("ACL SETUSER callboard +{command}")), "+OK");
    }
    open(&server, USER).await.unwrap();
}

#[tokio::test]
async fn the_channel_is_missed_when_connecting() {
    let server = with_user(ACL_COMMANDS);
    assert_eq!(server.command("ACL SETUSER callboard resetchannels"), "+OK");
    let error = open(&server, USER).await.unwrap_err();
    assert!(matches!(error, OpenError::Forbidden { .. }), "{error:?}");
    let log = CacheStore::new(Arc::new(settings(&format!("redis://{USER}127.0.0.1:{}", server.port))));
    let error = Pushes::open(&log).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Forbidden { .. }), "{error:?}");
}

/// Goal: a node that is to wait for replicas and may not says so when it connects. Method: the user of everybody else.
#[tokio::test]
async fn waiting_for_replicas_needs_one_more() {
    let server = with_user(ACL_COMMANDS);
    let settings = settings(&format!("redis://{USER}127.0.0.1:{}", server.port));
    let cache_replicas_wait = Some((1, Duration::from_millis(10)));
    let log = CacheStore::new(Arc::new(Settings { cache_replicas_wait, ..settings }));
    let error = CacheConnection::open(&log).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::Forbidden { .. }), "{error:?}");
    assert_eq!(server.command("ACL SETUSER callboard +wait"), "+OK");
    CacheConnection::open(&log).await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_are_said_to_be_and_not_shown() {
    let server = with_user(ACL_COMMANDS);
    server.command("CONFIG SET requirepass other");
    for wrong in ["", "callboard:wr0ng@", ":wr0ng@"] {
        let error = open(&server, wrong).await.unwrap_err();
        assert!(matches!(error, OpenError::Credentials { .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("wr0ng"));
    }
}

#[tokio::test]
async fn keys_of_another_namespace_are_forbidden() {
    let server = server();
    let url = format!("redis://{USER}127.0.0.1:{}", server.port);
    let other = callboard_cluster::redis::Settings::new(url.parse().unwrap(), "other".parse().unwrap());
    let error = Connection::open(&Arc::new(other), Role::Commands).await.unwrap_err();
    assert!(matches!(error, OpenError::Forbidden { .. }), "{error:?}");
}
