//! What went wrong while nobody was asking.

use std::collections::VecDeque;

use windlass_model::TopicPartition;

use crate::ConsumerError;

/// How many errors wait for an application that does not poll.
const MOST: usize = 1000;

/// Errors that no call of the application's caused, waiting for a poll to tell them.
#[derive(Debug, Default)]
pub(crate) struct WaitingErrors {
    queue: VecDeque<ConsumerError>,
}

impl WaitingErrors {
    /// Keeps the error to be told, unless the same one is waiting already. What is tried again and
    /// again while the application stays away must not fill the memory.
    pub(crate) fn add(&mut self, error: ConsumerError) {
        let text = error.to_string();
        if self.queue.iter().any(|other| other.to_string() == text) {
            return;
        }
        if self.queue.len() == MOST {
            tracing::warn!(%error, "not kept for poll to tell: {MOST} errors wait already");
            return;
        }
        self.queue.push_back(error);
    }

    /// The oldest.
    pub(crate) fn next(&mut self) -> Option<ConsumerError> {
        self.queue.pop_front()
    }

    /// The partition has another position now: what was wrong with the one before is of no interest.
    pub(crate) fn forget_position(&mut self, partition: &TopicPartition) {
        self.queue
            .retain(|error| error.misplaced() != Some(partition));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_offset(partition: i32) -> ConsumerError {
        ConsumerError::NoOffset {
            topic_partition: TopicPartition::new("orders", partition),
        }
    }

    #[test]
    fn what_repeats_is_kept_once_and_told_again_when_it_repeats_later() {
        let mut errors = WaitingErrors::default();
        for _ in 0..3 {
            errors.add(no_offset(0));
            errors.add(no_offset(1));
        }
        assert_eq!(errors.queue.len(), 2);
        assert_eq!(errors.next().unwrap().to_string(), no_offset(0).to_string());
        errors.add(no_offset(0));
        assert_eq!(errors.queue.len(), 2);
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut errors = WaitingErrors::default();
        for partition in 0..2000 {
            errors.add(no_offset(partition));
        }
        assert_eq!(errors.queue.len(), MOST);
        assert_eq!(errors.next().unwrap().to_string(), no_offset(0).to_string());
    }

    #[test]
    fn a_seek_answers_what_was_wrong_with_the_position() {
        let mut errors = WaitingErrors::default();
        errors.add(no_offset(0));
        errors.add(no_offset(1));
        errors.forget_position(&TopicPartition::new("orders", 0));
        assert_eq!(errors.next().unwrap().to_string(), no_offset(1).to_string());
        assert!(errors.next().is_none());
    }
}
