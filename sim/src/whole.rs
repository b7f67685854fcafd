//! Whole: files that appear under their names only when they are whole, leave nothing behind otherwise, and spare what
//! they are made from.
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

/// A file that a command is to write.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What asks for it: the option, or the command.
    pub by: &'a str,
    /// What was named there: the file, or its folder.
    pub named: &'a Path,
    /// Where it is written.
    pub path: &'a Path,
}

impl<'a> Target<'a> {
    /// A file that an option names.
    #[must_use]
    pub const fn file(by: &'a str, path: &'a Path) -> Self {
        Self { by, named: path, path }
    }

    /// Refuses to write over one of `inputs`: neither the file nor a link on the way to either is lost. Hard links are not
    /// seen. What is no file, as a device, loses nothing; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`SimError::Usage`] naming the input.
    pub fn spare<P: AsRef<Path>>(self, inputs: &[P]) -> Result<(), SimError> {
        if is_special(self.path) {
            return Ok(());
        }
        let beside = beside(self.path);
        let own: Vec<PathBuf> =
            [Some(self.path), beside.as_deref()].into_iter().flatten().flat_map(places).collect();
        let inputs = inputs.iter().map(AsRef::as_ref).filter(|input| *input != Path::new("-"));
        for input in inputs {
            if places(input).any(|place| own.contains(&place)) {
                let Self { by, named, path } = self;
                let message = format!("`{by} {}` would write over `{}`", named.display(), input.display());
                let other = if named == path { "file" } else { "folder" };
                return Err(SimError::usage_with_hint(message, format!("name another {other}")));
            }
        }
        Ok(())
    }
}

/// Where a name lies, and where it leads.
fn places(path: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = path.parent().map(|folder| if folder == Path::new("") { Path::new(".") } else { folder });
    let lies = folder.and_then(|folder| Some(fs::canonicalize(folder).ok()?.join(path.file_name()?)));
    lies.into_iter().chain(fs::canonicalize(path))
}

/// A device or a pipe, which is written as it is.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// Where the bytes of a file are until it is whole.
fn beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    Some(path.with_file_name(format!(".{name}{PARTIAL}")))
}

/// How the name of a file ends that is not whole.
pub(crate) const PARTIAL: &str = ".partial";

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
        let beside = beside(path).filter(|_| !is_special(path));
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
