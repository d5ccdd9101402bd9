//! How soon a failed join is tried again.

use std::time::Instant;

use windlass_machine::Backoff;

use crate::GroupConfig;
use crate::outputs::Outputs;
use crate::timer::GroupTimer;

/// How many times in a row a rejection that the protocol means to be answered at once is answered
/// at once. A sane coordinator needs one or two.
const AT_ONCE: u32 = 3;

/// Paces joins: some rejections (a member id is required, a rebalance has started meanwhile) are
/// part of the protocol and get no pause, unless they do not end.
#[derive(Debug)]
pub(crate) struct JoinPacing {
    backoff: Backoff,
    at_once: u32,
}

impl JoinPacing {
    pub(crate) fn new(config: &GroupConfig) -> Self {
        Self {
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            at_once: 0,
        }
    }

    /// Try again at once, unless that has been tried often enough.
    pub(crate) fn soon(&mut self, out: &mut Outputs, now: Instant) {
        if self.at_once < AT_ONCE {
            self.at_once += 1;
        } else {
            self.later(out, now);
        }
    }

    /// Try again after a pause.
    pub(crate) fn later(&mut self, out: &mut Outputs, now: Instant) {
        let pause = self.backoff.next(&mut out.random);
        out.timers.set(GroupTimer::JoinRetry, now + pause);
    }

    /// The member got through.
    pub(crate) const fn settle(&mut self) {
        self.backoff.reset();
        self.at_once = 0;
    }
}
