//! Selection: the part of a trace that a scenario asks for, by team and by time of submission.
//!
//! Absent on purpose: changes to the jobs that stay.

use super::clock::Instant;
use super::model::Trace;

/// What stays of a trace; the default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The teams whose jobs stay; empty: all.
    pub teams: Vec<String>,
    /// Jobs submitted from here on stay.
    pub from: Option<Instant>,
    /// Jobs submitted before here stay.
    pub until: Option<Instant>,
}

impl Selection {
    fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

impl Trace {
    /// Leaves out what `selection` does not hold, and says how much that was in the warnings.
    ///
    /// # Errors
    ///
    /// The name of a team that the trace does not have.
    pub fn select(&mut self, selection: &Selection) -> Result<(), String> {
        if selection.is_everything() {
            return Ok(());
        }
        let mut wanted = vec![selection.teams.is_empty(); self.teams.len()];
        for name in &selection.teams {
            let team = self.teams.find(name).ok_or_else(|| name.clone())?;
            wanted[team as usize] = true;
        }
        let (epoch_ms, offset_s) = self.zero().unwrap_or_default();
        let on_clock = |instant: Option<Instant>| instant.map(|instant| instant.on_clock(epoch_ms, offset_s));
        let (from_ms, until_ms) = (on_clock(selection.from), on_clock(selection.until));
        let in_time = |submit_ms: i64| {
            from_ms.is_none_or(|from_ms| submit_ms >= from_ms)
                && until_ms.is_none_or(|until_ms| submit_ms < until_ms)
        };
        let stays = |index: &u32| {
            let job = &self.jobs[*index as usize];
            wanted[job.team as usize] && in_time(job.submit_ms)
        };
        let all = u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        let order: Vec<u32> = (0..all).filter(stays).collect();
        let beyond = self.beyond(from_ms, until_ms).map_or_else(String::new, |what| format!(": {what}"));
        self.keep(&order);
        let left_out = all as usize - order.len();
        self.warnings.push(format!(
            "{left_out} of {all} jobs are left out by `teams`, `from` and `until` of `[trace]`{beyond}"
        ));
        Ok(())
    }

    /// What leaves out all jobs because of when they come.
    fn beyond(&self, from_ms: Option<i64>, until_ms: Option<i64>) -> Option<String> {
        let (first, last) = (self.jobs.first()?.submit_ms, self.jobs.last()?.submit_ms);
        if from_ms.is_some_and(|from_ms| from_ms > last) {
            return Some(format!("`from` comes after the last submission ({})", self.shown(last)));
        }
        let early = until_ms.is_some_and(|until_ms| until_ms <= first);
        early.then(|| format!("`until` comes before the first submission ({})", self.shown(first)))
    }

    /// Keeps the jobs of the ascending indices `order`, and the teams that have one of them.
    fn keep(&mut self, order: &[u32]) {
        self.jobs = order.iter().map(|&index| self.jobs[index as usize]).collect();
        self.names = std::mem::take(&mut self.names).reordered(order);
        if let Some(recorded) = &mut self.recorded {
            *recorded = order.iter().map(|&index| recorded[index as usize]).collect();
        }
        let entries = std::mem::take(&mut self.extras.entries);
        let moved = |(old, extra)| Some((u32::try_from(order.binary_search(&old).ok()?).ok()?, extra));
        self.extras.entries = entries.into_iter().filter_map(moved).collect();
        let all_teams = std::mem::take(&mut self.teams);
        for job in &mut self.jobs {
            job.team = self.teams.intern(all_teams.text(job.team));
        }
    }
}
