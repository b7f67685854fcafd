//! Resource kinds, and a small vector of quantities, one per kind.
//!
//! Three kinds are always there: GPU, CPU and memory; up to five more may be named. Absent on purpose: pools and
//! prices. Layer 0; uses `quantity`.
#![warn(clippy::arithmetic_side_effects)]

use core::fmt;

use crate::quantity::{Quantity, write_thousandths};

/// Most kinds of resource that one scheduler can know.
pub const MAX_KINDS: usize = 8;

/// A kind of resource.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "usize", into = "usize"))]
pub struct ResourceKind(u8);

impl TryFrom<usize> for ResourceKind {
    type Error = &'static str;

    fn try_from(index: usize) -> Result<Self, Self::Error> {
        Self::new(index).ok_or("there are no more than eight kinds of resource")
    }
}

impl From<ResourceKind> for usize {
    fn from(kind: ResourceKind) -> Self {
        kind.index()
    }
}

impl ResourceKind {
    /// Accelerators, in thousandths of a device.
    pub const GPU: Self = Self(0);
    /// Processor cores, in thousandths of a core.
    pub const CPU: Self = Self(1);
    /// Memory, in bytes.
    pub const MEMORY: Self = Self(2);

    /// The kind at position `index` of a [`ResourceKinds`]; `None` from [`MAX_KINDS`] on.
    #[must_use]
    pub fn new(index: usize) -> Option<Self> {
        if index < MAX_KINDS { u8::try_from(index).ok().map(Self) } else { None }
    }

    /// The position of this kind.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether amounts of this kind are bytes rather than thousandths.
    #[must_use]
    pub const fn is_bytes(self) -> bool {
        self.0 == Self::MEMORY.0
    }

    /// Every kind that there can be, in order.
    pub(crate) fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..MAX_KINDS).filter_map(Self::new)
    }
}

/// The names of the resource kinds of one scheduler.
///
/// # Examples
///
/// ```
/// use fairshare::{ResourceKind, ResourceKinds};
/// let mut kinds = ResourceKinds::default();
/// let disk = kinds.add("disk").unwrap();
/// assert_eq!(kinds.find("cpu"), Some(ResourceKind::CPU));
/// assert_eq!(kinds.name(disk), "disk");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<String>", into = "Vec<String>"))]
pub struct ResourceKinds {
    names: Vec<String>,
}

impl TryFrom<Vec<String>> for ResourceKinds {
    type Error = &'static str;

    fn try_from(names: Vec<String>) -> Result<Self, Self::Error> {
        let mut kinds = Self::default();
        let all_added = names.iter().all(|name| kinds.add(name).is_some());
        if all_added && kinds.names == names {
            Ok(kinds)
        } else {
            Err("resource kinds are `gpu`, `cpu`, `memory` and up to five more, each named once")
        }
    }
}

impl From<ResourceKinds> for Vec<String> {
    fn from(kinds: ResourceKinds) -> Self {
        kinds.names
    }
}

impl Default for ResourceKinds {
    fn default() -> Self {
        Self { names: ["gpu", "cpu", "memory"].map(String::from).to_vec() }
    }
}

impl ResourceKinds {
    /// Adds a named kind, or finds it; `None` when [`MAX_KINDS`] are taken or the name is empty.
    pub fn add(&mut self, name: &str) -> Option<ResourceKind> {
        if let Some(kind) = self.find(name) {
            return Some(kind);
        }
        let kind = ResourceKind::new(self.names.len()).filter(|_| !name.is_empty())?;
        self.names.push(name.to_owned());
        Some(kind)
    }

    /// The kind of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ResourceKind> {
        self.names.iter().position(|known| known == name).and_then(ResourceKind::new)
    }

    /// The name of `kind`; `?` for a kind of another registry.
    #[must_use]
    pub fn name(&self, kind: ResourceKind) -> &str {
        self.names.get(kind.index()).map_or("?", String::as_str)
    }

    /// The kinds in order.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = ResourceKind> + use<> {
        let count = self.names.len();
        ResourceKind::all().filter(move |kind| kind.index() < count)
    }

    /// How many kinds there are.
    pub(crate) fn count(&self) -> usize {
        self.names.len()
    }
}

/// One quantity per resource kind.
///
/// # Examples
///
/// ```
/// use fairshare::{Quantity, ResourceKind, Resources};
/// let node = Resources::new().gpu(8).cpu(128).memory_gib(1600);
/// let worker = Resources::new().gpu(1).cpu(4);
/// assert!(worker.fits_in(&node));
/// assert_eq!(node.checked_sub(&worker).unwrap()[ResourceKind::GPU], Quantity::new(7_000));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Resources {
    amounts: [Quantity; MAX_KINDS],
}

impl Resources {
    /// Nothing of anything.
    #[must_use]
    pub const fn new() -> Self {
        Self { amounts: [Quantity::ZERO; MAX_KINDS] }
    }

    /// With `units` whole GPUs. Saturates at the largest quantity.
    #[must_use]
    pub fn gpu(self, units: u64) -> Self {
        self.with(ResourceKind::GPU, Quantity::new(units.saturating_mul(1_000)))
    }

    /// With `units` whole cores. Saturates at the largest quantity.
    #[must_use]
    pub fn cpu(self, units: u64) -> Self {
        self.with(ResourceKind::CPU, Quantity::new(units.saturating_mul(1_000)))
    }

    /// With `gib` GiB of memory. Saturates at the largest quantity.
    #[must_use]
    pub fn memory_gib(self, gib: u64) -> Self {
        self.with(ResourceKind::MEMORY, Quantity::new(gib.saturating_mul(1 << 30)))
    }

    /// With `amount` of `kind`.
    #[must_use]
    pub fn with(mut self, kind: ResourceKind, amount: Quantity) -> Self {
        self.amounts[kind.index()] = amount;
        self
    }

    /// Whether there is nothing of anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.amounts.iter().all(|amount| *amount == Quantity::ZERO)
    }

    /// Whether every amount is at most that of `room`.
    #[must_use]
    #[inline]
    pub fn fits_in(&self, room: &Self) -> bool {
        self.amounts.iter().zip(&room.amounts).all(|(need, free)| need <= free)
    }

    /// The sum; `None` where a kind overflows.
    #[must_use]
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        self.zip_with(other, Quantity::checked_add)
    }

    /// The difference; `None` where a kind would be negative.
    #[must_use]
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        self.zip_with(other, Quantity::checked_sub)
    }

    /// Every amount times `factor`; `None` where a kind overflows.
    #[must_use]
    pub fn checked_mul(&self, factor: u64) -> Option<Self> {
        let mut result = *self;
        for amount in &mut result.amounts {
            *amount = amount.checked_mul(factor)?;
        }
        Some(result)
    }

    /// The larger of the two amounts of every kind.
    #[must_use]
    pub fn max_each(&self, other: &Self) -> Self {
        let mut result = *self;
        for (amount, also) in result.amounts.iter_mut().zip(&other.amounts) {
            *amount = (*amount).max(*also);
        }
        result
    }

    /// The smaller of the two amounts of every kind.
    #[must_use]
    pub fn min_each(&self, other: &Self) -> Self {
        let mut result = *self;
        for (amount, also) in result.amounts.iter_mut().zip(&other.amounts) {
            *amount = (*amount).min(*also);
        }
        result
    }

    /// How many times this fits into `room`: the least quotient over the kinds asked for; `u64::MAX` if none is.
    #[must_use]
    pub fn times_in(&self, room: &Self) -> u64 {
        let quotient = |(need, free): (&Quantity, &Quantity)| free.get().checked_div(need.get());
        self.amounts.iter().zip(&room.amounts).filter_map(quotient).min().unwrap_or(u64::MAX)
    }

    /// The kinds of which there is something, with their amounts.
    pub fn iter(&self) -> impl Iterator<Item = (ResourceKind, Quantity)> + '_ {
        // Over what is there, not over kinds and a copy: it is asked for with every start and stop.
        let amounts = (0..).zip(&self.amounts).filter(|(_, amount)| **amount != Quantity::ZERO);
        amounts.map(|(index, amount)| (ResourceKind(index), *amount))
    }

    fn zip_with(&self, other: &Self, op: impl Fn(Quantity, Quantity) -> Option<Quantity>) -> Option<Self> {
        let mut result = *self;
        for (amount, also) in result.amounts.iter_mut().zip(&other.amounts) {
            *amount = op(*amount, *also)?;
        }
        Some(result)
    }
}

impl core::ops::Index<ResourceKind> for Resources {
    type Output = Quantity;

    #[inline]
    fn index(&self, kind: ResourceKind) -> &Quantity {
        &self.amounts[kind.index()]
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<")?;
        for (position, (kind, amount)) in self.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            match kind {
                ResourceKind::GPU => write!(f, "{comma}gpu ")?,
                ResourceKind::CPU => write!(f, "{comma}cpu ")?,
                ResourceKind::MEMORY => write!(f, "{comma}memory ")?,
                ResourceKind(other) => write!(f, "{comma}kind{other} ")?,
            }
            if kind.is_bytes() {
                write!(f, "{}B", amount.get())?;
            } else {
                write_thousandths(f, amount.get())?;
            }
        }
        f.write_str(">")
    }
}
