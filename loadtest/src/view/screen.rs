//! What is drawn of a moment, on terminals of any size.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, LineGauge, Paragraph, Sparkline},
};

use super::{Phase, Snapshot, TargetState};
use crate::{
    report::{count, micros, printable, rate, share},
    results::Outcome,
};

/// From how many columns there are two panels beside each other.
const WIDE_FROM: u16 = 118;
/// What the figures need of them.
const FACTS_WIDTH: u16 = 66;
/// Later than this at p99, figures are the generator's.
const LAG_WARNS_US: u64 = 1_000;
const CPU_WARNS: f64 = 0.85;

/// Draws a moment.
pub(crate) fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, is_ending: bool) {
    let facts = facts(snapshot);
    let right = sides(snapshot);
    let is_wide = frame.area().width >= WIDE_FROM;
    let rows = if is_wide { facts.len().max(right.len()) } else { facts.len() + right.len() } as u16;
    let [head, progress, middle, rates, latencies, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(rows + 1),
        Constraint::Min(3),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(title(snapshot)), head);
    draw_progress(frame, snapshot, progress);
    if is_wide {
        let [left, beside] =
            Layout::horizontal([Constraint::Length(FACTS_WIDTH), Constraint::Min(0)]).areas(middle);
        frame.render_widget(Paragraph::new(facts), left);
        frame.render_widget(Paragraph::new(right), beside);
    } else {
        frame.render_widget(Paragraph::new([facts, right].concat()), middle);
    }
    sparkline(
        frame,
        rates,
        format!("achieved {}", rate(snapshot.rate_achieved)),
        &snapshot.rates,
        Color::Green,
    );
    let p99 = format!("p99 {}, logarithmic", micros(snapshot.p99_us));
    sparkline(frame, latencies, p99, &logarithms(&snapshot.p99s_us), Color::Yellow);
    let keys = if is_ending {
        "ending: what is in flight ends first"
    } else {
        "q ends the run early; the report is then of a part"
    };
    frame.render_widget(Paragraph::new(keys).style(Style::new().add_modifier(Modifier::DIM)), foot);
}

fn title(snapshot: &Snapshot) -> Line<'static> {
    let style = match snapshot.phase {
        Phase::WarmUp => Style::new().fg(Color::Cyan),
        Phase::Load => Style::new().fg(Color::Green),
        Phase::Settling => Style::new().fg(Color::Yellow),
    };
    Line::from(vec![
        Span::styled(printable(&snapshot.scenario), Style::new().add_modifier(Modifier::BOLD)),
        Span::raw("  "),
        Span::styled(snapshot.phase.word(), style),
    ])
}

fn draw_progress(frame: &mut Frame<'_>, snapshot: &Snapshot, area: Rect) {
    let left = snapshot.total.saturating_sub(snapshot.elapsed).as_secs_f64();
    let label = format!("{:.0} s, {left:.0} s left", snapshot.elapsed.as_secs_f64());
    let gauge = LineGauge::default()
        .ratio(snapshot.progress())
        .label(label)
        .filled_symbol("\u{2501}")
        .unfilled_symbol("\u{2500}")
        .filled_style(Style::new().fg(Color::Cyan))
        .unfilled_style(Style::new().add_modifier(Modifier::DIM));
    frame.render_widget(gauge, Rect { height: 1, ..area });
}

/// Name, and what it is.
fn fact(name: &str, value: String, style: Style) -> Line<'static> {
    let name = Span::styled(format!("{name:<10}"), Style::new().add_modifier(Modifier::DIM));
    Line::from(vec![name, Span::styled(value, style)])
}

fn facts(snapshot: &Snapshot) -> Vec<Line<'static>> {
    let plain = Style::new();
    let warn =
        |is_bad: bool| if is_bad { Style::new().fg(Color::Red).add_modifier(Modifier::BOLD) } else { plain };
    let falls_behind = snapshot.rate_achieved < snapshot.rate_asked * 0.95;
    let is_late = snapshot.lag_p99_us > LAG_WARNS_US || snapshot.cpu_share > CPU_WARNS;
    vec![
        fact(
            "rate",
            format!("asked {}, achieved {}", rate(snapshot.rate_asked), rate(snapshot.rate_achieved)),
            warn(falls_behind),
        ),
        fact(
            "latency",
            format!(
                "p50 {}  p90 {}  p99 {}  max {}",
                micros(snapshot.p50_us),
                micros(snapshot.p90_us),
                micros(snapshot.p99_us),
                micros(snapshot.max_us)
            ),
            plain,
        ),
        fact(
            "requests",
            format!("{} ended, {} in flight", count(snapshot.requests), count(snapshot.in_flight)),
            plain,
        ),
        outcomes(snapshot),
        fact("promises", violations(snapshot.violations), warn(snapshot.violations > 0)),
        fact(
            "generator",
            format!("{} late at p99, {} of a core", micros(snapshot.lag_p99_us), share(snapshot.cpu_share)),
            warn(is_late),
        ),
    ]
}

fn violations(violations: u64) -> String {
    match violations {
        0 => "kept so far".to_owned(),
        violations => format!("{} VIOLATIONS", count(violations)),
    }
}

fn outcomes(snapshot: &Snapshot) -> Line<'static> {
    let mut line = fact("outcomes", String::new(), Style::new());
    for outcome in Outcome::ALL {
        let many = snapshot.outcomes.get(&outcome).copied().unwrap_or(0);
        if many > 0 {
            let colour = match outcome {
                Outcome::Done => Color::Green,
                Outcome::HungUp => Color::Reset,
                Outcome::NotRun => Color::Yellow,
                _ => Color::Red,
            };
            line.push_span(Span::styled(
                format!("{} {}  ", outcome.word(), count(many)),
                Style::new().fg(colour),
            ));
        }
    }
    line
}

/// Targets and what happened last.
fn sides(snapshot: &Snapshot) -> Vec<Line<'static>> {
    /// Beyond that they would push the rest off the screen.
    const TARGETS_MAX: usize = 8;
    const MARKS_MAX: usize = 3;
    let mut lines: Vec<_> = snapshot.targets.iter().take(TARGETS_MAX).map(target).collect();
    if snapshot.targets.len() > TARGETS_MAX {
        lines.push(Line::raw(format!("and {} more targets", snapshot.targets.len() - TARGETS_MAX)));
    }
    for (at, what) in snapshot.marks.iter().rev().take(MARKS_MAX) {
        let what = format!("{:>6.1} s  {}", at.as_secs_f64(), printable(what));
        lines.push(Line::styled(what, Style::new().fg(Color::Magenta)));
    }
    lines
}

fn target(target: &super::TargetView) -> Line<'static> {
    const BAR: usize = 20;
    let filled = (target.share * BAR as f64).round() as usize;
    let colour = match target.state {
        TargetState::Up => Color::Green,
        TargetState::Down => Color::Red,
        TargetState::Paused => Color::Yellow,
    };
    let name: String = printable(&target.name).chars().take(14).collect();
    Line::from(vec![
        Span::raw(format!("{name:<15}")),
        Span::styled(format!("{:<7}", target.state.word()), Style::new().fg(colour)),
        Span::styled("\u{2588}".repeat(filled.min(BAR)), Style::new().fg(Color::Blue)),
        Span::raw(format!("{} {:>7}", " ".repeat(BAR - filled.min(BAR)), share(target.share))),
    ])
}

/// One bad second does not flatten all others; the best one is a bar of little.
fn logarithms(values: &[u64]) -> Vec<u64> {
    let least = values.iter().copied().filter(|value| *value > 0).min().unwrap_or(1) as f64;
    let height = |value: &u64| if *value == 0 { 0.0 } else { 20.0 + 100.0 * (*value as f64 / least).log10() };
    values.iter().map(|value| height(value) as u64).collect()
}

fn sparkline(frame: &mut Frame<'_>, area: Rect, title: String, history: &[u64], colour: Color) {
    // The newest seconds; older ones do not fit.
    let newest = &history[history.len().saturating_sub(area.width as usize)..];
    let block = Block::new().title(title);
    let line = Sparkline::default().block(block).data(newest).style(Style::new().fg(colour));
    frame.render_widget(line, area);
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::{super::snapshot::example, *};
    use crate::report::golden;

    fn drawn(snapshot: &Snapshot, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, snapshot, false)).unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(|y| row(y) + "\n").collect()
    }

    #[test]
    fn a_wide_terminal_shows_targets_beside_the_figures() {
        golden("view-wide.txt", &drawn(&example(), 120, 24));
    }

    #[test]
    fn a_narrow_terminal_shows_them_below() {
        golden("view-narrow.txt", &drawn(&example(), 60, 28));
    }

    #[test]
    fn a_terminal_of_any_size_and_a_run_without_figures_are_drawn() {
        for (width, height) in [(1, 1), (10, 3), (95, 5), (300, 100)] {
            drawn(&example(), width, height);
            drawn(&Snapshot::default(), width, height);
        }
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
        let mut snapshot = example();
        snapshot.scenario = "\u{1b}[2J".to_owned();
        snapshot.targets[0].name = "\u{1b}]0;x\u{7}".to_owned();
        snapshot.marks[0].1 = "\u{1b}c".to_owned();
        let drawn = drawn(&snapshot, 120, 24);
        assert!(!drawn.contains('\u{1b}') && !drawn.contains('\u{7}'), "{drawn}");
    }
}
