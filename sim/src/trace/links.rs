//! Who waits for whom (`after`): what cannot come true.
//!
//! Absent on purpose: waiting, which a replay does.

use std::collections::BTreeMap;

use super::error::{Fault, TraceError, quoted};
use super::model::Trace;

impl Trace {
    /// Whether every job that waits for others can start at some time.
    ///
    /// # Errors
    ///
    /// The first job, in the order of the trace, that waits for itself or for a job that is not there; else the first of
    /// those that wait for each other in a circle.
    pub fn check_links(&self) -> Result<(), TraceError> {
        if self.extras.iter().all(|(_, extra)| extra.after.is_empty()) {
            return Ok(());
        }
        let names: BTreeMap<String, usize> =
            (0..self.names.len()).map(|job| (self.names.get(job).to_string(), job)).collect();
        // How many each still waits for, and who waits for it.
        let mut open = vec![0_usize; self.jobs.len()];
        let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (job, extra) in self.extras.iter() {
            for name in &extra.after {
                match names.get(name) {
                    Some(&other) if other == job => return Err(self.astray(job, "waits for itself")),
                    Some(&other) => {
                        open[job] += 1;
                        waiting.entry(other).or_default().push(job);
                    }
                    None => {
                        let name = quoted(name.as_bytes());
                        return Err(self.astray(job, &format!("waits for {name}, which is not there")));
                    }
                }
            }
        }
        let mut ended: Vec<usize> = (0..open.len()).filter(|&job| open[job] == 0).collect();
        while let Some(job) = ended.pop() {
            for &next in waiting.get(&job).into_iter().flatten() {
                open[next] -= 1;
                if open[next] == 0 {
                    ended.push(next);
                }
            }
        }
        match open.iter().position(|&count| count > 0) {
            Some(job) => Err(self.astray(job, "waits for a job that waits for it, or behind such jobs")),
            None => Ok(()),
        }
    }

    fn astray(&self, job: usize, what: &str) -> TraceError {
        let path = self.sources.iter().find(|source| source.jobs > 0).map(|source| source.path.clone());
        let name = quoted(self.names.get(job).to_string().as_bytes());
        TraceError::new(path.unwrap_or_default(), Fault::other(0, format!("`after`: job {name} {what}")))
    }
}
