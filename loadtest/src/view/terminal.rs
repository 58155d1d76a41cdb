//! The terminal as a screen: taken, drawn on, and given back whatever happens.

use std::{
    io::{self, Stderr},
    sync::Once,
    time::Duration,
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use tokio::sync::watch;

use super::{EndEarly, Snapshot, screen};

/// How long keys are waited for between two looks at the snapshots.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A terminal that is given back when this is dropped.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
}

impl Screen {
    fn take() -> io::Result<Self> {
        give_back_on_panic();
        enable_raw_mode()?;
        let taken = execute!(io::stderr(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stderr())));
        match taken {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// A terminal that is gone needs nothing more.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
}

/// A panic of any thread is to be read, on a terminal that is as it was.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}

/// Draws until the run has ended.
///
/// # Errors
///
/// If the terminal cannot be drawn on, or read from.
pub(crate) fn show(snapshots: &watch::Receiver<Snapshot>, end: &EndEarly) -> io::Result<()> {
    let mut snapshots = snapshots.clone();
    let mut screen = Screen::take()?;
    let mut is_stale = true;
    loop {
        match snapshots.has_changed() {
            Ok(changed) => is_stale |= changed,
            Err(_) => return Ok(()), // The run has ended.
        }
        if is_stale {
            let snapshot = snapshots.borrow_and_update().clone();
            screen.terminal.draw(|frame| screen::draw(frame, &snapshot, end.is_asked()))?;
            is_stale = false;
        }
        if event::poll(LOOK_EVERY)? {
            match event::read()? {
                Event::Key(key) if asks_for_the_end(key) => {
                    end.ask();
                    is_stale = true;
                }
                Event::Resize(..) => is_stale = true,
                _ => {}
            }
        }
    }
}

/// `q`, or Ctrl-C, which is no signal while keys are read one by one.
fn asks_for_the_end(key: KeyEvent) -> bool {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q') => !is_control,
            KeyCode::Char('c') => is_control,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_and_control_c_ask_for_the_end_and_nothing_else_does() {
        let key = |code, modifiers| asks_for_the_end(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!key(KeyCode::Char('q'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Esc, KeyModifiers::NONE));
    }
}
