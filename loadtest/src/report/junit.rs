//! A run for a CI server: every promise and every objective is a test case.

use std::fmt::Write as _;

use super::{text::printable, verdict::Verdict};
use crate::results::{Oracle, Results};

/// The `JUnit` XML of a run.
#[must_use]
pub(crate) fn junit(results: &Results) -> String {
    let mut cases: Vec<_> = results.oracles.iter().map(of_oracle).collect();
    cases.extend(results.objectives.iter().map(|objective| Case {
        class: "objective",
        name: objective.wanted.clone(),
        end: if objective.held {
            End::Passed
        } else {
            End::Failed { why: format!("it is {}", objective.measured), history: String::new() }
        },
    }));
    cases.extend(results.faults.iter().map(|fault| Case {
        class: "fault",
        name: format!("{} of {} at {:.1} s", fault.fault, fault.victim, fault.at_s),
        end: if fault.missed.is_empty() {
            End::Passed
        } else {
            End::Failed {
                why: format!("it did not lead to {}", fault.missed.join(", ")),
                history: String::new(),
            }
        },
    }));
    let count = |wanted: fn(&End) -> bool| cases.iter().filter(|case| wanted(&case.end)).count();
    let (failures, skipped) =
        (count(|end| matches!(end, End::Failed { .. })), count(|end| matches!(end, End::Skipped(_))));
    let name = format!("callboard-loadtest {}", results.scenario);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{:.3}\" timestamp=\"{}\">\n",
        escaped(&name),
        cases.len(),
        results.duration_s,
        escaped(results.began.trim_end_matches('Z')),
    );
    for case in &cases {
        xml += &case.xml();
    }
    let verdict = Verdict::of(results);
    let reasons: Vec<_> =
        verdict.reasons.iter().map(|(grade, reason)| format!("{}: {reason}", grade.word())).collect();
    let said = format!("{}\n{}\nagain: {}", verdict.sentence, reasons.join("\n"), results.command);
    xml + "    <system-out>" + &escaped(&said) + "</system-out>\n  </testsuite>\n</testsuites>\n"
}

struct Case {
    class: &'static str,
    name: String,
    end: End,
}

enum End {
    Passed,
    Skipped(String),
    Failed { why: String, history: String },
}

impl Case {
    fn xml(&self) -> String {
        let head = format!("    <testcase classname=\"{}\" name=\"{}\"", self.class, escaped(&self.name));
        match &self.end {
            End::Passed => format!("{head}/>\n"),
            End::Skipped(why) => {
                format!("{head}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(why))
            }
            End::Failed { why, history } => format!(
                "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                escaped(why),
                escaped(history)
            ),
        }
    }
}

fn of_oracle(oracle: &Oracle) -> Case {
    let end = match (oracle.violations, oracle.checked) {
        (0, 0) => End::Skipped("nothing of the run could be judged by it".to_owned()),
        (0, _) => End::Passed,
        (violations, checked) => {
            let mut history = String::new();
            for example in &oracle.examples {
                writeln!(history, "{}", example.what).expect("writing to a String cannot fail");
                for step in &example.history {
                    writeln!(history, "  {step}").expect("writing to a String cannot fail");
                }
            }
            End::Failed {
                why: format!("{} ({violations} of {checked} checked are not so)", oracle.promise),
                history,
            }
        }
    };
    Case { class: "promise", name: oracle.name.clone(), end }
}

/// Text as XML takes it: without the control characters that it has no way to write.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn every_promise_objective_and_fault_is_a_test_case() {
        sample::golden("report.junit.xml", &junit(&sample::results()));
    }

    #[test]
    fn what_was_not_judged_is_skipped() {
        let mut results = sample::calm();
        results.oracles[1].checked = 0;
        let xml = junit(&results);
        assert!(xml.contains(r#"tests="5" failures="0" errors="0" skipped="1""#), "{xml}");
    }
}
