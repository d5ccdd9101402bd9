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
        "windlass-core",
        &[
            "windlass-model",
            "windlass-protocol",
            "windlass-machine",
            "windlass-assignor",
            "windlass-group",
            "windlass-fetch",
            "thiserror",
            "tracing",
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
            // SO_KEEPALIVE: tokio knows no way to set it.
            "socket2",
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
            "windlass-core",
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

/// The names of what the crate is built from, whichever way the manifest says it. What only its tests
/// need is not held against it here.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end().trim_end_matches(']');
            // `[dependencies]`, `[target.'…'.dependencies]`, or one of its own: `[dependencies.name]`.
            let after = section
                .split_once("build-dependencies")
                .or_else(|| section.split_once("dependencies"))
                .filter(|(before, _)| before.is_empty() || before.ends_with('.'))
                .map(|(_, after)| after);
            inside = after == Some("");
            names.extend(after.and_then(|after| after.strip_prefix('.')));
        } else if inside && let Some((name, _)) = line.split_once(['=', '.']) {
            names.push(name.trim());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(folder: &str, manifest: &str) -> Vec<String> {
        let path = format!("crates/{folder}/Cargo.toml");
        let mut problems = Vec::new();
        check(&Tree::of(&[(&path, manifest)]), &mut problems);
        problems
    }

    #[test]
    fn a_dependency_outside_the_table_is_found_wherever_it_stands() {
        for manifest in [
            "[dependencies]\nwindlass-model = { workspace = true }\ntokio = \"1\"\n",
            "[dependencies]\ntokio.workspace = true\n",
            "[dependencies.tokio]\nversion = \"1\"\n",
            "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n",
            "[build-dependencies]\ntokio = \"1\"\n",
        ] {
            let found = problems("windlass-assignor", manifest);
            assert_eq!(found.len(), 1, "{manifest}{found:?}");
            assert!(found[0].contains("may not depend on tokio"));
        }
        let tests_only = "[dev-dependencies]\nproptest = \"1\"\n[lints]\nworkspace = true\n";
        assert_eq!(problems("windlass-assignor", tests_only), [""; 0]);
    }

    #[test]
    fn layers_hold_in_both_directions() {
        let on = |name: &str| format!("[dependencies]\n{name} = {{ workspace = true }}\n");
        assert_eq!(
            problems("windlass-group", &on("windlass-protocol")),
            [""; 0]
        );
        assert_eq!(
            problems("windlass-protocol", &on("windlass-group")).len(),
            1
        );
        assert_eq!(problems("windlass-broker", &on("windlass")).len(), 1);
        assert_eq!(problems("windlass-model", &on("bytes")).len(), 1);
    }

    #[test]
    fn an_unknown_crate_is_found() {
        assert!(problems("windlass-extra", "")[0].contains("not in the table"));
    }
}
