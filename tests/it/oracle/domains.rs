//! Fabric domains: which nodes of a pool a gang may use together, and which domain it gets.

use fairshare::{Alternative, Placement, Resources};

use super::Oracle;
use super::devices::Free;
use super::placement::mixed;

impl Oracle {
    /// The nodes of each domain of a pool; all of them at once for whoever need not stay in one.
    fn domains(&self, pool: usize, alternative: &Alternative) -> Vec<Vec<usize>> {
        let spec = self.pool(pool);
        let all: Vec<usize> = (0..spec.nodes as usize).collect();
        if spec.domains.is_empty() || alternative.workers == 1 || alternative.across_domains {
            return vec![all];
        }
        let mut rest = &all[..];
        let mut domains = Vec::new();
        for nodes in &spec.domains {
            let (here, others) = rest.split_at(*nodes as usize);
            domains.push(here.to_vec());
            rest = others;
        }
        assert!(rest.is_empty(), "every node is in a domain");
        domains
    }

    /// How many nodes of a pool a job can use together, however empty it is.
    pub(super) fn most_together(&self, pool: usize, alternative: &Alternative) -> u64 {
        self.domains(pool, alternative).iter().map(|nodes| nodes.len() as u64).max().unwrap()
    }

    /// Those of some nodes, all of which hold a worker, among which a job is placed.
    pub(super) fn choose_domain(
        &self,
        pool: usize,
        alternative: &Alternative,
        nodes: Vec<(Free, usize)>,
    ) -> Vec<(Free, usize)> {
        let domains = self.domains(pool, alternative);
        if domains.len() == 1 {
            return nodes;
        }
        let request: &Resources = &alternative.request;
        let mut choice: Vec<(u64, usize)> = Vec::new();
        for (number, domain) in domains.iter().enumerate() {
            let here = nodes.iter().filter(|(_, node)| domain.contains(node));
            let room: u64 = here.map(|(free, _)| free.times(request, 1_000_000)).sum();
            if room < u64::from(alternative.workers) {
                continue;
            }
            let order = match self.config.policy.placement {
                Placement::FirstFit => 0,
                Placement::Random => {
                    let last = u64::from(u32::MAX);
                    let seeds =
                        [self.config.policy.seed, pool as u64, self.starts[pool], number as u64, last];
                    seeds.into_iter().fold(0, |hash, number| mixed(hash ^ number))
                }
                _ => room,
            };
            choice.push((order, number));
        }
        let Some((_, domain)) = choice.into_iter().min() else { return Vec::new() };
        nodes.into_iter().filter(|(_, node)| domains[domain].contains(node)).collect()
    }
}
