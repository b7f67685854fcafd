//! Lines of a text file with a bound on their length. Absent on purpose: what stands in them.

use std::io::{BufRead, BufReader};
use std::rc::Rc;

use crate::trace::error::Fault;
use crate::trace::input::{Flow, Guard, Opened};

/// A text file, line by line; the bytes need not be UTF-8.
pub(crate) struct Lines {
    reader: BufReader<Guard>,
    flow: Rc<Flow>,
    buffer: Vec<u8>,
    position: u64,
    number: u64,
}

impl Lines {
    pub(crate) fn new(opened: Opened) -> Self {
        let reader = BufReader::with_capacity(1 << 16, opened.bytes);
        Self { reader, flow: opened.flow, buffer: Vec::new(), position: 0, number: 0 }
    }

    /// Reads the next line; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, Fault> {
        self.buffer.clear();
        self.number += 1;
        self.flow.record_starts(self.position);
        let count = self
            .reader
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| self.flow.fault(self.number, error))?;
        self.position += count as u64;
        while let [.., b'\n' | b'\r'] = self.buffer[..] {
            self.buffer.pop();
        }
        Ok(count > 0)
    }

    /// The current line without its end.
    pub(crate) fn line(&self) -> &[u8] {
        &self.buffer
    }

    /// Number of the current line, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}
