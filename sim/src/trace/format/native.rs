//! The project's own CSV: a header of known columns in any order.
//!
//! Required: `job_id, submit_s, run_s, team`. Columns that the format does not know are ignored and named once.

use super::table::{CSV, Table};
use crate::nearest::did_you_mean;
use crate::trace::error::Fault;
use crate::trace::input::Opened;
use crate::trace::interner::Interner;
use crate::trace::row::{Reason, RowSource, Status, TraceRow};

/// What a column of the header means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    JobId,
    SubmitS,
    RunS,
    Team,
    User,
    CostOwner,
    Name,
    Priority,
    Workers,
    Gpu,
    Cpu,
    MemoryGib,
    Accelerators,
    Pools,
    Datasets,
    TimeLimitS,
    EstimateS,
    CheckpointS,
    RestartS,
    Preemptible,
    Dev,
    GpuUtilization,
    DeadlineS,
    StartS,
    EndS,
    Status,
    After,
    /// A further resource: position among them.
    Other(u32),
}

const COLUMNS: [(&str, Column); 27] = [
    ("job_id", Column::JobId),
    ("submit_s", Column::SubmitS),
    ("run_s", Column::RunS),
    ("team", Column::Team),
    ("user", Column::User),
    ("cost_owner", Column::CostOwner),
    ("name", Column::Name),
    ("priority", Column::Priority),
    ("workers", Column::Workers),
    ("gpu", Column::Gpu),
    ("cpu", Column::Cpu),
    ("memory_gib", Column::MemoryGib),
    ("accelerators", Column::Accelerators),
    ("pools", Column::Pools),
    ("datasets", Column::Datasets),
    ("time_limit_s", Column::TimeLimitS),
    ("estimate_s", Column::EstimateS),
    ("checkpoint_s", Column::CheckpointS),
    ("restart_s", Column::RestartS),
    ("preemptible", Column::Preemptible),
    ("dev", Column::Dev),
    ("gpu_utilization", Column::GpuUtilization),
    ("deadline_s", Column::DeadlineS),
    ("start_s", Column::StartS),
    ("end_s", Column::EndS),
    ("status", Column::Status),
    ("after", Column::After),
];

/// The names of all columns but further resources.
pub(crate) const NAMES: [&str; COLUMNS.len()] = {
    let mut names = [""; COLUMNS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = COLUMNS[at].0;
        at += 1;
    }
    names
};

/// Whether a column of this name is read.
#[cfg(feature = "parquet")]
pub(super) fn knows(name: &str) -> bool {
    let name = name.trim_ascii();
    NAMES.contains(&name) || name.strip_prefix("res_").is_some_and(|rest| !rest.is_empty())
}

/// Reader of the native CSV.
pub(crate) struct Native {
    table: Table,
    columns: Vec<(usize, Column)>,
    resources: Vec<String>,
    /// No column asks for anything: each worker is taken to want one GPU.
    one_gpu: bool,
    ignored: Vec<String>,
}

impl Native {
    pub(crate) fn new(opened: Opened) -> Result<Self, Fault> {
        let table = Table::with_header(opened, CSV)?;
        for name in ["job_id", "submit_s", "run_s", "team"] {
            table.require(name)?;
        }
        let mut native =
            Self { table, columns: Vec::new(), resources: Vec::new(), one_gpu: false, ignored: Vec::new() };
        let mut names = Interner::default();
        for (index, name) in native.table.header().iter().enumerate() {
            let before = names.len();
            names.intern(name);
            let new = names.len() > before;
            let known = NAMES.contains(&name.as_str()) || name.starts_with("res_");
            if known && !new {
                return Err(Fault::other(1, format!("the column `{name}` stands there twice")));
            }
            if let Some((_, column)) = COLUMNS.iter().find(|(known, _)| known == name) {
                native.columns.push((index, *column));
            } else if let Some(resource) = name.strip_prefix("res_").filter(|rest| !rest.is_empty()) {
                let position = u32::try_from(native.resources.len()).unwrap_or(u32::MAX);
                native.resources.push(resource.to_owned());
                native.columns.push((index, Column::Other(position)));
            } else if new {
                native.ignored.push(name.clone());
            }
        }
        native.one_gpu = !native.columns.iter().any(|(_, column)| {
            use Column::{Accelerators, Cpu, Gpu, MemoryGib, Other};
            matches!(column, Gpu | Cpu | MemoryGib | Accelerators | Other(_))
        });
        Ok(native)
    }

    fn fill(&self, index: usize, column: Column, row: &mut TraceRow) -> Result<(), Fault> {
        let table = &self.table;
        match column {
            Column::JobId => row.name.push_str(table.text(index)),
            Column::SubmitS => row.submit_ms = table.instant(index)?,
            Column::RunS => row.run_ms = table.seconds(index)?,
            Column::Team => row.team.push_str(table.text(index)),
            Column::User => row.user.push_str(table.text(index)),
            Column::CostOwner => row.owner.push_str(table.text(index)),
            Column::Name => row.title.push_str(table.text(index)),
            Column::Priority => row.priority.push_str(table.text(index)),
            Column::Workers => row.workers = table.whole(index, "a whole number of workers")?,
            Column::Gpu => row.gpu_milli = table.thousandths(index)?,
            Column::Cpu => row.cpu_milli = table.thousandths(index)?,
            Column::MemoryGib => row.memory_bytes = table.gibibytes(index)?,
            Column::Accelerators => row.accelerators.push_str(table.text(index)),
            Column::Pools => row.pools.push_str(table.text(index)),
            Column::Datasets => row.datasets.push_str(table.text(index)),
            Column::TimeLimitS => row.limit_ms = table.seconds(index)?,
            Column::EstimateS => row.estimate_ms = table.seconds(index)?,
            Column::CheckpointS => row.checkpoint_ms = table.seconds(index)?,
            Column::RestartS => row.restart_ms = table.seconds(index)?,
            Column::Preemptible => row.preemptible = self.flag(index)?,
            Column::Dev => row.dev = self.flag(index)?.unwrap_or(false),
            Column::GpuUtilization => {
                if !table.bytes(index).is_empty() {
                    row.gpu_utilization_milli = Some(table.thousandths(index)?);
                }
            }
            Column::DeadlineS => row.deadline_ms = table.instant(index)?,
            Column::StartS => row.start_ms = table.instant(index)?,
            Column::EndS => row.end_ms = table.instant(index)?,
            Column::Status => {
                let known = [Status::Unspecified, Status::Completed, Status::Failed, Status::Cancelled];
                let is = |status: &Status| table.text(index).eq_ignore_ascii_case(status.as_str());
                match known.into_iter().find(is) {
                    Some(status) => row.status = status,
                    None => row.reject = Some(Reason::UnknownState),
                }
            }
            Column::After => row.after.push_str(table.text(index)),
            Column::Other(position) => {
                let amount = table.thousandths(index)?;
                if amount != 0 {
                    row.others.push((position, amount));
                }
            }
        }
        Ok(())
    }

    fn flag(&self, index: usize) -> Result<Option<bool>, Fault> {
        let text = self.table.text(index);
        let is = |words: [&str; 2]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        match text {
            "" => Ok(None),
            _ if is(["true", "1"]) => Ok(Some(true)),
            _ if is(["false", "0"]) => Ok(Some(false)),
            _ => Err(self.table.fault(index, "`true` or `false`")),
        }
    }
}

impl RowSource for Native {
    fn next_row(&mut self, row: &mut TraceRow) -> Result<bool, Fault> {
        if !self.table.next()? {
            return Ok(false);
        }
        row.clear();
        row.line = self.table.line();
        for &(index, column) in &self.columns {
            self.fill(index, column, row)?;
        }
        if row.name.is_empty() {
            row.reject = Some(Reason::MissingId);
        }
        if self.one_gpu {
            row.gpu_milli = 1000;
        }
        Ok(true)
    }

    fn resources(&self) -> &[String] {
        &self.resources
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.ignored.is_empty() {
            let shown = |name: &String| {
                let known =
                    NAMES.into_iter().filter(|known| !self.table.header().iter().any(|name| name == known));
                let near = did_you_mean(name, known).map_or(String::new(), |near| format!(" ({near})"));
                if name.is_empty() { "one without a name".into() } else { format!("`{name}`{near}") }
            };
            let names = self.ignored.iter().map(shown).collect::<Vec<_>>().join(", ");
            warnings.push(format!("columns that the native format does not know are ignored: {names}"));
        }
        if self.one_gpu {
            warnings.push("no column says what a job asks for: each worker is taken to want one GPU".into());
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::NAMES;

    #[test]
    fn every_column_is_told_to_users() {
        let text = include_str!("../../../../docs/trace-formats.md");
        let text = text.split("### ").find(|part| part.starts_with("Columns of `native`")).unwrap();
        let untold: Vec<&str> =
            NAMES.into_iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
        assert_eq!(untold, Vec::<&str>::new());
    }
}
