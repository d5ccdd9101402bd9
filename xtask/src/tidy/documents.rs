//! Prose names nothing that is not there, and the changelog is open for entries.

use super::Tree;

/// The beginnings of paths of this tree.
const PLACES: &[&str] = &["crates/", "docs/", "tests/", "xtask/", ".ci/", ".cargo/"];

pub(super) fn check(tree: &Tree, problems: &mut Vec<String>) {
    for (path, text) in tree.with_extension("md") {
        let missing = in_backticks(text)
            .map(str::to_owned)
            .chain(links(text).map(|link| resolve(path, link)))
            .filter(|named| !tree.exists(named));
        for named in missing {
            problems.push(format!("{path}: names {named}, which does not exist"));
        }
    }
    match tree.text("CHANGELOG.md") {
        Some(text) if text.lines().any(|line| line == "## Unreleased") => {}
        Some(_) => problems.push("CHANGELOG.md: has no section `## Unreleased`".to_owned()),
        None => problems.push("CHANGELOG.md: is missing".to_owned()),
    }
}

/// What stands between backticks and looks like a path of this tree, seen from its root.
fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| PLACES.iter().any(|place| word.starts_with(place)))
        .filter(|word| !word.contains([' ', '*', '<', '{', '\n', '…']))
}

/// The targets of links that lead to files.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains([':', ' ', '\n']))
}

/// The path, from the root of the tree, of what a document links to.
fn resolve(document: &str, link: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let mut problems = Vec::new();
        check(&Tree::of(files), &mut problems);
        problems
    }

    #[test]
    fn paths_that_do_not_exist_are_found() {
        let changelog = ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n");
        let text = "`docs/none.md`, [this](../none), [that](b.md#part), `crates/x/`, `cargo test`, \
                    [site](https://example.org), [above](#above)\n```sh\ncat docs/no\n```\n`.ci/none`";
        let found = problems(&[
            changelog,
            ("docs/a.md", text),
            ("docs/b.md", ""),
            ("crates/x/y.rs", ""),
        ]);
        let named: Vec<&str> = found
            .iter()
            .filter_map(|problem| problem.split([' ', ',']).nth(2))
            .collect();
        assert_eq!(named, ["docs/none.md", ".ci/none", "none"], "{found:?}");
    }

    #[test]
    fn a_changelog_without_an_open_section_is_found() {
        assert!(problems(&[])[0].contains("missing"));
        assert!(problems(&[("CHANGELOG.md", "## 0.1.0\n")])[0].contains("Unreleased"));
    }
}
