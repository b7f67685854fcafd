//! Selection: the part of a trace that a scenario asks for, by team and by time of submission.
//!
//! Absent on purpose: changes to the jobs that stay.

use super::model::Trace;
use super::time::timestamp_ms;

/// What stays of a trace; the default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The teams whose jobs stay; empty: all.
    pub teams: Vec<String>,
    /// Jobs submitted from here on stay, ms on the trace's own clock.
    pub from_ms: Option<i64>,
    /// Jobs submitted before here stay, ms on the trace's own clock.
    pub until_ms: Option<i64>,
}

impl Selection {
    /// Reads an instant as the native column `submit_s` writes it: seconds, or a date with a time; also a date alone.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::trace::Selection;
    ///
    /// assert_eq!(Selection::instant_ms("90"), Some(90_000));
    /// assert_eq!(Selection::instant_ms("2017-10-01 00:00:45"), Some(1_506_816_045_000));
    /// assert_eq!(Selection::instant_ms("2017-10-01"), Selection::instant_ms("2017-10-01 00:00:00"));
    /// assert_eq!(Selection::instant_ms("Monday"), None);
    /// ```
    #[must_use]
    pub fn instant_ms(text: &str) -> Option<i64> {
        match text.parse::<i64>() {
            Ok(seconds) => seconds.checked_mul(1000),
            // A date alone is its first instant.
            Err(_) if text.len() == "2026-01-31".len() => timestamp_ms(format!("{text} 00:00:00").as_bytes()),
            Err(_) => timestamp_ms(text.as_bytes()),
        }
    }

    fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    fn holds_time(&self, submit_ms: i64) -> bool {
        self.from_ms.is_none_or(|from_ms| submit_ms >= from_ms)
            && self.until_ms.is_none_or(|until_ms| submit_ms < until_ms)
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
        let stays = |index: &u32| {
            let job = &self.jobs[*index as usize];
            wanted[job.team as usize] && selection.holds_time(job.submit_ms)
        };
        let all = u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        let order: Vec<u32> = (0..all).filter(stays).collect();
        self.keep(&order);
        let left_out = all as usize - order.len();
        self.warnings.push(format!(
            "{left_out} of {all} jobs are left out by `teams`, `from` and `until` of `[trace]`"
        ));
        Ok(())
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
