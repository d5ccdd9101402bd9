//! Rolling upgrades: members are stopped and come back with other strategies, one by one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windlass_machine::SplitMix64;

use crate::history::Incarnation;
use crate::member::GROUP;
use crate::network::Arrival;
use crate::world::World;

/// Strategies by Kafka's names, in order of preference.
pub type Strategies = Vec<&'static str>;

/// Which strategies the members list, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// The first list is the one the group starts with; every further one is rolled out.
    pub lists: Vec<Strategies>,
    /// What every other member lists instead of the first.
    pub mixed_with: Option<Strategies>,
}

impl Course {
    /// A group that stays with what it has.
    pub(crate) fn steady(random: &mut SplitMix64) -> Self {
        let list = match random.below(6) {
            0 => vec!["range"],
            1 => vec!["roundrobin"],
            2 => vec!["sticky"],
            3 => vec!["range", "roundrobin"],
            4 => vec!["cooperative-sticky", "range"],
            _ => vec!["cooperative-sticky"],
        };
        let mixed_with = match list.as_slice() {
            ["range", "roundrobin"] => Some(vec!["roundrobin", "range"]),
            ["cooperative-sticky", "range"] => Some(vec!["range", "cooperative-sticky"]),
            ["cooperative-sticky"] => Some(vec!["cooperative-sticky", "range"]),
            _ => None,
        };
        Self {
            lists: vec![list],
            mixed_with: mixed_with.filter(|_| random.chance(1, 4)),
        }
    }

    /// A group that is moved to other strategies, so that any two lists in use have one in common.
    pub(crate) fn upgrade(random: &mut SplitMix64) -> Self {
        let lists: [&[&[&'static str]]; 7] = [
            &[&["range"], &["range", "roundrobin"], &["roundrobin"]],
            &[
                &["range"],
                &["cooperative-sticky", "range"],
                &["cooperative-sticky"],
            ],
            &[
                &["sticky"],
                &["cooperative-sticky", "sticky"],
                &["cooperative-sticky"],
            ],
            &[
                &["roundrobin"],
                &["cooperative-sticky", "roundrobin"],
                &["cooperative-sticky"],
            ],
            &[
                &["cooperative-sticky"],
                &["cooperative-sticky", "range"],
                &["range"],
            ],
            // The same strategies in a new version of the application.
            &[&["cooperative-sticky"], &["cooperative-sticky"]],
            &[&["cooperative-sticky"], &["cooperative-sticky"]],
        ];
        let choice = usize::try_from(random.below(7)).unwrap_or(0);
        let lists = lists.get(choice).copied().unwrap_or_default();
        Self {
            lists: lists.iter().map(|list| list.to_vec()).collect(),
            mixed_with: None,
        }
    }

    /// Whether there is anything to roll out.
    #[must_use]
    pub const fn is_upgrade(&self) -> bool {
        self.lists.len() > 1
    }

    /// What a member of this identity lists at a stage of the upgrade.
    pub(crate) fn list(&self, slot: u32, stage: usize) -> Strategies {
        let mixed = self.mixed_with.as_ref().filter(|_| slot % 2 == 1);
        let list = mixed.or_else(|| self.lists.get(stage));
        list.cloned().unwrap_or_default()
    }

    pub(crate) fn describe(&self) -> String {
        let lists: Vec<String> = self.lists.iter().map(|list| list.join(", ")).collect();
        let mixed = self.mixed_with.as_ref().map(|list| list.join(", "));
        let mixed = mixed.map_or_else(String::new, |list| format!(" mixed with {list}"));
        format!("[{}]{mixed}", lists.join("] => ["))
    }
}

/// How far an upgrade is.
#[derive(Debug, Default)]
pub(crate) struct Rollout {
    /// Which of the lists is being rolled out, or was last.
    pub(crate) stage: usize,
    /// With which list each member started.
    pub(crate) started_with: BTreeMap<Incarnation, usize>,
    /// Whether the last list is everywhere.
    pub(crate) complete: bool,
}

impl World {
    /// One more step of the upgrade: the next member is stopped, or the next list begins.
    pub(crate) fn roll(&mut self, now: Instant) {
        if now >= self.quiet_from || self.rollout.complete {
            return;
        }
        let pause = Duration::from_millis(200 + self.random.below(1500));
        self.agenda.add(now + pause, Arrival::Roll);
        if self.members.values().any(|member| member.wants_to_stop) {
            return;
        }
        let stage = self.rollout.stage;
        let behind = self.members.values().find(|member| member.stage < stage);
        if let Some(who) = behind.map(|member| member.who) {
            self.ask_to_stop(who, now);
        } else if self.nobody_is_behind() {
            if stage + 1 < self.options.course.lists.len() {
                self.rollout.stage += 1;
            } else {
                self.rollout.complete = true;
            }
        }
    }

    /// Whether the coordinator, too, has forgotten all members of earlier stages: one that was killed
    /// stays a member, with what it listed, until its session expires.
    fn nobody_is_behind(&self) -> bool {
        let Some(group) = self.cluster.group(GROUP) else {
            return false;
        };
        let stage = self.rollout.stage;
        !group.members.is_empty()
            && group.members.iter().all(|member| {
                let started = incarnation(&member.client_id)
                    .and_then(|who| self.rollout.started_with.get(&who));
                started.is_some_and(|started| *started >= stage)
            })
    }
}

/// What a member calls itself at the broker.
pub(crate) fn client_id(who: Incarnation) -> String {
    format!("member-{}", who.0)
}

/// Who calls itself so.
pub(crate) fn incarnation(client_id: &str) -> Option<Incarnation> {
    client_id
        .strip_prefix("member-")?
        .parse()
        .ok()
        .map(Incarnation)
}
