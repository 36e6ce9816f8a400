//! Tests of `write`.

use super::*;

fn named(log: &str, model: &str) -> String {
    default_name(Path::new(log), 0, model, "ri", "png")
}

#[test]
fn default_name_has_log_model_and_lines() {
    assert_eq!(named("logs/17-4.jsonl", "gpt-4o"), "17-4-gpt-4o_ri.png");
    assert_eq!(named("17-4.jsonl", "mistral/large"), "17-4-mistral-large_ri.png");
    assert_eq!(named("17-4.jsonl", "../../etc/🦀\n"), "17-4-..-..-etc-🦀-_ri.png");
    assert_eq!(default_name(Path::new("logs/17-4.jsonl"), 3, "m", "ri", "svg"), "17-4+3-m_ri.svg");
}

#[test]
fn long_name_is_truncated() {
    let name = named("17-4.jsonl", &"é".repeat(300));
    assert!(name.len() <= MAX_NAME_BYTES && name.ends_with("é_ri.png"), "{name}");
}

#[test]
fn file_is_written_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    write(b"whole", &directory.path().join("a.png")).unwrap();
    assert_eq!(fs::read(directory.path().join("a.png")).unwrap(), b"whole");
    fs::create_dir(directory.path().join("b.png")).unwrap();
    let error = write(b"", &directory.path().join("b.png")).unwrap_err();
    assert_eq!(error.to_string(), "it is a directory");
    assert!(write(b"", &directory.path().join("none/c.png")).is_err());
    let mut left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.png", "b.png"]);
}

#[cfg(unix)]
#[test]
fn links_and_devices_are_kept() {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    let directory = tempfile::tempdir().unwrap();
    let (link, target) = (directory.path().join("link.png"), directory.path().join("target.png"));
    fs::write(&target, "old").unwrap();
    symlink(&target, &link).unwrap();
    write(b"new", &link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
    // Devices are reached through links, so that a failure of this test replaces a link only.
    for (name, device) in [("null", "/dev/null"), ("full", "/dev/full")] {
        let link = directory.path().join(name);
        symlink(device, &link).unwrap();
        let written = write(b"new", &link);
        assert_eq!(written.is_ok(), name == "null", "{written:?}");
        assert!(fs::metadata(device).unwrap().file_type().is_char_device());
    }
}
