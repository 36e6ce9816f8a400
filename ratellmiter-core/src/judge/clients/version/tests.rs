use std::fmt;

use super::*;

#[derive(Debug)]
struct OwnError;

impl fmt::Display for OwnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no")
    }
}

impl Error for OwnError {}

#[test]
fn versions_in_warnings_are_those_of_the_dependencies() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let [workspace, own] =
        [root.join("../Cargo.toml"), root.join("Cargo.toml")].map(|path| std::fs::read_to_string(path).unwrap());
    for ErrorType { client, version, .. } in ADAPTERS.iter().filter_map(|adapter| adapter.error) {
        let is_version = |line: &str| {
            let dependency =
                line.starts_with(&format!("{client} = ")) || line.contains(&format!("package = \"{client}\""));
            dependency && ["", "="].iter().any(|sign| line.contains(&format!("version = \"{sign}{version}")))
        };
        assert!(workspace.lines().chain(own.lines()).any(is_version), "{client} {version}");
    }
}

#[test]
fn short_name_in_debug_is_that_of_the_type() {
    let error = ErrorType::of::<OwnError>("client", "1");
    let name = type_name::<OwnError>();
    let krate = name.split_once("::").unwrap().0;
    for path in [name, &format!("{krate}::OwnError"), &format!("{krate}::moved::OwnError")] {
        assert!(error.is_short_name(path), "{path}");
    }
    for path in ["OwnError", krate, "", "other::OwnError", &format!("{krate}::Error")] {
        assert!(!error.is_short_name(path), "{path}");
    }
}

#[test]
fn supported_and_foreign_types_are_no_other_versions() {
    let names = |name: &'static str, is_same: bool| others(|error| (error.name)() == name, |_| is_same).len();
    for error in ADAPTERS.iter().filter_map(|adapter| adapter.error) {
        let name = (error.name)();
        assert!(names(name, false) > 0, "{name}");
        assert_eq!(names(name, true), 0, "{name}");
    }
    assert_eq!(names(type_name::<OwnError>(), false), 0);
}
