//! What a trace holds: counts, spans, distributions, the record, the repairs (`sim.inspect/1`).
//!
//! One pass in constant memory for sorted sources: quantiles come from sketches and say so. Only an unsorted
//! source is read again for the times between submissions. Absent on purpose: the fields (see `inspection`) and how
//! they are shown ([`Inspection::table`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::check::{Checked, Reading};
use super::clock::{is_of_calendar, weekday};
use super::cluster::{NodeMake, QuotaSeries};
use super::error::TraceError;
use super::figures::{bounded_slowdown, distribution, hours, ratio, seconds, thousandths_of, units};
use super::guess::Format;
use super::input::Input;
use super::inspection::{
    Inspection, OfferedLoad, PartStatistics, QuotaChange, QuotaStatistics, RecordedStatistics,
    RepairStatistics, SourceStatistics,
};
use super::interner::Interner;
use super::model::{CPU, GPU, Source, TraceShape};
use super::reader::{self, Sink, TraceOptions};
use super::row::{Facts, Status, TraceRow};
use super::shapes::ShapeTable;
use super::sketch::Sketch;

/// What to compare the trace with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Milli-GPU in all pools together.
    pub gpu_milli: u64,
    /// Milli-CPU in all pools together.
    pub cpu_milli: u64,
}

impl Capacity {
    /// The load of what is asked for, all pools together, which have this capacity all the time.
    fn load(self, demand: &Demand<'_>) -> OfferedLoad {
        let span_ms = demand.submissions.map_or(0, |(first, last)| last.abs_diff(first));
        let of = |work: u128, milli: u64| ratio(work, u128::from(milli) * u128::from(span_ms));
        OfferedLoad {
            gpu: of(demand.gpu, self.gpu_milli),
            cpu: of(demand.cpu, self.cpu_milli),
            pools: BTreeMap::new(),
        }
    }
}

/// What the jobs of a trace ask for in all.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// What jobs ask.
    pub shapes: &'a [TraceShape],
    /// Priority classes by the number that shapes have.
    pub priorities: &'a Interner,
    /// Names of the resources after GPU, CPU and memory.
    pub resources: &'a [String],
    /// Run time of all jobs of each shape, ms.
    pub run_ms: &'a [u128],
    /// The files, which say when the clock begins.
    pub sources: &'a [Source],
    /// First and last submission, ms.
    pub submissions: Option<(i64, i64)>,
    /// Milli-GPU × ms.
    pub gpu: u128,
    /// Milli-CPU × ms.
    pub cpu: u128,
}

/// Reads the inputs and counts.
///
/// Files that do not say enough to be run may be inspected; what they lack is in the warnings.
///
/// # Errors
///
/// As [`Trace::load`](super::Trace::load).
pub fn inspect(
    inputs: &[Input],
    options: &TraceOptions,
    capacity: Option<Capacity>,
) -> Result<Inspection, TraceError> {
    let load = capacity.map(|capacity| move |demand: &Demand<'_>| capacity.load(demand));
    inspect_against(inputs, options, load.as_ref().map(|load| load as _))
}

/// The same with the load that `load` makes of what is asked for.
///
/// # Errors
///
/// As [`inspect`].
pub fn inspect_against(
    inputs: &[Input],
    options: &TraceOptions,
    load: Option<&dyn Fn(&Demand<'_>) -> OfferedLoad>,
) -> Result<Inspection, TraceError> {
    let options = TraceOptions { partial: true, ..options.clone() };
    let mut counter = Counter { run_by_shape: load.map(|_| Vec::new()), ..Counter::default() };
    let mut reading = reader::read(inputs, &options, &mut counter)?;
    if counter.disordered {
        let standard_input = inputs.iter().any(|input| input.path.as_os_str() == "-");
        if standard_input {
            counter.interarrival = None;
            reading.warnings.push(
                "the times between submissions of an unsorted source need a file that can be read twice"
                    .into(),
            );
        } else {
            let mut submits = Submits::default();
            reader::read(inputs, &options, &mut submits)?;
            counter.interarrival = Some(submits.interarrival());
        }
    }
    Ok(counter.finish(reading, load))
}

/// Submit times of an unsorted source.
#[derive(Debug, Default)]
struct Submits(Vec<i64>);

impl Sink for Submits {
    fn job(&mut self, _: &TraceRow, checked: &Checked, _: &ShapeTable, facts: &Facts) {
        if !facts.missing.submit {
            self.0.push(checked.submit_ms);
        }
    }

    fn keeps_shapes(&self) -> bool {
        false
    }
}

impl Submits {
    fn interarrival(mut self) -> Sketch {
        self.0.sort_unstable();
        let mut sketch = Sketch::default();
        for pair in self.0.windows(2) {
            sketch.add(pair[1].abs_diff(pair[0]));
        }
        sketch
    }
}

/// Jobs and requested time, in milli-units x ms.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    jobs: u64,
    gpu: u128,
    cpu: u128,
}

impl Sum {
    /// Adds the jobs and times of another. `check` bounds what a job asks by 2^60 and all times together by 2^63.
    fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.gpu += other.gpu;
        self.cpu += other.cpu;
    }
}

/// Sums by name: of teams, partitions or queues.
#[derive(Debug, Default)]
struct Parts {
    names: Interner,
    sums: Vec<Sum>,
}

impl Parts {
    fn add(&mut self, name: &str, sum: Sum) {
        let index = self.names.intern(name) as usize;
        if self.sums.len() <= index {
            self.sums.resize(index + 1, Sum::default());
        }
        self.sums[index].add(sum);
    }

    /// By GPU-hours, then core-hours, most first.
    fn statistics(&self, known: Known) -> Vec<PartStatistics> {
        let mut order: Vec<(usize, &Sum)> = self.sums.iter().enumerate().collect();
        order.sort_by_key(|(index, sum)| (Reverse(sum.gpu), Reverse(sum.cpu), *index));
        let statistics = |(index, sum): (usize, &Sum)| PartStatistics {
            name: self.names.text(u32::try_from(index).unwrap_or(u32::MAX)).to_owned(),
            jobs: sum.jobs,
            gpu_hours: known.gpu_hours(sum),
            core_hours: known.core_hours(sum),
        };
        order.into_iter().map(statistics).collect()
    }

    /// How many there are, unless there is none.
    fn count(&self) -> Option<u64> {
        (!self.names.is_empty()).then_some(self.names.len() as u64)
    }
}

/// Whether the source says what sums are of; not a number stands for one that nobody knows.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// What jobs ask for and for how long.
    hours: bool,
    cpus: bool,
}

impl Known {
    fn gpu_hours(self, sum: &Sum) -> f64 {
        if self.hours { hours(sum.gpu) } else { f64::NAN }
    }

    fn core_hours(self, sum: &Sum) -> f64 {
        if self.hours && self.cpus { hours(sum.cpu) } else { f64::NAN }
    }
}

/// A recorded run that may reach past the last submission: (end, start, gpu, cpu).
type Run = Reverse<(i64, i64, u64, u64)>;

/// What is counted of a shape: its first alternative, which is the best.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Milli-units over all workers.
    gpu: u64,
    cpu: u64,
    /// Number of the accelerator type in [`Counter::types`].
    accelerator: u32,
    constrained: bool,
}

#[derive(Debug)]
struct Counter {
    jobs: u64,
    teams: Parts,
    partitions: Parts,
    queues: Parts,
    users: Interner,
    /// What jobs of each shape count as, as long as their numbers mean the same.
    kinds: Vec<Kind>,
    forgotten: u64,
    types: Interner,
    gpu_by_type: Vec<u128>,
    constrained_jobs: u64,
    /// Run times by shape, ms, where somebody wants to know what they ask for.
    run_by_shape: Option<Vec<u128>>,
    first_ms: i64,
    last_ms: i64,
    previous_ms: Option<i64>,
    disordered: bool,
    gpu_size: Sketch,
    cpu_size: Sketch,
    run: Sketch,
    interarrival: Option<Sketch>,
    wait: Sketch,
    slowdown: Sketch,
    slowdown_sum: f64,
    hours: [u64; 24],
    weekdays: [u64; 7],
    calendar: bool,
    status: [u64; 4],
    /// Recorded runs that end after the latest submission so far.
    running: BinaryHeap<Run>,
    /// Recorded use of those that ended before, milli-units x ms: (gpu, cpu).
    used: (u128, u128),
    max_processors: Option<u64>,
    /// A source says what jobs ask for.
    asked: bool,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            jobs: 0,
            teams: Parts::default(),
            partitions: Parts::default(),
            queues: Parts::default(),
            users: Interner::default(),
            kinds: Vec::new(),
            forgotten: 0,
            types: Interner::default(),
            gpu_by_type: Vec::new(),
            constrained_jobs: 0,
            run_by_shape: None,
            first_ms: i64::MAX,
            last_ms: i64::MIN,
            previous_ms: None,
            disordered: false,
            gpu_size: Sketch::default(),
            cpu_size: Sketch::default(),
            run: Sketch::default(),
            interarrival: Some(Sketch::default()),
            wait: Sketch::default(),
            slowdown: Sketch::default(),
            slowdown_sum: 0.0,
            hours: [0; 24],
            weekdays: [0; 7],
            calendar: false,
            status: [0; 4],
            running: BinaryHeap::new(),
            used: (0, 0),
            max_processors: None,
            asked: false,
        }
    }
}

impl Sink for Counter {
    fn job(&mut self, row: &TraceRow, checked: &Checked, shapes: &ShapeTable, facts: &Facts) {
        self.max_processors = facts.max_processors.or(self.max_processors);
        let Kind { gpu, cpu, accelerator, constrained } = self.kind(checked.shape, shapes);
        let run_ms = u128::from(checked.run_ms);
        let sum = Sum { jobs: 1, gpu: u128::from(gpu) * run_ms, cpu: u128::from(cpu) * run_ms };
        self.teams.add(&row.team, sum);
        for (parts, name) in [(&mut self.partitions, &row.partition), (&mut self.queues, &row.queue)] {
            if !name.is_empty() {
                parts.add(name, sum);
            }
        }
        if !row.user.is_empty() {
            self.users.intern(&row.user);
        }
        self.gpu_by_type[accelerator as usize] += sum.gpu;
        self.constrained_jobs += u64::from(constrained);
        if let Some(by_shape) = &mut self.run_by_shape {
            by_shape.resize(shapes.shapes.len(), 0);
            by_shape[checked.shape as usize] += run_ms;
        }
        if gpu > 0 {
            self.gpu_size.add(gpu);
        }
        if cpu > 0 {
            self.cpu_size.add(cpu);
        }
        self.jobs += 1;
        self.asked |= !facts.missing.request;
        self.status[row.status as usize] += 1;
        if !facts.missing.run {
            self.run.add(checked.run_ms);
        }
        if !facts.missing.submit {
            self.arrival(checked.submit_ms, facts);
        }
        self.record(checked, gpu, cpu);
    }

    fn keeps_shapes(&self) -> bool {
        self.run_by_shape.is_some()
    }
}

impl Counter {
    /// What a job of this shape counts as; worked out once for each.
    fn kind(&mut self, shape: u32, shapes: &ShapeTable) -> Kind {
        if self.forgotten != shapes.forgotten() {
            self.forgotten = shapes.forgotten();
            self.kinds.clear();
        }
        for shape in shapes.shapes.get(self.kinds.len()..).unwrap_or_default() {
            let first = &shape.alternatives[0];
            let accelerator = self.types.intern(first.accelerator.as_deref().unwrap_or("any"));
            self.gpu_by_type.resize(self.types.len(), 0);
            let (gpu, cpu, constrained) = (first.total(GPU), first.total(CPU), first.accelerator.is_some());
            self.kinds.push(Kind { gpu, cpu, accelerator, constrained });
        }
        self.kinds[shape as usize]
    }

    fn arrival(&mut self, submit_ms: i64, facts: &Facts) {
        self.first_ms = self.first_ms.min(submit_ms);
        self.last_ms = self.last_ms.max(submit_ms);
        if let Some(previous) = self.previous_ms {
            self.disordered |= submit_ms < previous;
            if let Some(sketch) = &mut self.interarrival {
                sketch.add(submit_ms.abs_diff(previous));
            }
        }
        self.previous_ms = Some(submit_ms);
        let clock = submit_ms.saturating_add(facts.epoch_ms.unwrap_or(0));
        let calendar = is_of_calendar(facts.epoch_ms.is_some(), clock);
        self.calendar |= calendar;
        let hour = clock.div_euclid(3_600_000);
        self.hours[usize::try_from(hour.rem_euclid(24)).unwrap_or(0)] += 1;
        self.weekdays[weekday(hour.div_euclid(24), calendar)] += 1;
    }

    fn record(&mut self, checked: &Checked, gpu: u64, cpu: u64) {
        let Some(start) = checked.start_ms else { return };
        let wait = start.abs_diff(checked.submit_ms);
        self.wait.add(wait);
        let slowdown = bounded_slowdown(wait, checked.run_ms);
        self.slowdown_sum += slowdown;
        self.slowdown.add(thousandths_of(slowdown));
        let Some(end) = checked.end_ms else { return };
        self.running.push(Reverse((end, start, gpu, cpu)));
        while let Some(&Reverse((end, start, gpu, cpu))) = self.running.peek() {
            if end > self.last_ms {
                break;
            }
            self.running.pop();
            let length = u128::from(end.abs_diff(start));
            self.used.0 += length * u128::from(gpu);
            self.used.1 += length * u128::from(cpu);
        }
    }

    fn finish(mut self, reading: Reading, load: Option<&dyn Fn(&Demand<'_>) -> OfferedLoad>) -> Inspection {
        let span_ms = if self.timed() { self.last_ms.abs_diff(self.first_ms) } else { 0 };
        // Without a job no time is unknown: there is none.
        let span_s = if self.timed() || self.jobs == 0 { seconds(span_ms) } else { f64::NAN };
        let mut total = Sum::default();
        self.teams.sums.iter().for_each(|sum| total.add(*sum));
        let mut run_ms = self.run_by_shape.take().unwrap_or_default();
        run_ms.resize(reading.shapes.shapes.len(), 0);
        let known = self.known();
        let unit = if self.gpu_size.count() > 0 { "gpu" } else { "cpu" };
        let recorded = self.recorded(&reading, unit, span_ms);
        let size = if unit == "gpu" { &self.gpu_size } else { &self.cpu_size };
        let nodes = reading.cluster.node_count();
        let gpus_by_type = reading.cluster.gpus_by_type();
        let mut repairs: BTreeMap<&'static str, u64> = BTreeMap::new();
        for source in &reading.sources {
            for (key, repair) in &source.repairs {
                *repairs.entry(key).or_default() += repair.count;
            }
        }
        let main = reading.sources.iter().find(|source| source.jobs > 0).or(reading.sources.first());
        Inspection {
            schema: "sim.inspect/1",
            format: main.map_or("native", |source| source.format.name()),
            rows: rows(&reading.sources),
            jobs: self.jobs,
            teams: self.teams.names.len() as u64,
            users: self.users.len() as u64,
            span_s,
            gpu_hours: known.gpu_hours(&total),
            core_hours: known.core_hours(&total),
            quantiles: "sketch, off by at most 0.4 %",
            size_unit: unit,
            size: distribution(size),
            run_s: (self.run.count() > 0 || self.jobs == 0).then(|| distribution(&self.run)),
            interarrival_s: match &self.interarrival {
                Some(sketch) if self.timed() || self.jobs == 0 => Some(distribution(sketch)),
                _ => None,
            },
            arrivals_by_hour: self.hours,
            arrivals_by_weekday: self.weekdays,
            calendar: self.calendar,
            clock: self.clock(&reading.sources),
            recorded,
            nodes: (nodes > 0).then_some(nodes),
            gpus_by_type: gpus_by_type
                .iter()
                .map(|(name, milli)| ((*name).into(), seconds(*milli)))
                .collect(),
            quotas: reading.cluster.quotas.as_ref().map(quota_statistics),
            constrained_jobs: self.constrained_jobs,
            gpu_hours_by_type: self.by_type(),
            by_team: self.teams.statistics(known),
            partitions: self.partitions.count(),
            by_partition: self.partitions.statistics(known),
            queues: self.queues.count(),
            by_queue: self.queues.statistics(known),
            offered_load: load.map(|load| load(&self.demand(&reading, total, &run_ms))),
            status: self.outcomes(),
            repairs,
            sources: reading.sources.iter().map(source_statistics).collect(),
            warnings: reading.warnings,
        }
    }

    fn demand<'a>(&'a self, reading: &'a Reading, total: Sum, run_ms: &'a [u128]) -> Demand<'a> {
        Demand {
            sources: &reading.sources,
            shapes: &reading.shapes.shapes,
            priorities: &reading.shapes.priorities,
            resources: reading.shapes.resources.names(),
            run_ms,
            submissions: self.timed().then_some((self.first_ms, self.last_ms)),
            gpu: total.gpu,
            cpu: total.cpu,
        }
    }

    /// Whether any job has a submit time.
    fn timed(&self) -> bool {
        self.first_ms <= self.last_ms
    }

    /// Whose hours and weekdays are counted.
    fn clock(&self, sources: &[Source]) -> String {
        let mut offsets: Vec<Option<i64>> =
            sources.iter().filter(|source| source.jobs > 0).map(|source| source.offset_s).collect();
        offsets.dedup();
        match offsets[..] {
            [Some(offset_s)] => super::time::clock_name(offset_s),
            [_, _, ..] => "each file's own clock".to_owned(),
            _ if self.calendar => "UTC, or as written".to_owned(),
            _ => "the trace's own clock".to_owned(),
        }
    }

    /// A source of GPUs may have no word for CPUs; one without GPUs has none.
    fn known(&self) -> Known {
        let none = self.jobs == 0;
        Known {
            hours: (self.run.count() > 0 && self.asked) || none,
            cpus: self.cpu_size.count() > 0 || self.gpu_size.count() == 0,
        }
    }

    fn outcomes(&self) -> BTreeMap<&'static str, u64> {
        let all = [Status::Unspecified, Status::Completed, Status::Failed, Status::Cancelled];
        let name = |status: Status| match status.as_str() {
            "" => "unspecified",
            name => name,
        };
        let counts = all.into_iter().map(|status| (name(status), self.status[status as usize]));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn recorded(&mut self, reading: &Reading, unit: &str, span_ms: u64) -> Option<RecordedStatistics> {
        if self.wait.count() == 0 {
            return None;
        }
        // Jobs that end after the last submission count up to it; others are left where the rows after them tell no start.
        for Reverse((end, start, gpu, cpu)) in std::mem::take(&mut self.running) {
            let length = u128::try_from(end.min(self.last_ms).saturating_sub(start)).unwrap_or(0);
            self.used.0 += length * u128::from(gpu);
            self.used.1 += length * u128::from(cpu);
        }
        let gpu = unit == "gpu";
        let used = if gpu { self.used.0 } else { self.used.1 };
        let nodes = reading.cluster.nodes.iter();
        let amount = |make: &NodeMake| u128::from(if gpu { make.gpu_milli } else { make.cpu_milli });
        let of_nodes: u128 = nodes.map(|(make, count)| amount(make) * u128::from(*count)).sum();
        let processors = if gpu { None } else { self.max_processors.map(|count| u128::from(count) * 1000) };
        let capacity = processors.or((of_nodes > 0).then_some(of_nodes));
        let quotas = reading.cluster.quotas.as_ref().filter(|_| gpu && of_nodes == 0);
        // What there was over the span: of quotas, each for as long as it was there.
        let available = match quotas {
            Some(quotas) => Some(quotas.milli_gpu_ms(self.first_ms, self.last_ms)),
            None => capacity.and_then(|capacity| capacity.checked_mul(u128::from(span_ms))),
        };
        let mean =
            available.filter(|_| quotas.is_some()).and_then(|sum| sum.checked_div(u128::from(span_ms)));
        let mut bounded_slowdown = distribution(&self.slowdown);
        #[expect(clippy::cast_precision_loss, reason = "a count of rows is far below 2^53")]
        let count = self.slowdown.count() as f64;
        bounded_slowdown.mean = Some(self.slowdown_sum / count);
        Some(RecordedStatistics {
            wait_s: distribution(&self.wait),
            bounded_slowdown,
            utilization: available.and_then(|available| ratio(used, available)),
            capacity: capacity.or(mean).map(units),
        })
    }

    fn by_type(&self) -> BTreeMap<String, f64> {
        let sums = self.types.iter().zip(&self.gpu_by_type).filter(|(_, sum)| **sum > 0);
        sums.map(|(name, sum)| (name.to_owned(), hours(*sum))).collect()
    }
}

/// Records of the files that hold jobs; where none does, of all.
fn rows(sources: &[Source]) -> u64 {
    // A table of tasks beside that of its jobs has no jobs of its own.
    let pai = sources.iter().any(|source| source.format == Format::PaiJobs);
    let holds = |source: &&Source| source.format.holds_jobs() && !(pai && source.format == Format::PaiTasks);
    let all = !sources.iter().any(|source| holds(&source));
    sources.iter().filter(|source| all || holds(source)).map(|source| source.rows).sum()
}

fn quota_statistics(series: &QuotaSeries) -> QuotaStatistics {
    let total = |day: Option<&(i64, Vec<u64>)>| day.map_or(0, |(_, gpus)| gpus.iter().sum());
    let change = |(from_ms, gpus): (i64, u64)| QuotaChange { from_s: from_ms / 1000, gpus };
    let changes = |team: usize| series.changes(team).into_iter().map(change).collect();
    QuotaStatistics {
        days: series.days.len() as u64,
        first_gpus: total(series.days.first()),
        last_gpus: total(series.days.last()),
        teams: series.teams.iter().cloned().enumerate().map(|(at, name)| (name, changes(at))).collect(),
    }
}

fn source_statistics(source: &Source) -> SourceStatistics {
    let repairs = source.repairs.iter().map(|(key, repair)| {
        let statistics = RepairStatistics {
            count: repair.count,
            first_lines: repair.first_lines.clone(),
            reason: repair.text,
        };
        (*key, statistics)
    });
    SourceStatistics {
        path: source.path.clone(),
        format: source.format.name(),
        guessed: source.guessed,
        digest: source.digest.clone(),
        rows: source.rows,
        jobs: source.jobs,
        repairs: repairs.collect(),
    }
}
