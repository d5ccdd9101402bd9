//! Rules for prose.

use super::Tree;

/// The beginnings of paths of this tree.
const PLACES: &[&str] = &["crates/", "docs/", "tests/", "xtask/"];

pub(super) fn check(tree: &Tree, problems: &mut Vec<String>) {
    for (path, text) in tree.with_extension("md") {
        for named in paths(text) {
            if !tree.exists(named) {
                problems.push(format!("{path}: names {named}, which does not exist"));
            }
        }
        for machine in ["/root/", "/work/", "/home/"] {
            if text.contains(machine) {
                problems.push(format!("{path}: holds a path of some machine ({machine})"));
            }
        }
    }
    match tree.text("CHANGELOG.md") {
        Some(text) if text.contains("\n## Unreleased\n") => {}
        Some(_) => problems.push("CHANGELOG.md: has no section `## Unreleased`".to_owned()),
        None => problems.push("CHANGELOG.md: is missing".to_owned()),
    }
}

/// What stands between backticks, or as the target of a link, and looks like a path of this tree.
fn paths(text: &str) -> Vec<&str> {
    let in_backticks = text.split('`').skip(1).step_by(2);
    let in_links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    in_backticks
        .chain(in_links)
        .filter(|word| PLACES.iter().any(|place| word.starts_with(place)))
        .filter(|word| !word.contains([' ', '*', '<', '{', '\n', '…']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_paths_and_sections_are_found() {
        let tree = Tree::of(&[
            (
                "README.md",
                "see `docs/nothing.md` and [this](crates/none) but not `cargo test`",
            ),
            ("CHANGELOG.md", "# Changelog\n"),
        ]);
        let mut problems = Vec::new();
        check(&tree, &mut problems);
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
