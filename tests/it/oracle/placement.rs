//! Which node with room is tried first, by each rule of placement.

use fairshare::{Placement, ResourceKind, Resources};

use super::Oracle;
use super::devices::Free;

impl Oracle {
    /// The smallest first.
    pub(super) fn placement_order(
        &self,
        pool: usize,
        request: &Resources,
        node: usize,
        free: &Free,
    ) -> (i128, u128) {
        let whole = self.pool(pool).node;
        let amount = |of: &Resources, kind: ResourceKind| u128::from(of[kind].get());
        let (gpu, cpu) = (amount(&free.amounts, ResourceKind::GPU), amount(&free.amounts, ResourceKind::CPU));
        let (gpus, cpus) =
            (amount(&whole, ResourceKind::GPU).max(1), amount(&whole, ResourceKind::CPU).max(1));
        let by_gpu = amount(&whole, ResourceKind::GPU) > 0;
        let memory = amount(&free.amounts, ResourceKind::MEMORY);
        let left = i128::try_from(gpu * cpus + cpu * gpus).unwrap();
        match self.config.policy.placement {
            Placement::FirstFit => (0, 0),
            Placement::BestFit => (left, if by_gpu { cpu } else { memory }),
            Placement::BestFitGpu if by_gpu => (i128::try_from(gpu).unwrap(), cpu),
            Placement::BestFitGpu => (i128::try_from(cpu / 1000).unwrap(), memory),
            Placement::Fragmentation => {
                let harm = self.least_harm(pool, request, free).0;
                (-self.hundredths(pool, harm), u128::try_from(left).unwrap())
            }
            Placement::Random => {
                let pool_number = u64::try_from(pool).unwrap();
                let numbers = [self.config.policy.seed, pool_number, self.starts[pool], node as u64];
                (0, u128::from(numbers.into_iter().fold(0, |hash, number| mixed(hash ^ number))))
            }
            other => panic!("no such rule: {other:?}"),
        }
    }

    /// The logistic function of what typical workers gain on average, in whole hundredths.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
    fn hundredths(&self, pool: usize, harm: i128) -> i128 {
        let routes = self.jobs.iter().flat_map(|job| self.routes(job).into_iter().map(move |at| (job, at)));
        let here = routes.filter(|(_, (at, _))| *at == pool);
        let asked: u32 = here.map(|(job, (_, alternative))| job.alternatives[alternative].workers).sum();
        let gained = -(harm as f64) / f64::from(asked) / 1000.0;
        (100.0 / (1.0 + (-gained).exp())).floor().clamp(0.0, 99.0) as i128
    }

    /// Free thousandths of GPUs that are of no use to the workers of each job submitted so far, summed over them.
    pub(super) fn useless(&self, pool: usize, free: &Free) -> i128 {
        let mut sum = 0;
        for job in &self.jobs {
            for (_, alternative) in self.routes(job).into_iter().filter(|(at, _)| *at == pool) {
                let typical = &job.alternatives[alternative];
                let asked = typical.request[ResourceKind::GPU].get();
                let lost = if asked == 0 || !free.fits(&typical.request) {
                    free.amounts[ResourceKind::GPU].get()
                } else {
                    free.shared.values().filter(|left| **left < asked.min(1000)).sum()
                };
                sum += i128::from(lost) * i128::from(typical.workers);
            }
        }
        sum
    }
}

/// One step of the hash that the documentation of random placement names.
pub(super) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
