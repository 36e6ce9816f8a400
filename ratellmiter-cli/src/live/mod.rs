//! `-follow`: draws in the terminal while the program runs.

mod followed;
mod panel;
mod run;
mod watch;

use std::{
    fmt,
    io::{self, IsTerminal as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use ratatui::{
    DefaultTerminal, Frame,
    crossterm::{
        cursor::Show,
        event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute,
    },
};

use crate::{
    args::{Models, Source},
    draw::cells::Paint,
    exit_code::DONE,
    failure::Failure,
    live::{
        followed::Live,
        panel::Panel,
        run::{Selection, View},
        watch::{State, Update, Watch},
    },
    series::Lines,
};

/// Interval at which the log is read and drawn.
const REFRESH_INTERVAL: Duration = Duration::from_millis(250);

/// Draws until a key or a signal ends it, and restores the terminal.
pub(crate) fn run(source: &Source, models: Models, lines: Lines) -> Result<u8, Failure> {
    for (name, is_terminal) in [("stdin", io::stdin().is_terminal()), ("stdout", io::stdout().is_terminal())] {
        if !is_terminal {
            return Err(Failure::Terminal(format!("{name} is not a terminal")));
        }
    }
    let failed = |error: io::Error| Failure::Terminal(error.to_string());
    let watch = Watch::of(source)?;
    let stop = stop_flag().map_err(failed)?;
    let mut follower = Follower::of(models, lines, Paint::of_environment(true));
    let mut terminal = TerminalGuard::enter().map_err(failed)?;
    let events = terminal_events();
    let updates = watch::follow(watch);
    loop {
        let more = follower.apply(&updates, REFRESH_INTERVAL);
        terminal.0.draw(|frame| follower.draw(since_epoch(), frame)).map_err(failed)?;
        let mut timeout = if more { Duration::ZERO } else { REFRESH_INTERVAL };
        // All pending keys are handled before the next drawing.
        let is_closed = loop {
            match events.recv_timeout(timeout) {
                Ok(Event::Key(key)) if is_quit(key) => return Ok(DONE),
                Ok(Event::Key(key)) => follower.press(key),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break false,
                Err(RecvTimeoutError::Disconnected) => break true,
            }
            timeout = Duration::ZERO;
        };
        if is_closed || stop.load(Ordering::Relaxed) {
            return Ok(DONE);
        }
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Returns keys and changes of the window. They are read by a separate thread, because reading from a closed terminal never
/// returns.
fn terminal_events() -> Receiver<Event> {
    let (sender, events) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    events
}

/// Returns a flag that becomes `true` when the process receives SIGHUP, SIGTERM or SIGINT.
fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::{consts, flag};
    let stop = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    flag::register(consts::SIGHUP, Arc::clone(&stop))?;
    for signal in [consts::SIGTERM, consts::SIGINT] {
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// The terminal, restored on drop, also after a panic.
struct TerminalGuard(DefaultTerminal);

impl TerminalGuard {
    fn enter() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            // The panic hook has restored the terminal and written the message, which a second restoration would overwrite.
            let _ = execute!(io::stdout(), Show);
        } else {
            restore();
        }
    }
}

impl fmt::Debug for TerminalGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrowed").finish_non_exhaustive()
    }
}

/// Restores the terminal. Errors are ignored, since it may be closed.
fn restore() {
    let _ = ratatui::try_restore();
    let _ = execute!(io::stdout(), Show);
}

fn is_quit(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => true,
        KeyCode::Char('q') => !control,
        KeyCode::Esc => true,
        _ => false,
    }
}

/// The run that is followed, and the selection that is shown.
#[derive(Debug)]
struct Follower {
    live: Live,
    selection: Selection,
    lines: Lines,
    paint: Paint,
    state: State,
}

impl Follower {
    fn of(models: Models, lines: Lines, paint: Paint) -> Self {
        let selection = match models {
            Models::Default => Selection::Default,
            Models::All => Selection::All,
            Models::Named(names) => Selection::Named(names),
        };
        Self { live: Live::default(), selection, lines, paint, state: State::default() }
    }

    /// Applies the updates that are there, for `at_most` this time. Returns `true` if there may be more.
    fn apply(&mut self, updates: &Receiver<Update>, at_most: Duration) -> bool {
        let start = Instant::now();
        while let Ok(update) = updates.try_recv() {
            self.state = update.apply(&mut self.live, since_epoch());
            if start.elapsed() >= at_most {
                return true;
            }
        }
        false
    }

    /// Handles a key. Digits select a model; tab and the arrow keys select the next one, and after the last all of them.
    fn press(&mut self, key: KeyEvent) {
        let models: Vec<_> = self.live.models().collect();
        if key.kind == KeyEventKind::Release || models.is_empty() {
            return;
        }
        let last = if models.len() > 1 { models.len() } else { 0 };
        let current = self.position(&models);
        let chosen = match key.code {
            KeyCode::Char(digit @ '1'..='9') => {
                Some(digit as usize - '1' as usize).filter(|index| *index < models.len())
            }
            KeyCode::Char('0' | 'a') => Some(last),
            KeyCode::Tab | KeyCode::Right | KeyCode::Down => {
                Some(current.map_or(0, |current| if current < last { current + 1 } else { 0 }))
            }
            KeyCode::BackTab | KeyCode::Left | KeyCode::Up => {
                Some(current.map_or(last, |current| current.checked_sub(1).unwrap_or(last)))
            }
            _ => None,
        };
        if let Some(index) = chosen {
            self.selection = models.get(index).map_or(Selection::All, |model| Selection::Named((*model).to_owned()));
        }
    }

    /// Returns the index of the selected model, or the number of models if all are selected. `None` if the selection is not in the
    /// log yet, or is several models.
    fn position(&self, models: &[&str]) -> Option<usize> {
        match &self.live.chosen(&self.selection)?[..] {
            _ if self.selection == Selection::All => Some(models.len()),
            [one] => models.iter().position(|model| model == one),
            _ => None,
        }
    }

    fn draw(&self, now: Duration, frame: &mut Frame<'_>) {
        let models: Vec<_> = self.live.models().collect();
        let view = match &self.state.waiting_for {
            Some(text) => View::Waiting(text.clone()),
            None => self.live.view(
                &self.selection,
                &self.lines,
                panel::seconds_fitting(frame.area().width, self.paint),
                now,
            ),
        };
        let note = self.state.problem.clone().or_else(|| self.live.note(now));
        let panel = Panel {
            log: &self.state.name,
            models: &models,
            shown: self.position(&models),
            view: &view,
            note: note.as_deref(),
            paint: self.paint,
        };
        panel.draw(frame.area(), frame.buffer_mut());
    }
}

#[cfg(test)]
mod tests;
