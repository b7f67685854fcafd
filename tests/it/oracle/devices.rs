//! What is free on a node, device by device, and the device that each worker gets that asks a part of one.

use std::collections::{BTreeMap, BTreeSet};

use fairshare::{Placement, Quantity, ResourceKind, Resources};

use super::placement::mixed;
use super::{Oracle, Run, Spot, kinds};

/// What is free on a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Free {
    /// All amounts; GPUs are those of the devices together.
    pub(super) amounts: Resources,
    /// Free thousandths of each device of which a part is taken.
    pub(super) shared: BTreeMap<u32, u64>,
    /// Devices of which nothing is taken.
    pub(super) whole: u64,
}

fn gpus(request: &Resources) -> u64 {
    request[ResourceKind::GPU].get()
}

/// A node on which nothing runs.
pub(super) fn empty(node: &Resources) -> Free {
    Free::of(node)
}

impl Free {
    fn of(node: &Resources) -> Self {
        let rest = gpus(node) % 1000;
        let shared = (rest > 0).then_some((0, rest)).into_iter().collect();
        Self { amounts: *node, shared, whole: gpus(node) / 1000 }
    }

    fn total(&self) -> u64 {
        self.whole * 1000 + self.shared.values().sum::<u64>()
    }

    /// Shared devices with room for a part, and how many whole ones can be broken for it.
    fn devices_for(&self, request: &Resources) -> (Vec<(u32, u64)>, u64) {
        let (own, part) = (gpus(request) / 1000, gpus(request) % 1000);
        let shared = self.shared.iter().filter(|(_, free)| **free >= part);
        let shared: Vec<(u32, u64)> = shared.map(|(device, free)| (*device, *free)).collect();
        let spare = if own > 0 && !shared.is_empty() { 0 } else { self.whole.saturating_sub(own) };
        (shared, spare)
    }

    pub(super) fn fits(&self, request: &Resources) -> bool {
        let other = request.with(ResourceKind::GPU, Quantity::ZERO);
        let (shared, spare) = self.devices_for(request);
        let part = gpus(request).is_multiple_of(1000) || spare > 0 || !shared.is_empty();
        other.fits_in(&self.amounts) && gpus(request) / 1000 <= self.whole && part
    }

    fn next_device(&self) -> u32 {
        (0..u32::MAX).find(|number| !self.shared.contains_key(number)).unwrap()
    }

    /// Takes what a worker asks.
    pub(super) fn take(&mut self, request: &Resources, device: Option<u32>) {
        self.whole -= gpus(request) / 1000;
        if let Some(device) = device {
            if !self.shared.contains_key(&device) {
                self.whole -= 1;
            }
            *self.shared.entry(device).or_insert(1000) -= gpus(request) % 1000;
        }
        self.amounts = self.amounts.checked_sub(request).unwrap();
        self.amounts = self.amounts.with(ResourceKind::GPU, Quantity::new(self.total()));
    }

    /// How many workers have room, tried one after the other.
    pub(super) fn times(&self, request: &Resources, most: u64) -> u64 {
        let mut free = self.clone();
        let mut count = 0;
        while count < most && free.fits(request) {
            let device =
                free.devices_for(request).0.first().map_or(free.next_device(), |(device, _)| *device);
            free.take(request, (!gpus(request).is_multiple_of(1000)).then_some(device));
            count += 1;
        }
        count
    }
}

impl Oracle {
    pub(super) fn free_on_node(&self, pool: usize, node: usize, running: &[Run]) -> Free {
        let mut free = Free::of(&self.pool(pool).node);
        for run in running.iter().filter(|run| run.pool == pool) {
            let request = &self.jobs[self.index_of(run.number)].alternatives[run.alternative].request;
            for spot in run.nodes.iter().filter(|spot| spot.node == node) {
                for _ in 0..spot.workers {
                    free.take(request, spot.device);
                }
            }
        }
        free
    }

    /// What a worker that stays finds free on a node at every one of some moments.
    pub(super) fn least_on_node(
        &self,
        pool: usize,
        node: usize,
        request: &Resources,
        moments: &[Vec<Run>],
    ) -> Free {
        let mut rooms: Vec<Free> = moments.iter().map(|now| self.free_on_node(pool, node, now)).collect();
        let mut least = rooms.pop().unwrap();
        if rooms.is_empty() {
            return least;
        }
        rooms.push(least.clone());
        for kind in kinds() {
            least.amounts =
                least.amounts.with(kind, rooms.iter().map(|room| room.amounts[kind]).min().unwrap());
        }
        let numbers: BTreeSet<u32> = rooms.iter().flat_map(|room| room.shared.keys().copied()).collect();
        least.shared.clear();
        let part = gpus(request) % 1000;
        for number in numbers {
            let free = rooms.iter().filter_map(|room| room.shared.get(&number)).min().copied().unwrap();
            let whole: Vec<usize> =
                (0..rooms.len()).filter(|at| !rooms[*at].shared.contains_key(&number)).collect();
            let spared = part > 0 && part <= free && whole.iter().all(|at| rooms[*at].whole > 0);
            let kept = whole.is_empty() || spared;
            if kept {
                for at in &whole {
                    rooms[*at].whole -= 1;
                }
            }
            least.shared.insert(number, if kept { free } else { 0 });
        }
        least.whole = rooms.iter().map(|room| room.whole).min().unwrap();
        least.amounts = least.amounts.with(ResourceKind::GPU, Quantity::new(least.total()));
        least
    }

    /// Where so many workers go on a node that has room for them.
    pub(super) fn seats(
        &self,
        pool: usize,
        request: &Resources,
        node: usize,
        mut free: Free,
        workers: u64,
    ) -> Vec<Spot> {
        if gpus(request).is_multiple_of(1000) {
            return vec![Spot { node, workers, device: None }];
        }
        let mut spots: Vec<Spot> = Vec::new();
        for number in 0..workers {
            let (shared, spare) = free.devices_for(request);
            let chosen = match self.config.policy.placement {
                Placement::BestFit | Placement::BestFitGpu => {
                    shared.iter().min_by_key(|(_, free)| *free).copied()
                }
                Placement::FirstFit => shared.first().copied(),
                Placement::Random => {
                    let seeds =
                        [self.config.policy.seed, pool as u64, self.starts[pool], node as u64, number];
                    let drawn = seeds.into_iter().fold(0, |hash, number| mixed(hash ^ number));
                    let at = usize::try_from(drawn % (shared.len() as u64 + spare)).unwrap();
                    shared.get(at).copied()
                }
                Placement::Fragmentation => self.least_harm(pool, request, &free).1,
                other => panic!("no such rule: {other:?}"),
            };
            let device = chosen.map_or_else(|| free.next_device(), |(device, _)| device);
            free.take(request, Some(device));
            match spots.iter_mut().find(|spot| spot.device == Some(device)) {
                Some(spot) => spot.workers += 1,
                None => spots.push(Spot { node, workers: 1, device: Some(device) }),
            }
        }
        spots
    }

    /// The least that the fragments of a node grow by a worker, and the shared device for it; `None`: a whole one.
    pub(super) fn least_harm(
        &self,
        pool: usize,
        request: &Resources,
        free: &Free,
    ) -> (i128, Option<(u32, u64)>) {
        let grown = |device: Option<u32>| {
            let mut after = free.clone();
            after.take(request, device);
            self.useless(pool, &after) - self.useless(pool, free)
        };
        if gpus(request).is_multiple_of(1000) {
            return (grown(None), None);
        }
        let (shared, spare) = free.devices_for(request);
        let on_shared = shared.into_iter().map(|device| (grown(Some(device.0)), device.1, device.0, true));
        let new = free.next_device();
        let broken = (spare > 0).then(|| (grown(Some(new)), 1000, new, false));
        let (harm, left, device, is_shared) = on_shared.chain(broken).min().unwrap();
        (harm, is_shared.then_some((device, left)))
    }
}
