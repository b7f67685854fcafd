//! Files: results appear under their names only when they are whole.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::csv::{self, Columns, DecisionLog};
use super::manifest::{Listed, Manifest};
#[cfg(feature = "parquet")]
use super::parquet;
use super::versus::Versus;
use crate::compare::Comparison;
use crate::digest::hex;
use crate::error::SimError;
use crate::metrics::shares::Shares;
use crate::record::Record;
use crate::setup::Setup;
use crate::summary::Summary;
use crate::trace::Trace;
use crate::whole::{PARTIAL, Target, WholeFile, write};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;

/// Every CSV of a run, what it is called as Parquet, and its columns.
const TABLES: [(&str, &str, Columns); 4] = [
    ("cost.csv", "cost.parquet", super::cost::COLUMNS),
    ("decisions.csv", "decisions.parquet", csv::DECISIONS),
    ("jobs.csv", "jobs.parquet", csv::JOBS),
    ("series.csv", "series.parquet", super::series::COLUMNS),
];

/// What else is in the folder of a run.
const OTHERS: [&str; 5] = ["summary.json", "manifest.json", "report.html", "metrics.txt", "timings.json"];

fn is_of_run(name: &str) -> bool {
    OTHERS.contains(&name) || TABLES.iter().any(|(table, packed, _)| name == *table || name == *packed)
}

fn is_of_comparison(name: &str) -> bool {
    matches!(name, "report.html" | "compare.json") || super::versus::is_picture(name)
}

/// The folder of `--out`.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Whether one of its files is called so.
    is_result: fn(&str) -> bool,
}

impl Folder {
    /// The folder of a run, made if it is not there.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if it cannot be made; [`SimError::Usage`] if it holds a comparison.
    pub fn of_run(path: &Path) -> Result<Self, SimError> {
        Self::without(path, "compare.json", "a comparison", "a run")?;
        Ok(Self { path: path.to_path_buf(), is_result: is_of_run })
    }

    /// The folder of a comparison, made if it is not there.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if it cannot be made; [`SimError::Usage`] if it holds a run.
    pub fn of_comparison(path: &Path) -> Result<Self, SimError> {
        Self::without(path, "manifest.json", "a run", "a comparison")?;
        Ok(Self { path: path.to_path_buf(), is_result: is_of_comparison })
    }

    /// Both have a report of the same name, so that one would pass for the other's.
    fn without(path: &Path, mark: &str, there: &str, comes: &str) -> Result<(), SimError> {
        if path.join(mark).exists() {
            let message = format!("`{}` holds the results of {there}", path.display());
            return Err(SimError::usage_with_hint(message, format!("name another folder for {comes}")));
        }
        fs::create_dir_all(path).map_err(|error| SimError::write(path, error))
    }

    /// Refuses to write over what the results are made from.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] if one of the inputs is a file here that is called as results are, or a link from or to one.
    pub fn spare<P: AsRef<Path>>(&self, inputs: &[P]) -> Result<(), SimError> {
        let here = fs::read_dir(&self.path).map_err(|error| SimError::write(&self.path, error))?;
        // What is not here yet is nobody's input.
        let mut names: Vec<String> =
            here.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        for name in names {
            let whole = name.strip_prefix('.').and_then(|name| name.strip_suffix(PARTIAL)).unwrap_or(&name);
            if (self.is_result)(whole) {
                let target = Target { by: "--out", named: &self.path, path: &self.path.join(whole) };
                target.spare(inputs)?;
            }
        }
        Ok(())
    }

    /// The files of an earlier run that the next one may not leave: those that its manifest lists.
    fn left_by_earlier(&self) -> Vec<&'static str> {
        let Ok(manifest) = fs::read_to_string(self.path.join("manifest.json")) else { return Vec::new() };
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap_or_default();
        let files = manifest["files"].as_array().map_or(&[][..], Vec::as_slice);
        let is_listed = |name: &&str| files.iter().any(|file| file["name"] == **name);
        let packed = TABLES.iter().map(|(_, packed, _)| *packed);
        let listed = packed.chain(["cost.csv"]).filter(is_listed);
        // Times differ between runs, and are in no list.
        listed.chain(["timings.json", "manifest.json"]).collect()
    }

    /// Removes a file of earlier results, if it is there.
    fn remove(&self, name: &str) -> Result<(), SimError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SimError::write(&path, error)),
            _ => Ok(()),
        }
    }

    /// Writes one text.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if the machine refuses.
    pub fn text(&self, name: &str, text: &str) -> Result<(), SimError> {
        write(&self.path.join(name), |out| out.write_all(text.as_bytes()))
    }

    /// Begins `decisions.csv`, the first of the files of a run. A manifest of an earlier run goes first, and the new one
    /// comes last, so that a folder with a manifest is whole; with it goes what it lists and not every run leaves.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if the machine refuses.
    pub fn decisions<'a>(
        &self,
        setup: &'a Setup,
        trace: &'a Trace,
    ) -> Result<DecisionLog<'a, WholeFile>, SimError> {
        for name in self.left_by_earlier().into_iter().rev() {
            self.remove(name)?;
        }
        let path = self.path.join("decisions.csv");
        let out = WholeFile::create(&path).map_err(|error| SimError::write(&path, error))?;
        DecisionLog::new(setup, trace, path, out)
    }

    /// Ends `decisions.csv`.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if the machine refuses.
    pub fn end_decisions(&self, log: DecisionLog<'_, WholeFile>) -> Result<(), SimError> {
        let file = log.finish()?;
        file.finish().map_err(|error| SimError::write(&self.path.join("decisions.csv"), error))
    }

    /// Writes everything that is known after a run; with `parquet` each CSV in that form too.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if the machine refuses.
    pub fn results(
        &self,
        setup: &Setup,
        trace: &Trace,
        record: &Record,
        summary: &Summary,
        shares: &Shares,
        parquet: bool,
    ) -> Result<(), SimError> {
        write(&self.path.join("jobs.csv"), |out| csv::jobs(setup, trace, record, out))?;
        write(&self.path.join("series.csv"), |out| super::series::write(setup, trace, record, shares, out))?;
        self.text("summary.json", &super::json::text(summary))?;
        self.text("report.html", &super::html::page(setup, trace, record, summary, shares))?;
        self.text("metrics.txt", &super::openmetrics::text(setup, trace, record))?;
        let mut names =
            vec!["decisions.csv", "jobs.csv", "metrics.txt", "report.html", "series.csv", "summary.json"];
        if setup.is_priced() {
            write(&self.path.join("cost.csv"), |out| super::cost::write(setup, trace, record, out))?;
            names.insert(0, "cost.csv");
        }
        if parquet {
            for (name, packed, columns) in TABLES {
                if names.contains(&name) {
                    self.pack(name, packed, columns)?;
                    names.push(packed);
                }
            }
            names.sort_unstable();
        }
        let files = names.into_iter().map(|name| self.listed(name)).collect::<Result<_, _>>()?;
        self.text("manifest.json", &Manifest::new(summary, files).text())
    }

    #[cfg(feature = "parquet")]
    fn pack(&self, name: &str, packed: &str, columns: Columns) -> Result<(), SimError> {
        let csv = self.path.join(name);
        write(&self.path.join(packed), |out| parquet::write(File::open(csv)?, columns, out))
    }

    /// The command line is refused before it comes to this.
    #[cfg(not(feature = "parquet"))]
    fn pack(&self, _: &str, packed: &str, _: Columns) -> Result<(), SimError> {
        Err(SimError::write(&self.path.join(packed), io::ErrorKind::Unsupported.into()))
    }

    /// Writes a comparison: its figures, its page and its pictures.
    ///
    /// # Errors
    ///
    /// [`SimError::Write`] if the machine refuses.
    pub fn comparison(&self, comparison: &Comparison, versus: &Versus) -> Result<(), SimError> {
        // Pictures of an earlier comparison, which may have been of more teams.
        if self.path.join("compare.json").exists() {
            let earlier = fs::read_dir(&self.path).map_err(|error| SimError::write(&self.path, error))?;
            for name in earlier.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
                if super::versus::is_picture(&name) && !versus.pictures.contains_key(&name) {
                    self.remove(&name)?;
                }
            }
        }
        for (name, picture) in &versus.pictures {
            self.text(name, picture)?;
        }
        self.text("report.html", &versus.page)?;
        self.text("compare.json", &super::json::pretty(comparison))
    }

    fn listed(&self, name: &'static str) -> Result<Listed, SimError> {
        let path = self.path.join(name);
        let hash = || {
            let mut file = File::open(&path)?;
            let mut hasher = Sha256::new();
            let (mut bytes, mut buffer) = (0_u64, vec![0; BUFFER]);
            loop {
                let count = file.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                bytes += count as u64;
                hasher.update(&buffer[..count]);
            }
            io::Result::Ok(Listed { name, bytes, sha256: hex(&hasher.finalize()) })
        };
        hash().map_err(|error| SimError::write(&path, error))
    }
}
