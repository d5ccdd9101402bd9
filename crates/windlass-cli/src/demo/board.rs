//! The board: who owns what, how far it is, how far behind.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::time::Instant;

use super::{GROUP, News, OTHER_GROUP, PARTITIONS};
use crate::failure::Failure;
use crate::output;

/// Lines of the story that stay on the board.
const STORY_LINES: usize = 8;

/// One partition, seen from one group.
#[derive(Clone, Debug, Default)]
struct Cell {
    owner: Option<String>,
    position: i64,
    consumed: i64,
}

/// What is known so far, and how to show it.
pub(super) struct Board {
    live: bool,
    bootstrap: String,
    start: Instant,
    produced: i64,
    groups: BTreeMap<&'static str, Vec<Cell>>,
    story: VecDeque<String>,
}

impl Board {
    pub(super) fn new(live: bool, bootstrap: &str) -> Self {
        let cells = || (0..PARTITIONS).map(|_| Cell::default()).collect::<Vec<_>>();
        Self {
            live,
            bootstrap: bootstrap.to_owned(),
            start: Instant::now(),
            produced: 0,
            groups: BTreeMap::from([(GROUP, cells()), (OTHER_GROUP, cells())]),
            story: VecDeque::new(),
        }
    }

    pub(super) fn note(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Produced { each } => self.produced = each,
            News::Assigned {
                group,
                member,
                partitions,
            } => {
                for partition in &partitions {
                    self.change(group, *partition, |cell| cell.owner = Some(member.clone()));
                }
                self.tell(&format!("{group}: {member} was assigned {partitions:?}"))?;
            }
            News::Revoked {
                group,
                member,
                partitions,
            } => {
                for partition in &partitions {
                    self.change(group, *partition, |cell| {
                        // A slow farewell must not erase the next owner.
                        if cell.owner.as_deref() == Some(&member) {
                            cell.owner = None;
                        }
                    });
                }
                if !partitions.is_empty() {
                    self.tell(&format!("{group}: {member} gave up {partitions:?}"))?;
                }
            }
            News::Position {
                group,
                partition,
                offset,
                count,
            } => self.change(group, partition, |cell| {
                cell.position = cell.position.max(offset);
                cell.consumed += count;
            }),
            News::Story(text) => self.tell(&format!("* {text}"))?,
        }
        Ok(())
    }

    /// Shows the state: over the last one on a terminal, not at all in a log.
    pub(super) fn draw(&self) -> Result<(), Failure> {
        if !self.live {
            return Ok(());
        }
        let mut screen = String::from("\x1b[H\x1b[J");
        screen.push_str(&format!(
            "windlass demo: an embedded broker at {}, {:.0} s\n\n",
            self.bootstrap,
            self.start.elapsed().as_secs_f32()
        ));
        for line in self.lines() {
            screen.push_str(&line);
            screen.push('\n');
        }
        screen.push('\n');
        for line in &self.story {
            screen.push_str(line);
            screen.push('\n');
        }
        let mut out = std::io::stdout().lock();
        out.write_all(screen.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| output::closed(&error))
    }

    /// The state at the end, in plain lines.
    pub(super) fn summary(&self) -> Result<(), Failure> {
        output::line("")?;
        for line in self.lines() {
            output::line(&line)?;
        }
        let produced = self.produced * i64::from(PARTITIONS);
        output::line(&format!("produced {produced} records"))?;
        for (group, cells) in &self.groups {
            let consumed: i64 = cells.iter().map(|cell| cell.consumed).sum();
            let reached: i64 = cells.iter().map(|cell| cell.position).sum();
            output::line(&format!(
                "group {group}: reached {reached} records, {} handed out twice (the crash makes some)",
                consumed - reached
            ))?;
        }
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (group, cells) in &self.groups {
            lines.push(format!("group {group:<12} owner     position       lag"));
            for (partition, cell) in cells.iter().enumerate() {
                let lag = (self.produced - cell.position).max(0);
                let owner = cell.owner.as_deref().unwrap_or("-");
                lines.push(format!(
                    "  user-events-{partition:<4} {owner:<8} {:>9} {lag:>9}",
                    cell.position
                ));
            }
        }
        lines
    }

    fn change(&mut self, group: &str, partition: i32, change: impl FnOnce(&mut Cell)) {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        if let Some(cell) = self
            .groups
            .get_mut(group)
            .and_then(|cells| cells.get_mut(index))
        {
            change(cell);
        }
    }

    fn tell(&mut self, text: &str) -> Result<(), Failure> {
        let stamped = format!("{:5.1} s  {text}", self.start.elapsed().as_secs_f32());
        if !self.live {
            output::line(&stamped)?;
        }
        self.story.push_back(stamped);
        if self.story.len() > STORY_LINES {
            self.story.pop_front();
        }
        Ok(())
    }
}
