//! Kafka's clients jar: where it is, and texts out of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;

/// What an entry of the directory at the end of a zip file begins with.
const DIRECTORY_ENTRY: [u8; 4] = *b"PK\x01\x02";

/// What follows the directory.
const DIRECTORY_END: [u8; 4] = *b"PK\x05\x06";

/// A jar, held in memory.
#[derive(Debug)]
pub(crate) struct Jar {
    bytes: Vec<u8>,
    /// Where the entries of the directory begin, by name.
    entries: BTreeMap<String, usize>,
}

impl Jar {
    /// The newest `kafka-clients` jar there is.
    pub(crate) fn find() -> Option<PathBuf> {
        if let Some(path) = std::env::var_os("WINDLASS_KAFKA_CLIENTS_JAR") {
            return Some(PathBuf::from(path));
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
            PathBuf::from,
        );
        let jars = fs::read_dir(target.join("kafka/lib")).ok()?;
        let names = jars.filter_map(|entry| Some(entry.ok()?.path()));
        let clients = names.filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("kafka-clients-") && name.ends_with(".jar") && !name.contains("test")
        });
        clients.max()
    }

    pub(crate) fn open(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut jar = Self {
            bytes,
            entries: BTreeMap::new(),
        };
        let end = jar
            .bytes
            .windows(4)
            .rposition(|window| *window == DIRECTORY_END);
        let mut entry = jar.offset(end.expect("a jar ends with its directory") + 16);
        while jar.bytes.get(entry..entry + 4) == Some(&DIRECTORY_ENTRY) {
            let name_end = entry + 46 + jar.length(entry + 28);
            let name = jar.bytes.get(entry + 46..name_end).unwrap();
            let name = String::from_utf8_lossy(name).into_owned();
            jar.entries.insert(name, entry);
            entry = name_end + jar.length(entry + 30) + jar.length(entry + 32);
        }
        jar
    }

    /// The text of an entry.
    pub(crate) fn text(&self, name: &str) -> String {
        let entry = *self
            .entries
            .get(name)
            .unwrap_or_else(|| panic!("the jar has no {name}"));
        let is_deflated = self.length(entry + 10) == 8;
        let packed_size = self.offset(entry + 20);
        let local = self.offset(entry + 42);
        let data = local + 30 + self.length(local + 26) + self.length(local + 28);
        let packed = self.bytes.get(data..data + packed_size).unwrap();
        let mut text = String::new();
        if is_deflated {
            DeflateDecoder::new(packed)
                .read_to_string(&mut text)
                .unwrap();
        } else {
            text.push_str(str::from_utf8(packed).unwrap());
        }
        text
    }

    /// A number of two bytes.
    fn length(&self, position: usize) -> usize {
        let bytes = self.bytes.get(position..position + 2).unwrap();
        usize::from(u16::from_le_bytes(bytes.try_into().unwrap()))
    }

    /// A number of four bytes.
    fn offset(&self, position: usize) -> usize {
        let bytes = self.bytes.get(position..position + 4).unwrap();
        usize::try_from(u32::from_le_bytes(bytes.try_into().unwrap())).unwrap()
    }
}
