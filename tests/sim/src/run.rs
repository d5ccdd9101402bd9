//! One run, from its seed to its verdict.

use std::fmt;
use std::hash::Hasher;
use std::time::{Duration, Instant};

use crate::census::Census;
use crate::checker::Violation;
use crate::history::{Entry, Event};
use crate::options::Options;
use crate::silence::Waits;
use crate::world::World;

/// How long the group may make no progress once the faults have stopped: a session, a poll interval
/// and a rebalance have to fit in. How long it takes to work off the backlog is up to the options.
const PATIENCE: Duration = Duration::from_secs(45);

/// The last events of a failed run that are shown; what was produced is left out.
const TAIL: usize = 60;

/// What a run that kept all rules amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records that brokers acknowledged.
    pub produced: usize,
    /// Records that were processed more than once, with good reason.
    pub duplicates: u64,
    /// Rebalances the group completed.
    pub census: Census,
    /// Whether a rolling upgrade came to its end.
    pub upgraded: bool,
    /// What was waited for records while nothing was wrong.
    pub waits: Waits,
    /// Requests the members sent.
    pub requests: u64,
    /// Of the whole history and of every request's moment: the same seed, the same number.
    pub fingerprint: u64,
    /// Simulated milliseconds from the last fault until all was processed.
    pub settled_after_ms: u128,
}

/// A rule that was broken, and how it came to that.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What it stood for.
    pub options: Options,
    /// The rule.
    pub violation: Violation,
    /// The last events.
    pub tail: Vec<Entry>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.violation)?;
        writeln!(f, "options: {}", self.options)?;
        for entry in &self.tail {
            writeln!(f, "{entry}")?;
        }
        write!(f, "replay with: cargo xtask sim --replay {}", self.seed)
    }
}

/// Runs a seed.
///
/// # Errors
///
/// The first rule that is broken.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    let options = Options::from_seed(seed);
    let mut world = World::new(options.clone(), start());
    let outcome = drive(&mut world);
    match outcome {
        Ok(settled_after) => Ok(Report {
            produced: world.produced(),
            duplicates: world.checker.duplicates(),
            census: world.census,
            upgraded: world.rollout.complete,
            waits: world.silence.end(world.now),
            requests: world.requests,
            fingerprint: world.fingerprint.finish(),
            settled_after_ms: settled_after.as_millis(),
        }),
        Err(violation) => {
            let tail = tail(world.history);
            Err(Box::new(Failure {
                seed,
                options,
                violation,
                tail,
            }))
        }
    }
}

/// The end of a history: of records only the last steps, or they would hide all else.
fn tail(history: Vec<Entry>) -> Vec<Entry> {
    let mut records = 0;
    let telling = |entry: &Entry| match entry.event {
        Event::Produced { .. } => false,
        Event::HandedOut { .. } | Event::Processed { .. } => {
            records += 1;
            records <= TAIL / 3
        }
        _ => true,
    };
    let tail = history.into_iter().rev().filter(telling).take(TAIL);
    let mut tail: Vec<Entry> = tail.collect();
    tail.reverse();
    tail
}

fn drive(world: &mut World) -> Result<Duration, Violation> {
    world.open();
    let calm_until = world.calm_until;
    world.advance_to(calm_until)?;
    world.end_calm()?;
    let quiet = world.quiet_from;
    world.advance_to(quiet)?;
    world.heal();
    let mut seen = world.checker.seen();
    let mut last_progress = world.now;
    while world.checker.unseen() > 0 || world.is_producing() {
        if world.checker.seen() > seen {
            seen = world.checker.seen();
            last_progress = world.now;
        }
        if world.now > last_progress + PATIENCE {
            return Err(Violation {
                rule: 13,
                text: format!(
                    "no progress for {PATIENCE:?} after the last fault, {} records are unread; {}",
                    world.checker.unseen(),
                    world.describe_members()
                ),
            });
        }
        let next = world.now + Duration::from_millis(250);
        world.advance_to(next)?;
    }
    let settled = world.now.saturating_duration_since(quiet);
    world.close_everybody();
    let end = world.now + crate::member::FAREWELL + Duration::from_secs(5);
    world.advance_to(end)?;
    world.checker.finish()?;
    Ok(settled)
}

/// An instant to count from; which one makes no difference.
fn start() -> Instant {
    Instant::now()
}
