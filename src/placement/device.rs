//! Device: which GPU of a node a worker gets that asks a part of one.
//!
//! The fullest that has room, the lowest number first; only where no shared device has, a whole one is broken. First fit
//! takes the shared device of the lowest number in place of the fullest. Random gives every device that has room the same
//! chance, whole ones too. The fragmentation gradient weighs breaking a whole device against every shared one. A worker that
//! asks whole devices beside a part breaks none while a shared one has room, whatever the rule: the next worker needs it.
//! Layer 3; uses `ledger`, `room`.

use super::{fragmentation, random};
use crate::config::Placement;
use crate::id::NodeId;
use crate::ledger::{PoolState, Span};
use crate::resources::{ResourceKind, Resources};
use crate::room::{DEVICE, Room, part_of};

/// Puts so many workers on devices of a node that has room for them, one after the other; those that meet on one device
/// are one span.
pub(super) fn seat(
    pool: &PoolState,
    request: &Resources,
    (node, free): (NodeId, &Room),
    workers: u32,
    spans: &mut Vec<Span>,
) {
    let first = spans.len();
    let mut free = free.clone();
    for number in 0..workers {
        let device = choose(pool, request, (node, &free), number);
        let taken = free.take(request, 1, Some(device));
        debug_assert!(taken, "a worker is put on a device that has no room for it");
        match spans[first..].iter_mut().find(|span| span.device == Some(device)) {
            Some(span) => span.workers += 1,
            None => spans.push(Span { node, workers: 1, device: Some(device) }),
        }
    }
}

/// The device for the next worker on a node, of which so many are there already.
fn choose(pool: &PoolState, request: &Resources, (node, free): (NodeId, &Room), number: u32) -> u32 {
    let part = part_of(request);
    let shared = || free.shared().iter().filter(|shared| shared.free >= part);
    let new = free.next_device();
    let chosen = match pool.placement() {
        Placement::BestFit | Placement::BestFitGpu => shared().min_by_key(|shared| shared.free),
        Placement::FirstFit => shared().next(),
        Placement::Random => {
            let count = (shared().count() as u64).saturating_add(breakable(request, free));
            let at = random::number(pool, node, Some(number)).checked_rem(count).unwrap_or(0);
            shared().nth(usize::try_from(at).unwrap_or(usize::MAX))
        }
        Placement::Fragmentation => {
            return fragmentation::best(pool, request, free).map_or(new, |(_, device)| device);
        }
    };
    chosen.map_or(new, |shared| shared.device)
}

/// How many whole devices could be broken for the part of a worker.
fn breakable(request: &Resources, free: &Room) -> u64 {
    let own = request[ResourceKind::GPU].get() / DEVICE;
    let has_shared = || free.shared().iter().any(|shared| shared.free >= part_of(request));
    if own > 0 && has_shared() { 0 } else { free.whole().saturating_sub(own) }
}

/// The devices on which a worker could have its part of a GPU, shared ones first, by number.
pub(super) fn possible<'a>(request: &Resources, free: &'a Room) -> impl Iterator<Item = u32> + 'a {
    let part = part_of(request);
    let shared = free.shared().iter().filter(move |shared| shared.free >= part).map(|shared| shared.device);
    shared.chain((breakable(request, free) > 0).then(|| free.next_device()))
}
