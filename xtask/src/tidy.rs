//! `cargo xtask tidy`: the rules of the tree that no compiler checks.

mod dependencies;
mod documents;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{read, root};

/// Everything that is wrong, one line each.
pub(crate) fn run() -> Result<(), String> {
    let tree = Tree::load()?;
    let mut problems = Vec::new();
    sources::check(&tree, &mut problems);
    dependencies::check(&tree, &mut problems);
    documents::check(&tree, &mut problems);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

/// The files of the tree that git knows or would take, and their texts.
pub(crate) struct Tree {
    root: PathBuf,
    files: Vec<(String, String)>,
}

impl Tree {
    fn load() -> Result<Self, String> {
        let root = root();
        let mut git = std::process::Command::new("git");
        git.args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root);
        let mut files = Vec::new();
        for path in read(&mut git)?.lines() {
            // Corpora of bytes are no text, and deleted files are no files.
            if let Ok(text) = fs::read_to_string(root.join(path)) {
                files.push((path.to_owned(), text));
            }
        }
        Ok(Self { root, files })
    }

    fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| {
                Path::new(path)
                    .extension()
                    .is_some_and(|found| found == extension)
            })
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|(found, _)| found == path)
            .map(|(_, text)| text.as_str())
    }

    fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        Self {
            root: PathBuf::from("/nowhere"),
            files,
        }
    }
}
