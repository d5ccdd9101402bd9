//! Members come and go.

use std::time::{Duration, Instant};

use windlass_core::Intent;
use windlass_model::TopicPartition;

use super::World;
use crate::history::{Event, Incarnation};
use crate::member::{Activity, FAREWELL, Member, TOPIC};
use crate::network::Arrival;

/// Members there may be at once.
const MOST_MEMBERS: usize = 8;

impl World {
    /// Starts a member under this identity, unless somebody has it.
    pub(crate) fn start_in_slot(&mut self, slot: u32, now: Instant) {
        if self.members.values().any(|member| member.slot == slot) {
            return;
        }
        self.incarnations += 1;
        let who = Incarnation(self.incarnations);
        let seed = self.random.next_u64();
        let stage = self.rollout.stage;
        self.rollout.started_with.insert(who, stage);
        if self.options.course.list(slot, stage) == ["cooperative-sticky"] {
            self.cooperative.insert(who);
        }
        let mut member = Member::new(who, slot, stage, &self.options, seed, now);
        member.submit(
            Intent::Subscribe([TOPIC.into()].into()),
            now + FAREWELL,
            now,
        );
        self.members.insert(who, member);
        self.drain_member(who, now);
        self.begin_poll(who, now);
    }

    pub(crate) fn start_member(&mut self, now: Instant) {
        if self.members.len() < MOST_MEMBERS {
            let free = (0..).find(|slot| self.members.values().all(|member| member.slot != *slot));
            self.start_in_slot(free.unwrap_or(0), now);
        }
    }

    /// A member ends without a word; its connections break a little later.
    pub(crate) fn kill_member(&mut self, now: Instant) {
        let Some(who) = self.pick_member() else {
            return;
        };
        if let Some(member) = self.members.remove(&who) {
            self.note(Event::Killed { who });
            self.hang_up_all(who, now);
            self.maybe_return(member.slot, now);
        }
    }

    /// A member is told to stop, as by SIGTERM: it finishes what it has, and closes.
    pub(crate) fn stop_member(&mut self, now: Instant) {
        let Some(who) = self.pick_member() else {
            return;
        };
        self.ask_to_stop(who, now);
    }

    /// An application whose membership is over ends, and whoever looks after it starts it again.
    pub(crate) fn start_over(&mut self, who: Incarnation, now: Instant) {
        if let Some(member) = self.members.get_mut(&who) {
            member.starts_over = true;
            self.ask_to_stop(who, now);
        }
    }

    pub(crate) fn close_everybody(&mut self) {
        let now = self.now;
        for who in self.members.keys().copied().collect::<Vec<_>>() {
            self.ask_to_stop(who, now);
        }
    }

    /// The group grows or shrinks by one, by its own will.
    pub(crate) fn scale(&mut self, now: Instant) {
        if now >= self.calm_until {
            return;
        }
        let pause = Duration::from_millis(2000 + self.random.below(4000));
        self.agenda.add(now + pause, Arrival::Scale);
        let stays = |member: &&Member| !member.wants_to_stop;
        if self.members.values().filter(stays).count() > 1 && self.random.chance(1, 2) {
            self.stop_member(now);
        } else {
            self.start_member(now);
        }
    }

    pub(crate) fn ask_to_stop(&mut self, who: Incarnation, now: Instant) {
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        member.wants_to_stop = true;
        if matches!(member.activity, Activity::Polling(_)) {
            self.begin_close(who, now);
        }
    }

    /// A member cannot reach anybody for a while, nor be reached.
    pub(crate) fn cut_off(&mut self, now: Instant) {
        let Some(who) = self.pick_member() else {
            return;
        };
        let session = u64::try_from(self.options.session_timeout.as_millis()).unwrap_or(1000);
        let until = now + Duration::from_millis(self.random.below(session * 2));
        if let Some(member) = self.members.get_mut(&who) {
            member.cut_off = true;
        }
        self.agenda.add(until, Arrival::Heal { who });
    }

    /// An application works on what it has for longer than it may.
    pub(crate) fn stall_application(&mut self, now: Instant) {
        let Some(who) = self.pick_member() else {
            return;
        };
        let most = u64::try_from(self.options.max_poll_interval.as_millis()).unwrap_or(1000);
        let until = now + Duration::from_millis(self.random.below(most * 2));
        if let Some(member) = self.members.get_mut(&who)
            && matches!(member.activity, Activity::Working(_))
        {
            member.turn += 1;
            let turn = member.turn;
            self.agenda.add(until, Arrival::Application { who, turn });
        }
    }

    fn maybe_return(&mut self, slot: u32, now: Instant) {
        if self.random.chance(2, 3) {
            let session = u64::try_from(self.options.session_timeout.as_millis()).unwrap_or(1000);
            let back = now + Duration::from_millis(100 + self.random.below(session * 3 / 2));
            self.agenda.add(back, Arrival::Return { slot });
        }
    }

    /// A member has closed.
    pub(crate) fn closed(&mut self, who: Incarnation, since: Instant, now: Instant) {
        self.note_given_up(who, now);
        if let Some(member) = self.members.remove(&who) {
            let took = now.saturating_duration_since(since);
            let listens = member.troubles.listens;
            let listened =
                listens.is_some_and(|(_, until)| until.is_none_or(|until| until >= since));
            if listened {
                // Its listener was at work, perhaps too long to be told of all that goes.
                let all = 0..self.options.partitions;
                let partitions = all.map(|one| TopicPartition::new(TOPIC, one)).collect();
                self.note(Event::Overdue { who, partitions });
            }
            self.note(Event::Closed {
                who,
                took,
                allowed: FAREWELL,
            });
            self.hang_up_all(who, now);
            if member.starts_over {
                let back = now + Duration::from_secs(1);
                self.agenda.add(back, Arrival::Return { slot: member.slot });
            } else if now < self.quiet_from && member.stage < self.rollout.stage {
                let back = now + Duration::from_millis(100 + self.random.below(900));
                self.agenda.add(back, Arrival::Return { slot: member.slot });
            } else if now < self.quiet_from {
                self.maybe_return(member.slot, now);
            }
        }
    }

    fn pick_member(&mut self) -> Option<Incarnation> {
        let count = u64::try_from(self.members.len()).ok()?;
        let place = usize::try_from(self.random.below(count)).ok()?;
        self.members.keys().nth(place).copied()
    }
}
