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
    assert_eq!(named("17-4.jsonl", "a\u{202e}b\u{ffff}"), "17-4-a-b-_ri.png");
    assert_eq!(named("-", "m"), "stdin-m_ri.png");
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

#[cfg(unix)]
#[test]
fn links_beside_the_output_are_not_followed() {
    use std::{os::unix::fs::symlink, process};

    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("precious");
    fs::write(&target, "kept").unwrap();
    // The names that a process with this id, or one that counts from it, could use.
    for number in 0..200 {
        let name = format!(".ratellmiter-{}.tmp", process::id() - 100 + number);
        symlink(&target, directory.path().join(name)).unwrap();
    }
    write(b"new", &directory.path().join("a.png")).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"kept");
    assert_eq!(fs::read(directory.path().join("a.png")).unwrap(), b"new");
    assert!(!fs::symlink_metadata(directory.path().join("a.png")).unwrap().is_symlink());
}

#[cfg(unix)]
#[test]
fn output_has_the_permissions_of_a_new_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
    fs::write(directory.path().join("plain"), "").unwrap();
    write(b"new", &directory.path().join("a.png")).unwrap();
    assert_eq!(mode("a.png"), mode("plain"));
}

#[cfg(unix)]
#[test]
fn paths_of_open_files_lead_to_them() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let link = |name: &str, target: &str| {
        let link = directory.path().join(name);
        symlink(target, &link).unwrap();
        link
    };
    assert!(is_stdout(Path::new("/dev/stdout")) && is_stdout(Path::new("/dev/fd/1")));
    assert!(is_stdout(&link("out.svg", "/dev/stdout")));
    assert!(is_stdout(&link("again", "out.svg")), "a relative link to a link");
    for other in ["/dev/stderr", "/dev/fd/2", "/dev/null", "1", "x.png", "/", ""] {
        assert!(!is_stdout(Path::new(other)), "{other}");
    }
    assert!(!is_stdout(&link("loop", "loop")));
}
