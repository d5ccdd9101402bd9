//! The page about this machine says what the code says.

use std::collections::{BTreeMap, BTreeSet};

use windlass_group::GroupState;

const PAGE: &str = include_str!("../../../../docs/group-protocol.md");

/// The states from which each state is entered, by the names of the enum's variants.
type Table = BTreeMap<String, BTreeSet<String>>;

fn of_the_code() -> Table {
    let entry = |state: GroupState| {
        let from = state
            .allowed_predecessors()
            .iter()
            .map(|one| format!("{one:?}"));
        (format!("{state:?}"), from.collect())
    };
    GroupState::ALL.into_iter().map(entry).collect()
}

#[test]
fn the_table_is_the_code_s() {
    let mut table = Table::new();
    for line in PAGE.lines().filter(|line| line.starts_with('|')).skip(2) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let from = cells[2].split(", ").map(str::to_owned).collect();
        table.insert(cells[1].to_owned(), from);
    }
    assert_eq!(table, of_the_code());
}

#[test]
fn the_diagram_is_the_code_s() {
    let mut table = Table::new();
    for line in PAGE.lines() {
        let Some((from, rest)) = line.trim().split_once(" --> ") else {
            continue;
        };
        let (to, _) = rest.split_once(':').unwrap_or((rest, ""));
        if from == "[*]" {
            assert_eq!(to, "Unsubscribed", "where every machine begins");
            continue;
        }
        let news = table
            .entry(to.to_owned())
            .or_default()
            .insert(from.to_owned());
        assert!(news, "drawn twice: {line}");
    }
    assert_eq!(table, of_the_code());
}

#[test]
fn the_files_it_names_exist() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    for path in PAGE.split('`').filter(|one| one.starts_with("crates/")) {
        let exists = std::path::Path::new(&format!("{root}{path}")).exists();
        assert!(exists, "{path}");
    }
}
