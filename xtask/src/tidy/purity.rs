//! What a machine may not know: no sockets, files, clocks, threads, locks or environment, outside of
//! its tests. Clippy bans the calls; this finds what merely comes near them.

use super::{Tree, is_test};

/// What has no place there.
const IMPURE: &[&str] = &[
    "std::net",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "tokio",
    "Instant::now",
    "SystemTime",
    "Mutex",
    "RwLock",
];

/// The crates without IO.
const PURE: &[&str] = &[
    "crates/windlass-model/src/",
    "crates/windlass-protocol/src/",
    "crates/windlass-machine/src/",
    "crates/windlass-assignor/src/",
    "crates/windlass-group/src/",
    "crates/windlass-fetch/src/",
    "crates/windlass-core/src/",
];

pub(super) fn check(tree: &Tree, problems: &mut Vec<String>) {
    for (path, text) in tree.with_extension("rs") {
        if is_test(path) || !is_pure(path) {
            continue;
        }
        for (number, line) in without_tests(text) {
            let code = line.split("//").next().unwrap_or(line);
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                problems.push(format!(
                    "{path}:{number}: {word} in a crate that does no IO"
                ));
            }
        }
    }
}

/// Whether the file belongs to what does no IO.
pub(crate) fn is_pure(path: &str) -> bool {
    PURE.iter().any(|start| path.starts_with(start))
}

/// The numbered lines of a formatted file without the items under `#[cfg(test)]`.
fn without_tests(text: &str) -> Vec<(usize, &str)> {
    let mut lines = (1..).zip(text.lines());
    let mut kept = Vec::new();
    while let Some((number, line)) = lines.next() {
        let Some(margin) = line.strip_suffix("#[cfg(test)]") else {
            kept.push((number, line));
            continue;
        };
        // An item ends where it began: in one line, or with a brace as far to the right.
        let end = format!("{margin}}}");
        let mut item = lines.by_ref().map(|(_, line)| line);
        let _last = item.find(|line| {
            let one_line = line.ends_with([';', '}', ',']) && !line.trim_start().starts_with('#');
            *line == end || (one_line && !line.starts_with(&format!("{margin} ")))
        });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/windlass-fetch/src/x.rs";

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        check(&Tree::of(&[(path, text)]), &mut problems);
        problems
    }

    #[test]
    fn each_impure_word_is_found_in_pure_crates_only() {
        for word in IMPURE {
            let text = format!("//! X.\nuse {word};\n// Not {word}.\n");
            for pure in PURE {
                let path = format!("{pure}x.rs");
                assert_eq!(problems(&path, &text).len(), 1, "{word} in {path}");
            }
            assert_eq!(
                problems("crates/windlass-transport/src/x.rs", &text),
                [""; 0]
            );
        }
    }

    #[test]
    fn tests_may_be_impure_and_hide_nothing_behind_them() {
        let impure = "fn f() {\n    Instant::now();\n}\n";
        for tests in [
            "#[cfg(test)]\nmod tests;\n",
            "#[cfg(test)]\nuse std::fs;\n",
            "#[cfg(test)]\n#[expect(x, reason = \"y\")]\nmod tests {\n    use std::fs;\n\n    fn g() {}\n}\n",
            "impl A {\n    #[cfg(test)]\n    fn g() {\n        Instant::now();\n    }\n}\n",
        ] {
            assert_eq!(problems(PATH, tests), [""; 0], "{tests}");
            let found = problems(PATH, &format!("{tests}{impure}"));
            assert_eq!(found.len(), 1, "{tests}{found:?}");
        }
        assert_eq!(
            problems("crates/windlass-fetch/src/x/tests.rs", impure),
            [""; 0]
        );
        assert_eq!(
            problems("crates/windlass-fetch/src/latest.rs", impure).len(),
            1
        );
    }
}
