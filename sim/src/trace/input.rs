//! Bytes of a trace: a file or standard input, plain, gzip or zstd by its first bytes, hashed on the way.
//!
//! Nothing here ever holds a whole file, but packed for a format that has to look at it more than once. Absent on purpose: what the bytes mean.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::error::{Fault, FaultKind, quoted};
use super::format::Place;
use super::guess::Format;
use crate::digest::hex;

/// One record may be this long; a longer one ends the reading rather than filling the memory.
pub(crate) const MAX_RECORD: u64 = 1 << 20;
/// How many bytes are looked at to tell the format.
pub(crate) const HEAD: usize = 1 << 16;
const BUFFER: usize = 1 << 16;
/// What to do about a file that breaks off.
const FETCH: &str = "the file was cut off or changed on its way: fetch it again";

/// Stands before `-:FORMAT` on its way through the reader of the command line, which would take it for an option.
pub(crate) const STDIN_MARK: char = '\0';

/// A file to read and, perhaps, how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The path; `-` is standard input.
    pub path: PathBuf,
    /// The format; absent: told from the content.
    pub format: Option<Format>,
}

impl Input {
    /// Reads `FILE[:FORMAT]`; a suffix that names no format belongs to the path.
    ///
    /// ```
    /// use fairshare_sim::trace::{Format, Input};
    /// let input = Input::parse("old.log.gz:swf");
    /// assert_eq!(input.format, Some(Format::Swf));
    /// assert_eq!(Input::parse("10:30.csv").path.to_str(), Some("10:30.csv"));
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix(STDIN_MARK).unwrap_or(text);
        if let Some((path, name)) = text.rsplit_once(':')
            && let Some(format) = Format::from_name(name)
        {
            return Self { path: path.into(), format: Some(format) };
        }
        Self { path: text.into(), format: None }
    }

    /// The path as shown to people.
    #[must_use]
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

/// What the layers of one open file tell each other.
#[derive(Debug)]
pub(crate) struct Flow {
    hasher: RefCell<Sha256>,
    /// The operating system refused to read on.
    machine: Cell<bool>,
    compression: Cell<Compression>,
    /// Decompressed bytes handed out.
    delivered: Cell<u64>,
    /// Where in them the current record begins.
    record_start: Cell<u64>,
    /// Bytes that one record may have.
    record_limit: Cell<u64>,
    too_long: Cell<bool>,
    /// Something else stands behind the compressed data.
    trailing: Cell<bool>,
    /// Where in their text they end; for compressed files, whose data can break off anywhere.
    end: Cell<Place>,
}

impl Flow {
    /// Tells where the next record begins, in decompressed bytes.
    pub(crate) fn record_starts(&self, position: u64) {
        self.record_start.set(position);
    }

    /// Formats whose records are whole objects need more room than a line.
    pub(crate) fn allow_records_of(&self, bytes: u64) {
        self.record_limit.set(bytes);
    }

    /// What a failed read means at `line`.
    pub(crate) fn fault(&self, line: u64, error: io::Error) -> Fault {
        if self.too_long.get() {
            let limit = self.record_limit.get() >> 20;
            return Fault::other(line, format!("this record is longer than {limit} MiB"))
                .hint("a quote that is never closed, or a file that is no trace, looks like this");
        }
        if self.machine.get() {
            if error.kind() == io::ErrorKind::IsADirectory {
                return Fault::open(error);
            }
            let kind = FaultKind::Machine(error);
            return Fault::new(0, kind);
        }
        if self.trailing.get() {
            let expected = "the end of the file behind the gzip data";
            return Fault::unreadable(self.end.get().line, expected, "other bytes").hint(FETCH);
        }
        let name = match self.compression.get() {
            Compression::Zstd => "zstd",
            Compression::Gzip => "gzip",
            Compression::None => {
                #[cfg(feature = "parquet")]
                if let Some(Unsayable { line, column, expected, found }) =
                    error.get_ref().and_then(|inner| inner.downcast_ref())
                {
                    return Fault::unreadable(*line, *expected, found.clone()).column(column.clone());
                }
                return Fault::other(line, "the Parquet data is damaged").hint(FETCH);
            }
        };
        let found =
            if error.kind() == io::ErrorKind::UnexpectedEof { "the end of the file" } else { "damage" };
        // Whatever came through before has been handed out, so what is missing would stand right behind it.
        Fault::unreadable(0, format!("more {name} data"), found).at(self.end.get()).hint(FETCH)
    }

    /// Whether the file is gzip or zstd data.
    pub(crate) fn is_compressed(&self) -> bool {
        self.compression.get() != Compression::None
    }

    /// Reads a file to its end, for the digest or for what is wrong with it.
    pub(crate) fn drain(&self, bytes: &mut Guard) -> Result<(), Fault> {
        self.allow_records_of(u64::MAX - BUFFER as u64);
        io::copy(bytes, &mut io::sink()).map(drop).map_err(|error| self.fault(0, error))
    }

    /// SHA-256 of the raw bytes that were read, in hex.
    pub(crate) fn digest(&self) -> String {
        hex(&self.hasher.borrow().clone().finalize())
    }
}

/// Raw bytes: hashes them and remembers whether the machine failed.
struct Tap {
    inner: Box<dyn Read>,
    flow: Rc<Flow>,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                self.flow.hasher.borrow_mut().update(&buffer[..count]);
                Ok(count)
            }
            Err(error) => {
                // Damaged data is said by a decoder below, in words of its own and without the system's number.
                let decoder = error.kind() == io::ErrorKind::InvalidData && error.raw_os_error().is_none();
                if error.kind() != io::ErrorKind::Interrupted && !decoder {
                    self.flow.machine.set(true);
                }
                Err(error)
            }
        }
    }
}

/// What a Parquet file has at a place and no native CSV can say.
#[cfg(feature = "parquet")]
#[derive(Debug, thiserror::Error)]
#[error("line {line}: expected {expected}, found {found}")]
pub(crate) struct Unsayable {
    pub(crate) line: u64,
    pub(crate) column: String,
    pub(crate) expected: &'static str,
    pub(crate) found: String,
}

/// Decompressed bytes: stops a record that never ends.
pub(crate) struct Guard {
    inner: Box<dyn Read>,
    flow: Rc<Flow>,
}

impl Read for Guard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let flow = &self.flow;
        let length = flow.delivered.get().saturating_sub(flow.record_start.get());
        if length > flow.record_limit.get() + BUFFER as u64 {
            flow.too_long.set(true);
            return Err(io::Error::other("record too long"));
        }
        let count = loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        flow.delivered.set(flow.delivered.get() + count as u64);
        if flow.is_compressed() {
            flow.end.set(flow.end.get().moved(&buffer[..count], count));
        }
        Ok(count)
    }
}

/// An open trace: its first bytes and all of them.
pub(crate) struct Opened {
    pub(crate) flow: Rc<Flow>,
    pub(crate) head: Vec<u8>,
    pub(crate) bytes: Guard,
}

/// What was read, packed, to be read once more: standard input and pipes cannot be opened again.
pub(crate) struct Kept(Rc<RefCell<Packer>>);

type Packer = zstd::Encoder<'static, Vec<u8>>;

impl Opened {
    /// Keeps all that is read from here on.
    pub(crate) fn keeping(mut self) -> Result<(Self, Kept), Fault> {
        let packer = zstd::Encoder::new(Vec::new(), 1).map_err(Kept::failed)?;
        let packer = Rc::new(RefCell::new(packer));
        self.bytes.inner = Box::new(Keeping { inner: self.bytes.inner, packer: Rc::clone(&packer) });
        Ok((self, Kept(packer)))
    }
}

impl Kept {
    /// As a file that can be opened, once all is read.
    pub(crate) fn packed(self) -> Result<Rc<[u8]>, Fault> {
        let mut packer = self.0.borrow_mut();
        packer.do_finish().map_err(Self::failed)?;
        Ok(std::mem::take(packer.get_mut()).into())
    }

    fn failed(error: io::Error) -> Fault {
        Fault::new(0, FaultKind::Machine(error))
    }
}

struct Keeping {
    inner: Box<dyn Read>,
    packer: Rc<RefCell<Packer>>,
}

impl Read for Keeping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.packer.borrow_mut().write_all(&buffer[..count])?;
        Ok(count)
    }
}

/// Opens a file or standard input and looks at its first bytes.
pub(crate) fn open(input: &Input) -> Result<Opened, Fault> {
    let raw: Box<dyn Read> = if input.path.as_os_str() == "-" {
        // Not locked: a second reader would wait for this one for ever.
        Box::new(io::stdin())
    } else {
        Box::new(File::open(&input.path).map_err(|error| not_opened(input, error))?)
    };
    open_bytes(raw)
}

/// Why a file cannot be opened. Where `FILE` of `FILE:FORMAT` is there, the format is what is wrong.
fn not_opened(input: &Input, error: io::Error) -> Fault {
    if let (io::ErrorKind::NotFound, None, Some(text)) = (error.kind(), input.format, input.path.to_str())
        && let Some((file, name)) = text.rsplit_once(':')
        && (file == "-" || Path::new(file).is_file())
    {
        return Fault::other(0, format!("unknown format {}", quoted(name.as_bytes())))
            .hint(format!("name it as `FILE:FORMAT`, with one of {}", Format::names().join(", ")));
    }
    Fault::open(error)
}

/// The same for bytes from anywhere.
pub(crate) fn open_bytes(raw: Box<dyn Read>) -> Result<Opened, Fault> {
    let flow = Rc::new(Flow {
        hasher: RefCell::new(Sha256::new()),
        machine: Cell::new(false),
        compression: Cell::new(Compression::None),
        delivered: Cell::new(0),
        record_start: Cell::new(0),
        record_limit: Cell::new(MAX_RECORD),
        too_long: Cell::new(false),
        trailing: Cell::new(false),
        end: Cell::new(Place::START),
    });
    let mut tap = Tap { inner: raw, flow: Rc::clone(&flow) };
    let magic = read_up_to(&mut tap, 4).map_err(|error| flow.fault(0, error))?;
    let compression = match magic[..] {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        // The second is a frame to be passed over, with others behind it.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
        _ => Compression::None,
    };
    flow.compression.set(compression);
    let raw = BufReader::with_capacity(BUFFER, io::Cursor::new(magic).chain(tap));
    let mut plain: Box<dyn Read> = match compression {
        Compression::None => Box::new(raw),
        Compression::Gzip => {
            let first = flate2::bufread::GzDecoder::new(raw);
            Box::new(Members { member: Some(first), flow: Rc::clone(&flow) })
        }
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(raw).map_err(|error| flow.fault(0, error))?),
    };
    // A fault in the first bytes is told once the line is known, so the head keeps what came before it.
    let (head, mut failed) = read_head(&mut plain);
    if head.is_empty()
        && let Some(error) = failed.take()
    {
        return Err(flow.fault(0, error));
    }
    if let Some((what, how)) = archive(&head) {
        return Err(Fault::other(0, format!("this is {what}, which is not read")).hint(how));
    }
    let skip = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let start = io::Cursor::new(head[skip..].to_vec());
    let rest: Box<dyn Read> = match failed {
        None => Box::new(start.chain(plain)),
        Some(error) => Box::new(start.chain(Failing(Some(error)))),
    };
    Ok(Opened { flow: Rc::clone(&flow), head: head[skip..].to_vec(), bytes: Guard { inner: rest, flow } })
}

/// What else files come packed in, told by their first bytes, and what to do about it.
fn archive(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let unpack = "unpack it and name the file; of packed files `.gz` and `.zst` are read";
    if head.get(257..262) == Some(b"ustar") || is_old_tar(head) {
        Some(("a tar archive", "unpack it, as with `tar -xf`, and name the files in it"))
    } else if head.starts_with(b"PK\x03\x04") {
        Some(("a zip archive", "unpack it and name the files in it"))
    } else if head.starts_with(b"\xfd7zXZ\0") {
        Some(("xz data", unpack))
    } else if head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY") {
        Some(("bzip2 data", unpack))
    } else if head.starts_with(b"7z\xbc\xaf\x27\x1c") {
        Some(("a 7z archive", "unpack it and name the files in it"))
    } else if head.starts_with(b"\x04\x22\x4d\x18") {
        Some(("lz4 data", unpack))
    } else if head.starts_with(b"\x5d\0\0") && head.len() >= 13 {
        Some(("lzma data", unpack))
    } else if head.starts_with(b"\x1f\x8b") || head.starts_with(&ZSTD) {
        Some(("packed data inside of packed data", "unpack it once, and name the file"))
    } else {
        None
    }
}

/// What zstd data begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether it begins like a tar archive from before there was a word for it: its first block has the right sum.
fn is_old_tar(head: &[u8]) -> bool {
    let Some(block) = head.get(..512) else { return false };
    let digits = block[148..156].trim_ascii().split(|&byte| byte == 0).next().unwrap_or_default();
    let octal = |text: &str| u32::from_str_radix(text.trim(), 8).ok();
    let stated = std::str::from_utf8(digits).ok().and_then(octal);
    // The field of the sum itself counts as blanks.
    let sum = block[..148].iter().chain(&[b' '; 8]).chain(&block[156..]).map(|&byte| u32::from(byte)).sum();
    block[0] != 0 && stated == Some(sum)
}

/// The members of a gzip file, one after the other. What is neither a member nor padding with zeros ends in an error.
struct Members<R> {
    member: Option<flate2::bufread::GzDecoder<R>>,
    flow: Rc<Flow>,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(mut rest) = self.member.take().map(flate2::bufread::GzDecoder::into_inner) else {
                break;
            };
            loop {
                let next = rest.fill_buf()?;
                let zeros = next.iter().take_while(|&&byte| byte == 0).count();
                match next.get(zeros) {
                    None if zeros == 0 => return Ok(0),
                    None => rest.consume(zeros),
                    Some(0x1f) if zeros == 0 => break,
                    Some(_) => {
                        self.flow.trailing.set(true);
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "bytes behind the gzip data"));
                    }
                }
            }
            self.member = Some(flate2::bufread::GzDecoder::new(rest));
        }
        Ok(0)
    }
}

/// Gives a stored error back at the place where it happened.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn read_up_to(reader: &mut impl Read, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_head(reader: &mut Box<dyn Read>) -> (Vec<u8>, Option<io::Error>) {
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        match reader.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                head.truncate(filled);
                return (head, Some(error));
            }
        }
    }
    head.truncate(filled);
    (head, None)
}
