//! Rules for Rust files.

use super::Tree;

/// Lines a file may have; the exceptions say why.
const LONGEST_FILE: usize = 500;
const LONGEST_LIB: usize = 120;

/// Files that may be longer, and why.
const LONGER: &[(&str, &str)] = &[];

const BANNED_NAMES: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "types", "misc", "manager", "handler", "impl",
    "exports",
];

const BANNED_WORDS: &[&str] = &[
    "TODO",
    "FIXME",
    "XXX:",
    "todo!(",
    "#[ignore",
    "should_panic",
];

/// What a crate without sockets, files, clocks and threads has no use for.
const IMPURE: &[&str] = &[
    "std::net",
    "std::fs",
    "std::thread",
    "tokio",
    "Instant::now",
    "SystemTime",
    "std::env",
    "Mutex",
    "RwLock",
];

const PURE: &[&str] = &[
    "crates/windlass-model/src/",
    "crates/windlass-protocol/src/",
    "crates/windlass-machine/src/",
    "crates/windlass-assignor/src/",
    "crates/windlass-group/src/",
    "crates/windlass-fetch/src/",
    "crates/windlass/src/core/",
];

/// This folder names what it forbids.
const ITSELF: &str = "xtask/src/tidy/";

pub(super) fn check(tree: &Tree, problems: &mut Vec<String>) {
    for (path, text) in tree.with_extension("rs") {
        let mut say = |problem: String| problems.push(format!("{path}: {problem}"));
        if !text.starts_with("//!") {
            say("does not open with a line that says what it is (//!)".to_owned());
        }
        check_name(path, &mut say);
        check_length(path, text, &mut say);
        if !path.starts_with(ITSELF) {
            check_words(path, text, &mut say);
        }
    }
}

fn check_name(path: &str, say: &mut impl FnMut(String)) {
    let stem = path
        .rsplit('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".rs");
    if BANNED_NAMES.contains(&stem) {
        say(format!(
            "{stem} says nothing: name the file for what is in it"
        ));
    }
}

fn check_length(path: &str, text: &str, say: &mut impl FnMut(String)) {
    if is_generated(path) || LONGER.iter().any(|(longer, _)| *longer == path) {
        return;
    }
    let lines = text.lines().count();
    let longest = if path.ends_with("/lib.rs") {
        LONGEST_LIB
    } else {
        LONGEST_FILE
    };
    if lines > longest {
        say(format!(
            "{lines} lines, {longest} are allowed: it wants a noun it lacks"
        ));
    }
}

fn check_words(path: &str, text: &str, say: &mut impl FnMut(String)) {
    let pure = PURE.iter().any(|prefix| path.starts_with(prefix));
    let tests = if path.contains("test") {
        0
    } else {
        text.find("#[cfg(test)]").unwrap_or(text.len())
    };
    let mut offset = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or(line);
        for word in BANNED_WORDS {
            if line.contains(word) {
                say(format!("line {number}: {word} has no place in the tree"));
            }
        }
        for word in IMPURE {
            if pure && offset < tests && code.contains(word) {
                say(format!("line {number}: {word} in a crate that does no IO"));
            }
        }
        offset += line.len() + 1;
    }
}

fn is_generated(path: &str) -> bool {
    path.starts_with("crates/windlass-protocol/src/messages/")
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
    fn a_good_file_passes() {
        assert_eq!(
            problems(
                "crates/windlass-group/src/heartbeat.rs",
                "//! Heartbeats.\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn each_rule_can_fail() {
        assert!(problems("a/b.rs", "fn f() {}\n")[0].contains("//!"));
        assert!(problems("a/util.rs", "//! X.\n")[0].contains("says nothing"));
        assert!(problems("a/b.rs", &format!("//! X.\n{}", "\n".repeat(501)))[0].contains("lines"));
        assert!(
            problems("a/lib.rs", &format!("//! X.\n{}", "\n".repeat(121)))[0].contains("lines")
        );
        assert!(problems("a/b.rs", "//! X.\n// TODO later\n")[0].contains("TODO"));
        let clock = "//! X.\nlet now = Instant::now();\n";
        assert!(problems("crates/windlass-fetch/src/x.rs", clock)[0].contains("no IO"));
        assert_eq!(
            problems("crates/windlass-transport/src/x.rs", clock),
            [""; 0]
        );
        let in_tests = "//! X.\n#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }\n";
        assert_eq!(
            problems("crates/windlass-fetch/src/x.rs", in_tests),
            [""; 0]
        );
    }
}
