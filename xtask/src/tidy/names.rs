//! Every file says what it is: by its name, and by its first line.

use super::Tree;

/// Names under which anything might be.
const BANNED: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "types", "misc", "manager", "handler", "impl",
    "exports",
];

pub(super) fn check(tree: &Tree, problems: &mut Vec<String>) {
    for (path, text) in tree.with_extension("rs") {
        if !text.starts_with("//! ") {
            problems.push(format!(
                "{path}: does not open with a line that says what it is (//!)"
            ));
        }
        // A folder is a module too.
        for part in path.trim_end_matches(".rs").split('/') {
            if BANNED.contains(&part) {
                problems.push(format!(
                    "{path}: {part} says nothing: name it for what is in it"
                ));
            }
        }
    }
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
    fn a_file_without_a_first_line_is_found() {
        assert!(problems("a/b.rs", "fn f() {}\n")[0].contains("//!"));
        assert!(problems("a/b.rs", "// No.\n//! Late.\n")[0].contains("//!"));
        assert_eq!(problems("a/heartbeat.rs", "//! Heartbeats.\n"), [""; 0]);
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        assert!(problems("a/util.rs", "//! X.\n")[0].contains("util"));
        assert!(problems("a/helpers/b.rs", "//! X.\n")[0].contains("helpers"));
        assert_eq!(problems("a/utility.rs", "//! X.\n"), [""; 0]);
    }
}
