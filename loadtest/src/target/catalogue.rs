//! What clients call actions by.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hyper::{
    Method,
    header::{AUTHORIZATION, HeaderValue},
};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Kind, Place};
use crate::{
    client::{Body, Client, Request, Settings, Trust},
    observation::End,
    scenario::Http,
};

/// What clients call actions by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    /// References by the names of actions.
    pub(crate) references: BTreeMap<String, String>,
    pub(crate) kind: Kind,
}

/// Where it is read from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// What `actions --json` prints.
    Manifest(PathBuf),
    /// The admin port of a node.
    Admin(Admin),
    /// A binary that is asked for `actions --json`.
    Binary(PathBuf),
    /// `server-reference-manifest.json` of a build of Next.js.
    ServerReferences(PathBuf),
    /// Nothing is called.
    Nothing(Kind),
}

/// The admin port of a node.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) place: Place,
    /// What `authorization` says to it, where it wants to hear something.
    authorization: Option<HeaderValue>,
}

impl Admin {
    /// One that wants to hear nothing.
    pub(crate) fn open(place: Place) -> Self {
        Self { place, authorization: None }
    }

    /// One with this `admin_token`.
    ///
    /// # Errors
    ///
    /// If no header can hold it. The error does not name it.
    pub(crate) fn with_token(place: Place, token: &str) -> anyhow::Result<Self> {
        let authorization = HeaderValue::try_from(format!("Bearer {token}"));
        let mut authorization =
            authorization.context("the token of the admin port holds what no header can")?;
        // Nothing prints it.
        authorization.set_sensitive(true);
        Ok(Self { place, authorization: Some(authorization) })
    }
}

/// How long an admin port may take to answer.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);

impl Catalogue {
    /// # Errors
    ///
    /// If the source cannot be read, or is none.
    pub(crate) async fn read(source: &Source, trust: &Trust) -> anyhow::Result<Self> {
        match source {
            Source::Manifest(file) => {
                Self::of_manifest(&read(file)?).with_context(|| file.display().to_string())
            }
            Source::Admin(admin) => {
                let url = format!("{}/actions", admin.place.url);
                Self::of_manifest(&get(admin, "/actions", trust).await?).context(url)
            }
            Source::Binary(binary) => Self::of_manifest(&ask(binary)?)
                .with_context(|| format!("{} actions --json", binary.display())),
            Source::ServerReferences(file) => {
                Self::of_server_references(&read(file)?).with_context(|| file.display().to_string())
            }
            Source::Nothing(kind) => Ok(Self { references: BTreeMap::new(), kind: *kind }),
        }
    }

    fn of_manifest(json: &[u8]) -> anyhow::Result<Self> {
        let manifest: Manifest = serde_json::from_slice(json).context("not what `actions --json` prints")?;
        let references = manifest.actions.into_iter().map(|action| (action.name, action.reference)).collect();
        Ok(Self { references, kind: Kind::Callboard })
    }

    /// Actions are known by what they are exported as, where that is one action alone, and by `FILE#EXPORT`.
    fn of_server_references(json: &[u8]) -> anyhow::Result<Self> {
        let manifest: ServerReferences =
            serde_json::from_slice(json).context("not a server-reference-manifest.json")?;
        let mut references = BTreeMap::new();
        let (mut once, mut often) = (BTreeSet::new(), BTreeSet::new());
        for (id, reference) in manifest.node.into_iter().chain(manifest.edge) {
            let Some(export) = reference.exported_name else { continue };
            if let Some(file) = reference.filename {
                references.insert(format!("{file}#{export}"), id.clone());
            }
            if !once.insert(export.clone()) {
                often.insert(export.clone());
            }
            references.insert(export, id);
        }
        references.retain(|name, _| !often.contains(name));
        if references.is_empty() {
            bail!("it names no actions: Next.js writes their names from version 16 on");
        }
        Ok(Self { references, kind: Kind::Next })
    }
}

#[derive(Deserialize)]
struct Manifest {
    actions: Vec<ManifestAction>,
}

#[derive(Deserialize)]
struct ManifestAction {
    name: String,
    reference: String,
}

#[derive(Deserialize)]
struct ServerReferences {
    #[serde(default)]
    node: BTreeMap<String, ServerReference>,
    #[serde(default)]
    edge: BTreeMap<String, ServerReference>,
}

#[derive(Deserialize)]
struct ServerReference {
    #[serde(rename = "exportedName")]
    exported_name: Option<String>,
    filename: Option<String>,
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn ask(binary: &Path) -> anyhow::Result<Vec<u8>> {
    let output = Command::new(binary).args(["actions", "--json"]).output();
    let output = output.with_context(|| format!("cannot run {}", binary.display()))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("{} actions --json ended with {}: {}", binary.display(), output.status, why.trim());
    }
    Ok(output.stdout)
}

/// Asks for a page of an admin port, once.
async fn get(admin: &Admin, path: &str, trust: &Trust) -> anyhow::Result<Bytes> {
    let Admin { place, authorization } = admin;
    let settings = Settings { http: Http::One, connections_max: 1 };
    let client = Client::new(place.endpoint(trust, settings.http)?, &settings);
    let headers = authorization.iter().map(|value| (AUTHORIZATION, value.clone())).collect();
    let request = Request {
        method: Method::GET,
        path: path.to_owned(),
        headers,
        body: Body::Whole(Bytes::new()),
        abort_after: None,
    };
    let timeout = Instant::now() + ADMIN_TIMEOUT;
    let end = match client.seat(timeout).await {
        Ok(seat) => client.exchange(seat, request, timeout).await,
        Err(end) => end,
    };
    match end {
        End::Answered(answer) if answer.status == 200 => Ok(answer.body),
        End::Answered(answer) if answer.status == 401 => {
            bail!("{}{path} answered 401: it wants the admin_token of the node, see --admin-token", place.url)
        }
        End::Answered(answer) => bail!("{}{path} answered {}", place.url, answer.status),
        End::Broken(why) => bail!("{}{path}: {why}", place.url),
        End::TimedOut | End::HungUp => bail!("{}{path} did not answer within {ADMIN_TIMEOUT:?}", place.url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_known_by_the_names_of_actions() {
        let json = br#"{"build":"b","actions":[{"reference":"60aa","id":"60","name":"echo","args":[]}]}"#;
        let catalogue = Catalogue::of_manifest(json).unwrap();
        assert_eq!(catalogue.references, BTreeMap::from([("echo".to_owned(), "60aa".to_owned())]));
    }

    #[test]
    fn what_nextjs_exports_twice_is_known_by_its_file() {
        let json = br#"{"node":{
            "40a":{"workers":{},"layer":{},"filename":"app/a.ts","exportedName":"save"},
            "40b":{"workers":{},"layer":{},"filename":"app/b.ts","exportedName":"save"},
            "40c":{"workers":{},"layer":{},"filename":"app/b.ts","exportedName":"echo"}
        },"edge":{},"encryptionKey":"k"}"#;
        let names: Vec<_> = Catalogue::of_server_references(json).unwrap().references.into_keys().collect();
        assert_eq!(names, ["app/a.ts#save", "app/b.ts#echo", "app/b.ts#save", "echo"]);
    }

    #[test]
    fn a_manifest_without_names_is_refused() {
        let refused = Catalogue::of_server_references(br#"{"node":{"40a":{"workers":{}}}}"#).unwrap_err();
        assert!(refused.to_string().contains("from version 16 on"), "{refused}");
    }
}
