//! Progress: a bar on stderr for runs that take long, if somebody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::observer::Observer;

/// Runs shorter than this show nothing.
const SILENT: Duration = Duration::from_secs(2);
/// Instants between two looks at the bar.
const INSTANTS_PER_LOOK: u32 = 4_096;

/// Shows how many jobs have been submitted.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    shown: bool,
    instants: u32,
}

impl Progress {
    /// A bar for `jobs` submissions; nothing where nobody watches.
    #[must_use]
    pub fn new(jobs: usize, watched: bool) -> Option<Self> {
        let bar = ProgressBar::with_draw_target(Some(jobs as u64), ProgressDrawTarget::hidden());
        watched.then_some(Self { bar, shown: false, instants: 0 })
    }
}

impl Observer for Progress {
    #[inline]
    fn instant(&mut self, _at: i64, submitted: usize) {
        self.instants = self.instants.wrapping_add(1);
        if !self.instants.is_multiple_of(INSTANTS_PER_LOOK) {
            return;
        }
        if !self.shown && self.bar.elapsed() > SILENT {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} jobs, {eta} left")
            {
                self.bar.set_style(style);
            }
        }
        self.bar.set_position(submitted as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
