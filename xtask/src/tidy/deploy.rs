//! docker-compose.yml, the Dockerfile and docs/deploy say what is so: settings that exist, files that are there, and times
//! that fit those of a node.

use std::{collections::BTreeSet, fs};

use callboard::Settings;
use serde_json::Value;

use super::none;
use crate::{compose, repository};

const KUBERNETES: &str = "docs/deploy/kubernetes.yaml";
const SYSTEMD: &str = "docs/deploy/callboard.service";

/// How long a node takes to stop by default, in seconds.
const DRAIN_SECONDS: u64 = 30;

fn text(name: &str) -> String {
    fs::read_to_string(repository::root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn services() -> Vec<(String, Value)> {
    let file = compose::yaml::document(compose::FILE).expect("it is YAML");
    let services = file["services"].as_object().expect("it has services").clone();
    services.into_iter().collect()
}

/// The object of a kind in the manifest.
fn object(kind: &str) -> Value {
    let objects = compose::yaml::documents(KUBERNETES).expect("it is YAML");
    objects.into_iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("there is no {kind}"))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<&str> {
    items(value).iter().filter_map(Value::as_str).collect()
}

/// A number of seconds, as compose writes it.
fn seconds(value: &Value) -> u64 {
    let text = value.as_str().expect("a duration").strip_suffix('s');
    text.and_then(|digits| digits.parse().ok()).expect("a duration in seconds")
}

/// Words of a text that begin like the variables of a node.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|next: char| !next.is_ascii_alphanumeric() && next != '_');
    words.filter(|word| word.starts_with("CALLBOARD_")).map(str::to_owned).collect()
}

fn exists(variable: &str) -> bool {
    Settings::TABLE.iter().any(|setting| setting.variable() == variable)
}

#[test]
fn every_variable_is_a_setting() {
    let mut files = vec![compose::FILE.to_owned(), "Dockerfile".to_owned(), SYSTEMD.to_owned()];
    files.extend(["docs/deploy/README.md", KUBERNETES].map(str::to_owned));
    let mut findings = Vec::new();
    for file in files {
        let unknown =
            variables(&text(&file)).into_iter().filter(|name| !exists(name) && name != "CALLBOARD_CONFIG");
        findings.extend(unknown.map(|name| format!("{file}: {name}")));
    }
    none("no setting of the node", &findings);
}

#[test]
fn every_file_that_compose_mounts_is_there_and_cannot_be_written() {
    let mut findings = Vec::new();
    for (service, value) in services() {
        for volume in texts(&value["volumes"]) {
            let Some(path) = volume.strip_prefix("./") else { continue };
            let mut parts = path.split(':');
            let source = parts.next().unwrap_or_default();
            if !repository::root().join(source).exists() {
                findings.push(format!("{service}: {source} is missing"));
            }
            if parts.nth(1) != Some("ro") {
                findings.push(format!("{service}: {source} can be written"));
            }
        }
    }
    none("mounts of docker-compose.yml", &findings);
}

#[test]
fn every_service_is_limited_and_reached_from_this_machine_alone() {
    let mut findings = Vec::new();
    for (service, value) in services() {
        let mut ask = |fits: bool, what: &str| {
            if !fits {
                findings.push(format!("{service}: {what}"));
            }
        };
        let user = value["user"].as_str().and_then(|user| user.split(':').next()?.parse::<u32>().ok());
        ask(user.is_some_and(|id| id > 0), "its user is no number, or root");
        ask(value["read_only"] == true, "its file system can be written");
        ask(texts(&value["cap_drop"]) == ["ALL"], "it has capabilities");
        ask(texts(&value["security_opt"]) == ["no-new-privileges:true"], "it can get privileges");
        ask(value["restart"] == "unless-stopped", "it is not started again");
        for limit in ["mem_limit", "cpus", "pids_limit"] {
            ask(!value[limit].is_null(), limit);
        }
        ask(
            texts(&value["ports"]).iter().all(|port| port.starts_with("127.0.0.1:")),
            "a port is for everybody",
        );
        let image = value["image"].as_str().unwrap_or_default();
        ask(image.contains(':') || image == "callboard-guestbook", "its image has no version");
    }
    none("services of docker-compose.yml", &findings);
}

#[test]
fn whoever_stops_a_node_gives_it_the_time_that_it_takes() {
    let drain = Settings::TABLE.iter().find(|setting| setting.name == "drain_timeout").expect("a setting");
    assert_eq!(drain.default, format!("{DRAIN_SECONDS}s"), "what is below has to follow");
    let nodes = services().into_iter().filter(|(name, _)| name.starts_with("node-")).collect::<Vec<_>>();
    assert_eq!(nodes.len(), 3);
    for (name, node) in nodes {
        assert!(seconds(&node["stop_grace_period"]) > DRAIN_SECONDS, "{name}");
    }
    let unit = text(SYSTEMD);
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).expect("it has one");
    assert!(stop.parse::<u64>().expect("seconds") > DRAIN_SECONDS, "{SYSTEMD}");
    let pod = &object("Deployment")["spec"]["template"]["spec"];
    let before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("preStop");
    let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("it has one");
    assert!(grace > before + DRAIN_SECONDS, "{KUBERNETES}");
}

/// Goal: the manifest is one that Kubernetes would take, as far as can be seen without it. Method: what one part calls
/// another by is there.
#[test]
fn the_manifest_of_kubernetes_agrees_with_itself() {
    let versions = [
        ("Deployment", "apps/v1"),
        ("PodDisruptionBudget", "policy/v1"),
        ("Service", "v1"),
        ("NetworkPolicy", "networking.k8s.io/v1"),
    ];
    for object in compose::yaml::documents(KUBERNETES).expect("it is YAML") {
        let kind = object["kind"].as_str().expect("a kind");
        let version = versions.iter().find(|(known, _)| *known == kind).map(|(_, version)| *version);
        assert_eq!(object["apiVersion"].as_str(), version, "{kind}");
        assert!(object["metadata"]["name"].is_string(), "{kind}");
        let spec = &object["spec"];
        let selector = match kind {
            "Service" => &spec["selector"],
            "NetworkPolicy" => &spec["podSelector"]["matchLabels"],
            _ => &spec["selector"]["matchLabels"],
        };
        assert_eq!(*selector, pod()["metadata"]["labels"], "{kind}");
        if kind == "Service" {
            let ports = items(&spec["ports"]).iter();
            assert!(ports.clone().all(|port| named_port(&port["targetPort"])) && ports.len() > 0);
        }
    }
    let container = &pod()["spec"]["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert!(named_port(&container[probe]["httpGet"]["port"]), "{probe}");
    }
    let names = |value: &Value| -> BTreeSet<String> {
        items(value).iter().filter_map(|item| item["name"].as_str()).map(str::to_owned).collect()
    };
    assert_eq!(names(&container["volumeMounts"]), names(&pod()["spec"]["volumes"]));
    assert!(container["resources"]["limits"]["memory"].is_string());
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
}

fn pod() -> Value {
    object("Deployment")["spec"]["template"].clone()
}

/// Whether this is a port that the container has, by its name.
fn named_port(name: &Value) -> bool {
    let pod = pod();
    items(&pod["spec"]["containers"][0]["ports"]).iter().any(|port| port["name"] == *name)
}

#[test]
fn variables_are_found_where_they_stand() {
    let text = "a: ${CALLBOARD_KEYS:-}, `CALLBOARD_REDIS`=x XCALLBOARD_NO";
    assert_eq!(variables(text).into_iter().collect::<Vec<_>>(), ["CALLBOARD_KEYS", "CALLBOARD_REDIS"]);
}
