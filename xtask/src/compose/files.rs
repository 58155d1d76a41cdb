//! The files of the stack, each looked at by the program that will read it, where that program is installed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::{FILE, yaml};
use crate::repository;

/// How long Redis may take to open its socket; it has nothing to load.
const REDIS_START_MAX: Duration = Duration::from_secs(20);

/// Checks every file, and prints a line for each check.
///
/// # Errors
///
/// That something was found.
pub(super) fn check() -> anyhow::Result<()> {
    let checks: [(&str, &str, Check); 9] = [
        ("YAML and JSON", "", parsed),
        (FILE, "docker-compose", compose_1),
        (FILE, "docker", compose_2),
        ("docs/deploy/haproxy.cfg", "haproxy", haproxy),
        ("monitoring/prometheus.yaml", "promtool", prometheus),
        ("the command of redis", "redis-server", redis),
        ("docs/deploy/callboard.service", "systemd-analyze", systemd),
        ("docs/deploy/kubernetes.yaml", "kubectl", kubernetes),
        ("monitoring/otel-collector.yaml", "otelcol", collector),
    ];
    let mut problems = 0;
    for (what, program, check) in checks {
        let with = if program.is_empty() { String::new() } else { format!(", by {program}") };
        let verdict = match (program.is_empty(), find(program)) {
            (false, None) => Ok(Some(format!("{program} is not installed"))),
            (_, program) => check(&program.unwrap_or_default()),
        };
        match verdict {
            Ok(None) => println!("ok       {what}{with}"),
            Ok(Some(why)) => println!("skipped  {what}: {why}"),
            Err(error) => {
                problems += 1;
                println!("problem  {what}{with}: {error:#}");
            }
        }
    }
    ensure!(problems == 0, "{problems} of the checks of files found a problem");
    Ok(())
}

/// Looks with this program, and tells why it could not.
type Check = fn(&Path) -> anyhow::Result<Option<String>>;

/// Where a program is that a shell would find.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let folders = env::split_paths(&env::var_os("PATH")?).collect::<Vec<_>>();
    // Where Debian has the programs of root.
    let folders = folders.into_iter().chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A command in the root of the repository. What it says is part of the error.
pub(super) fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.current_dir(repository::root()).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{name}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(said)
}

fn parsed(_: &Path) -> anyhow::Result<Option<String>> {
    let mut files = vec![FILE.to_owned()];
    for folder in ["monitoring", "docs/deploy"] {
        files.extend(yaml::files(folder, ".yaml")?);
    }
    for name in files {
        ensure!(!yaml::documents(&name)?.is_empty(), "{name} is empty");
    }
    for name in yaml::files("monitoring", ".json")? {
        let text = fs::read_to_string(repository::root().join(&name))?;
        serde_json::from_str::<Value>(&text).with_context(|| name)?;
    }
    Ok(None)
}

fn compose_1(program: &Path) -> anyhow::Result<Option<String>> {
    output(Command::new(program).args(["--file", FILE, "config", "--quiet"]))?;
    Ok(None)
}

fn compose_2(program: &Path) -> anyhow::Result<Option<String>> {
    if output(Command::new(program).args(["compose", "version"])).is_err() {
        return Ok(Some("docker has no command compose here".to_owned()));
    }
    output(Command::new(program).args(["compose", "--file", FILE, "config", "--quiet"]))?;
    Ok(None)
}

fn haproxy(program: &Path) -> anyhow::Result<Option<String>> {
    output(Command::new(program).args(["-c", "-f", "docs/deploy/haproxy.cfg"]))?;
    Ok(None)
}

fn prometheus(program: &Path) -> anyhow::Result<Option<String>> {
    output(Command::new(program).args(["check", "config", "monitoring/prometheus.yaml"]))?;
    Ok(None)
}

fn collector(program: &Path) -> anyhow::Result<Option<String>> {
    output(Command::new(program).args(["validate", "--config=monitoring/otel-collector.yaml"]))?;
    Ok(None)
}

/// Redis starts as it would there, on a socket.
fn redis(program: &Path) -> anyhow::Result<Option<String>> {
    let compose = yaml::document(FILE)?;
    let words = compose["services"]["redis"]["command"].as_array().context("redis has no command")?;
    let words = words.iter().skip(1).map(|word| word.as_str().context("a word that is no text"));
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("socket");
    let mut command = Command::new(program);
    command.args(words.collect::<anyhow::Result<Vec<_>>>()?);
    command.args(["--port", "0", "--unixsocket"]).arg(&socket).arg("--dir").arg(folder.path());
    let mut redis = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let started = opens(&mut redis, &socket);
    // It may have ended.
    drop(redis.kill());
    let said = redis.wait_with_output()?;
    started.with_context(|| String::from_utf8_lossy(&said.stdout).into_owned())?;
    Ok(None)
}

fn opens(redis: &mut Child, socket: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    while !socket.exists() {
        if let Some(status) = redis.try_wait()? {
            bail!("it ended: {status}");
        }
        ensure!(started.elapsed() < REDIS_START_MAX, "it opened no socket");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The unit, with a program that is there in place of the application.
fn systemd(program: &Path) -> anyhow::Result<Option<String>> {
    let folder = tempfile::tempdir()?;
    let text = fs::read_to_string(repository::root().join("docs/deploy/callboard.service"))?;
    let path = folder.path().join("callboard.service");
    fs::write(&path, text.replace("/usr/local/bin/guestbook", "/bin/true"))?;
    output(Command::new(program).arg("verify").arg(&path))?;
    Ok(None)
}

/// Without a cluster, `kubectl` reads the Deployment alone by its schema, and leaves out what that does not have.
fn kubernetes(program: &Path) -> anyhow::Result<Option<String>> {
    let objects = yaml::documents("docs/deploy/kubernetes.yaml")?;
    let mut written =
        objects.into_iter().find(|object| object["kind"] == "Deployment").context("it has no Deployment")?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("deployment.json");
    fs::write(&path, written.to_string())?;
    let mut command = Command::new(program);
    let kept = output(
        command.args(["set", "image", "--local", "--output=json", "node=checked", "--filename"]).arg(&path),
    )?;
    let kept: Value = serde_json::from_str(&kept).context("kubectl printed no JSON")?;
    written["spec"]["template"]["spec"]["containers"][0]["image"] = "checked".into();
    let lost = lost(&written, &kept, "");
    lost.map_or(Ok(None), |path| bail!("Kubernetes does not know {path}"))
}

/// Where something stands that was written and not kept.
fn lost(written: &Value, kept: &Value, path: &str) -> Option<String> {
    match written {
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| lost(value, &kept[name], &format!("{path}.{name}")))
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(at, value)| lost(value, &kept[at], &format!("{path}[{at}]")))
        }
        _ => (written != kept).then(|| path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_kept_is_named() {
        let written = serde_json::json!({ "a": [{ "b": 1, "c": "x" }], "d": true });
        let mut kept = serde_json::json!({ "a": [{ "b": 1, "c": "x" }, 2], "d": true, "e": null });
        assert_eq!(lost(&written, &kept, ""), None);
        kept["a"][0].as_object_mut().unwrap().remove("c");
        assert_eq!(lost(&written, &kept, ""), Some(".a[0].c".to_owned()));
    }
}
