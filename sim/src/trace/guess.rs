//! Which format a file has, told from its first bytes.
//!
//! Absent on purpose: file names. What a file is called does not decide how it is read.

/// A format of a trace or of a file that belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Format {
    /// The project's own CSV.
    #[default]
    Native,
    /// Standard Workload Format of the Parallel Workloads Archive.
    Swf,
    /// Reduced list of the Philly trace: timestamp, duration, `num_gpus`, `gpu_time`, cluster.
    PhillyList,
    /// Full job log of the Philly trace (JSON).
    PhillyLog,
    /// Machine list of the Philly trace.
    PhillyMachines,
    /// Job log of Helios.
    Helios,
    /// Daily GPU quotas of Helios.
    HeliosQuotas,
    /// Job logs of Acme: Seren and Kalos.
    Acme,
    /// Pod list of openb.
    OpenbPods,
    /// Node list of openb.
    OpenbNodes,
    /// Job table of PAI.
    PaiJobs,
    /// Task table of PAI.
    PaiTasks,
    /// Machine table of PAI.
    PaiMachines,
    /// Job list of Gavel.
    Gavel,
    /// Throughput table of Gavel.
    GavelThroughputs,
    /// `sacct -P`.
    Sacct,
    /// Kueue Workloads and nodes as kubectl prints them (JSON or YAML).
    Kueue,
    /// Job records of `SkyPilot` (JSON).
    SkyPilot,
    /// Task files of `SkyPilot` (YAML).
    SkyPilotTask,
    /// Parquet with the native columns.
    Parquet,
    /// Tasks of `OpenDC` in Parquet.
    OpenDc,
}

/// Every format with the word that names it.
const NAMES: &[(Format, &str)] = &[
    (Format::Native, "native"),
    (Format::Swf, "swf"),
    (Format::PhillyList, "philly-list"),
    (Format::PhillyLog, "philly-log"),
    (Format::PhillyMachines, "philly-machines"),
    (Format::Helios, "helios"),
    (Format::HeliosQuotas, "helios-quotas"),
    (Format::Acme, "acme"),
    (Format::OpenbPods, "openb"),
    (Format::OpenbNodes, "openb-nodes"),
    (Format::PaiJobs, "pai"),
    (Format::PaiTasks, "pai-tasks"),
    (Format::PaiMachines, "pai-machines"),
    (Format::Gavel, "gavel"),
    (Format::GavelThroughputs, "gavel-throughputs"),
    (Format::Sacct, "sacct"),
    (Format::Kueue, "kueue"),
    (Format::SkyPilot, "skypilot"),
    (Format::SkyPilotTask, "skypilot-task"),
    (Format::Parquet, "parquet"),
    (Format::OpenDc, "opendc"),
];

impl Format {
    /// The word that names the format on the command line and in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(format, _)| *format == self).map_or("native", |(_, name)| name)
    }

    /// The format with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(format, _)| *format)
    }

    /// Whether files of the format are lists of jobs, rather than of machines, quotas or rates.
    #[must_use]
    pub fn holds_jobs(self) -> bool {
        !matches!(
            self,
            Self::HeliosQuotas
                | Self::OpenbNodes
                | Self::PaiMachines
                | Self::PhillyMachines
                | Self::GavelThroughputs
        )
    }

    /// All names, for help and hints.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        NAMES.iter().map(|(_, name)| *name).collect()
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Columns that tell a native file; two of them are enough, so that a missing one can be named.
const NATIVE_COLUMNS: [&str; 6] = ["job_id", "submit_s", "run_s", "team", "time_limit_s", "cost_owner"];

/// Headers that tell a format: all of these columns stand in it.
const HEADERS: &[(Format, &[&str])] = &[
    (Format::PhillyList, &["timestamp", "duration", "num_gpus"]),
    (Format::Helios, &["job_id", "vc", "gpu_num", "submit_time"]),
    (Format::Acme, &["job_id", "gpu_num", "type", "submit_time"]),
    (Format::HeliosQuotas, &["date", "total"]),
    (Format::OpenbNodes, &["sn", "cpu_milli", "gpu", "model"]),
    (Format::OpenbPods, &["name", "cpu_milli", "num_gpu", "gpu_milli"]),
    (Format::PaiTasks, &["job_name", "task_name", "inst_num", "plan_gpu"]),
    (Format::PaiJobs, &["job_name", "inst_id", "user", "status", "start_time"]),
    (Format::PaiMachines, &["machine", "gpu_type", "cap_gpu"]),
    (Format::PhillyMachines, &["machineId", "number of GPUs"]),
];

/// The format of a file that begins with `head` (decompressed), if it can be told.
pub(crate) fn guess(head: &[u8]) -> Option<Format> {
    if head.starts_with(b"PAR1") {
        return Some(Format::Parquet);
    }
    // Lines without anything on them may stand before the first one.
    let mut lines = head.split(|&byte| byte == b'\n');
    let first = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    if first.starts_with(b";") {
        return Some(Format::Swf);
    }
    // Bytes that are no text are told with their place by the format that the rest of the line looks like.
    let text = String::from_utf8_lossy(first.strip_suffix(b"\r").unwrap_or(first));
    if head.trim_ascii_start().starts_with(b"{") || head.trim_ascii_start().starts_with(b"[") {
        return guess_json(head);
    }
    guess_table(&text).or_else(|| guess_yaml(head))
}

fn guess_json(head: &[u8]) -> Option<Format> {
    let text = String::from_utf8_lossy(head);
    let has = |key: &str| text.contains(&format!("\"{key}\""));
    if has("apiVersion") || has("kind") {
        Some(Format::Kueue)
    } else if has("jobid") && has("vc") {
        Some(Format::PhillyLog)
    } else if has("job_id") && (has("submitted_at") || has("job_duration")) {
        Some(Format::SkyPilot)
    } else {
        has("null").then_some(Format::GavelThroughputs)
    }
}

/// Tells YAML by its keys at the beginning of a line.
fn guess_yaml(head: &[u8]) -> Option<Format> {
    let text = String::from_utf8_lossy(head);
    let has = |keys: &[&str]| text.lines().any(|line| keys.iter().any(|key| line.starts_with(key)));
    if has(&["apiVersion:"]) {
        Some(Format::Kueue)
    } else {
        has(&["resources:", "num_nodes:"]).then_some(Format::SkyPilotTask)
    }
}

/// Tells a table by its first line: a header, or the kinds of its fields.
fn guess_table(text: &str) -> Option<Format> {
    let columns: Vec<&str> = text.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let has = |names: &[&str]| names.iter().all(|name| columns.contains(name));
    if let Some((format, _)) = HEADERS.iter().find(|(_, names)| has(names)) {
        return Some(*format);
    }
    if NATIVE_COLUMNS.iter().filter(|name| columns.contains(name)).count() >= 2 {
        return Some(Format::Native);
    }
    let pipes: Vec<String> = text.split('|').map(str::to_ascii_lowercase).collect();
    if pipes.iter().any(|name| name.starts_with("jobid")) && pipes.len() > 2 {
        return Some(Format::Sacct);
    }
    let number = |field: &str| field.trim().parse::<f64>().is_ok();
    let tabs: Vec<&str> = text.split('\t').collect();
    if matches!(tabs.len(), 7 | 10) && number(tabs[tabs.len() - 1]) && number(tabs[5]) {
        return Some(Format::Gavel);
    }
    let status = |field: &str| matches!(field, "Terminated" | "Failed" | "Running" | "Waiting");
    match columns[..] {
        [_, _, _, state, _, _] if status(state) => return Some(Format::PaiJobs),
        [_, _, _, state, _, _, _, _, _, _] if status(state) => return Some(Format::PaiTasks),
        [_, _, cpu, memory, gpu] if number(cpu) && number(memory) && number(gpu) => {
            return Some(Format::PaiMachines);
        }
        _ => {}
    }
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    (fields.len() >= 18 && fields.iter().take(18).all(|field| number(field))).then_some(Format::Swf)
}
