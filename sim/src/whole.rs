//! Whole: files that appear under their names only when they are whole, and leave nothing behind otherwise.
//!
//! Absent on purpose: what is written.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::SimError;

/// Files that are being written, under the names that they have meanwhile: what ends at once must not leave them behind.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what is not whole yet, for a program that is about to end.
pub fn abandon() {
    for path in UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = fs::remove_file(path);
    }
}

fn no_longer_unfinished(path: &Path) {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known != path);
}

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 18;

/// Writes one file, which appears under its name when it is whole.
///
/// # Errors
///
/// [`SimError::Write`] if the machine refuses.
pub fn write(path: &Path, content: impl FnOnce(&mut WholeFile) -> io::Result<()>) -> Result<(), SimError> {
    let whole = || {
        let mut file = WholeFile::create(path)?;
        content(&mut file)?;
        file.finish()
    };
    whole().map_err(|error| SimError::write(path, error))
}

/// A file that is written beside its final name; a device or a pipe is written as it is.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    /// Where its bytes are until it is whole; nothing for a device or a pipe: renaming would put a file in its place.
    beside: Option<PathBuf>,
    out: BufWriter<File>,
}

impl WholeFile {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// What the machine says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        let beside = path.file_name().filter(|_| !is_special).map(|name| {
            let name = name.to_string_lossy();
            path.with_file_name(format!(".{name}.partial"))
        });
        let file = match &beside {
            Some(beside) => {
                let file = File::create(beside)?;
                UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(beside.clone());
                file
            }
            None => File::options().write(true).open(path)?,
        };
        Ok(Self { path: path.to_path_buf(), beside, out: BufWriter::with_capacity(BUFFER, file) })
    }

    /// It is whole, and appears under its name.
    ///
    /// # Errors
    ///
    /// What the machine says.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        if let Some(beside) = &self.beside {
            fs::rename(beside, &self.path)?;
            no_longer_unfinished(beside);
            self.beside = None;
        }
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // What was written is worth nothing, and why it is not whole is known already.
            let _ = fs::remove_file(beside);
            no_longer_unfinished(beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let left = || fs::read_dir(folder.path()).unwrap().count();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!((path.exists(), left()), (false, 1));
        drop(file);
        assert_eq!(left(), 0);
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        file.finish().unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), left()), (&b"whole"[..], 1));
    }
}
