//! Tests of `follow`.

use std::fs;

use super::*;

const ROW: &str = "{\"at\":1795502413,\"model\":\"m\",\"requested\":1}\n";

struct Place(tempfile::TempDir, Watch, Live, Duration);

impl Place {
    fn of(file: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = Source {
            files: file.map(Into::into).into_iter().collect(),
            directory: Some(directory.path().join("logs")),
        };
        let watch = Watch::of(&source).unwrap();
        Self(directory, watch, Live::default(), Duration::from_secs(1_795_502_414))
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.0.path().join("logs")).unwrap();
        fs::write(self.0.path().join("logs").join(name), text).unwrap();
    }

    /// A second later: which log is followed, and the models in it.
    fn look(&mut self) -> (String, Vec<String>) {
        self.3 += SEARCH;
        assert!(!self.1.look(&mut self.2, self.3));
        (self.1.name(), self.2.models().map(ToOwned::to_owned).collect())
    }
}

fn found(name: &str, models: &[&str]) -> (String, Vec<String>) {
    (name.into(), models.iter().map(|model| (*model).to_owned()).collect())
}

#[test]
fn the_newest_log_is_followed_as_soon_as_there_is_one_and_then_the_next() {
    let mut place = Place::of(None);
    assert_eq!(place.look(), found("", &[]));
    assert!(place.1.awaits().unwrap().starts_with("waiting for a log in "));
    place.write("notes.txt", "");
    assert_eq!(place.look(), found("", &[]));
    place.write("100-1.jsonl", "");
    assert_eq!(place.look(), found("100-1.jsonl", &[]));
    place.write("100-1.jsonl", ROW);
    assert_eq!(place.look(), found("100-1.jsonl", &["m"]));
    place.write("99-1.jsonl", ROW);
    assert_eq!(place.look(), found("100-1.jsonl", &["m"]), "an older one is not");
    place.write("200-1.jsonl", &ROW.replace("\"m\"", "\"n\""));
    assert_eq!(place.look(), found("200-1.jsonl", &["n"]), "the program was started again");
    fs::remove_dir_all(place.0.path().join("logs")).unwrap();
    assert_eq!(place.look(), found("200-1.jsonl", &["n"]));
    assert_eq!(place.1.problem.as_deref(), Some("the log is gone"));
    place.write("200-1.jsonl", ROW);
    assert_eq!(place.look(), found("200-1.jsonl", &["m"]));
    assert_eq!(place.1.problem, None);
}

#[test]
fn a_named_log_is_waited_for_and_no_other_is_followed() {
    let mut place = Place::of(Some("5-5.jsonl"));
    place.write("100-1.jsonl", ROW);
    assert_eq!(place.look(), found("", &[]));
    assert_eq!(place.1.awaits().unwrap(), "waiting for the log 5-5.jsonl");
    place.write("5-5.jsonl", ROW);
    assert_eq!(place.look(), found("5-5.jsonl", &["m"]));
    place.write("200-1.jsonl", ROW);
    assert_eq!(place.look(), found("5-5.jsonl", &["m"]));
}

#[test]
fn a_directory_that_cannot_be_read_is_told() {
    let mut place = Place::of(None);
    fs::write(place.0.path().join("logs"), "").unwrap();
    place.look();
    assert!(place.1.problem.as_ref().unwrap().starts_with("cannot look for logs: "));
}

#[test]
fn keys_go_through_the_models() {
    let mut follower = Follower::of(Models::Default, Lines::default(), Paint::of_environment(false));
    let press = |follower: &mut Follower, code| {
        follower.press(KeyEvent::new(code, KeyModifiers::NONE));
        match &follower.shown {
            Shown::Any => "any".to_owned(),
            Shown::All => "all".to_owned(),
            Shown::Named(name) => name.clone(),
        }
    };
    assert_eq!(press(&mut follower, KeyCode::Tab), "any", "there is none yet");
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
    for (code, shown) in typed {
        assert_eq!(press(&mut follower, code), shown, "{code:?}");
    }
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!([KeyCode::Char('q'), KeyCode::Esc].map(KeyEvent::from).into_iter().chain([control_c]).all(leaves));
    assert!(![KeyCode::Char('c'), KeyCode::Enter].map(KeyEvent::from).into_iter().any(leaves));
}
