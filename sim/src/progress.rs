//! Progress: a line on stderr for what takes long, if somebody watches.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::observer::Observer;
use crate::trace::Watch;

/// Commands shorter than this show nothing.
const SILENT: Duration = Duration::from_secs(2);
/// Between two turns of a line in which nothing counts.
const TICK: Duration = Duration::from_millis(100);
/// Instants between two looks at the bar.
const INSTANTS_PER_LOOK: u32 = 4_096;

/// Shows how many jobs have been submitted.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    instants: u32,
}

impl Progress {
    /// A bar for `jobs` submissions, or a mere count where that is zero, in a command that has gone on for so long; nothing
    /// where nobody watches.
    #[must_use]
    pub fn new(jobs: usize, watched: bool, begun: Duration) -> Option<Self> {
        let bar = ProgressBar::with_draw_target(Some(jobs as u64), ProgressDrawTarget::hidden());
        watched.then(|| Self { bar: bar.with_elapsed(begun), instants: 0 })
    }
}

impl Observer for Progress {
    #[inline]
    fn instant(&mut self, _at: i64, submitted: usize) {
        self.instants = self.instants.wrapping_add(1);
        if !self.instants.is_multiple_of(INSTANTS_PER_LOOK) {
            return;
        }
        let known = self.bar.length().is_some_and(|jobs| jobs > 0);
        let template = if known {
            "{bar:40} {human_pos}/{human_len} jobs, {eta} left"
        } else {
            "{spinner} {human_pos} jobs"
        };
        show(&self.bar, template);
        self.bar.set_position(submitted as u64);
    }
}

/// Shows how many jobs several runs have had submitted, together.
#[derive(Debug)]
pub struct Shared {
    bar: Option<ProgressBar>,
}

impl Shared {
    /// A bar for `jobs` submissions of all runs, in a command that has gone on for so long; nothing where nobody watches.
    #[must_use]
    pub fn new(jobs: u64, watched: bool, begun: Duration) -> Self {
        let bar =
            || ProgressBar::with_draw_target(Some(jobs), ProgressDrawTarget::hidden()).with_elapsed(begun);
        Self { bar: watched.then(bar) }
    }

    /// What watches one run after another on one thread.
    #[must_use]
    pub fn part(&self) -> Part {
        Part { bar: self.bar.clone(), instants: 0, told: 0 }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// One thread's part of the runs.
#[derive(Debug)]
pub struct Part {
    bar: Option<ProgressBar>,
    instants: u32,
    /// Submissions of the run that the bar knows of.
    told: usize,
}

impl Observer for Part {
    #[inline]
    fn instant(&mut self, _at: i64, submitted: usize) {
        let Some(bar) = &self.bar else { return };
        self.instants = self.instants.wrapping_add(1);
        // Fewer than before: another run has begun.
        if submitted < self.told {
            self.told = 0;
        }
        if self.instants.is_multiple_of(INSTANTS_PER_LOOK) {
            show(bar, "{bar:40} {human_pos}/{human_len} jobs of all runs, {eta} left");
            bar.inc((submitted - self.told) as u64);
            self.told = submitted;
        }
    }
}

/// Shows what a command is at where nothing in it counts: measuring, writing.
#[derive(Debug)]
pub struct Stage {
    bar: ProgressBar,
    /// Its end ends the wait for the line.
    done: Option<mpsc::Sender<()>>,
    shows: Option<thread::JoinHandle<()>>,
}

impl Stage {
    /// A line that says `what`, in a command that has gone on for so long; nothing where nobody watches.
    #[must_use]
    pub fn new(what: &'static str, watched: bool, begun: Duration) -> Option<Self> {
        if !watched {
            return None;
        }
        let bar = counter().with_elapsed(begun).with_message(what);
        let (done, ended) = mpsc::channel();
        let line = bar.clone();
        // Nothing comes by on this thread at which the time could be looked at.
        let shows = thread::spawn(move || {
            let mut wait = SILENT.saturating_sub(begun);
            while ended.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
                show(&line, "{spinner} {msg}");
                line.inc(1);
                wait = TICK;
            }
        });
        Some(Self { bar, done: Some(done), shows: Some(shows) })
    }

    /// From now on it is at something else.
    pub fn now(&self, what: &'static str) {
        self.bar.set_message(what);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // First the thread, so that it shows nothing after the end.
        drop(self.done.take());
        let _ = self.shows.take().map(thread::JoinHandle::join);
        self.bar.finish_and_clear();
    }
}

/// Shows the line once it has taken long enough.
fn show(bar: &ProgressBar, template: &str) {
    if bar.is_hidden() && bar.elapsed() > SILENT {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
    }
}

/// A line that goes away by itself.
fn counter() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_finish(ProgressFinish::AndClear)
}

/// Shows how many rows of a trace have been read, if somebody watches.
#[must_use]
pub fn reading(watched: bool) -> Watch {
    if !watched {
        return Watch::default();
    }
    let bar = counter();
    Watch::new(move |rows| {
        show(&bar, "{spinner} {human_pos} rows read");
        bar.set_position(rows);
    })
}

/// Passes bytes on, and shows how many.
pub struct Written<'a> {
    inner: &'a mut dyn Write,
    bar: Option<ProgressBar>,
}

impl<'a> Written<'a> {
    /// Counts what goes to `inner`, if somebody watches.
    pub fn new(inner: &'a mut dyn Write, watched: bool) -> Self {
        Self { inner, bar: watched.then(counter) }
    }
}

impl std::fmt::Debug for Written<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written").field("bar", &self.bar).finish_non_exhaustive()
    }
}

impl Write for Written<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        if let Some(bar) = &self.bar {
            show(bar, "{spinner} {bytes} written");
            bar.inc(count as u64);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_did_before_counts() {
        let waits = |begun: u64| {
            Progress::new(10, true, Duration::from_secs(begun)).map(|progress| progress.bar.elapsed())
        };
        assert!(waits(0) < Some(SILENT) && waits(60) > Some(SILENT));
        assert_eq!(Progress::new(10, false, SILENT).map(|_| ()), None);
        let shared = Shared::new(10, true, SILENT * 2);
        assert!(shared.bar.as_ref().is_some_and(|bar| bar.elapsed() > SILENT));
    }

    /// The line comes by itself, whatever the command is at, and only after so long.
    #[test]
    fn what_counts_nothing_is_shown_too() {
        let stage = Stage::new("measuring", true, SILENT * 2).unwrap();
        while stage.bar.position() == 0 {
            thread::yield_now();
        }
        stage.now("writing");
        assert_eq!(stage.bar.message(), "writing");
        assert!(Stage::new("measuring", false, SILENT).is_none());
    }
}
