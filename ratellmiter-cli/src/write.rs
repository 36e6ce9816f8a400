//! Pictures and pages to files: whole, or not at all.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    process,
};

/// The longest file name that common systems take, in bytes.
const LONGEST_NAME: usize = 255;

/// The name of a picture that was given none: `<log>-<model>_<lines>.<ending>`, with how many others are summed behind `<log>`.
pub(crate) fn name(log: &Path, others: usize, model: &str, lines: &str, ending: &str) -> String {
    let log = log.file_stem().map_or(Cow::Borrowed("log"), |stem| stem.to_string_lossy());
    let others = if others == 0 { String::new() } else { format!("+{others}") };
    let mut name: String = format!("{log}{others}-{model}")
        .chars()
        // What separates paths somewhere, and what cannot be typed.
        .map(|letter| if matches!(letter, '/' | '\\' | ':') || letter.is_control() { '-' } else { letter })
        .collect();
    let end = format!("_{lines}.{ending}");
    name.truncate(name.floor_char_boundary(LONGEST_NAME.saturating_sub(end.len())));
    name + &end
}

/// Whether both are the same file, whatever links lead to it.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) {
        use std::os::unix::fs::MetadataExt as _;
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// Writes a file: whole, or not at all.
pub(crate) fn write(content: &[u8], path: &Path) -> io::Result<()> {
    // A link stays one: the content goes where it points to.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(there) if there.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")),
        // A device or a pipe is written to. To put a file in its place would take it from everybody.
        Ok(there) if !there.is_file() => return OpenOptions::new().write(true).open(&target)?.write_all(content),
        _ => {}
    }
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let unfinished = directory.join(format!(".ratellmiter-{}.tmp", process::id()));
    let written = File::create(&unfinished)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, &target));
    if written.is_err() {
        // Whatever is left of it; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(log: &str, model: &str) -> String {
        name(Path::new(log), 0, model, "ri", "png")
    }

    #[test]
    fn a_picture_is_named_for_its_log_model_and_lines() {
        assert_eq!(named("logs/17-4.jsonl", "gpt-4o"), "17-4-gpt-4o_ri.png");
        assert_eq!(named("17-4.jsonl", "mistral/large"), "17-4-mistral-large_ri.png");
        assert_eq!(named("17-4.jsonl", "../../etc/🦀\n"), "17-4-..-..-etc-🦀-_ri.png");
        assert_eq!(name(Path::new("logs/17-4.jsonl"), 3, "m", "ri", "svg"), "17-4+3-m_ri.svg");
    }

    #[test]
    fn a_name_is_no_longer_than_systems_take() {
        let name = named("17-4.jsonl", &"é".repeat(300));
        assert!(name.len() <= LONGEST_NAME && name.ends_with("é_ri.png"), "{name}");
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        write(b"whole", &directory.path().join("a.png")).unwrap();
        assert_eq!(fs::read(directory.path().join("a.png")).unwrap(), b"whole");
        fs::create_dir(directory.path().join("b.png")).unwrap();
        let error = write(b"", &directory.path().join("b.png")).unwrap_err();
        assert_eq!(error.to_string(), "it is a directory");
        assert!(write(b"", &directory.path().join("none/c.png")).is_err());
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["a.png", "b.png"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_stays_what_it_is() {
        use std::os::unix::fs::{FileTypeExt as _, symlink};

        let directory = tempfile::tempdir().unwrap();
        let (link, target) = (directory.path().join("link.png"), directory.path().join("target.png"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &link).unwrap();
        write(b"new", &link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
        // Devices, by links of our own: if this fails, it is a link that is lost.
        for (name, device) in [("null", "/dev/null"), ("full", "/dev/full")] {
            let link = directory.path().join(name);
            symlink(device, &link).unwrap();
            let written = write(b"new", &link);
            assert_eq!(written.is_ok(), name == "null", "{written:?}");
            assert!(fs::metadata(device).unwrap().file_type().is_char_device());
        }
    }
}
