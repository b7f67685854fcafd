//! Each text once: teams, users and shapes by number; job names packed by job index.
//!
//! Look-ups hash with a fixed seed and numbers are given in order of first sight, so two runs agree.
//! Absent on purpose: iteration in hash order.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::number;

/// Open addressing over slots that hold `index + 1`; zero is free.
#[derive(Debug, Clone, Default)]
struct Slots {
    slots: Vec<u32>,
    used: usize,
}

impl Slots {
    fn find(&self, hash: u64, mut equal: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(hash & (mask as u64)).unwrap_or(0);
        loop {
            match self.slots[at] {
                0 => return None,
                slot if equal(slot - 1) => return Some(slot - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn insert(&mut self, hash: u64, index: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.used + 1) * 2 > self.slots.len() {
            let old = std::mem::take(&mut self.slots);
            self.slots = vec![0; (old.len() * 2).max(16)];
            for slot in old.into_iter().filter(|&slot| slot != 0) {
                self.place(hash_of(slot - 1), slot);
            }
        }
        self.place(hash, index + 1);
        self.used += 1;
    }

    fn place(&mut self, hash: u64, slot: u32) {
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(hash & (mask as u64)).unwrap_or(0);
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }
}

/// Equality that never compares empty strings byte by byte: on common processors a vector load from the
/// dangling address of an empty string costs hundreds of cycles.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && (a.is_empty() || a == b)
}

/// Byte strings by number, in order of first sight.
#[derive(Debug, Clone, Default)]
pub(crate) struct ByteInterner {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    slots: Slots,
}

impl ByteInterner {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..self.ends[id]]
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        self.slots.find(xxh3_64(key), |id| same(self.get(id), key))
    }

    /// The number of `key`, and whether it is new.
    pub(crate) fn intern(&mut self, key: &[u8]) -> (u32, bool) {
        let hash = xxh3_64(key);
        if let Some(id) = self.slots.find(hash, |id| same(self.get(id), key)) {
            return (id, false);
        }
        let id = u32::try_from(self.ends.len()).unwrap_or(u32::MAX - 1);
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        let Self { bytes, ends, slots } = self;
        slots.insert(hash, id, |other| {
            let other = other as usize;
            let start = if other == 0 { 0 } else { ends[other - 1] };
            xxh3_64(&bytes[start..ends[other]])
        });
        (id, true)
    }
}

/// Texts by number (`u32`), numbered in order of first sight.
///
/// ```
/// let mut teams = fairshare_sim::trace::Interner::default();
/// assert_eq!(teams.intern("search"), 0);
/// assert_eq!(teams.intern("ads"), 1);
/// assert_eq!(teams.intern("search"), 0);
/// assert_eq!(teams.text(1), "ads");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Interner {
    inner: ByteInterner,
    /// Rows of one team often follow each other: the last answer saves most look-ups.
    last: u32,
}

impl Interner {
    /// The number of `text`, given on first sight.
    pub fn intern(&mut self, text: &str) -> u32 {
        if self.inner.len() > 0 && same(self.inner.get(self.last), text.as_bytes()) {
            return self.last;
        }
        self.last = self.inner.intern(text.as_bytes()).0;
        self.last
    }

    /// The number of `text`, if it was seen.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<u32> {
        self.inner.find(text.as_bytes())
    }

    /// The text with this number; empty for a number that was never given.
    #[must_use]
    pub fn text(&self, id: u32) -> &str {
        if (id as usize) < self.inner.len() {
            std::str::from_utf8(self.inner.get(id)).unwrap_or("")
        } else {
            ""
        }
    }

    /// How many texts are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether no text is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What stands for the empty text where texts are told: `none`, in brackets where somebody is called so.
    #[must_use]
    pub fn unnamed(&self) -> String {
        beside("none", |word| self.find(word).is_some())
    }

    /// All texts in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|id| self.text(u32::try_from(id).unwrap_or(u32::MAX)))
    }
}

/// A word that stands in a list of names, in brackets where it is one of them.
pub(crate) fn beside(word: &str, is_name: impl Fn(&str) -> bool) -> String {
    let mut word = word.to_owned();
    while is_name(&word) {
        word = format!("({word})");
    }
    word
}

/// So many further resources may have names, each of so many bytes: every worker that asks one is told by it.
const MAX_RESOURCES: usize = 1000;

/// Names of further resources by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResourceNames {
    names: Vec<String>,
    numbers: Interner,
}

impl ResourceNames {
    /// What all names have to be, for messages.
    pub(crate) const EXPECTED: &str = "one of at most 1000 resources, each with a name of at most 1000 bytes";

    /// The number of `name`, given on first sight; nothing where it is too long or one too many.
    pub(crate) fn number(&mut self, name: &str) -> Option<usize> {
        if let Some(known) = self.numbers.find(name) {
            return Some(known as usize);
        }
        if self.names.len() == MAX_RESOURCES || name.len() > MAX_RESOURCES {
            return None;
        }
        self.names.push(name.to_owned());
        Some(self.numbers.intern(name) as usize)
    }

    /// All names in the order of their numbers.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

/// Set in an entry of [`NameArena`] that points into the text instead of being the number itself.
const TEXT: u64 = 1 << 63;

/// The names of jobs by job index: eight bytes for a name that is a plain number, eight and its text for others.
#[derive(Debug, Clone, Default)]
pub struct NameArena {
    entries: Vec<u64>,
    text: String,
}

impl NameArena {
    /// Appends a name.
    pub fn push(&mut self, name: &str) {
        if let Some(number) = plain_number(name.as_bytes()) {
            self.entries.push(number);
        } else {
            // 24 bits of length, 39 of offset: names are far shorter than a record may be long.
            let length = name.len().min((1 << 24) - 1) as u64;
            self.entries.push(TEXT | (length << 39) | self.text.len() as u64);
            self.text.push_str(name);
        }
    }

    /// Appends a name that is a number.
    pub fn push_number(&mut self, number: u64) {
        if number & TEXT == 0 {
            self.entries.push(number);
        } else {
            self.push(&number.to_string());
        }
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The name of job `index`.
    ///
    /// # Panics
    ///
    /// If there is no job `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> JobName<'_> {
        let entry = self.entries[index];
        if entry & TEXT == 0 {
            return JobName::Number(entry);
        }
        let start = usize::try_from(entry & ((1 << 39) - 1)).unwrap_or(usize::MAX);
        let length = usize::try_from((entry & !TEXT) >> 39).unwrap_or(0);
        JobName::Text(&self.text[start..start + length])
    }

    /// The names in another order: entry `i` of the result is entry `order[i]` of this.
    #[must_use]
    pub(crate) fn reordered(self, order: &[u32]) -> Self {
        Self { entries: order.iter().map(|&old| self.entries[old as usize]).collect(), text: self.text }
    }

    /// The names of some jobs alone, without the texts of the others: entry `i` is entry `kept[i]` of this.
    #[must_use]
    pub(crate) fn kept(&self, kept: &[u32]) -> Self {
        let mut names = Self::default();
        for &old in kept {
            match self.get(old as usize) {
                JobName::Number(number) => names.push_number(number),
                JobName::Text(text) => names.push(text),
            }
        }
        names
    }
}

/// A job's name, borrowed. Names are ordered by [`compare_names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobName<'a> {
    /// A plain number without leading zeros, below 2^63.
    Number(u64),
    /// Anything else.
    Text(&'a str),
}

impl std::fmt::Display for JobName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Ord for JobName<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => compare_names(a, b),
            (a, b) => compare_names(&a.to_string(), &b.to_string()),
        }
    }
}

impl PartialOrd for JobName<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of names, a total one: all-digit names come first, by their value (equal values: by length, so `7` before
/// `007`); all others follow, as bytes.
///
/// ```
/// use fairshare_sim::trace::compare_names;
/// assert!(compare_names("9", "10").is_lt());
/// assert!(compare_names("9", "12a").is_lt());
/// assert!(compare_names("job-9", "job-10").is_gt());
/// ```
#[must_use]
pub fn compare_names(a: &str, b: &str) -> std::cmp::Ordering {
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (all_digits(a), all_digits(b)) {
        (true, true) => {
            let (short_a, short_b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            (short_a.len(), short_a, a.len()).cmp(&(short_b.len(), short_b, b.len()))
        }
        // Were digits and other names compared as bytes, 9 < 10 < 12a < 9 would be a circle.
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

/// The value of a text that is exactly how a number below 2^63 is printed.
fn plain_number(text: &[u8]) -> Option<u64> {
    let is_padded = text.len() > 1 && text[0] == b'0';
    number::digits(text, 18).filter(|_| !is_padded).map(i64::unsigned_abs)
}

/// Which job names were seen: intervals of numbers, and 128-bit digests of other names.
///
/// Rows numbered in order cost one interval however many there are; a name that is text costs 24 to 48 bytes.
/// Two different names with one digest among 10^9 are less likely than 10^-20.
#[derive(Debug, Default)]
pub(crate) struct SeenNames {
    /// Start and past-the-end of runs of numbers, without the current one.
    runs: std::collections::BTreeMap<u64, u64>,
    /// The run that grew last: `(start, past the end)`; empty at first.
    current: (u64, u64),
    /// Where the run after the current one starts.
    next_start: Option<u64>,
    texts: Digests,
}

impl SeenNames {
    /// Notes `name`; false if it was there before.
    pub(crate) fn insert(&mut self, name: &str) -> bool {
        match plain_number(name.as_bytes()) {
            Some(number) => self.insert_number(number),
            None => self.texts.insert(xxh3_128(name.as_bytes())),
        }
    }

    fn insert_number(&mut self, number: u64) -> bool {
        // The common case, one past the last, touches no tree.
        if number == self.current.1 && self.current.0 < self.current.1 && self.next_start != Some(number) {
            self.current.1 += 1;
            return true;
        }
        if (self.current.0..self.current.1).contains(&number) {
            return false;
        }
        if self.current.0 < self.current.1 {
            self.runs.insert(self.current.0, self.current.1);
        }
        let before = self.runs.range(..=number).next_back().map(|(&start, &end)| (start, end));
        let new = before.is_none_or(|(_, end)| number >= end);
        let (mut start, mut end) = before.filter(|(_, end)| number <= *end).unwrap_or((number, number));
        if new {
            end = end.max(number + 1);
        }
        self.runs.remove(&start);
        // Runs that touch become one.
        if let Some(further) = self.runs.remove(&end) {
            end = further;
        }
        if let Some((&previous, &touching)) = self.runs.range(..start).next_back()
            && touching == start
        {
            self.runs.remove(&previous);
            start = previous;
        }
        self.current = (start, end);
        self.next_start = self.runs.range(end..).next().map(|(&start, _)| start);
        new
    }
}

/// A set of digests, which stand in their slots themselves: one look at memory each. Zero is free.
#[derive(Debug, Default)]
struct Digests {
    slots: Vec<u128>,
    used: usize,
}

impl Digests {
    /// Notes a digest; false if it was there before.
    fn insert(&mut self, digest: u128) -> bool {
        // At most two thirds are in use.
        if (self.used + 1) * 3 > self.slots.len() * 2 {
            let length = (self.slots.len() * 2).max(16);
            for old in std::mem::replace(&mut self.slots, vec![0; length]) {
                self.place(old);
            }
        }
        let new = self.place(digest.max(1));
        self.used += usize::from(new);
        new
    }

    /// Puts a digest into its slot; false if it was there before.
    fn place(&mut self, digest: u128) -> bool {
        if digest == 0 {
            return false;
        }
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(digest & (mask as u128)).unwrap_or(0);
        loop {
            match self.slots[at] {
                0 => {
                    self.slots[at] = digest;
                    return true;
                }
                known if known == digest => return false,
                _ => at = (at + 1) & mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seen_numbers_keep_intervals() {
        let mut seen = SeenNames::default();
        for number in 1..1000 {
            assert!(seen.insert(&number.to_string()));
        }
        assert_eq!(seen.runs.len(), 0);
        assert!(!seen.insert("500"));
        assert!(seen.insert("0500"));
        assert!(!seen.insert("0500"));
        assert!(seen.insert("1001"));
        assert!(seen.insert("1000"));
        assert_eq!(seen.runs.len(), 0);
        for number in (0..2000_u64).rev() {
            assert_eq!(seen.insert(&number.to_string()), number == 0 || number > 1001, "{number}");
        }
        assert_eq!(seen.runs.len(), 0);
        for number in 0..2000 {
            assert!(!seen.insert(&number.to_string()), "{number}");
        }
    }

    #[test]
    fn seen_texts_are_seen_however_many_there_are() {
        let mut seen = SeenNames::default();
        for number in 0..5000 {
            assert!(seen.insert(&format!("job-{number}")));
            assert!(!seen.insert(&format!("job-{}", number / 2)), "{number}");
        }
        assert_eq!(seen.texts.used, 5000);
        assert!(seen.texts.slots.len() * 2 >= seen.texts.used * 3);
    }

    #[test]
    fn names_compare_as_numbers_only_if_both_are() {
        let mut names = NameArena::default();
        for name in ["10", "9", "job-9", "007", "99999999999999999999", ""] {
            names.push(name);
        }
        let text = |index: usize| names.get(index).to_string();
        assert_eq!((text(0), text(3), text(5)), ("10".into(), "007".into(), String::new()));
        assert!(names.get(1) < names.get(0));
        assert!(names.get(0) < names.get(2));
        assert!(names.get(3) < names.get(1));
        assert!(names.get(0) < names.get(4));
    }

    #[test]
    fn the_order_of_names_is_total() {
        let sorted =
            ["0", "00", "7", "007", "9", "10", "99999999999999999999", "", "10-1", "12a", "9a", "a", "é"];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare_names(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
    }
}
