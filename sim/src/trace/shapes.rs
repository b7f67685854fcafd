//! Requests by number: jobs that ask the same share one shape.
//!
//! Also reads the native syntax of alternatives, which every adapter writes. Absent on purpose: which pools exist.

use std::sync::Arc;

use super::error::{Fault, quoted};
use super::format::MAX_AMOUNT;
use super::interner::{ByteInterner, Interner, ResourceNames};
use super::model::{CPU, FIRST_OTHER, GPU, MEMORY, TraceAlternative, TraceShape};
use super::number;
use super::row::TraceRow;

/// All shapes seen so far, and the priority classes and resources that they name.
#[derive(Debug)]
pub(crate) struct ShapeTable {
    pub(crate) shapes: Vec<TraceShape>,
    pub(crate) priorities: Interner,
    pub(crate) resources: ResourceNames,
    /// The row's fields as written, to the shape: the usual way, without parsing.
    written: ByteInterner,
    written_shape: Vec<u32>,
    /// The shape in one spelling: `H200` and `H200:1` are one.
    canonical: ByteInterner,
    key: Vec<u8>,
    /// What the last row without further resources asked, and its shape: rows that follow each other mostly ask the same.
    last: Option<(Asked, u32)>,
    /// Old shapes are forgotten, so that rows which all ask for something else need no more memory than others.
    forgets: bool,
    forgotten: u64,
    /// About how many bytes the shapes take.
    bytes: usize,
}

/// What a row without further resources asks, as it is written.
#[derive(Debug, Default)]
struct Asked {
    amounts: [i64; 3],
    workers: Option<i64>,
    preemptible: Option<bool>,
    dev: bool,
    texts: [String; 4],
}

impl Asked {
    fn texts(row: &TraceRow) -> [&str; 4] {
        [&row.priority, &row.accelerators, &row.pools, &row.datasets]
    }

    fn amounts(row: &TraceRow) -> [i64; 3] {
        [row.gpu_milli, row.cpu_milli, row.memory_bytes]
    }

    fn is_of(&self, row: &TraceRow) -> bool {
        let Self { amounts, workers, preemptible, dev, texts } = self;
        let same_text =
            |(own, its): (&String, &str)| own.len() == its.len() && (own.is_empty() || own == its);
        *amounts == Self::amounts(row)
            && (*workers, *preemptible, *dev) == (row.workers, row.preemptible, row.dev)
            && row.others.is_empty()
            && texts.iter().zip(Self::texts(row)).all(same_text)
    }

    /// In the memory of what was asked before.
    fn note(&mut self, row: &TraceRow) {
        let TraceRow { workers, preemptible, dev, .. } = *row;
        (self.amounts, self.workers, self.preemptible, self.dev) =
            (Self::amounts(row), workers, preemptible, dev);
        for (own, its) in self.texts.iter_mut().zip(Self::texts(row)) {
            own.clear();
            own.push_str(its);
        }
    }
}

/// How many ways to write a request are remembered where the old ones are forgotten, and of how many bytes.
const REMEMBERED: usize = 4096;
const REMEMBERED_BYTES: usize = 32 << 20;

/// A job may have so many alternatives, and so many pools.
const MAX_ALTERNATIVES: usize = 64;
const MAX_POOLS: usize = 1000;

impl Default for ShapeTable {
    fn default() -> Self {
        let mut priorities = Interner::default();
        priorities.intern("");
        Self {
            shapes: Vec::new(),
            priorities,
            resources: ResourceNames::default(),
            written: ByteInterner::default(),
            written_shape: Vec::new(),
            canonical: ByteInterner::default(),
            key: Vec::new(),
            last: None,
            forgets: false,
            forgotten: 0,
            bytes: 0,
        }
    }
}

impl ShapeTable {
    /// From now on, all shapes are forgotten whenever there are many: a number is only that of the last row's shape.
    pub(crate) fn forget_old(&mut self) {
        self.forgets = true;
    }

    /// How often all shapes were forgotten: as long as this stays, numbers mean what they meant.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn forget(&mut self) {
        let resources = std::mem::take(&mut self.resources);
        *self = Self { resources, forgets: true, forgotten: self.forgotten + 1, ..Self::default() };
    }

    /// The number of the row's shape.
    pub(crate) fn intern(&mut self, row: &TraceRow, resources: &[String]) -> Result<u32, Fault> {
        if self.forgets && (self.written_shape.len() >= REMEMBERED || self.bytes >= REMEMBERED_BYTES) {
            self.forget();
        }
        if let Some((asked, shape)) = &self.last
            && asked.is_of(row)
        {
            return Ok(*shape);
        }
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        self.write_key(row, resources, &mut key)?;
        let known = self.written.find(&key).map(|id| self.written_shape[id as usize]);
        let shape = match known {
            Some(shape) => shape,
            None => self.add(row, resources, &key)?,
        };
        self.key = key;
        if row.others.is_empty() {
            let (mut asked, _) = self.last.take().unwrap_or_default();
            asked.note(row);
            self.last = Some((asked, shape));
        }
        Ok(shape)
    }

    /// Whether a worker of this shape asks for nothing, whatever the alternative.
    pub(crate) fn is_empty_request(&self, shape: u32) -> bool {
        self.shapes[shape as usize].alternatives.iter().all(|alternative| alternative.amounts.is_empty())
    }

    fn write_key(&mut self, row: &TraceRow, resources: &[String], key: &mut Vec<u8>) -> Result<(), Fault> {
        let flags = match row.preemptible {
            None => 0_u8,
            Some(false) => 1,
            Some(true) => 2,
        } | (u8::from(row.dev) << 2);
        let priority = if row.priority.is_empty() { 0 } else { self.priorities.intern(&row.priority) };
        // What every row has is put together first: one copy instead of seven.
        let mut fixed = [0; 45];
        fixed[0] = flags;
        let amounts = [row.workers.unwrap_or(1), row.gpu_milli, row.cpu_milli, row.memory_bytes];
        for (part, value) in fixed[1..33].chunks_exact_mut(8).zip(amounts) {
            part.copy_from_slice(&value.to_le_bytes());
        }
        fixed[33..37].copy_from_slice(&priority.to_le_bytes());
        fixed[37..].copy_from_slice(&(row.others.len() as u64).to_le_bytes());
        key.extend_from_slice(&fixed);
        for &(position, amount) in &row.others {
            key.extend_from_slice(&self.resource(row, resources, position)?.to_le_bytes());
            key.extend_from_slice(&amount.to_le_bytes());
        }
        // This byte never stands in UTF-8, so the key is unambiguous.
        key.push(0xff);
        key.extend_from_slice(row.accelerators.as_bytes());
        key.push(0xff);
        key.extend_from_slice(row.pools.as_bytes());
        key.push(0xff);
        key.extend_from_slice(row.datasets.as_bytes());
        Ok(())
    }

    /// Index of a further resource by its position in the source's list.
    fn resource(&mut self, row: &TraceRow, resources: &[String], position: u32) -> Result<usize, Fault> {
        let name = resources.get(position as usize).map_or("", String::as_str);
        let number = self
            .resources
            .number(name)
            .ok_or_else(|| Fault::unreadable(row.line, ResourceNames::EXPECTED, quoted(name.as_bytes())))?;
        Ok(FIRST_OTHER + number)
    }

    fn add(&mut self, row: &TraceRow, resources: &[String], key: &[u8]) -> Result<u32, Fault> {
        let shape = TraceShape {
            alternatives: self.alternatives(row, resources)?,
            priority: self.priorities.intern(&row.priority),
            preemptible: row.preemptible,
            dev: row.dev,
            datasets: list(&row.datasets),
        };
        // What is soon forgotten need not be one with what is written in another way.
        let (number, new) = if self.forgets {
            (u32::try_from(self.shapes.len()).unwrap_or(u32::MAX), true)
        } else {
            self.canonical.intern(canonical_text(&shape).as_bytes())
        };
        self.bytes += key.len();
        if new {
            self.bytes += size(&shape);
            self.shapes.push(shape);
        }
        self.written.intern(key);
        self.written_shape.push(number);
        Ok(number)
    }

    fn alternatives(&mut self, row: &TraceRow, resources: &[String]) -> Result<Vec<TraceAlternative>, Fault> {
        let pools = list(&row.pools);
        if pools.len() > MAX_POOLS {
            return Err(too_long(row, MAX_POOLS, "pools", pools.len()));
        }
        // One list for all: else each alternative would cost as much as all pools together.
        let pools: Arc<[String]> = if pools.is_empty() { Arc::default() } else { pools.into() };
        let workers = worker_count(row.workers.unwrap_or(1)).ok_or_else(|| too_many(row))?;
        let mut others = Vec::new();
        for &(position, amount) in &row.others {
            others.push((self.resource(row, resources, position)?, amount.unsigned_abs()));
        }
        let build = |accelerator: Option<String>, workers: u32, gpu: i64, speed_milli: u32| {
            let mut amounts = Vec::with_capacity(3 + others.len());
            amounts.push((GPU, gpu.unsigned_abs()));
            amounts.push((CPU, row.cpu_milli.unsigned_abs()));
            amounts.push((MEMORY, row.memory_bytes.unsigned_abs()));
            amounts.extend(others.iter().copied());
            amounts.retain(|(_, amount)| *amount > 0);
            amounts.sort_unstable();
            let fits = amounts.iter().all(|(_, amount)| is_total(workers, *amount));
            let pools = Arc::clone(&pools);
            fits.then_some(TraceAlternative { accelerator, pools, workers, amounts, speed_milli })
                .ok_or_else(|| too_many(row))
        };
        let mut alternatives = Vec::new();
        let written = parts(&row.accelerators);
        let count = written.clone().count();
        if count > MAX_ALTERNATIVES {
            return Err(too_long(row, MAX_ALTERNATIVES, "accelerators", count));
        }
        for text in written {
            let (accelerator, form, speed_milli) = parse_alternative(text).ok_or_else(|| {
                let expected = "alternatives like `H200`, `H200:1|A100:0.5` or `H200*1x8:1|A100*2x8:0.5`";
                Fault::unreadable(row.line, expected, quoted(text.as_bytes())).column("accelerators")
            })?;
            // Speed zero means that the job cannot run there.
            if speed_milli > 0 {
                let (workers, gpu) = form.unwrap_or((workers, row.gpu_milli));
                alternatives.push(build(Some(accelerator.to_owned()), workers, gpu, speed_milli)?);
            }
        }
        if row.accelerators.is_empty() {
            alternatives.push(build(None, workers, row.gpu_milli, 1000)?);
        } else if alternatives.is_empty() {
            return Err(Fault::unreadable(
                row.line,
                "an alternative with a speed above zero",
                quoted(row.accelerators.as_bytes()),
            )
            .column("accelerators"));
        }
        Ok(alternatives)
    }
}

fn too_long(row: &TraceRow, most: usize, column: &str, found: usize) -> Fault {
    Fault::unreadable(row.line, format!("at most {most} {column}"), found.to_string()).column(column)
}

/// About how many bytes a shape takes.
fn size(shape: &TraceShape) -> usize {
    let texts = |texts: &[String]| texts.iter().map(|text| text.len() + 32).sum::<usize>();
    let pools = shape.alternatives.first().map_or(0, |first| texts(&first.pools));
    let alternatives = shape.alternatives.iter().map(|one| 128 + one.amounts.len() * 16);
    128 + texts(&shape.datasets) + pools + alternatives.sum::<usize>()
}

fn too_many(row: &TraceRow) -> Fault {
    Fault::unreadable(
        row.line,
        "workers and amounts within the range of this program",
        format!("{} workers", row.workers.unwrap_or(1)),
    )
}

/// Whether a job may ask for so much of each of so many workers: thousandths, of memory bytes.
pub(crate) fn is_countable(workers: i64, mut amounts: impl Iterator<Item = u64>) -> bool {
    let counted = |workers| amounts.all(|each| each <= MAX_AMOUNT.unsigned_abs() && is_total(workers, each));
    worker_count(workers).is_some_and(counted)
}

/// Whether so much of each of so many workers can be counted.
fn is_total(workers: u32, amount: u64) -> bool {
    amount.checked_mul(u64::from(workers)).is_some_and(|total| total <= 1 << 60)
}

/// Gangs beyond ten million workers are no gangs.
fn worker_count(workers: i64) -> Option<u32> {
    u32::try_from(workers).ok().filter(|&workers| (1..=10_000_000).contains(&workers))
}

/// The parts of a `|`-separated list.
fn parts(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split('|').map(str::trim).filter(|part| !part.is_empty())
}

/// The same as texts of their own.
pub(crate) fn list(text: &str) -> Vec<String> {
    parts(text).map(str::to_owned).collect()
}

/// Workers and milli-GPU per worker of one alternative.
type Form = Option<(u32, i64)>;

/// `NAME[*WORKERSxGPUS][:SPEED]`.
fn parse_alternative(text: &str) -> Option<(&str, Form, u32)> {
    let (rest, speed) = match text.split_once(':') {
        Some((rest, speed)) => (rest, number::scaled(speed.trim().as_bytes(), 3).ok()?),
        None => (text, 1000),
    };
    let (name, form) = match rest.split_once('*') {
        Some((name, form)) => {
            let (workers, gpus) = form.split_once('x')?;
            let workers = worker_count(number::whole(workers.trim().as_bytes()).ok()?)?;
            let gpus = number::scaled(gpus.trim().as_bytes(), 3).ok()?;
            (name, Some((workers, (1..=1 << 53).contains(&gpus).then_some(gpus)?)))
        }
        None => (rest, None),
    };
    let name = name.trim();
    (!name.is_empty()).then_some((name, form, u32::try_from(speed).ok()?))
}

/// One spelling per shape.
fn canonical_text(shape: &TraceShape) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{} {:?} {} {:?}", shape.priority, shape.preemptible, shape.dev, shape.datasets);
    for alternative in &shape.alternatives {
        let _ = write!(
            text,
            "\n{:?} {:?} {} {:?} {}",
            alternative.accelerator,
            alternative.pools,
            alternative.workers,
            alternative.amounts,
            alternative.speed_milli
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_after_another_has_a_shape_of_its_own_wherever_it_differs() {
        let one =
            || TraceRow { gpu_milli: 1_000, cpu_milli: 2_000, memory_bytes: 3_000, ..TraceRow::default() };
        let others = [
            TraceRow { gpu_milli: 2_000, ..one() },
            TraceRow { cpu_milli: 1_000, ..one() },
            TraceRow { memory_bytes: 1_000, ..one() },
            TraceRow { workers: Some(2), ..one() },
            TraceRow { preemptible: Some(false), ..one() },
            TraceRow { preemptible: Some(true), ..one() },
            TraceRow { dev: true, ..one() },
            TraceRow { priority: "high".to_owned(), ..one() },
            TraceRow { accelerators: "H200".to_owned(), ..one() },
            TraceRow { pools: "a".to_owned(), ..one() },
            TraceRow { datasets: "a".to_owned(), ..one() },
            TraceRow { others: vec![(0, 1_000)], ..one() },
            TraceRow { others: vec![(1, 1_000)], ..one() },
        ];
        let resources = ["fpga".to_owned(), "tpu".to_owned()];
        let mut shapes = ShapeTable::default();
        let first = shapes.intern(&one(), &resources).unwrap();
        assert_eq!(shapes.intern(&one(), &resources).unwrap(), first);
        for (number, other) in (1..).zip(&others) {
            assert_eq!(shapes.intern(other, &resources).unwrap(), number, "{other:?}");
            assert_eq!(shapes.intern(other, &resources).unwrap(), number, "{other:?}");
            assert_eq!(shapes.intern(&one(), &resources).unwrap(), first, "after {other:?}");
        }
        // By name, not by place.
        let swapped = ["tpu".to_owned(), "fpga".to_owned()];
        assert_eq!(
            shapes.intern(&others[12], &swapped).unwrap(),
            shapes.intern(&others[11], &resources).unwrap()
        );
    }

    #[test]
    fn large_shapes_are_forgotten_sooner() {
        let mut shapes = ShapeTable::default();
        shapes.forget_old();
        let pools: Vec<String> =
            (0..MAX_POOLS).map(|pool| format!("a-pool-with-a-long-name-{pool}")).collect();
        for cpu in 1..=2_000 {
            let row = TraceRow { cpu_milli: cpu, pools: pools.join("|"), ..TraceRow::default() };
            shapes.intern(&row, &[]).unwrap();
            let texts = |one: &TraceAlternative| one.pools.iter().map(String::len).sum::<usize>();
            let kept: usize = shapes.shapes.iter().flat_map(|shape| &shape.alternatives).map(texts).sum();
            assert!(kept < REMEMBERED_BYTES, "{kept}");
        }
        assert!(shapes.forgotten() > 0);
    }

    #[test]
    fn old_shapes_are_forgotten_where_nobody_looks_them_up() {
        let mut kept = ShapeTable::default();
        let mut short = ShapeTable::default();
        short.forget_old();
        for cpu in 1..=20_000 {
            let row =
                TraceRow { cpu_milli: cpu, priority: format!("class-{}", cpu % 3), ..TraceRow::default() };
            let own = short.intern(&row, &[]).unwrap();
            let all = kept.intern(&row, &[]).unwrap();
            let (own, all) = (&short.shapes[own as usize], &kept.shapes[all as usize]);
            assert_eq!(own.alternatives, all.alternatives);
            assert_eq!(short.priorities.text(own.priority), kept.priorities.text(all.priority));
            assert!(short.shapes.len() <= REMEMBERED, "{}", short.shapes.len());
        }
        assert_eq!((kept.shapes.len(), kept.forgotten(), short.forgotten()), (20_000, 0, 4));
    }
}
