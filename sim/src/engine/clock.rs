//! Clock: when something happens next.
//!
//! Absent on purpose: what (see `engine`).

use fairshare::{Config, Millis, PolicySpec, Timestamp};

use super::Simulation;

impl Simulation<'_> {
    /// The next time at which anything happens.
    #[inline]
    pub(super) fn next_instant(&mut self) -> Option<i64> {
        let arrival = self.trace.jobs.get(self.next_row).map(|job| job.submit_ms);
        let event = earlier(self.completions.next_time(), arrival);
        let event = earlier(event, self.next_change(event.is_some()));
        // A wake-up that is not ahead would hold the clock still.
        let wakeup = self.scheduler.next_wakeup().map(Timestamp::as_millis);
        let wakeup = wakeup.filter(|at| self.passed + self.next_row > 0 && *at > self.record.end_ms);
        if event.is_some() {
            self.idle_since = None;
            return earlier(event, wakeup);
        }
        self.idle(wakeup)
    }

    /// The same where nothing runs and nothing is to come.
    #[cold]
    fn idle(&mut self, wakeup: Option<i64>) -> Option<i64> {
        let since = *self.idle_since.get_or_insert(self.record.end_ms);
        wakeup.filter(|at| at.abs_diff(since) <= patience_ms(&self.setup.config))
    }

    /// When the capacity changes next. Before the first job nothing needs it to, and after the last nothing may run on.
    #[inline]
    fn next_change(&self, more_to_come: bool) -> Option<i64> {
        if self.setup.capacities.get(self.next_change).is_none() {
            None
        } else {
            self.coming_change(more_to_come)
        }
    }

    #[inline(never)]
    fn coming_change(&self, more_to_come: bool) -> Option<i64> {
        let change = self.setup.capacities.get(self.next_change)?;
        let begun = self.passed + self.next_row > 0;
        let wanted = more_to_come || self.scheduler.waiting() > 0;
        (begun && wanted).then_some(change.at_ms)
    }
}

/// For how long time alone may still change who starts, where nothing runs and nothing is to come. A budget is renewed, a
/// back-off ends and ranks are computed once; after that everything stays as it is, however often the scheduler wants to be
/// called: usage decays alike for all.
fn patience_ms(config: &Config) -> u64 {
    let PolicySpec { bounds, rank_period, .. } = &config.policy;
    let budgets = config.teams.iter().filter_map(|team| Some(team.budget.as_ref()?.period));
    let once = budgets.chain([bounds.back_off, bounds.minimum_run, *rank_period]);
    let longest = once.map(Millis::get).max().unwrap_or(0);
    longest.saturating_add(rank_period.get())
}

/// The first of two times, where there are any.
fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
