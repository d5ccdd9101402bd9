//! Which crate may depend on which: the table of the design, held.

use super::Tree;

/// What each crate may be built from, besides the standard library.
const ALLOWED: &[(&str, &[&str])] = &[
    ("windlass-model", &[]),
    (
        "windlass-protocol",
        &[
            "windlass-model",
            "bytes",
            "nom",
            "crc-fast",
            "flate2",
            "lz4_flex",
            "ruzstd",
            "snap",
        ],
    ),
    ("windlass-machine", &["windlass-model", "windlass-protocol"]),
    ("windlass-assignor", &["windlass-model", "thiserror"]),
    (
        "windlass-group",
        &[
            "windlass-model",
            "windlass-protocol",
            "windlass-machine",
            "windlass-assignor",
            "bytes",
            "thiserror",
        ],
    ),
    (
        "windlass-fetch",
        &[
            "windlass-model",
            "windlass-protocol",
            "windlass-machine",
            "bytes",
            "thiserror",
        ],
    ),
    (
        "windlass-transport",
        &[
            "windlass-model",
            "windlass-protocol",
            "windlass-machine",
            "async-trait",
            "bytes",
            "thiserror",
            "tokio",
            "tracing",
        ],
    ),
    (
        "windlass",
        &[
            "windlass-model",
            "windlass-protocol",
            "windlass-machine",
            "windlass-assignor",
            "windlass-group",
            "windlass-fetch",
            "windlass-transport",
            "async-trait",
            "bytes",
            "futures-core",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
        ],
    ),
    (
        "windlass-broker",
        &[
            "windlass-model",
            "windlass-protocol",
            "windlass-machine",
            "bytes",
            "thiserror",
            "tokio",
            "tracing",
        ],
    ),
    (
        "windlass-cli",
        &[
            "windlass",
            "windlass-broker",
            "bytes",
            "clap",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing-subscriber",
        ],
    ),
];

pub(super) fn check(tree: &Tree, problems: &mut Vec<String>) {
    for (path, text) in tree.with_extension("toml") {
        let Some(folder) = path
            .strip_prefix("crates/")
            .and_then(|rest| rest.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == folder) else {
            problems.push(format!("{path}: {folder} is not in the table of crates"));
            continue;
        };
        for dependency in dependencies(text) {
            if !allowed.contains(&dependency) {
                problems.push(format!("{path}: {folder} may not depend on {dependency}"));
            }
        }
    }
}

/// The names under `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim() == "[dependencies]";
        } else if inside && let Some((name, _)) = line.split_once(['=', '.']) {
            names.push(name.trim());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_outside_the_table_is_found() {
        let manifest = "[dependencies]\nwindlass-model = { workspace = true }\ntokio.workspace = true\n[dev-dependencies]\nproptest = \"1\"\n";
        let tree = Tree::of(&[("crates/windlass-assignor/Cargo.toml", manifest)]);
        let mut problems = Vec::new();
        check(&tree, &mut problems);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("tokio"));
    }

    #[test]
    fn an_unknown_crate_is_found() {
        let mut problems = Vec::new();
        check(
            &Tree::of(&[("crates/windlass-extra/Cargo.toml", "")]),
            &mut problems,
        );
        assert!(problems[0].contains("not in the table"));
    }
}
