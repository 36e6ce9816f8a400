//! The table of clients in README against the tests.

use std::{collections::BTreeSet, fs, path::Path};

/// Returns the names in backticks, without versions and paths.
fn names(text: &str) -> impl Iterator<Item = String> {
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    quoted.filter(|name| name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)))
}

/// Returns the clients in the first column of the table.
fn rows(readme: &str) -> BTreeSet<String> {
    let table = readme.lines().skip_while(|line| !line.starts_with("| client |")).skip(2);
    let cells = table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    cells.flat_map(|cell| names(cell).collect::<Vec<_>>()).collect()
}

/// Returns the clients that the tests in a folder name in their headers.
fn tested(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    sources.flat_map(|path| in_header(&fs::read_to_string(path).unwrap())).collect()
}

/// Returns the clients of a test file: those before `client`, `clients` or `errors` in its first sentence.
fn in_header(source: &str) -> Vec<String> {
    let header: Vec<_> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let header = header.concat();
    let sentence = header.split(". ").next().unwrap_or_default();
    let end = [" client", " errors"].iter().filter_map(|word| sentence.find(word)).min();
    names(&sentence[..end.unwrap_or_default()]).collect()
}

#[test]
fn each_row_has_a_test_and_each_test_a_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let rows = rows(&fs::read_to_string(root.join("README.md")).unwrap());
    let folders = [root.join("client-tests/tests/it"), root.join("ratellmiter-core/tests/clients")];
    let tested: BTreeSet<_> = folders.iter().flat_map(|folder| tested(folder)).collect();
    assert!(rows.len() >= 10, "{rows:?}");
    assert_eq!(rows.difference(&tested).collect::<Vec<_>>(), Vec::<&String>::new(), "rows without a test");
    assert_eq!(tested.difference(&rows).collect::<Vec<_>>(), Vec::<&String>::new(), "tests without a row");
}

#[test]
fn rows_have_examples_and_features_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let manifest = fs::read_to_string(root.join("ratellmiter-core/Cargo.toml")).unwrap();
    let table = readme.lines().skip_while(|line| !line.starts_with("| client |")).skip(2);
    for row in table.take_while(|line| line.starts_with('|')) {
        for feature in names(row.split('|').nth(2).unwrap()) {
            assert!(manifest.contains(&format!("\n{feature} = [")), "no feature `{feature}`");
            let example = root.join(format!("examples/client_{}.rs", feature.replace('-', "_")));
            assert!(example.exists() || feature.starts_with("reqwest-012"), "no {}", example.display());
        }
    }
}

#[test]
fn names_are_found_in_cells_and_headers() {
    let table = "text\n| client | feature |\n| --- | --- |\n| `a` 1, `b-c` | `f` |\n| any `d` service | |\n\n| `e` |";
    assert_eq!(rows(table).into_iter().collect::<Vec<_>>(), ["a", "b-c", "d"]);
    assert_eq!(in_header("//! The real `a` and `b`\n//! clients with `c`. The `d` client.\n\nuse e;"), ["a", "b"]);
    assert_eq!(in_header("//! A table of `a`."), Vec::<String>::new());
}
