//! Packing of openb's pods against published numbers: how much of a cluster's GPUs each rule of placement gives out before
//! nothing fits any more.
//!
//! The pods of the default list in shuffled order, then pods drawn from it, until 130 % of the GPUs are asked for; nobody
//! leaves. The nodes are one pool of the largest node; on a smaller one, somebody holds for good what it does not have.

use std::io::Read as _;

use fairshare::{
    Alternative, Backfill, Config, JobSpec, NodeId, OrderName, Placed, Placement, PolicySpec, PoolId,
    PoolSpec, Quantity, ResourceKind, Resources, Scheduler, ShapeId, ShapeSpec, TeamId, TeamSpec, Timestamp,
};
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;

use crate::traces_dir;

/// Fields of the rows of a compressed list, by name.
fn rows<const N: usize>(file: &str, fields: [&str; N]) -> Option<Vec<[u64; N]>> {
    let packed = std::fs::read(traces_dir()?.join("openb-2023").join(file)).unwrap();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let at = fields.map(|field| head.iter().position(|name| *name == field).unwrap());
    Some(lines.map(|line| at.map(|at| line[at].parse().unwrap())).collect())
}

fn amounts(cpu_milli: u64, memory_mib: u64, gpu_milli: u64) -> Resources {
    Resources::new()
        .with(ResourceKind::CPU, Quantity::new(cpu_milli))
        .with(ResourceKind::MEMORY, Quantity::new(memory_mib << 20))
        .with(ResourceKind::GPU, Quantity::new(gpu_milli))
}

struct Lists {
    nodes: Vec<Resources>,
    pods: Vec<Resources>,
}

fn lists() -> Option<Lists> {
    let nodes = rows("openb_node_list_gpu_node.csv.gz", ["cpu_milli", "memory_mib", "gpu"])?;
    let pods = rows("openb_pod_list_default.csv.gz", ["cpu_milli", "memory_mib", "num_gpu", "gpu_milli"])?;
    let pod = |[cpu, memory, gpus, part]: [u64; 4]| {
        amounts(cpu, memory, if gpus == 1 { part } else { gpus * 1_000 })
    };
    Some(Lists {
        nodes: nodes.into_iter().map(|[cpu, memory, gpus]| amounts(cpu, memory, gpus * 1_000)).collect(),
        pods: pods.into_iter().map(pod).collect(),
    })
}

/// The nodes, with nothing on them.
fn cluster(lists: &Lists, placement: Placement, seed: u64) -> Scheduler {
    let largest = lists.nodes.iter().fold(Resources::new(), |most, node| most.max_each(node));
    let pool = PoolSpec::new("openb", u32::try_from(lists.nodes.len()).unwrap(), largest);
    let policy = PolicySpec::new(OrderName::Fifo).with_backfill(Backfill::BestEffort);
    let policy = policy.with_placement(placement).with_seed(seed);
    let teams = vec![TeamSpec::new("all")];
    let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
    for (number, node) in (0..).zip(&lists.nodes) {
        let missing = largest.checked_sub(node).unwrap();
        if !missing.is_empty() {
            let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(missing))).unwrap();
            let placed =
                Placed::new(PoolId::new(0), Timestamp::ZERO).on_nodes(vec![(NodeId::new(number), 1)]);
            let spec = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO).without_preemption();
            scheduler.adopt(Timestamp::ZERO, spec, &placed).unwrap();
        }
    }
    scheduler
}

/// Percent of the GPUs that are given out.
fn allocated(lists: &Lists, placement: Placement, seed: u64) -> f64 {
    let mut scheduler = cluster(lists, placement, seed);
    let all = scheduler.free(PoolId::new(0)).unwrap()[ResourceKind::GPU].get();
    assert_eq!(all, 6_212_000);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut pods: Vec<Resources> = lists.pods.clone();
    pods.shuffle(&mut rng);
    let gpus = |pods: &[Resources]| pods.iter().map(|pod| pod[ResourceKind::GPU].get()).sum::<u64>();
    while gpus(&pods) * 10 < all * 13 {
        pods.push(*lists.pods.choose(&mut rng).unwrap());
    }
    let shape: Vec<ShapeId> =
        (pods.iter()).map(|pod| scheduler.intern(&ShapeSpec::new(Alternative::new(*pod))).unwrap()).collect();
    for shape in shape {
        let spec = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO);
        let _ = scheduler.submit(Timestamp::ZERO, spec).unwrap();
    }
    scheduler.schedule(Timestamp::ZERO).unwrap();
    scheduler.check_invariants().unwrap();
    let left = scheduler.free(PoolId::new(0)).unwrap()[ResourceKind::GPU].get();
    let percent =
        |part: u64| f64::from(u32::try_from(part).unwrap()) * 100.0 / f64::from(u32::try_from(all).unwrap());
    percent(all - left)
}

/// The mean over so many seeds.
fn mean(placement: Placement, seeds: u64) -> Option<f64> {
    let lists = lists()?;
    let found: Vec<f64> = (42..42 + seeds).map(|seed| allocated(&lists, placement, seed)).collect();
    Some(found.iter().sum::<f64>() / f64::from(u32::try_from(found.len()).unwrap()))
}

/// Published: the mean of ten seeds, with what is between the least and the most of them, widened by 0.3.
#[test]
fn rules_pack_as_well_as_published() {
    // Where debug assertions cost time, three seeds are enough to see a difference.
    let seeds = if cfg!(debug_assertions) { 3 } else { 10 };
    for (placement, least, most) in [
        (Placement::BestFit, 92.87, 93.25),
        (Placement::Random, 87.07, 88.03),
        // By GPUs alone: one number, of a program with one seed.
        (Placement::BestFitGpu, 94.5 - 0.4, 94.5 + 0.4),
    ] {
        let Some(mean) = mean(placement, seeds) else { return };
        assert!((least - 0.3..=most + 0.3).contains(&mean), "{placement:?}: {mean}");
    }
}

/// Published: 95.39, between 95.27 and 95.49.
#[cfg(not(debug_assertions))]
#[test]
fn the_fragmentation_gradient_packs_as_well_as_published() {
    let Some(mean) = mean(Placement::Fragmentation, 10) else { return };
    assert!((95.27 - 0.3..=95.49 + 0.3).contains(&mean), "{mean}");
}
