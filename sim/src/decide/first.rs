//! First: by what a waiting job comes before another, in the terms of the order that compares them.
//!
//! Only orders by shares look at what teams hold; of the others the jobs of all teams stand in one line, or in one for each
//! team. Absent on purpose: who comes first (the core's `Lost` says it), and whether there is room.

use fairshare::{JobId, Lost, Millis, OrderName, TeamId, Timestamp};

use super::Cluster;

/// Where shares are equal.
const TIES: &str = "then fewer running jobs, longer not served, and configured before, come first";

/// Where a job would come first by itself, and does not since others of its team stand before it.
const BEHIND: &str = "this one stands behind others of its team";

impl Cluster<'_> {
    /// Which job comes, or came, before a waiting one, and by what.
    pub(super) fn comes_first(&self, job: JobId, lost: &Lost) -> String {
        let to = self.name(lost.to);
        let (theirs, own) = (lost.key.dominant(), lost.own_key.dominant());
        let [their_team, own_team] = [lost.team, lost.own_team].map(|team| self.team(team));
        if lost.after_grant {
            return format!(
                "`{to}` came first: team `{their_team}` held {theirs} over its weight with it, `{own_team}` would hold \
                 {own} with this one"
            );
        }
        let by = match self.setup.config.policy.order {
            // A class is weighed against the rest here.
            OrderName::Multifactor => {
                "by the weighted sum of age, fair-tree rank, size and class, then by submit time".to_owned()
            }
            _ if self.outclasses(lost.to, job) => {
                let [class, own] = [lost.to, job].map(|job| self.class(job));
                format!("its class has the value {class}, that of this one {own}")
            }
            OrderName::FairTree => "by the fair-tree ranks of the teams, then by submit time".to_owned(),
            OrderName::Sjf => self.by_length(lost.to, job),
            OrderName::Drf | OrderName::DrfCurrent | OrderName::Hdrf => {
                let refuted = lost.key > lost.own_key || self.outclasses(job, lost.to);
                if refuted && self.setup.config.teams.iter().any(|team| !team.quota.is_empty()) {
                    "it is within a quota of its team, this one beyond".to_owned()
                } else if refuted {
                    // Shares as they stand do not decide: H-DRF rescales them from level to level.
                    format!("rescaled down the tree, the share of team `{their_team}` is the smaller one")
                } else if lost.key == lost.own_key {
                    format!(
                        "teams `{their_team}` and `{own_team}` hold {theirs} over their weights alike; {TIES}"
                    )
                } else if theirs == own {
                    format!(
                        "teams `{their_team}` and `{own_team}` hold {theirs} over their weights alike, and \
                         `{their_team}` less of the next resource"
                    )
                } else {
                    format!("team `{their_team}` holds {theirs} over its weight, `{own_team}` {own}")
                }
            }
            _ => self.by_time(lost.to, job),
        };
        format!("`{to}` comes first: {by}")
    }

    fn team(&self, team: TeamId) -> &str {
        &self.setup.config.teams[team.index()].name
    }

    /// Whether a job's class alone puts it before one of another team.
    fn outclasses(&self, job: JobId, other: JobId) -> bool {
        self.setup.config.policy.classes_cross_teams() && self.class(job) > self.class(other)
    }

    /// The value of a job's class.
    fn class(&self, job: JobId) -> i32 {
        let shape = self.rows.get(&job).map(|row| &self.trace.shapes[self.trace.jobs[*row].shape as usize]);
        shape.and_then(|shape| self.setup.shape(shape).ok()).map_or(0, |(shape, _)| shape.class)
    }

    fn by_time(&self, to: JobId, job: JobId) -> String {
        let submit = |job: JobId| {
            let millis = self.rows.get(&job).map_or(0, |row| self.trace.jobs[*row].submit_ms);
            Timestamp::from_millis(millis)
        };
        let (first, own) = (submit(to), submit(job));
        if first == own {
            return format!("both were submitted at {first} s, and it is named before this one");
        }
        if first > own {
            return BEHIND.to_owned();
        }
        format!("it was submitted at {first} s, this one at {own} s")
    }

    fn by_length(&self, to: JobId, job: JobId) -> String {
        let length = |job: JobId| {
            let lengths = self.trace.lengths(&self.trace.jobs[*self.rows.get(&job)?]);
            let limit = || lengths.limit_ms().or(self.setup.default_time_limit_ms);
            lengths.estimate_ms().or_else(limit).map(Millis::new)
        };
        match (length(to), length(job)) {
            (first, own) if first == own => self.by_time(to, job),
            (Some(first), Some(own)) if first > own => BEHIND.to_owned(),
            (None, Some(_)) => BEHIND.to_owned(),
            (Some(first), Some(own)) => {
                format!("it is thought to run for {first} s, this one for {own} s")
            }
            (first, None) => {
                let first = first.unwrap_or_default();
                format!("it is thought to run for {first} s, and this one does not say for how long")
            }
        }
    }
}
