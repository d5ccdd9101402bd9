//! What has no place in the tree: work put off, tests that are not run, and paths of one machine.

use super::Tree;

/// What no Rust file says.
const IN_RUST: &[&str] = &[
    "TODO",
    "FIXME",
    "XXX",
    "todo!(",
    "unimplemented!(",
    "#[ignore",
    "should_panic",
];

/// The beginnings of paths that exist on somebody's machine only.
const MACHINES: &[&str] = &["/root/", "/work/", "/home/", "/Users/"];

/// These folders name what they forbid, or hold bytes that happen to be text.
const EXEMPT: &[&str] = &["xtask/src/tidy/", "tests/fuzz/corpus/"];

pub(super) fn check(tree: &Tree, problems: &mut Vec<String>) {
    for (path, text) in tree.texts() {
        if EXEMPT.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let banned: &[&str] = if path.ends_with(".rs") { IN_RUST } else { &[] };
        for (number, line) in (1..).zip(text.lines()) {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{path}:{number}: {word} has no place in the tree"));
            }
            for place in MACHINES.iter().filter(|place| names(line, place)) {
                problems.push(format!("{path}:{number}: a path of one machine ({place})"));
            }
        }
    }
}

/// Whether the line has a path that begins so, rather than one in which it is a folder or an address.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|start| start.chars().next_back());
        !before.is_some_and(|letter| letter.is_alphanumeric() || "._-/}*".contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        check(&Tree::of(&[(path, text)]), &mut problems);
        problems
    }

    #[test]
    fn each_banned_word_is_found() {
        for word in IN_RUST {
            let text = format!("//! X.\n// {word}\n");
            assert_eq!(problems("a/b.rs", &text).len(), 1, "{word}");
            assert_eq!(problems("a/b.md", &text), [""; 0]);
        }
    }

    #[test]
    fn a_path_of_one_machine_is_found_in_any_text() {
        for place in MACHINES {
            for path in ["a/b.rs", "a/b.md", ".ci/run"] {
                let text = format!("see `{place}somebody`\n");
                assert_eq!(problems(path, &text).len(), 1, "{place}");
            }
        }
        assert_eq!(problems("a.md", "https://example.org/home/x\n"), [""; 0]);
    }
}
