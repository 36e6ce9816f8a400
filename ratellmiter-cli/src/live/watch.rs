//! The log that is followed: finds it, and reads it on a thread of its own.
//!
//! Opening or reading a pipe, a device or a file of a network may wait for any time. The screen, the keys and the signals are
//! therefore on another thread, which ends the process whatever this one waits for.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
    time::Duration,
};

use ratellmiter_core::log;

use crate::{
    args::Source,
    choose_log,
    failure::Failure,
    live::{REFRESH_INTERVAL, followed::Live, since_epoch},
    read::tail::{Progress, Tail, TailEvent},
};

/// Interval at which a newer log is searched for.
pub(super) const SEARCH_INTERVAL: Duration = Duration::from_secs(1);
/// Number of updates that wait to be shown. Reading waits beyond that.
const MAX_WAITING_UPDATES: usize = 4;

/// Lines and state of the log since the update before.
#[derive(Debug, Default)]
pub(super) struct Update {
    pub(super) events: Vec<LogEvent>,
    pub(super) state: State,
    /// `true` if the log was read to its end.
    is_caught_up: bool,
}

/// An event of [`Tail`], with its bytes.
#[derive(Debug)]
pub(super) enum LogEvent {
    /// All earlier lines are obsolete.
    Restarted,
    Line(Vec<u8>),
    TooLong,
}

/// The state of the followed log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    /// File name of the log; empty if there is none yet.
    pub(super) name: String,
    /// The reason for which there is no log yet.
    pub(super) waiting_for: Option<String>,
    pub(super) problem: Option<String>,
}

impl Update {
    /// Adds the lines to `live` and returns the state.
    pub(super) fn apply(self, live: &mut Live, now: Duration) -> State {
        for event in self.events {
            match event {
                LogEvent::Restarted => *live = Live::default(),
                LogEvent::Line(text) => live.add(&text, now),
                LogEvent::TooLong => live.add_broken(),
            }
        }
        if self.is_caught_up {
            live.caught_up();
        }
        self.state
    }
}

/// Follows a log on another thread. The thread ends with its receiver or with the process.
pub(super) fn follow(mut watch: Watch) -> Receiver<Update> {
    let (sender, updates) = mpsc::sync_channel(MAX_WAITING_UPDATES);
    thread::spawn(move || while watch.send(&sender).is_ok() {});
    updates
}

/// The log that is followed.
#[derive(Debug)]
pub(super) struct Watch {
    location: Location,
    tail: Option<Tail>,
    /// Time of the last search, since the epoch.
    searched: Option<Duration>,
    problem: Option<String>,
}

#[derive(Debug)]
enum Location {
    /// The first of these paths that exists.
    Named(Vec<PathBuf>),
    /// The newest log of a directory. Logs in `known` are never returned to.
    Newest { directory: PathBuf, known: BTreeSet<PathBuf> },
}

impl Watch {
    pub(super) fn of(source: &Source) -> Result<Self, Failure> {
        let location = match source.files.first() {
            // The same paths as `choose_log::locate`, but neither has to exist yet.
            Some(file) if file.components().count() == 1 => {
                let among_logs = choose_log::directory(source.directory.as_deref())?.join(file);
                Location::Named(vec![file.clone(), among_logs])
            }
            Some(file) => Location::Named(vec![file.clone()]),
            None => Location::Newest {
                directory: choose_log::directory(source.directory.as_deref())?,
                known: BTreeSet::new(),
            },
        };
        Ok(Self { location, tail: None, searched: None, problem: None })
    }

    /// Sends an update, and waits until the next one is due. Returns an error if nothing receives it.
    fn send(&mut self, sender: &SyncSender<Update>) -> Result<(), mpsc::SendError<Update>> {
        if self.search_if_due(since_epoch()) {
            // The log is named before it is opened, which may take any time.
            sender.send(Update { events: vec![LogEvent::Restarted], state: self.state(), is_caught_up: false })?;
        }
        let (update, more) = self.read();
        sender.send(update)?;
        if !more {
            thread::sleep(REFRESH_INTERVAL);
        }
        Ok(())
    }

    /// Searches for a log if it is time to. Returns `true` if another one is followed from now on.
    pub(super) fn search_if_due(&mut self, now: Duration) -> bool {
        self.problem = None;
        let due =
            self.searched.is_none_or(|searched| now.saturating_sub(searched) >= SEARCH_INTERVAL || now < searched);
        if self.tail.is_some() && !due {
            return false;
        }
        self.searched = Some(now);
        let Some(path) = self.search() else { return false };
        self.tail = Some(Tail::new(path));
        true
    }

    /// Reads new lines of the log. Returns `true` beside them if more can be read at once.
    pub(super) fn read(&mut self) -> (Update, bool) {
        let mut events = Vec::new();
        let progress = self.tail.as_mut().map(|tail| {
            tail.read_new(|event| {
                events.push(match event {
                    TailEvent::Restarted => LogEvent::Restarted,
                    TailEvent::Line(line) => LogEvent::Line(line.to_owned()),
                    TailEvent::TooLong => LogEvent::TooLong,
                });
            })
        });
        match &progress {
            Some(Ok(Progress::Absent)) => self.problem = Some("the log was deleted".into()),
            Some(Err(error)) => self.problem = Some(format!("cannot read the log: {error}")),
            Some(Ok(Progress::CaughtUp | Progress::More)) | None => {}
        }
        let is_caught_up = matches!(progress, Some(Ok(Progress::CaughtUp)));
        (Update { events, state: self.state(), is_caught_up }, matches!(progress, Some(Ok(Progress::More))))
    }

    fn state(&self) -> State {
        State { name: self.name(), waiting_for: self.waiting_for(), problem: self.problem.clone() }
    }

    /// Returns the path of another log to follow, if there is one.
    fn search(&mut self) -> Option<PathBuf> {
        match &mut self.location {
            Location::Named(paths) if self.tail.is_none() => paths.iter().find(|path| path.exists()).cloned(),
            Location::Named(_) => None,
            Location::Newest { directory, known } => {
                let logs = match log::newest_first(directory) {
                    Ok(logs) => logs,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                    Err(error) => {
                        // While a log is followed, a newer one is not needed.
                        if self.tail.is_none() {
                            self.problem = Some(format!("cannot list the logs: {error}"));
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

    /// Returns a message if there is no log yet.
    fn waiting_for(&self) -> Option<String> {
        match &self.location {
            _ if self.tail.is_some() => None,
            Location::Named(paths) => Some(format!("waiting for the log {}", paths[0].display())),
            Location::Newest { directory, .. } => Some(format!("waiting for a log in {}", directory.display())),
        }
    }

    fn name(&self) -> String {
        let path = self.tail.as_ref().map(Tail::path);
        path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
