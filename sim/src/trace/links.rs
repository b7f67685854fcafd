//! Who waits for whom (`after`): what cannot come true.
//!
//! Absent on purpose: waiting, which a replay does.

use std::collections::BTreeMap;

use super::error::{Fault, TraceError, quoted};
use super::input::Input;
use super::model::Trace;
use super::reader::{Rows, TraceOptions};

impl Trace {
    /// Whether every job that waits for others can start at some time; `inputs` and `options` are those of which the trace
    /// was read, and are read once more for the place of a job that cannot.
    ///
    /// # Errors
    ///
    /// The first job, in the order of the trace, that waits for itself or for a job that is not there; else the first of
    /// those that wait for each other in a circle.
    pub fn check_links(&self, inputs: &[Input], options: &TraceOptions) -> Result<(), TraceError> {
        let Some((name, sentence)) = self.astray_in_words() else { return Ok(()) };
        let hint = "`after` has ids of jobs of these files that can end before, with `|` between them";
        if let Some(error) = told_at(&name, &sentence, hint, inputs, options) {
            return Err(error);
        }
        let mut holding = self.sources.iter().filter(|source| source.jobs > 0);
        let path = match (holding.next(), holding.next()) {
            (Some(only), None) => only.path.clone(),
            _ => String::new(),
        };
        Err(TraceError::new(path, Fault::other(0, sentence).hint(hint)))
    }

    /// The name of the first job that can never start, and that with the reason as a sentence.
    pub(super) fn astray_in_words(&self) -> Option<(String, String)> {
        if self.extras.iter().all(|(_, extra)| extra.after.is_empty()) {
            return None;
        }
        let (job, what) = self.astray()?;
        let name = self.names.get(job).to_string();
        let sentence = format!("`after`: job {} {what}", quoted(name.as_bytes()));
        Some((name, sentence))
    }

    /// The job that cannot start, and why.
    fn astray(&self) -> Option<(usize, String)> {
        let names: BTreeMap<String, usize> =
            (0..self.names.len()).map(|job| (self.names.get(job).to_string(), job)).collect();
        // How many each still waits for, and who waits for it.
        let mut open = vec![0_usize; self.jobs.len()];
        let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (job, extra) in self.extras.iter() {
            for name in &extra.after {
                match names.get(name) {
                    Some(&other) if other == job => return Some((job, "waits for itself".to_owned())),
                    Some(&other) => {
                        open[job] += 1;
                        waiting.entry(other).or_default().push(job);
                    }
                    None => {
                        let name = quoted(name.as_bytes());
                        return Some((job, format!("waits for {name}, which is not there")));
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
        let job = open.iter().position(|&count| count > 0)?;
        Some((job, "waits for a job that waits for it, or behind such jobs".to_owned()))
    }
}

/// The fault at the row of a job, which is looked for in the files; nothing where one of them cannot be read again.
fn told_at(
    name: &str,
    sentence: &str,
    hint: &str,
    inputs: &[Input],
    options: &TraceOptions,
) -> Option<TraceError> {
    let named = inputs.iter().map(|input| input.path.as_path());
    if !named.chain(options.gavel_throughputs.as_deref()).all(std::path::Path::is_file) {
        return None;
    }
    let mut rows = Rows::open(inputs, options).ok()?;
    while rows.next().ok()? {
        if rows.row().name == name {
            return Some(rows.refuse(sentence, hint));
        }
    }
    None
}
