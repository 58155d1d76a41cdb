//! The load generator.

use std::process::Command;

use anyhow::{Context as _, bail};

use super::contest::Target;

/// What wrk counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driven {
    pub(crate) answers: f64,
    pub(crate) seconds: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Which wrk this is.
pub(crate) fn version() -> anyhow::Result<String> {
    // It prints its version, then its usage, and ends with 1.
    let output = Command::new("wrk")
        .arg("-v")
        .output()
        .context("wrk is not installed (Debian: apt-get install wrk)")?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().next().unwrap_or_default();
    Ok(line.split(" [").next().unwrap_or_default().to_owned())
}

/// The command line that drives a target: all connections from one thread, closed loop.
pub(crate) fn command(target: &Target, script: &std::path::Path, seconds: u32) -> Vec<String> {
    let (connections, duration) = (format!("-c{}", target.connections), format!("-d{seconds}s"));
    let words = ["wrk", "-t1", &connections, &duration, "-s", &script.to_string_lossy(), &target.url()];
    words.map(str::to_owned).to_vec()
}

/// Drives a target.
pub(crate) fn drive(target: &Target, seconds: u32) -> anyhow::Result<Driven> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("target.lua");
    std::fs::write(&script, self::script(target))?;
    let command = command(target, &script, seconds);
    let output = Command::new(&command[0]).args(&command[1..]).output()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Reads the line that our script prints at the end.
pub(crate) fn parse(output: &str) -> anyhow::Result<Driven> {
    let line = output.lines().find_map(|line| line.strip_prefix("RESULT "));
    let line = line.with_context(|| format!("wrk printed no result:\n{output}"))?;
    let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [answers, microseconds, errors, p50_us, p99_us] = numbers[..] else {
        bail!("wrk printed another result than asked for: {line}");
    };
    if errors > 0.0 {
        bail!("{errors} of {answers} answers were errors; such a figure says nothing");
    }
    Ok(Driven { answers, seconds: microseconds / 1e6, p50_us, p99_us })
}

/// The request and the report, in wrk's Lua.
pub(crate) fn script(target: &Target) -> String {
    let mut script = format!("wrk.method = {:?}\n", target.method);
    if !target.body.is_empty() {
        script.extend(["wrk.body = [==[", target.body, "]==]\n"]);
    }
    let headers = target.headers.iter();
    script.extend(headers.map(|(name, value)| format!("wrk.headers[{name:?}] = {value:?}\n")));
    script.push_str(
        r#"done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"#,
    );
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_found_among_what_wrk_prints() {
        let driven = parse("Running 1s test\nRESULT 1000 2000000 0 100 900\nTransfer/sec: 1MB\n").unwrap();
        assert_eq!(format!("{} {} {}", driven.answers, driven.seconds, driven.p99_us), "1000 2 900");
    }

    #[test]
    fn answers_that_are_errors_are_no_measurement() {
        assert!(parse("RESULT 1000 2000000 3 100 900").is_err());
    }
}
