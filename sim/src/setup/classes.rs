//! Classes: those in which jobs are served, numbered as they are met, and named as results name them.
//!
//! A job is served in the class that it names, and one of development in that of `[admission] dev`, where it says one: the
//! trace need not know that class. Absent on purpose: what classes are worth (see `setup`), and which are allowed (the
//! core's `Rules`).

use fairshare::Rules;

use crate::trace::{Interner, Trace, TraceShape};

/// The classes of a run.
#[derive(Debug, Clone)]
pub(crate) struct Classes {
    /// Number 0 is the empty text: none.
    names: Interner,
    /// By the trace's number of a priority.
    of_priority: Vec<u32>,
    /// Of development jobs, where they have one of their own and the trace has such jobs.
    of_dev: Option<u32>,
}

impl Classes {
    /// No class but none.
    pub(super) fn new() -> Self {
        let mut names = Interner::default();
        names.intern("");
        Self { names, of_priority: Vec::new(), of_dev: None }
    }

    /// Learns what a trace names that has grown since; numbers stay.
    pub(super) fn grow(&mut self, rules: &Rules, trace: &Trace) {
        for name in trace.priorities.iter().skip(self.of_priority.len()) {
            let number = self.names.intern(name);
            self.of_priority.push(number);
        }
        let dev = rules.dev.as_ref().and_then(|dev| dev.class.as_ref());
        if let (None, Some(class)) = (self.of_dev, dev)
            && trace.shapes.iter().any(|shape| shape.dev)
        {
            self.of_dev = Some(self.names.intern(class));
        }
    }

    /// All names, by number.
    pub(crate) fn names(&self) -> &Interner {
        &self.names
    }

    /// The number of the class in which jobs of a shape are served.
    pub(crate) fn of(&self, shape: &TraceShape) -> u32 {
        let own = || self.of_priority.get(shape.priority as usize).copied().unwrap_or(0);
        self.of_dev.filter(|_| shape.dev).unwrap_or_else(own)
    }

    /// The class that jobs of a shape name; empty: none.
    pub(crate) fn named(&self, shape: &TraceShape) -> &str {
        self.of_priority.get(shape.priority as usize).map_or("", |number| self.names.text(*number))
    }

    /// The class in which jobs of a shape are served; empty: none.
    pub(crate) fn name_of(&self, shape: &TraceShape) -> &str {
        self.names.text(self.of(shape))
    }
}
