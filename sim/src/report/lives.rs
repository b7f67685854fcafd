//! Single lives: a row for each of up to 500 jobs, with who was evicted for whom.
//!
//! A window of time, so that one wait of weeks does not make a line of everything else: around the start of the job that
//! waited longest, as wide as the attempts that start next to it, and half of that again on both sides. What reaches
//! beyond the window ends in a mark at its edge. Where the attempts of the whole run fit, all of them are shown; a job that
//! never started has no row. Absent on purpose: drawing (see `chart`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fairshare::Timestamp;

use super::axes::time_axis;
use super::chart::{self, Axis, Caption, Stretch, escape};
use super::csv::field;
use super::html::Page;
use super::text::numbered;
use crate::observer::Cause;
use crate::record::Fate;

/// Attempts that start in the window, and so the most rows.
const LIVES: usize = 500;

/// An attempt, and the wait before it.
#[derive(Clone, Copy)]
struct Attempt {
    row: usize,
    wait: i64,
    start: i64,
    end: i64,
    cause: Option<Cause>,
}

/// From when to when, ms, and the attempts of the jobs that start meanwhile, as far as they can be seen.
struct Shown {
    from: i64,
    to: i64,
    /// By row, then start.
    attempts: Vec<Attempt>,
    /// All of the run.
    is_all: bool,
}

impl Page<'_> {
    /// The jobs that start around the start of the job that waited longest.
    pub(super) fn lives(&self, html: &mut String) {
        let Some(shown) = self.shown() else { return };
        let Shown { from, to, attempts, is_all } = shown;
        let rows: Vec<usize> =
            attempts.iter().map(|one| one.row).collect::<BTreeSet<_>>().into_iter().collect();
        #[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
        let after = |at: i64| (i128::from(at) - i128::from(from)) as f64;
        let mut text = "job,team,waits_from_s,start_s,end_s,pool,ends,for_job\n".to_owned();
        let mut stretches = Vec::new();
        for &Attempt { row, wait, start, end, cause } in &attempts {
            self.life_row(row, [wait, start, end].map(|at| at.saturating_sub(from)), cause, &mut text);
            let place = |row: usize| rows.binary_search(&row).ok();
            let by = cause.and_then(|cause| cause.by).and_then(|by| place(by as usize));
            stretches.push(Stretch {
                row: place(row).unwrap_or(0),
                colour: self.colour[self.team_of(row)],
                wait: after(wait),
                start: after(start),
                end: after(end),
                cut: cause.is_some(),
                by,
            });
        }
        let jobs = numbered(rows.len() as u64, "job");
        let title = match (is_all, rows.len() as u64 == self.summary.jobs.submitted) {
            (false, _) => format!("{jobs} that start around the one that waited longest"),
            (true, true) => format!("All {jobs}").replace("All 1 job", "The job"),
            (true, false) => format!("The {jobs} that started").replace("The 1 job", "The job"),
        };
        let caption = Caption {
            id: "lives".to_owned(),
            title,
            description: "A row for each job in order of submission: a thin line while it waits, a bar while it runs. \
                          A bar that ends in a mark was evicted; the dashed line leads to the job it made way for. A \
                          triangle at an edge: it waits or runs beyond what is shown."
                .to_owned(),
            table: text,
            zoom: "lives",
        };
        let _ = writeln!(html, "<section><h2>{}</h2>", escape(&caption.title));
        self.legend(html);
        let _ = writeln!(html, "<p class=\"small\">{}</p>", caption.description);
        let label = self.record.first_submit_ms(self.trace).filter(|first| *first < from).map_or_else(
            || "time since the first submission".to_owned(),
            |first| {
                let later = crate::duration::human_s(crate::summary::seconds(from.abs_diff(first)));
                format!("time since {later} after the first submission")
            },
        );
        let axis = Axis { label, ..time_axis(from, to) };
        html.push_str(&chart::gantt(&caption, &axis, rows.len(), &stretches));
        html.push_str("</section>\n");
    }

    /// Every attempt, by row, then start.
    fn attempts(&self) -> Vec<Attempt> {
        let outcomes = &self.record.outcomes;
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut add = |row: usize, start: i64, end: i64, cause: Option<Cause>| {
            attempts.push(Attempt { row, wait: self.trace.jobs[row].submit_ms, start, end, cause });
        };
        for lost in &self.record.lost {
            add(lost.row as usize, lost.start_ms, lost.end_ms, Some(lost.cause));
        }
        for (row, outcome) in outcomes.iter().enumerate().filter(|(_, outcome)| outcome.holds()) {
            let end = if outcome.fate == Fate::Running { self.record.end_ms } else { outcome.end_ms };
            add(row, outcome.start_ms, end, None);
        }
        attempts.sort_unstable_by_key(|one| (one.row, one.start));
        for index in 1..attempts.len() {
            if attempts[index - 1].row == attempts[index].row {
                attempts[index].wait = attempts[index - 1].end;
            }
        }
        attempts
    }

    fn shown(&self) -> Option<Shown> {
        let mut attempts = self.attempts();
        let from = attempts.iter().map(|one| one.wait).min()?;
        let to = attempts.iter().map(|one| one.end).max()?;
        if attempts.len() <= LIVES {
            return (to > from).then_some(Shown { from, to, attempts, is_all: true });
        }
        let mut order: Vec<usize> = (0..attempts.len()).collect();
        order.sort_unstable_by_key(|index| (attempts[*index].start, attempts[*index].row));
        let longest = (0..order.len()).max_by_key(|place| {
            let one = &attempts[order[*place]];
            let wait = if one.cause.is_none() { self.record.wait_ms(self.trace, one.row) } else { 0 };
            (wait, std::cmp::Reverse(*place))
        })?;
        let first = longest.saturating_sub(LIVES / 2).min(order.len() - LIVES);
        let near = &order[first..first + LIVES];
        let rows: BTreeSet<usize> = near.iter().map(|index| attempts[*index].row).collect();
        let (begin, end) = (attempts[near[0]].start, attempts[near[LIVES - 1]].start);
        let more = i64::try_from(end.abs_diff(begin) / 2).unwrap_or(0);
        let (mut low, mut high) = (begin.saturating_sub(more), end.saturating_add(more));
        attempts.retain(|one| rows.contains(&one.row));
        let edges = |attempts: &[Attempt]| {
            let from = attempts.iter().map(|one| one.wait).min();
            from.zip(attempts.iter().map(|one| one.end).max())
        };
        let (from, to) = edges(&attempts)?;
        if begin == end {
            // All start at once: there is no width to go by.
            (low, high) = (from, to);
        }
        (low, high) = (low.max(from), high.min(to));
        attempts.retain(|one| one.end > low && one.start < high);
        (high > low).then_some(Shown { from: low, to: high, attempts, is_all: false })
    }

    fn life_row(&self, row: usize, times: [i64; 3], cause: Option<Cause>, text: &mut String) {
        field(text, &self.trace.names.get(row).to_string());
        text.push(',');
        field(text, &self.summary.teams[self.team_of(row)].name);
        for time in times {
            let _ = write!(text, ",{}", Timestamp::from_millis(time));
        }
        text.push(',');
        // An earlier attempt may have been elsewhere; the file of decisions says where.
        let pool = if cause.is_none() {
            Some(self.record.place(&self.record.outcomes[row]).pool as usize)
        } else {
            None
        };
        field(text, pool.map_or("", |pool| self.setup.config.pools[pool].name.as_str()));
        let last = match self.record.status(self.trace, row) {
            "unfinished" => "still runs",
            "reaped" => "stopped for idling",
            _ => "ended",
        };
        let _ = write!(text, ",{},", cause.map_or(last, |cause| cause.reason.as_str()));
        if let Some(by) = cause.and_then(|cause| cause.by) {
            field(text, &self.trace.names.get(by as usize).to_string());
        }
        text.push('\n');
    }
}
