//! Tests of `live`.

use std::fs;

use super::{watch::SEARCH_INTERVAL, *};

const ROW: &str = "{\"at\":1795502413,\"model\":\"m\",\"requested\":1}\n";

struct Following(tempfile::TempDir, Watch, Live, Duration, State);

impl Following {
    fn of(file: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = Source {
            files: file.map(Into::into).into_iter().collect(),
            directory: Some(directory.path().join("logs")),
        };
        let watch = Watch::of(&source).unwrap();
        Self(directory, watch, Live::default(), Duration::from_secs(1_795_502_414), State::default())
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.0.path().join("logs")).unwrap();
        fs::write(self.0.path().join("logs").join(name), text).unwrap();
    }

    /// Reads one second later. Returns the name of the log that is followed, and its models.
    fn read(&mut self) -> (String, Vec<String>) {
        self.3 += SEARCH_INTERVAL;
        if self.1.search_if_due(self.3) {
            self.2 = Live::default();
        }
        let (update, more) = self.1.read();
        assert!(!more);
        self.4 = update.apply(&mut self.2, self.3);
        (self.4.name.clone(), self.2.models().map(ToOwned::to_owned).collect())
    }
}

fn found(name: &str, models: &[&str]) -> (String, Vec<String>) {
    (name.into(), models.iter().map(|model| (*model).to_owned()).collect())
}

#[test]
fn newest_log_is_followed_until_there_is_a_newer_one() {
    let mut following = Following::of(None);
    assert_eq!(following.read(), found("", &[]));
    assert!(following.4.waiting_for.as_ref().unwrap().starts_with("waiting for a log in "));
    following.write("notes.txt", "");
    assert_eq!(following.read(), found("", &[]));
    following.write("100-1.jsonl", "");
    assert_eq!(following.read(), found("100-1.jsonl", &[]));
    following.write("100-1.jsonl", ROW);
    assert_eq!(following.read(), found("100-1.jsonl", &["m"]));
    following.write("99-1.jsonl", ROW);
    assert_eq!(following.read(), found("100-1.jsonl", &["m"]), "an older log is not followed");
    following.write("200-1.jsonl", &ROW.replace("\"m\"", "\"n\""));
    assert_eq!(following.read(), found("200-1.jsonl", &["n"]), "the program was restarted");
    fs::remove_dir_all(following.0.path().join("logs")).unwrap();
    assert_eq!(following.read(), found("200-1.jsonl", &["n"]));
    assert_eq!(following.4.problem.as_deref(), Some("the log was deleted"));
    following.write("200-1.jsonl", ROW);
    assert_eq!(following.read(), found("200-1.jsonl", &["m"]));
    assert_eq!(following.4.problem, None);
}

#[test]
fn named_log_is_the_only_one_followed() {
    let mut following = Following::of(Some("5-5.jsonl"));
    following.write("100-1.jsonl", ROW);
    assert_eq!(following.read(), found("", &[]));
    assert_eq!(following.4.waiting_for.as_deref().unwrap(), "waiting for the log 5-5.jsonl");
    following.write("5-5.jsonl", ROW);
    assert_eq!(following.read(), found("5-5.jsonl", &["m"]));
    following.write("200-1.jsonl", ROW);
    assert_eq!(following.read(), found("5-5.jsonl", &["m"]));
}

#[test]
fn unreadable_directory_is_reported() {
    let mut following = Following::of(None);
    fs::write(following.0.path().join("logs"), "").unwrap();
    following.read();
    assert!(following.4.problem.as_ref().unwrap().starts_with("cannot list the logs: "));
}

#[test]
fn keys_select_models() {
    let mut follower = Follower::of(Models::Default, Lines::default(), Paint::of_environment(false));
    let press = |follower: &mut Follower, code| {
        follower.press(KeyEvent::new(code, KeyModifiers::NONE));
        match &follower.selection {
            Selection::Default => "default".to_owned(),
            Selection::All => "all".to_owned(),
            Selection::Named(name) => name.clone(),
        }
    };
    assert_eq!(press(&mut follower, KeyCode::Tab), "default", "no model yet");
    for model in ["b", "a", "c"] {
        follower.live.add(ROW.replace("\"m\"", &format!("{model:?}")).as_bytes(), Duration::ZERO);
    }
    let typed = [
        (KeyCode::Right, "c"),
        (KeyCode::Tab, "all"),
        (KeyCode::Tab, "a"),
        (KeyCode::BackTab, "all"),
        (KeyCode::Left, "c"),
        (KeyCode::Char('1'), "a"),
        (KeyCode::Char('4'), "a"),
        (KeyCode::Char('3'), "c"),
        (KeyCode::Char('a'), "all"),
    ];
    for (code, selected) in typed {
        assert_eq!(press(&mut follower, code), selected, "{code:?}");
    }
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!([KeyCode::Char('q'), KeyCode::Esc].map(KeyEvent::from).into_iter().chain([control_c]).all(is_quit));
    assert!(![KeyCode::Char('c'), KeyCode::Enter].map(KeyEvent::from).into_iter().any(is_quit));
}
