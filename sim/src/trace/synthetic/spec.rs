//! The description of an organisation from which jobs are drawn: teams, their habits and the kinds of job they submit.
//!
//! Invariant: a [`SynthSpec`] that passed [`SynthSpec::validate`] can be drawn from without a further check.
//! Absent on purpose: drawing; reading files (the caller brings the text).

use serde::{Deserialize, Serialize};

use super::length::Length;

/// Why a specification cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SynthError {
    /// The text is not TOML, or has a key that no specification has; the source shows line and column.
    #[error("failed to read the generator specification")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A value makes no sense.
    #[error("{place}: `{key}`: expected {expected}")]
    Invalid {
        /// The team and kind that hold the key.
        place: String,
        /// The key.
        key: String,
        /// What would be valid.
        expected: String,
    },
    /// No preset of this name.
    #[error("unknown preset `{name}`\nhint: presets are `demo`; anything else is read as a file")]
    UnknownPreset {
        /// The name as given.
        name: String,
    },
    /// The output could not be written: the machine failed, not the input.
    #[error("failed to write the generated trace")]
    Write(#[from] std::io::Error),
}

impl SynthError {
    pub(super) fn invalid(place: &str, key: &str, expected: &str) -> Self {
        Self::Invalid { place: place.to_owned(), key: key.to_owned(), expected: expected.to_owned() }
    }

    /// Whether the machine failed (exit 4), rather than the specification (exit 2).
    #[must_use]
    pub fn is_machine_error(&self) -> bool {
        matches!(self, Self::Write(_))
    }
}

/// An organisation: what is generated, and until when.
///
/// # Examples
///
/// ```
/// use fairshare_sim::trace::synthetic::SynthSpec;
///
/// let spec = SynthSpec::from_toml(
///     r#"
///     days = 1
///     [[team]]
///     name = "search"
///     jobs_per_day = 40
///     [[team.kind]]
///     name = "train"
///     sizes = [{ gpu = 8, cpu = 64 }]
///     run = { family = "lognormal", median_s = 1800, shape = 1.2 }
///     "#,
/// )
/// .unwrap();
/// assert_eq!(spec.teams[0].kinds[0].sizes[0].workers, 1);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SynthSpec {
    /// Submissions end after this many days. At least one of `days` and `jobs` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
    /// Submissions end after this many jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u64>,
    /// Added to every submission, s: a Unix time of a Monday at 00:00, or zero.
    #[serde(default)]
    pub start_s: u64,
    /// Times are cut to multiples of this, ms. Recorded logs mostly hold whole seconds.
    #[serde(default = "one_thousand")]
    pub resolution_ms: u64,
    /// The teams, in the order in which simultaneous submissions are written.
    #[serde(rename = "team")]
    pub teams: Vec<TeamMix>,
}

/// One team: how often it submits, when, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamMix {
    /// Unique; names the team and its random streams.
    pub name: String,
    /// Who pays; absent: the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_owner: Option<String>,
    /// How many people submit; the n-th submits one n-th as much as the first.
    #[serde(default = "one")]
    pub users: u32,
    /// Submissions on the average day, bursts not counted.
    pub jobs_per_day: f64,
    /// A named course of the day.
    #[serde(default)]
    pub day: DayShape,
    /// The relative weight of each of the 24 hours, in place of `day`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<f64>,
    /// The relative weight of Monday to Sunday, in place of that of `day`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<f64>,
    /// The team's working day begins this many hours later than the organisation's clock says.
    #[serde(default)]
    pub shift_hours: i32,
    /// Many jobs of one kind, user and size at once, now and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bursts: Option<Bursts>,
    /// What it submits.
    #[serde(rename = "kind")]
    pub kinds: Vec<JobKind>,
}

/// How the rate changes over a day and a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DayShape {
    /// The same at every hour of every day.
    #[default]
    Flat,
    /// People at work: little at night, two humps, a fifth as much at the weekend.
    Office,
    /// Scheduled work: most of it between midnight and five, on all days alike.
    Night,
}

/// Sudden campaigns of a team, on top of its ordinary submissions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// Bursts in the average week.
    pub per_week: f64,
    /// Jobs in the average burst.
    pub jobs: f64,
    /// A burst is submitted within this time, s.
    pub span_s: f64,
    /// The kind of its jobs.
    pub kind: String,
}

/// Jobs that are alike in what they need and how long they run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobKind {
    /// Unique in the team.
    pub name: String,
    /// How often, relative to the team's other kinds; zero: in bursts only.
    #[serde(default = "one")]
    pub weight: u32,
    /// The native column `accelerators`; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerators: Option<String>,
    /// The native column `pools`; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<String>,
    /// The native column `priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// One of these data sets is read by each job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<Choice>,
    /// What is asked for.
    pub sizes: Vec<Size>,
    /// How long it runs, if it is not stopped before.
    pub run: Length,
    /// The part that fails, most of them early.
    #[serde(default)]
    pub failed: f64,
    /// The part that its user stops, at any point of its run.
    #[serde(default)]
    pub cancelled: f64,
    /// Whether jobs that fail or are stopped end before the run that is drawn for them; `false` where `run` was taken from
    /// jobs that had ended so already.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub cut_short: bool,
    /// The native column `estimate_s`: run time times a lognormal error with this standard deviation; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_error: Option<f64>,
    /// The native column `time_limit_s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<TimeLimit>,
}

/// What a job asks for: equal workers, and what each of them needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Workers of the gang.
    #[serde(default = "one")]
    pub workers: u32,
    /// GPUs of a worker, in thousandths at the finest.
    #[serde(default)]
    pub gpu: f64,
    /// Processors of a worker, in thousandths at the finest.
    #[serde(default)]
    pub cpu: f64,
    /// Memory of a worker, GiB, in thousandths at the finest.
    #[serde(default)]
    pub memory_gib: f64,
    /// How often, relative to the kind's other sizes.
    #[serde(default = "one")]
    pub weight: u32,
}

/// A name drawn by weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The name.
    pub name: String,
    /// How often, relative to the others.
    #[serde(default = "one")]
    pub weight: u32,
}

/// How users set time limits: generously, and from a short menu.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeLimit {
    /// Half of the users ask for more than this multiple of the run time.
    pub margin: f64,
    /// Standard deviation of the logarithm of that multiple.
    pub spread: f64,
    /// The limits that users choose from, s, ascending; the last one holds the longest run.
    pub menu_s: Vec<u64>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the serializer passes every field by reference")]
fn is_true(value: &bool) -> bool {
    *value
}

fn one_thousand() -> u64 {
    1000
}

/// The organisation of the bundled demonstration.
const DEMO: &str = include_str!("../../../../traces/demo/synth.toml");

const OFFICE_HOURS: [f64; 24] = [
    0.15, 0.1, 0.08, 0.08, 0.08, 0.1, 0.2, 0.45, 0.9, 1.5, 1.9, 1.9, 1.4, 1.6, 1.9, 2.0, 1.9, 1.7, 1.3, 0.9,
    0.7, 0.6, 0.4, 0.25,
];
const NIGHT_HOURS: [f64; 24] = [
    4.0, 4.0, 3.0, 2.5, 2.0, 0.8, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.5,
    0.8, 1.0, 2.0,
];

impl SynthSpec {
    /// Reads and validates a specification.
    ///
    /// # Errors
    ///
    /// [`SynthError::Syntax`] with line and column, or [`SynthError::Invalid`] with the team, kind and key.
    pub fn from_toml(text: &str) -> Result<Self, SynthError> {
        let spec: Self = toml::from_str(text).map_err(|error| SynthError::Syntax(Box::new(error)))?;
        spec.validate()?;
        Ok(spec)
    }

    /// Returns a specification that comes with the program: `demo` is the one of the bundled trace.
    ///
    /// # Errors
    ///
    /// [`SynthError::UnknownPreset`] if there is no such name.
    pub fn preset(name: &str) -> Result<Self, SynthError> {
        match name {
            "demo" => Self::from_toml(DEMO),
            _ => Err(SynthError::UnknownPreset { name: name.to_owned() }),
        }
    }

    /// Writes the specification as TOML that [`SynthSpec::from_toml`] reads back.
    ///
    /// # Errors
    ///
    /// [`SynthError::Invalid`] if a number is beyond what TOML holds.
    pub fn to_toml(&self) -> Result<String, SynthError> {
        toml::to_string(self)
            .map_err(|_| SynthError::invalid("specification", "jobs", "a number that TOML can hold"))
    }

    /// Ends the trace after `jobs` jobs and not by time; the load per day stays as it is.
    #[must_use]
    pub fn with_jobs(mut self, jobs: u64) -> Self {
        self.jobs = Some(jobs);
        self.days = None;
        self
    }

    /// Tests every value, so that drawing cannot fail.
    ///
    /// # Errors
    ///
    /// [`SynthError::Invalid`] for the first value that makes no sense.
    pub fn validate(&self) -> Result<(), SynthError> {
        let place = "specification";
        if self.days.is_none() && self.jobs.is_none() {
            return Err(SynthError::invalid(place, "days", "a number of days, or `jobs`"));
        }
        if self.days.is_some_and(|days| !(days > 0.0 && days <= 36_600.0)) {
            return Err(SynthError::invalid(place, "days", "more than zero and at most 36600 days"));
        }
        if self.start_s > LATEST_START_S {
            return Err(SynthError::invalid(place, "start_s", "a time in seconds before the year 5000"));
        }
        if !(1..=86_400_000).contains(&self.resolution_ms) {
            return Err(SynthError::invalid(place, "resolution_ms", "between 1 ms and a day"));
        }
        if !self.teams.iter().any(|team| team.jobs_per_day > 0.0 || team.bursts.is_some()) {
            return Err(SynthError::invalid(place, "team", "at least one team that submits jobs"));
        }
        for (index, team) in self.teams.iter().enumerate() {
            if self.teams[..index].iter().any(|earlier| earlier.name == team.name) {
                let place = format!("team `{}`", team.name);
                return Err(SynthError::invalid(&place, "name", "a name that no other team has"));
            }
            team.validate()?;
        }
        Ok(())
    }
}

const LATEST_START_S: u64 = 95_617_584_000;

impl TeamMix {
    /// The relative weights of the hours of a day.
    pub(super) fn hour_weights(&self) -> Vec<f64> {
        if !self.hours.is_empty() {
            return self.hours.clone();
        }
        match self.day {
            DayShape::Flat => vec![1.0; 24],
            DayShape::Office => OFFICE_HOURS.to_vec(),
            DayShape::Night => NIGHT_HOURS.to_vec(),
        }
    }

    /// The relative weights of the days of a week.
    pub(super) fn weekday_weights(&self) -> Vec<f64> {
        match self.day {
            _ if !self.weekdays.is_empty() => self.weekdays.clone(),
            DayShape::Office => vec![1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2],
            DayShape::Flat | DayShape::Night => vec![1.0; 7],
        }
    }

    fn validate(&self) -> Result<(), SynthError> {
        let place = format!("team `{}`", self.name);
        let refuse = |key: &str, expected: &str| Err(SynthError::invalid(&place, key, expected));
        check_name(&place, "name", &self.name)?;
        if let Some(owner) = &self.cost_owner {
            check_name(&place, "cost_owner", owner)?;
        }
        if !(1..=100_000).contains(&self.users) {
            return refuse("users", "between 1 and 100000 people");
        }
        if !(self.jobs_per_day >= 0.0 && self.jobs_per_day <= 1e9) {
            return refuse("jobs_per_day", "between zero and 1e9 jobs a day");
        }
        if !(-168..=168).contains(&self.shift_hours) {
            return refuse("shift_hours", "at most a week either way");
        }
        for (key, weights, count) in [("hours", &self.hours, 24), ("weekdays", &self.weekdays, 7)] {
            let sane = weights.iter().all(|weight| (0.0..=1e6).contains(weight))
                && weights.iter().any(|weight| *weight > 1e-6);
            if !weights.is_empty() && (weights.len() != count || !sane) {
                return refuse(key, &format!("{count} weights, none negative and not all zero"));
            }
        }
        if let Some(bursts) = &self.bursts {
            bursts.validate(&place, &self.kinds)?;
        }
        if self.kinds.is_empty()
            || (self.jobs_per_day > 0.0 && self.kinds.iter().all(|kind| kind.weight == 0))
        {
            return refuse("kind", "at least one kind of job with a weight above zero");
        }
        for (index, kind) in self.kinds.iter().enumerate() {
            if self.kinds[..index].iter().any(|earlier| earlier.name == kind.name) {
                let place = format!("{place}, kind `{}`", kind.name);
                return Err(SynthError::invalid(&place, "name", "a name that no other kind of the team has"));
            }
            kind.validate(&place)?;
        }
        Ok(())
    }
}

impl Bursts {
    fn validate(&self, place: &str, kinds: &[JobKind]) -> Result<(), SynthError> {
        let place = format!("{place}, bursts");
        if !(self.per_week > 0.0 && self.per_week <= 10_000.0) {
            return Err(SynthError::invalid(
                &place,
                "per_week",
                "more than zero and at most 10000 bursts a week",
            ));
        }
        if !(self.jobs >= 1.0 && self.jobs <= 1e7) {
            return Err(SynthError::invalid(&place, "jobs", "between 1 and 1e7 jobs in a burst"));
        }
        if !(self.span_s >= 1.0 && self.span_s <= 604_800.0) {
            return Err(SynthError::invalid(&place, "span_s", "between one second and a week"));
        }
        if !kinds.iter().any(|kind| kind.name == self.kind) {
            return Err(SynthError::invalid(&place, "kind", "the name of one of the team's kinds"));
        }
        Ok(())
    }
}

impl JobKind {
    fn validate(&self, place: &str) -> Result<(), SynthError> {
        let place = format!("{place}, kind `{}`", self.name);
        let refuse = |key: &str, expected: &str| Err(SynthError::invalid(&place, key, expected));
        check_name(&place, "name", &self.name)?;
        for (key, text) in
            [("accelerators", &self.accelerators), ("pools", &self.pools), ("priority", &self.priority)]
        {
            if let Some(text) = text {
                check_name(&place, key, text)?;
            }
        }
        for dataset in &self.datasets {
            check_name(&place, "datasets", &dataset.name)?;
        }
        if !self.datasets.is_empty() && self.datasets.iter().all(|dataset| dataset.weight == 0) {
            return refuse("datasets", "a data set with a weight above zero");
        }
        if self.sizes.iter().all(|size| size.weight == 0) {
            return refuse("sizes", "a size with a weight above zero");
        }
        for size in &self.sizes {
            let amounts = [size.gpu, size.cpu, size.memory_gib];
            let sane = amounts.iter().all(|amount| (0.0..=1e6).contains(amount));
            if !sane || size.workers == 0 || amounts.iter().all(|amount| *amount < 0.001) {
                return refuse("sizes", "one or more workers, each with amounts up to 1e6 and not all zero");
            }
        }
        self.run.validate(&format!("{place}, run"))?;
        if !(self.failed >= 0.0 && self.cancelled >= 0.0 && self.failed + self.cancelled <= 1.0) {
            return refuse("failed", "parts of one, together with `cancelled` at most one");
        }
        if self.estimate_error.is_some_and(|error| !(0.0..=10.0).contains(&error)) {
            return refuse("estimate_error", "a number between 0 and 10");
        }
        if let Some(limit) = &self.time_limit {
            limit.validate(&place, self.run.max_s)?;
        }
        Ok(())
    }
}

impl TimeLimit {
    fn validate(&self, place: &str, longest_run_s: f64) -> Result<(), SynthError> {
        let place = format!("{place}, time_limit");
        if !(self.margin >= 1.0 && self.margin <= 1e6) {
            return Err(SynthError::invalid(&place, "margin", "a multiple of one or more"));
        }
        if !(0.0..=10.0).contains(&self.spread) {
            return Err(SynthError::invalid(&place, "spread", "a number between 0 and 10"));
        }
        let ascending = self.menu_s.windows(2).all(|pair| pair[0] < pair[1]);
        #[expect(clippy::cast_precision_loss, reason = "a century in seconds is far below 2^53")]
        let holds_all =
            self.menu_s.last().is_some_and(|&last| last < 1 << 40 && last as f64 >= longest_run_s);
        if !ascending || !holds_all {
            let expected = "ascending limits, the last not below the `max_s` of `run`";
            return Err(SynthError::invalid(&place, "menu_s", expected));
        }
        Ok(())
    }
}

/// Whether a description can hold the text.
pub(super) fn is_plain(text: &str) -> bool {
    let plain = |letter: char| !letter.is_control() && !matches!(letter, ',' | '"' | '\\');
    !text.is_empty() && text.len() <= 200 && text.trim() == text && text.chars().all(plain)
}

/// Names go into CSV fields unquoted, so they must not need quotes.
fn check_name(place: &str, key: &str, name: &str) -> Result<(), SynthError> {
    if !is_plain(name) {
        let expected = "1 to 200 bytes without commas, quotes, control characters or blanks at the ends";
        return Err(SynthError::invalid(place, key, expected));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo_with(old: &str, new: &str) -> String {
        assert!(DEMO.contains(old), "{old}");
        let error = SynthSpec::from_toml(&DEMO.replacen(old, new, 1)).unwrap_err();
        match error {
            SynthError::Syntax(source) => source.to_string(),
            other => other.to_string(),
        }
    }

    #[test]
    fn senseless_values_are_named_with_their_place() {
        for (old, new, expected) in [
            (
                "days = 14",
                "days = 0",
                "specification: `days`: expected more than zero and at most 36600 days",
            ),
            ("days = 14", "", "specification: `days`: expected a number of days, or `jobs`"),
            ("users = 6", "users = 0", "team `foundation`: `users`: expected between 1 and 100000 people"),
            (
                "jobs_per_day = 20",
                "jobs_per_day = -1",
                "team `foundation`: `jobs_per_day`: expected between zero and 1e9 jobs a day",
            ),
            (
                "[1, 1, 1, 1, 1, 0.6, 0.5]",
                "[1, 1]",
                "team `foundation`: `weekdays`: expected 7 weights, none negative and not all zero",
            ),
            (
                "name = \"ranking\"",
                "name = \"foundation\"",
                "team `foundation`: `name`: expected a name that no other team has",
            ),
            (
                "name = \"ranking\"",
                "name = \"a,b\"",
                "team `a,b`: `name`: expected 1 to 200 bytes without commas, quotes, control characters or blanks at the ends",
            ),
            (
                "kind = \"sweep\"",
                "kind = \"swoop\"",
                "team `research`, bursts: `kind`: expected the name of one of the team's kinds",
            ),
            (
                "menu_s = [14400, 28800, 86400, 172800]",
                "menu_s = [14400, 28800]",
                "team `foundation`, kind `pretrain`, time_limit: `menu_s`: \
                 expected ascending limits, the last not below the `max_s` of `run`",
            ),
            (
                "failed = 0.2",
                "failed = 0.95",
                "team `foundation`, kind `pretrain`: `failed`: expected parts of one, together with `cancelled` at most one",
            ),
        ] {
            assert_eq!(demo_with(old, new), expected);
        }
    }

    #[test]
    fn an_unknown_key_shows_its_line() {
        let text = demo_with("days = 14", "dais = 14");
        assert!(text.starts_with("TOML parse error at line 8, column 1"), "{text}");
        assert!(text.contains("unknown field `dais`, expected one of `days`"), "{text}");
    }

    #[test]
    fn an_unknown_preset_is_named() {
        assert_eq!(
            SynthSpec::preset("dmeo").unwrap_err().to_string(),
            "unknown preset `dmeo`\nhint: presets are `demo`; anything else is read as a file"
        );
    }

    #[test]
    fn a_specification_survives_being_written() {
        let demo = SynthSpec::preset("demo").unwrap();
        assert_eq!(SynthSpec::from_toml(&demo.to_toml().unwrap()).unwrap(), demo);
    }
}
