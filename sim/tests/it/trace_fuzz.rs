//! Every reader against files that were damaged on purpose: jobs or an error, never a panic.
//!
//! The corpus is the fixtures, which have a row for every trap. A short run damages each file in the same ways every
//! time; `FAIRSHARE_FUZZ_SECONDS` gives each reader so many seconds of ways that it has not seen before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use fairshare_sim::trace::Format;

use crate::trace::folder;
use crate::trace_properties::{fixtures, survive};

/// Damaged files per reader in a short run.
const SHORT: u64 = 120;

/// Texts that have been trouble somewhere.
const TOKENS: [&str; 28] = [
    "-1",
    "0",
    "-0",
    "1e308",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0.0005",
    "NaN",
    "None",
    "null",
    "\"",
    "\"\"",
    "'",
    "\\",
    ",",
    "|",
    "\t",
    ";",
    "\r\n",
    "\n\n",
    "\u{feff}",
    "\u{e9}",
    "[[[[",
    "{\"a\":{",
    "2020-02-30 25:61:61",
    "&a [*a, *a]",
    "\0",
];

/// Numbers from a seed (splitmix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

/// Damages `bytes` in one to eight ways; `other` is a file to take pieces from.
pub(crate) fn damage(bytes: &mut Vec<u8>, other: &[u8], draw: &mut Draw) {
    for _ in 0..=draw.below(8) {
        let at = draw.below(bytes.len() + 1);
        let length = draw.below(40).min(bytes.len() - at);
        match draw.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << draw.below(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(draw.below(256)).unwrap(),
            2 => drop(bytes.drain(at..at + length)),
            3 => bytes.truncate(at),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let to = draw.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            5 => {
                let from = draw.below(other.len());
                let piece = other[from..(from + draw.below(200)).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let times = if draw.below(10) == 0 { 3000 } else { 1 };
                let token = TOKENS[draw.below(TOKENS.len())].repeat(times);
                bytes.splice(at..at, token.into_bytes());
            }
            7 => replace_field(bytes, at, draw),
            _ => swap_lines(bytes, draw),
        }
    }
}

/// Puts another text in place of the letters and digits around `at`.
fn replace_field(bytes: &mut Vec<u8>, at: usize, draw: &mut Draw) {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    let start = bytes[..at].iter().rposition(|byte| !plain(byte)).map_or(0, |place| place + 1);
    let end = bytes[at..].iter().position(|byte| !plain(byte)).map_or(bytes.len(), |place| at + place);
    let token = TOKENS[draw.below(TOKENS.len())];
    bytes.splice(start..end, token.bytes());
}

fn swap_lines(bytes: &mut Vec<u8>, draw: &mut Draw) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    if lines.len() > 1 {
        let (a, b) = (draw.below(lines.len()), draw.below(lines.len()));
        lines.swap(a, b);
        *bytes = lines.concat();
    }
}

/// The seed of a reader's next file, while there is time.
#[expect(clippy::disallowed_methods, reason = "a long run lasts by the clock and begins where no other did")]
pub(crate) fn seeds(reader: u64) -> Box<dyn Iterator<Item = u64>> {
    let seconds = std::env::var("FAIRSHARE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let Some(seconds) = seconds else { return Box::new((0..SHORT).map(move |file| (reader << 32) | file)) };
    let first = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let (begun, lasts) = (Instant::now(), Duration::from_secs(seconds));
    Box::new((first << 32..).take_while(move |_| begun.elapsed() < lasts))
}

#[test]
fn no_damage_ends_in_a_panic() {
    let folder = folder();
    let path = folder.path().join("damaged");
    let corpus: Vec<(Format, PathBuf, Vec<u8>)> = fixtures()
        .into_iter()
        .map(|(format, path)| (format, path.clone(), std::fs::read(path).unwrap()))
        .collect();
    for (reader, (format, name, sound)) in corpus.iter().enumerate() {
        let mut files = 0_u64;
        for seed in seeds(reader as u64) {
            let mut draw = Draw(seed);
            let mut bytes = sound.clone();
            damage(&mut bytes, &corpus[draw.below(corpus.len())].2, &mut draw);
            std::fs::write(&path, &bytes).unwrap();
            let survived = catch_unwind(AssertUnwindSafe(|| {
                survive(&path, Some(*format));
                survive(&path, None);
            }));
            assert!(survived.is_ok(), "{} of seed {seed}:\n{}", name.display(), bytes.escape_ascii());
            files += 1;
        }
        println!("{format}: {files} files");
    }
}
