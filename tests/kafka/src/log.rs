//! What the members of a group have told, and waiting for what they are to tell.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::event::{Event, Partition};
use crate::judge::{Judge, shared_ownership};
use crate::ranges::Ranges;

/// How many of its last lines are kept of each member.
const LAST_LINES: usize = 12;

/// One member's part of the log.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it is called in stories.
    pub name: String,
    /// What it did.
    pub judge: Judge,
    /// Whether its process has ended.
    pub has_exited: bool,
    /// Whether it was killed, and so could not commit what it consumed last.
    pub was_killed: bool,
    lines: VecDeque<String>,
}

/// The log of a group. Clones are the same log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    shared: Arc<(Mutex<Vec<Told>>, Condvar)>,
}

impl Log {
    /// Makes room for a member; its place in the log.
    #[must_use]
    pub fn enter(&self, name: &str) -> usize {
        let mut all = self.lock();
        all.push(Told {
            name: name.to_owned(),
            judge: Judge::default(),
            has_exited: false,
            was_killed: false,
            lines: VecDeque::new(),
        });
        all.len() - 1
    }

    /// A member has printed a line.
    pub fn on_line(&self, member: usize, line: String) {
        self.change(member, |told| {
            if let Some(stamped) = Event::parse(&line) {
                told.judge.on_event(&stamped);
            }
            told.lines.push_back(line);
            if told.lines.len() > LAST_LINES {
                told.lines.pop_front();
            }
        });
    }

    /// A member's process is no more, and all it printed has been read.
    pub fn on_exit(&self, member: usize) {
        self.change(member, |told| {
            told.has_exited = true;
            told.judge.on_end(milliseconds());
        });
    }

    /// A member is about to be killed.
    pub fn on_kill(&self, member: usize) {
        self.change(member, |told| told.was_killed = true);
    }

    /// Looks at the log as it is.
    pub fn read<T>(&self, look: impl FnOnce(&[Told]) -> T) -> T {
        look(&self.lock())
    }

    /// Waits until the log is so.
    ///
    /// # Panics
    ///
    /// When the time is over, and as soon as a member did what no consumer may do; with the last
    /// lines of all members.
    pub fn wait(&self, what: &str, limit: Duration, mut is_so: impl FnMut(&[Told]) -> bool) {
        let deadline = Instant::now() + limit;
        let mut all = self.lock();
        loop {
            let violations = violations(&all);
            assert!(violations.is_empty(), "{violations:#?}\n{}", story(&all));
            if is_so(&all) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited {limit:?} in vain: {what}\n{}",
                story(&all)
            );
            let (guard, _) = self
                .shared
                .1
                .wait_timeout(all, left)
                .unwrap_or_else(PoisonError::into_inner);
            all = guard;
        }
    }

    /// What was consumed of each partition, by all members together.
    #[must_use]
    pub fn consumed(&self) -> BTreeMap<Partition, Ranges> {
        consumed(&self.lock())
    }

    /// How many different records these members consumed.
    #[must_use]
    pub fn distinct(all: &[Told]) -> i64 {
        consumed(all).values().map(Ranges::distinct).sum()
    }

    /// What killed members consumed of each partition and could not commit.
    #[must_use]
    pub fn excused(&self) -> BTreeMap<Partition, Ranges> {
        let mut excused: BTreeMap<Partition, Ranges> = BTreeMap::new();
        for told in self.lock().iter().filter(|told| told.was_killed) {
            for tenure in &told.judge.tenures {
                if let Some((from, to)) = tenure.uncommitted() {
                    excused
                        .entry(tenure.partition.clone())
                        .or_default()
                        .add(from, to);
                }
            }
        }
        excused
    }

    /// Fails unless no member did what no consumer may do, and no partition had two owners.
    ///
    /// # Panics
    ///
    /// With what was found.
    pub fn assert_sound(&self) {
        let all = self.lock();
        let mut found = violations(&all);
        found.extend(shared_ownership(all.iter().flat_map(|told| {
            let tenures = told.judge.tenures.iter();
            tenures.map(|tenure| (told.name.as_str(), tenure))
        })));
        assert!(found.is_empty(), "{found:#?}\n{}", story(&all));
    }

    /// The last lines of all members.
    #[must_use]
    pub fn story(&self) -> String {
        story(&self.lock())
    }

    fn change(&self, member: usize, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock()[member]);
        self.shared.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Told>> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn consumed(all: &[Told]) -> BTreeMap<Partition, Ranges> {
    let mut consumed: BTreeMap<Partition, Ranges> = BTreeMap::new();
    for told in all {
        for (partition, ranges) in &told.judge.consumed {
            consumed
                .entry(partition.clone())
                .or_default()
                .add_all(ranges);
        }
    }
    consumed
}

fn violations(all: &[Told]) -> Vec<String> {
    let of = |told: &Told| {
        let name = told.name.clone();
        let violations = told.judge.violations.clone().into_iter();
        violations.map(move |violation| format!("{name}: {violation}"))
    };
    all.iter().flat_map(of).collect()
}

fn story(all: &[Told]) -> String {
    let mut story = String::new();
    for told in all {
        let owned: Vec<i32> = told.judge.owned().map(|owned| owned.partition).collect();
        story += &format!(
            "== {}: owns {owned:?}, {} records, {} commits ({} failed), exited: {}\n",
            told.name,
            told.judge.records,
            told.judge.commits,
            told.judge.failed_commits.len(),
            told.has_exited
        );
        for line in &told.lines {
            story += line;
            story.push('\n');
        }
    }
    story
}

fn milliseconds() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
