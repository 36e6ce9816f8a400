//! Draws in the terminal while the program runs.

mod panel;
mod run;

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, SystemTime},
};

use ratatui::{
    DefaultTerminal, Frame,
    crossterm::{
        cursor::Show,
        event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute,
    },
};
use ratellmiter_core::log;

use crate::{
    DONE,
    args::{Models, Source},
    choose_log,
    draw::cells::Paint,
    failure::Failure,
    live::{
        panel::Panel,
        run::{Live, Shown, View},
    },
    read::tail::{Found, Looked, Tail},
    series::Lines,
};

/// How often the log is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often a newer log is looked for.
const SEARCH: Duration = Duration::from_secs(1);

/// Draws until it is told to stop, and leaves the terminal as it was.
pub(crate) fn run(source: &Source, models: Models, lines: Lines) -> Result<u8, Failure> {
    for (name, is_terminal) in [("stdin", io::stdin().is_terminal()), ("stdout", io::stdout().is_terminal())] {
        if !is_terminal {
            return Err(Failure::Terminal(format!("{name} is none")));
        }
    }
    let failed = |error: io::Error| Failure::Terminal(error.to_string());
    let mut watch = Watch::of(source)?;
    let stop = told_to_stop().map_err(failed)?;
    let mut follower = Follower::of(models, lines, Paint::of_environment(true));
    let mut terminal = Borrowed::enter().map_err(failed)?;
    let events = typed();
    loop {
        let more = watch.look(&mut follower.live, since_epoch());
        terminal.0.draw(|frame| follower.draw(&watch, since_epoch(), frame)).map_err(failed)?;
        let mut patience = if more { Duration::ZERO } else { TICK };
        // All that was typed meanwhile is done before the next drawing.
        let gone = loop {
            match events.recv_timeout(patience) {
                Ok(Event::Key(key)) if leaves(key) => return Ok(DONE),
                Ok(Event::Key(key)) => follower.press(key),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break false,
                Err(RecvTimeoutError::Disconnected) => break true,
            }
            patience = Duration::ZERO;
        };
        if gone || stop.load(Ordering::Relaxed) {
            return Ok(DONE);
        }
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// What is typed, and changes of the window, read by a thread of their own: on a terminal that is gone reading never ends.
fn typed() -> Receiver<Event> {
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

/// Becomes true when the system asks the process to end.
fn told_to_stop() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::{consts, flag};
    let stop = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    flag::register(consts::SIGHUP, Arc::clone(&stop))?;
    for signal in [consts::SIGTERM, consts::SIGINT] {
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// The terminal, which is given back as it was, also after a panic.
struct Borrowed(DefaultTerminal);

impl Borrowed {
    fn enter() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if thread::panicking() {
            // The hook was first, and has written what happened: giving back twice would write over it.
            let _ = execute!(io::stdout(), Show);
        } else {
            give_back();
        }
    }
}

impl fmt::Debug for Borrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrowed").finish_non_exhaustive()
    }
}

/// A terminal that is gone needs nothing.
fn give_back() {
    let _ = ratatui::try_restore();
    let _ = execute!(io::stdout(), Show);
}

fn leaves(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => true,
        KeyCode::Char('q') => !control,
        KeyCode::Esc => true,
        _ => false,
    }
}

/// What is followed, and what is shown of it.
#[derive(Debug)]
struct Follower {
    live: Live,
    shown: Shown,
    lines: Lines,
    paint: Paint,
}

impl Follower {
    fn of(models: Models, lines: Lines, paint: Paint) -> Self {
        let shown = match models {
            Models::Default => Shown::Any,
            Models::All => Shown::All,
            Models::Named(names) => Shown::Named(names),
        };
        Self { live: Live::default(), shown, lines, paint }
    }

    /// A digit is a model; tab and the arrows go on to the next, and to all of them after the last.
    fn press(&mut self, key: KeyEvent) {
        let models: Vec<_> = self.live.models().collect();
        if key.kind == KeyEventKind::Release || models.is_empty() {
            return;
        }
        let last = if models.len() > 1 { models.len() } else { 0 };
        let now = self.position(&models);
        let chosen = match key.code {
            KeyCode::Char(digit @ '1'..='9') => {
                Some(digit as usize - '1' as usize).filter(|index| *index < models.len())
            }
            KeyCode::Char('0' | 'a') => Some(last),
            KeyCode::Tab | KeyCode::Right | KeyCode::Down => {
                Some(now.map_or(0, |now| if now < last { now + 1 } else { 0 }))
            }
            KeyCode::BackTab | KeyCode::Left | KeyCode::Up => {
                Some(now.map_or(last, |now| now.checked_sub(1).unwrap_or(last)))
            }
            _ => None,
        };
        if let Some(index) = chosen {
            self.shown = models.get(index).map_or(Shown::All, |model| Shown::Named((*model).to_owned()));
        }
    }

    /// Which of the models is shown; their number for all of them.
    fn position(&self, models: &[&str]) -> Option<usize> {
        match &self.live.chosen(&self.shown)?[..] {
            _ if self.shown == Shown::All => Some(models.len()),
            [one] => models.iter().position(|model| model == one),
            _ => None,
        }
    }

    fn draw(&self, watch: &Watch, now: Duration, frame: &mut Frame<'_>) {
        let models: Vec<_> = self.live.models().collect();
        let view = match watch.awaits() {
            Some(what) => View::Waiting(what),
            None => self.live.view(&self.shown, &self.lines, panel::room(frame.area().width, self.paint), now),
        };
        let note = watch.problem.clone().or_else(|| self.live.note(now));
        let panel = Panel {
            log: &watch.name(),
            models: &models,
            shown: self.position(&models),
            view: &view,
            note: note.as_deref(),
            paint: self.paint,
        };
        panel.draw(frame.area(), frame.buffer_mut());
    }
}

/// Which log is followed, and how far it was read.
#[derive(Debug)]
struct Watch {
    place: Place,
    tail: Option<Tail>,
    /// When a log was looked for.
    searched: Option<Duration>,
    problem: Option<String>,
}

#[derive(Debug)]
enum Place {
    /// The first of these that is there.
    Named(Vec<PathBuf>),
    /// The newest of a directory. A log that was there before is not gone back to.
    Newest { directory: PathBuf, known: BTreeSet<PathBuf> },
}

impl Watch {
    fn of(source: &Source) -> Result<Self, Failure> {
        let place = match source.files.first() {
            // As `choose_log::located` has it, but it may come later.
            Some(file) if file.components().count() == 1 => {
                let among_logs = choose_log::directory(source.directory.as_deref())?.join(file);
                Place::Named(vec![file.clone(), among_logs])
            }
            Some(file) => Place::Named(vec![file.clone()]),
            None => {
                Place::Newest { directory: choose_log::directory(source.directory.as_deref())?, known: BTreeSet::new() }
            }
        };
        Ok(Self { place, tail: None, searched: None, problem: None })
    }

    /// Reads what came. Says whether there is more to be read at once.
    fn look(&mut self, live: &mut Live, now: Duration) -> bool {
        self.problem = None;
        let due = self.searched.is_none_or(|searched| now.saturating_sub(searched) >= SEARCH || now < searched);
        if self.tail.is_none() || due {
            self.searched = Some(now);
            if let Some(path) = self.search() {
                self.tail = Some(Tail::of(path));
                *live = Live::default();
            }
        }
        let Some(tail) = &mut self.tail else { return false };
        let looked = tail.look(|found| match found {
            Found::Anew => *live = Live::default(),
            Found::Line(text) => live.add(text, now),
            Found::TooLong => live.add_broken(),
        });
        match looked {
            Ok(Looked::More) => true,
            Ok(Looked::Whole) => {
                live.caught_up();
                false
            }
            Ok(Looked::Absent) => {
                self.problem = Some("the log is gone".into());
                false
            }
            Err(error) => {
                self.problem = Some(format!("cannot read the log: {error}"));
                false
            }
        }
    }

    /// Another log than the one that is followed, if there is one.
    fn search(&mut self) -> Option<PathBuf> {
        match &mut self.place {
            Place::Named(paths) if self.tail.is_none() => paths.iter().find(|path| path.exists()).cloned(),
            Place::Named(_) => None,
            Place::Newest { directory, known } => {
                let logs = match log::newest_first(directory) {
                    Ok(logs) => logs,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                    Err(error) => {
                        // Who follows a log does without a newer one.
                        if self.tail.is_none() {
                            self.problem = Some(format!("cannot look for logs: {error}"));
                        }
                        return None;
                    }
                };
                let followed = self.tail.as_ref().map(Tail::path);
                let mut newer = logs.iter().take_while(|path| Some(path.as_path()) != followed);
                let found = newer.find(|path| !known.contains(*path)).cloned();
                *known = logs.into_iter().collect();
                found
            }
        }
    }

    fn awaits(&self) -> Option<String> {
        match &self.place {
            _ if self.tail.is_some() => None,
            Place::Named(paths) => Some(format!("waiting for the log {}", paths[0].display())),
            Place::Newest { directory, .. } => Some(format!("waiting for a log in {}", directory.display())),
        }
    }

    fn name(&self) -> String {
        let path = self.tail.as_ref().map(Tail::path);
        path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
