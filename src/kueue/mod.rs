//! Kueue: its way of sharing, as a library of its own: quota trees, borrowed shares, preemption, flavors, one cycle.
//!
//! Other words than the rest of the crate, on purpose: they are Kueue's, so that whoever knows Kueue finds them. The rules
//! are those of kubernetes-sigs/kueue at commit ff69552e (August 2026). It deviates in three ways: shares are exact
//! fractions where Kueue rounds to floats; where the order of a Go map decides there, the order of names does here; and
//! usage of local queues, which there makes the order of victims of several queues a circle, orders those of one queue.
//!
//! A [`Cluster`] is what holds quota now; [`Cluster::cycle`] decides once about what is pending and changes nothing.
//! Absent on purpose: time passing, Kubernetes objects, topology, admission checks. Layer 3; uses `share`.
//!
//! # Examples
//!
//! Two queues share three CPUs each; one uses five of them and gives back two:
//!
//! ```
//! use fairshare::kueue::{Cluster, ClusterQueue, Pending, PodSet, Preemption, Quota, Reach, Settings, Verdict, Workload};
//! let queue = |name: &str| {
//!     ClusterQueue::new(name).in_cohort("all").with_quotas("default", vec![Quota::new("cpu", 3)]).with_preemption(
//!         Preemption { reclaim_within_cohort: Reach::Any, ..Preemption::default() },
//!     )
//! };
//! let running = (1..=5).map(|i| Workload::new(&format!("b{i}"), "b", vec![("default", "cpu", 1)])).collect();
//! let settings = Settings { fair_sharing: true, ..Settings::default() };
//! let mut cluster = Cluster::new(settings, &[], &[queue("a"), queue("b")], running).unwrap();
//! let job = Pending::new("a1", "a", vec![PodSet::new("main", 1, vec![("cpu", 3)])]);
//! let outcome = cluster.cycle(&[job]);
//! let Verdict::EvictFor { victims, .. } = &outcome.verdicts[0] else { panic!("{outcome:?}") };
//! assert_eq!(victims.len(), 2);
//! ```

mod admission;
mod classical;
mod cluster;
mod cycle;
mod fair;
mod flavors;
mod found;
mod order;
mod share;
mod spec;
mod targets;
mod tree;
mod victims;

pub use admission::{Usage, decayed, entry_penalty};
pub use cluster::{Cluster, ClusterError, NodeShare};
pub use cycle::{Outcome, Verdict};
pub use share::{DominantShare, WeightedShare};
pub use spec::{
    BorrowWithinCohort, ClusterQueue, Cohort, Fungibility, Mode, Pending, PodSet, Preemption, Preference,
    Quota, QuotaRow, Reach, ResourceGroup, Search, Settings, Strategy, Workload,
};
pub use victims::{Reason, Victim, victim_order};
