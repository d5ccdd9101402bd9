//! `cargo xtask tidy`: the rules of the tree that no compiler checks. That `docs/wire-format.md`
//! says what the notation says is `cargo xtask codegen --check`'s to find.

mod dependencies;
mod documents;
mod lengths;
mod names;
mod purity;
mod words;

#[cfg(test)]
pub(crate) use purity::is_pure;

use std::fs;
use std::path::Path;

use crate::process::root;

/// Folders that hold what programs made.
const MADE: &[&str] = &[".git", "target", "artifacts", "coverage"];

/// Looks at the whole tree.
///
/// # Errors
///
/// Everything that is wrong, one line each.
pub(crate) fn run() -> Result<(), String> {
    let tree = Tree::load(&root())?;
    let mut problems = Vec::new();
    names::check(&tree, &mut problems);
    words::check(&tree, &mut problems);
    lengths::check(&tree, &mut problems);
    purity::check(&tree, &mut problems);
    dependencies::check(&tree, &mut problems);
    documents::check(&tree, &mut problems);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

/// The files of the tree: their paths from its root, and the texts of those that are text.
struct Tree {
    files: Vec<(String, Option<String>)>,
}

impl Tree {
    /// Reads what lies below the root. Not by git: a tree without its history is a tree too.
    fn load(root: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder);
            for entry in entries.map_err(|error| format!("{}: {error}", folder.display()))? {
                let entry = entry.map_err(|error| error.to_string())?;
                let path = entry.path();
                let made = MADE.iter().any(|name| entry.file_name() == *name);
                if path.is_dir() && !made {
                    folders.push(path);
                } else if path.is_file() {
                    let text = fs::read_to_string(&path).ok();
                    let path = path.strip_prefix(root).unwrap_or(&path);
                    files.push((path.to_string_lossy().into_owned(), text));
                }
            }
        }
        files.sort();
        Ok(Self { files })
    }

    /// The files that are text.
    fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let has = move |path: &str| Path::new(path).extension().is_some_and(|x| x == extension);
        self.texts().filter(move |(path, _)| has(path))
    }

    fn text(&self, path: &str) -> Option<&str> {
        let mut texts = self.texts();
        texts.find_map(|(found, text)| (found == path).then_some(text))
    }

    /// Whether there is such a file or folder.
    fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.iter().any(|(found, _)| {
            found
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())))
            .collect();
        Self { files }
    }
}

/// Whether the messages of the codec are in this file.
fn is_generated(path: &str) -> bool {
    path.starts_with("crates/windlass-protocol/src/messages/")
}

/// Whether a file holds nothing but tests, by its name or by its folder's.
fn is_test(path: &str) -> bool {
    path.trim_end_matches(".rs")
        .split('/')
        .any(|part| matches!(part, "tests" | "benches") || part.ends_with("_tests"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_read_without_what_programs_made() {
        let tree = Tree::load(&root()).unwrap();
        assert!(tree.exists("xtask/src/tidy.rs") && tree.exists("xtask/src/"));
        assert!(!tree.exists("xtask/sr") && !tree.exists(".git"));
        assert!(tree.text("Cargo.toml").unwrap().contains("[workspace]"));
    }

    #[test]
    fn tests_are_known_by_whole_names() {
        assert!(is_test("tests/sim/src/main.rs") && is_test("crates/a/src/b/tests.rs"));
        assert!(is_test("crates/a/src/message_tests/names.rs"));
        assert!(!is_test("crates/a/src/latest.rs"));
    }
}
