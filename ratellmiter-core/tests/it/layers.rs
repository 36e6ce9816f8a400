//! The layers of the library: no file imports a layer above its own.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Returns the layers of the table in `lib.rs`, the highest first.
fn layers(source: &Path) -> Vec<String> {
    let text = fs::read_to_string(source.join("lib.rs")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | ")?.split(" |").next());
    let names = rows.filter_map(|cell| cell.split('`').nth(1).map(ToOwned::to_owned));
    names.collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the modules of the crate that `text` names: behind `crate::`, alone or first in a group.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut modules = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let name = |text: &str| text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        let Some(group) = part.strip_prefix('{') else {
            modules.insert(name(part));
            continue;
        };
        let mut depth = 1;
        for piece in group.split_inclusive(['{', '}', ',']) {
            if depth == 1 {
                modules.insert(name(piece.trim_start()));
            }
            depth += i32::from(piece.ends_with('{')) - i32::from(piece.ends_with('}'));
            if depth == 0 {
                break;
            }
        }
    }
    modules
}

#[test]
fn no_file_imports_a_higher_layer() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = layers(&source);
    assert_eq!(layers.len(), 13, "{layers:?}");
    let mut all = Vec::new();
    files(&source, &mut all);
    let mut upward = Vec::new();
    for file in all {
        let path = file.strip_prefix(&source).unwrap();
        let top = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let is_test = path.iter().any(|part| matches!(part.to_str(), Some("tests" | "tests.rs")));
        let Some(own) = layers.iter().position(|layer| *layer == top).filter(|_| !is_test) else { continue };
        let modules = imports(&fs::read_to_string(&file).unwrap());
        let higher = modules.iter().filter(|module| layers[..own].contains(module));
        upward.extend(higher.map(|module| format!("{} imports {module}", path.display())));
    }
    assert_eq!(upward, Vec::<String>::new());
}

#[test]
fn imports_are_found_in_groups_and_paths() {
    let text = "use crate::{\n    call::{Call, context},\n    limits::Limits,\n};\nfn f() -> crate::log::Row {}\n// crate::monitor";
    assert_eq!(
        imports(text).into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>(),
        ["call", "limits", "log"]
    );
}
