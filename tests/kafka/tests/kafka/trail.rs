//! What applications wrote down of their steps, the killed ones too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use windlass_test_kafka::ranges::Ranges;

/// The steps of all applications of a group.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// The files, and how far each has been read.
    files: Vec<(PathBuf, u64)>,
    /// What was processed, by partition.
    pub(crate) processed: BTreeMap<i32, Ranges>,
    /// The highest offset up to which an application came back, by partition.
    pub(crate) back: BTreeMap<i32, i64>,
}

impl Trail {
    /// Follows one more application.
    pub(crate) fn follow(&mut self, path: PathBuf) {
        self.files.push((path, 0));
    }

    /// Reads what was written since.
    pub(crate) fn read(&mut self) {
        let mut text = String::new();
        for (path, position) in &mut self.files {
            let Ok(mut file) = File::open(path) else {
                // It was killed before it wrote anything, or it has just begun.
                continue;
            };
            text.clear();
            file.seek(SeekFrom::Start(*position)).unwrap();
            file.read_to_string(&mut text).unwrap();
            // Half a line is no step: the kill came first, or the rest is about to come.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            *position += u64::try_from(whole).unwrap();
            text[..whole]
                .lines()
                .for_each(|line| note(line, &mut self.processed, &mut self.back));
        }
    }

    /// What is missing of these partitions up to these offsets.
    pub(crate) fn gaps(&self, ends: &BTreeMap<i32, i64>) -> Vec<(i32, (i64, i64))> {
        let nothing = Ranges::default();
        let of = |(partition, end): (&i32, &i64)| {
            let processed = self.processed.get(partition).unwrap_or(&nothing);
            let partition = *partition;
            let gaps = processed.gaps(*end).into_iter();
            gaps.map(move |gap| (partition, gap)).collect::<Vec<_>>()
        };
        ends.iter().flat_map(of).collect()
    }
}

fn note(line: &str, processed: &mut BTreeMap<i32, Ranges>, back: &mut BTreeMap<i32, i64>) {
    let words: Vec<&str> = line.split(' ').collect();
    let [step, partition, offset] = words[..] else {
        panic!("{line}");
    };
    let (partition, offset): (i32, i64) = (partition.parse().unwrap(), offset.parse().unwrap());
    match step {
        "processed" => processed
            .entry(partition)
            .or_default()
            .add(offset, offset + 1),
        "back" => {
            let before = back.entry(partition).or_default();
            *before = offset.max(*before);
        }
        _ => panic!("{line}"),
    }
}
