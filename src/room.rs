//! Room: what is free at one place, and of its GPUs on which devices.
//!
//! GPUs are counted in thousandths. What a worker asks beyond whole GPUs lies on one device, so that a node is more than
//! the sum of what it has free. Only *shared* devices, of which a part is taken, are known one by one; all others are
//! whole and alike. A device gets the lowest number that no shared one of its node has, and loses it when it is whole again.
//!
//! Invariant: the free thousandths of GPUs are those of the shared devices and a thousand for each whole one.
//! Absent on purpose: which device is taken (see `placement`). Layer 0; uses `resources`.
#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};

/// The thousandths of a whole device.
pub(crate) const DEVICE: u64 = 1_000;

/// A device of which a part is taken, or which is no whole one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Shared {
    pub(crate) device: u32,
    /// Thousandths that are free.
    pub(crate) free: u64,
}

/// What is free on a node, or in a divisible pool.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Room {
    amounts: Resources,
    /// By number.
    shared: Vec<Shared>,
    /// Without devices: any part of what is free is as good as any other.
    is_amount: bool,
}

/// Whole GPUs, and thousandths of one more.
fn split(request: &Resources) -> (u64, u64) {
    let gpu = request[ResourceKind::GPU].get();
    (gpu / DEVICE, gpu % DEVICE)
}

/// What a worker asks of a device that others may share; zero where it asks whole GPUs alone.
pub(crate) fn part_of(request: &Resources) -> u64 {
    split(request).1
}

impl Room {
    /// An empty node. A part of a GPU that its capacity names lies on a device of its own.
    pub(crate) fn of_node(capacity: &Resources) -> Self {
        let (_, rest) = split(capacity);
        let shared = if rest > 0 { vec![Shared { device: 0, free: rest }] } else { Vec::new() };
        Self { amounts: *capacity, shared, is_amount: false }
    }

    /// An amount in a divisible pool.
    pub(crate) fn of_amount(amounts: &Resources) -> Self {
        Self { amounts: *amounts, shared: Vec::new(), is_amount: true }
    }

    /// How much is free of everything.
    #[inline]
    pub(crate) fn amounts(&self) -> &Resources {
        &self.amounts
    }

    /// The devices that are not whole, by number.
    pub(crate) fn shared(&self) -> &[Shared] {
        &self.shared
    }

    /// How many devices are wholly free.
    pub(crate) fn whole(&self) -> u64 {
        let parts = self.shared.iter().fold(0, |sum: u64, shared| sum.saturating_add(shared.free));
        self.amounts[ResourceKind::GPU].get().saturating_sub(parts) / DEVICE
    }

    /// Whether a worker has room.
    #[inline]
    pub(crate) fn fits(&self, request: &Resources) -> bool {
        // Where every device is whole, what is enough in all is enough on devices.
        request.fits_in(&self.amounts) && (self.shared.is_empty() || self.by_devices(request) > 0)
    }

    /// How many workers have room.
    #[inline]
    pub(crate) fn times(&self, request: &Resources) -> u64 {
        let by_amounts = request.times_in(&self.amounts);
        if self.is_amount || self.shared.is_empty() && part_of(request) == 0 {
            by_amounts
        } else {
            by_amounts.min(self.by_devices(request))
        }
    }

    /// How many workers have room as far as GPUs are concerned.
    pub(crate) fn by_devices(&self, request: &Resources) -> u64 {
        let (each, part) = split(request);
        if self.is_amount {
            return self.amounts[ResourceKind::GPU]
                .get()
                .checked_div(request[ResourceKind::GPU].get())
                .unwrap_or(u64::MAX);
        }
        let whole = self.whole();
        let by_whole = whole.checked_div(each).unwrap_or(u64::MAX);
        // Parts are put on shared devices first; what is left over breaks whole ones, each for so many.
        let Some(on_one) = DEVICE.checked_div(part) else { return by_whole };
        let shared = self.shared.iter().filter_map(|shared| shared.free.checked_div(part));
        let on_shared = shared.fold(0, u64::saturating_add);
        let parts = on_one.saturating_mul(whole).saturating_add(on_shared);
        let a_worker = on_one.saturating_mul(each).saturating_add(1);
        by_whole.min(parts.checked_div(a_worker).unwrap_or(0))
    }

    /// Whether workers lack some of a kind here.
    pub(crate) fn lacks(&self, request: &Resources, workers: u64, kind: ResourceKind) -> bool {
        request[kind].get().saturating_mul(workers) > self.amounts[kind].get()
            || kind == ResourceKind::GPU && self.by_devices(request) < workers
    }

    /// The number of the next device to be broken.
    pub(crate) fn next_device(&self) -> u32 {
        let numbers = self.shared.iter().map(|shared| shared.device);
        let gap = (0..).zip(numbers).find(|(expected, number)| expected != number);
        gap.map_or_else(|| u32::try_from(self.shared.len()).unwrap_or(u32::MAX), |(expected, _)| expected)
    }

    /// What is free on a shared device, or would be if it were broken.
    pub(crate) fn free_on(&self, device: u32) -> u64 {
        let known = self.shared.binary_search_by_key(&device, |shared| shared.device);
        known.map_or(DEVICE, |at| self.shared[at].free)
    }

    /// Whether a device of that number is shared, or a whole one can be.
    pub(crate) fn can_share(&self, device: u32) -> bool {
        self.whole() > 0 || self.shared.iter().any(|shared| shared.device == device)
    }

    /// Takes what some workers ask, their parts on one device; whether it was there.
    pub(crate) fn take(&mut self, request: &Resources, workers: u32, device: Option<u32>) -> bool {
        let amount = request.checked_mul(u64::from(workers));
        let Some(left) = amount.and_then(|amount| self.amounts.checked_sub(&amount)) else { return false };
        let own = split(request).0.saturating_mul(u64::from(workers));
        if !self.shared.is_empty() && !self.is_amount {
            let known = |device| self.shared.iter().any(|shared| shared.device == device);
            let broken = u64::from(device.is_some_and(|device| !known(device)));
            if own.saturating_add(broken) > self.whole() {
                return false;
            }
        }
        if let Some(device) = device {
            let parts = part_of(request).saturating_mul(u64::from(workers));
            match self.shared.binary_search_by_key(&device, |shared| shared.device) {
                Ok(at) => {
                    let Some(free) = self.shared[at].free.checked_sub(parts) else { return false };
                    self.shared[at].free = free;
                }
                Err(at) => {
                    let Some(free) = DEVICE.checked_sub(parts) else { return false };
                    self.shared.insert(at, Shared { device, free });
                }
            }
        }
        self.amounts = left;
        true
    }

    /// Gives back what `take` took.
    pub(crate) fn give(&mut self, request: &Resources, workers: u32, device: Option<u32>) {
        let amount = request.checked_mul(u64::from(workers)).unwrap_or(*request);
        self.amounts = self.amounts.checked_add(&amount).unwrap_or(self.amounts);
        let at =
            device.and_then(|device| self.shared.binary_search_by_key(&device, |shared| shared.device).ok());
        debug_assert_eq!(
            at.is_some(),
            device.is_some(),
            "a part is given back to a device that is not shared"
        );
        if let Some(at) = at {
            let parts = part_of(request).saturating_mul(u64::from(workers));
            let free = self.shared[at].free.saturating_add(parts);
            self.shared[at].free = free;
            if free >= DEVICE {
                self.shared.remove(at);
            }
        }
    }

    /// More of a kind is free: of GPUs as much as can be on whole devices, and the rest on a device of its own.
    pub(crate) fn gain(&mut self, kind: ResourceKind, more: Quantity) {
        let sum = self.amounts[kind].checked_add(more).unwrap_or(self.amounts[kind]);
        self.amounts = self.amounts.with(kind, sum);
        let rest = more.get() % DEVICE;
        if kind == ResourceKind::GPU && rest > 0 && !self.is_amount {
            let device = self.next_device();
            let at = self.shared.partition_point(|shared| shared.device < device);
            self.shared.insert(at, Shared { device, free: rest });
        }
    }

    /// More of a shared device is free.
    pub(crate) fn gain_on(&mut self, device: u32, more: Quantity) {
        if let Ok(at) = self.shared.binary_search_by_key(&device, |shared| shared.device) {
            let gpus = self.amounts[ResourceKind::GPU].checked_add(more);
            self.amounts = self.amounts.with(ResourceKind::GPU, gpus.unwrap_or_default());
            self.shared[at].free = self.shared[at].free.saturating_add(more.get());
            if self.shared[at].free >= DEVICE {
                self.shared.remove(at);
            }
        }
    }

    /// What is free at each of some moments alike, for workers that stay where they are.
    ///
    /// A device that is shared at every moment has the least of what is free on it. One that is whole at some of them is
    /// counted with the shared ones where a part of it is asked, it has that part whenever it is shared, and a whole
    /// device can be set aside for it whenever it is not; else it has nothing for workers that ask parts.
    pub(crate) fn throughout(rooms: &[&Self], request: &Resources) -> Self {
        let Some((first, rest)) = rooms.split_first() else { return Self::default() };
        if rest.is_empty() || first.is_amount {
            return (*first).clone();
        }
        let amounts = rest.iter().fold(first.amounts, |least, room| least.min_each(&room.amounts));
        let numbers: BTreeSet<u32> =
            rooms.iter().flat_map(|room| &room.shared).map(|shared| shared.device).collect();
        let mut result = Self { amounts, shared: Vec::new(), is_amount: false };
        if numbers.is_empty() {
            return result;
        }
        let part = part_of(request);
        let mut whole: Vec<u64> = rooms.iter().map(|room| room.whole()).collect();
        let mut gpus = 0_u64;
        for device in numbers {
            let on = |room: &&Self| room.shared.iter().find(|shared| shared.device == device).copied();
            let known: Vec<Option<Shared>> = rooms.iter().map(on).collect();
            let least = known.iter().flatten().map(|shared| shared.free).min().unwrap_or(0);
            let mut missing = known.iter().zip(&mut whole).filter(|(known, _)| known.is_none());
            let can_be = known.iter().all(Option::is_some)
                || part > 0 && least >= part && missing.all(|(_, whole)| *whole > 0);
            if can_be {
                let missing = known.iter().zip(&mut whole).filter(|(known, _)| known.is_none());
                missing.for_each(|(_, whole)| *whole = whole.saturating_sub(1));
            }
            let free = if can_be { least } else { 0 };
            gpus = gpus.saturating_add(free);
            result.shared.push(Shared { device, free });
        }
        let whole = whole.into_iter().min().unwrap_or(0);
        gpus = gpus.saturating_add(whole.saturating_mul(DEVICE));
        result.amounts = amounts.with(ResourceKind::GPU, Quantity::new(gpus));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(milli: u64) -> Resources {
        Resources::new().with(ResourceKind::GPU, Quantity::new(milli))
    }

    #[test]
    fn parts_share_devices_and_whole_ones_do_not() {
        let mut room = Room::of_node(&gpu(2_000));
        assert_eq!((room.times(&gpu(600)), room.times(&gpu(500)), room.times(&gpu(1_500))), (2, 4, 1));
        assert!(room.take(&gpu(600), 1, Some(0)));
        assert!(room.take(&gpu(600), 1, Some(1)));
        assert_eq!(room.amounts(), &gpu(800));
        assert!(!room.fits(&gpu(800)) && room.fits(&gpu(400)), "no device has 0.8 free");
        assert_eq!(room.times(&gpu(200)), 4);
        room.give(&gpu(600), 1, Some(0));
        assert_eq!((room.next_device(), room.whole()), (0, 1));
        room.give(&gpu(600), 1, Some(1));
        assert_eq!(room, Room::of_node(&gpu(2_000)));
    }

    /// As many as trying one after the other finds.
    #[test]
    fn workers_are_counted_as_they_are_placed() {
        for (shared, whole) in [(&[][..], 5), (&[300, 700][..], 3), (&[500, 500, 999][..], 0), (&[1][..], 7)]
        {
            for request in (1..=2_600).step_by(37).map(gpu) {
                let parts: u64 = shared.iter().sum();
                let mut room = Room { amounts: gpu(whole * 1_000 + parts), ..Room::default() };
                let free = (0..).zip(shared);
                room.shared = free.map(|(device, free)| Shared { device, free: *free }).collect();
                let counted = room.times(&request);
                let mut placed = 0;
                while room.fits(&request) {
                    let part = part_of(&request);
                    let device = room.shared.iter().find(|shared| shared.free >= part);
                    let device = device.map_or_else(|| room.next_device(), |shared| shared.device);
                    assert!(room.take(&request, 1, (part > 0).then_some(device)));
                    placed += 1;
                }
                assert_eq!(counted, placed, "{request:?} beside {shared:?} and {whole} whole devices");
            }
        }
    }

    #[test]
    fn a_device_that_is_whole_later_goes_on_being_shared() {
        let now = {
            let mut room = Room::of_node(&gpu(1_000));
            assert!(room.take(&gpu(500), 1, Some(0)));
            room
        };
        let later = Room::of_node(&gpu(1_000));
        let both = [&now, &later];
        assert_eq!(Room::throughout(&both, &gpu(500)).times(&gpu(500)), 1);
        assert_eq!(Room::throughout(&both, &gpu(1_000)).times(&gpu(1_000)), 0);
    }
}
