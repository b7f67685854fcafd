//! Said: what the cycles of a replay say of one job that waits, for whoever watches it.
//!
//! A job that is no head is not looked at: of its line the last head has found what it would find, or others of its queue
//! come first. Absent on purpose: who is looked at (see `lines`), and intervals (see `life`).

use fairshare::kueue::Verdict;

use super::lines::Waiting;

/// The words for a head that waits; nothing where it does not.
type Word = (u32, String);

/// What is known of the job that is watched.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) row: u32,
    pub(super) queue: usize,
    /// As in [`Waiting`]: that of its line.
    pub(super) shape: u32,
    /// The last head of its queue, unless it waits no longer.
    head: Option<Word>,
    /// The last head of its line that found no quota.
    parked: Option<Word>,
}

/// Where a job stands while it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// It was preempted, and waits for the next instant.
    Back,
    /// It was preempted again and again, and waits for a job to come or end.
    Held,
    /// Its line is parked.
    Parked,
    /// Its line is looked at.
    InLine,
}

impl Said {
    pub(super) fn new(row: u32, queue: usize, shape: u32) -> Self {
        Self { row, queue, shape, head: None, parked: None }
    }

    /// What a cycle has decided about a head.
    pub(super) fn note(&mut self, head: &Waiting, verdict: &Verdict) {
        if head.queue != self.queue {
            return;
        }
        let (words, parks) = match verdict {
            Verdict::Wait { why, again } => (why.to_string(), !again),
            Verdict::EvictFor { .. } => (String::new(), false),
            Verdict::Start { .. } | Verdict::Reject { .. } => {
                self.head = None;
                return;
            }
        };
        if parks && head.shape == self.shape {
            self.parked = Some((head.row, words.clone()));
        }
        self.head = Some((head.row, words));
    }

    /// Why it waits, and who comes before it where that is why.
    pub(super) fn why(&self, stand: Stand) -> (String, Option<u32>) {
        let own = |(row, words): &Word| {
            let as_found =
                if *row == self.row { "" } else { ", as found for another of its queue that asks the same" };
            (format!("{words}{as_found}"), None)
        };
        match (stand, &self.parked, &self.head) {
            (Stand::Back, ..) => {
                ("it was preempted just now, and is looked at from the next instant on".to_owned(), None)
            }
            (Stand::Held, ..) => (
                "it was preempted again and again, and is held back until a job comes or ends".to_owned(),
                None,
            ),
            (Stand::Parked, Some(parked), _) => own(parked),
            (_, _, Some(head)) if head.0 == self.row => own(head),
            (_, _, head) => {
                ("not looked at: others of its queue come first".to_owned(), head.as_ref().map(|head| head.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_no_head_is_told_what_stands_in_its_way() {
        let mut said = Said::new(3, 0, 7);
        let head = |queue, shape, row| Waiting { queue, shape, local: 0, submit_ms: 0, row };
        let wait = |why: &'static str, again| Verdict::Wait { why: why.into(), again };
        let why = |said: &Said, stand| said.why(stand);
        let behind = "not looked at: others of its queue come first".to_owned();
        assert_eq!(why(&said, Stand::InLine), (behind.clone(), None));
        // Another queue says nothing of this one.
        said.note(&head(1, 7, 9), &wait("elsewhere", false));
        assert_eq!(why(&said, Stand::InLine), (behind.clone(), None));
        said.note(&head(0, 7, 1), &wait("too little", false));
        let found = "too little, as found for another of its queue that asks the same".to_owned();
        assert_eq!(why(&said, Stand::Parked), (found.clone(), None));
        said.note(&head(0, 8, 2), &wait("other", false));
        assert_eq!(why(&said, Stand::Parked), (found, None));
        assert_eq!(why(&said, Stand::InLine), (behind, Some(2)));
        // Who starts or is rejected is ahead of nobody.
        said.note(&head(0, 8, 2), &Verdict::Reject { why: "never".to_owned() });
        assert_eq!(why(&said, Stand::InLine).1, None);
        said.note(&head(0, 7, 3), &wait("later", true));
        assert_eq!(why(&said, Stand::InLine), ("later".to_owned(), None));
        assert!(
            why(&said, Stand::Back).0.contains("just now") && why(&said, Stand::Held).0.contains("held back")
        );
    }
}
