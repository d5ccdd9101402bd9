//! A file is one noun, a function fits a screen, `lib.rs` is a table of contents.

use super::{Tree, is_generated};

const LONGEST_FILE: usize = 500;
const LONGEST_LIB: usize = 120;

/// Lines between the braces, without comments and blank ones, as clippy counts them.
const LONGEST_FUNCTION: usize = 70;

/// What may be longer, and why: a path, or a path, `::` and the name of a function.
const LONGER: &[(&str, &str)] = &[];

pub(super) fn check(tree: &Tree, problems: &mut Vec<String>) {
    check_but(tree, LONGER, problems);
}

fn check_but(tree: &Tree, longer: &[(&str, &str)], problems: &mut Vec<String>) {
    let mut long = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        if is_generated(path) {
            continue;
        }
        let is_lib = path.ends_with("/src/lib.rs");
        let longest = if is_lib { LONGEST_LIB } else { LONGEST_FILE };
        let lines = text.lines().count();
        if lines > longest {
            long.push((path.to_owned(), lines, longest));
        }
        for (name, lines) in functions(text) {
            if lines > LONGEST_FUNCTION {
                long.push((format!("{path}::{name}"), lines, LONGEST_FUNCTION));
            }
        }
    }
    for (what, lines, longest) in &long {
        if !longer.iter().any(|(name, _)| name == what) {
            problems.push(format!(
                "{what}: {lines} lines, {longest} are allowed: it wants a noun it lacks"
            ));
        }
    }
    for (name, _) in longer {
        if !long.iter().any(|(what, _, _)| what == name) {
            problems.push(format!("{name}: needs no exception for its length"));
        }
    }
}

/// The functions in a formatted file, and how long their bodies are. A body ends with a brace that
/// stands as far to the right as its `fn`.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(name) = function(line) else { continue };
        let margin = margin(line);
        let mut rest = lines.iter().skip(number).skip_while(|line| {
            !(self::margin(line) == margin && (line.ends_with('{') || line.ends_with([';', '}'])))
        });
        if !rest.next().is_some_and(|line| line.ends_with('{')) {
            continue;
        }
        let body = rest.take_while(|line| self::margin(line) != margin || !line.ends_with('}'));
        let code = body.filter(|line| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with("//")
        });
        found.push((name, code.count()));
    }
    found
}

/// The name of the function whose signature begins on this line.
fn function(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        if let Some(name) = rest.strip_prefix("fn ") {
            return name.split(['(', '<']).next();
        }
        let (word, tail) = rest.split_once(' ')?;
        let modifier = matches!(word, "const" | "async" | "unsafe") || word.starts_with("pub");
        if !modifier {
            return None;
        }
        rest = tail;
    }
}

fn margin(line: &str) -> Option<usize> {
    line.find(|letter| letter != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        check_but(&Tree::of(&[(path, text)]), &[], &mut problems);
        problems
    }

    fn function_of(lines: usize) -> String {
        let body = "        g();\n".repeat(lines);
        format!(
            "//! X.\nimpl A {{\n    pub(crate) async fn f(\n        a: u8,\n    ) -> u8 {{\n{body}\n        // Why.\n    }}\n\n    fn h();\n}}\n"
        )
    }

    #[test]
    fn long_files_are_found() {
        let lines = |count: usize| "//! X.\n".repeat(count);
        assert_eq!(problems("a/src/b.rs", &lines(500)), [""; 0]);
        assert!(problems("a/src/b.rs", &lines(501))[0].contains("501 lines"));
        assert_eq!(problems("a/src/lib.rs", &lines(120)), [""; 0]);
        assert!(problems("a/src/lib.rs", &lines(121))[0].contains("121 lines"));
        let generated = "crates/windlass-protocol/src/messages/fetch.rs";
        assert_eq!(problems(generated, &lines(501)), [""; 0]);
    }

    #[test]
    fn long_functions_are_found() {
        assert_eq!(functions(&function_of(3)), [("f", 3)]);
        assert_eq!(problems("a/b.rs", &function_of(70)), [""; 0]);
        assert!(problems("a/b.rs", &function_of(71))[0].contains("a/b.rs::f: 71 lines"));
    }

    #[test]
    fn exceptions_are_for_what_is_long() {
        let tree = Tree::of(&[("a/b.rs", &function_of(71))]);
        let mut problems = Vec::new();
        check_but(&tree, &[("a/b.rs::f", "a table")], &mut problems);
        assert_eq!(problems, [""; 0]);
        check_but(&tree, &[("a/b.rs", "it was long")], &mut problems);
        assert!(problems[1].contains("needs no exception"), "{problems:?}");
    }
}
