//! Found: what searches for victims have found since somebody was last admitted or released.
//!
//! Many heads of a cycle ask the same for queues that are alike: siblings that say the same and use the same. While such a
//! queue is within its quota, nobody takes anything from it for another, so that to a search it is no more than a name: for
//! each of them the victims are the same, those of its own queue being the ones at the same places. A queue that borrows
//! is like itself alone. Absent on purpose: how victims are searched for.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::spec::Reach;
use super::tree::{Cell, NodeIndex, Pair};
use super::victims::{Incoming, Victim};
use crate::id::Id as _;
use crate::share::Weight;

/// All that decides whom a search finds, beside what is admitted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Question {
    /// For queues that are alike the same one.
    queue: NodeIndex,
    usage: Vec<i64>,
    priority: i32,
    /// Nothing where no age is compared.
    created_ms: Option<i64>,
    requests: Vec<(Pair, i64)>,
    contested: Vec<Pair>,
}

/// Whom the search for a workload of a queue has found.
#[derive(Clone, Debug)]
struct Answer {
    queue: NodeIndex,
    victims: Vec<Victim>,
}

/// The searches that were made, and which queues are alike in them.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Of every node the first queue that has the same cohort and says the same of quotas, weight and preemption.
    alike: Vec<NodeIndex>,
    answers: BTreeMap<Question, Answer>,
}

/// What a queue says, as far as a search depends on it.
type Says = (Vec<Option<Cell>>, Option<(u64, u64)>, [Reach; 2], Option<Option<i32>>);

impl Found {
    /// Nothing, for a tree that has been built.
    pub(super) fn new(cluster: &Cluster) -> Self {
        let mut first: BTreeMap<(NodeIndex, Says), NodeIndex> = BTreeMap::new();
        let mut alike = Vec::new();
        for at in (0..cluster.tree.nodes.len()).map(NodeIndex::at) {
            let parent = cluster.tree.node(at).parent.filter(|_| cluster.is_queue(at));
            alike.push(parent.map_or(at, |parent| *first.entry((parent, cluster.says(at))).or_insert(at)));
        }
        Self { alike, answers: BTreeMap::new() }
    }

    /// What is admitted is something else now.
    pub(super) fn forget(&mut self) {
        self.answers.clear();
    }
}

impl Cluster {
    fn says(&self, queue: NodeIndex) -> Says {
        let (node, preemption) = (self.tree.node(queue), self.queues[queue].preemption);
        let weight = node.weight.map(|weight: Weight| (weight.numerator(), weight.denominator()));
        let reaches = [preemption.within_cluster_queue, preemption.reclaim_within_cohort];
        let borrow = preemption.borrow_within_cohort.map(|borrow| borrow.max_priority_threshold);
        (node.cells.clone(), weight, reaches, borrow)
    }

    /// Who has to go so that the workload fits; nothing where nobody can. The cluster is as before afterwards.
    pub(super) fn targets(&mut self, incoming: &Incoming) -> Vec<Victim> {
        let question = self.question(incoming);
        if let Some(victims) = self.answer(&question, incoming) {
            return victims;
        }
        let victims = self.search(incoming);
        let answer = Answer { queue: incoming.queue, victims: victims.clone() };
        self.found.answers.insert(question, answer);
        victims
    }

    fn question(&self, incoming: &Incoming) -> Question {
        let own = incoming.queue;
        let within = self.tree.within_nominal(own, &incoming.contested);
        let preemption = self.queues[own].preemption;
        let by_age = [preemption.within_cluster_queue, preemption.reclaim_within_cohort]
            .contains(&Reach::LowerOrNewerEqualPriority);
        Question {
            queue: if within { self.found.alike[own.index()] } else { own },
            usage: self.tree.usage_of(own).to_vec(),
            priority: incoming.priority,
            created_ms: by_age.then_some(incoming.created_ms),
            requests: incoming.requests.clone(),
            contested: incoming.contested.clone(),
        }
    }

    /// What a search that was made before says of a workload.
    fn answer(&self, question: &Question, incoming: &Incoming) -> Option<Vec<Victim>> {
        let Answer { queue, victims } = self.found.answers.get(question)?;
        if *queue == incoming.queue {
            return Some(victims.clone());
        }
        let theirs = || self.candidates_within(*queue, incoming);
        let own: Vec<usize> = self.candidates_within(incoming.queue, incoming).collect();
        let facts = |workload: usize| (self.admitted[workload].evicted, &self.admitted[workload].usage);
        if !theirs().map(facts).eq(own.iter().copied().map(facts)) {
            return None;
        }
        let in_own = |victim: &Victim| match theirs().position(|workload| workload == victim.workload) {
            Some(place) => Victim { workload: own[place], ..*victim },
            None => *victim,
        };
        Some(victims.iter().map(in_own).collect())
    }

    /// Those of a queue whom the workload might preempt if it were of that queue, in their order.
    fn candidates_within(&self, queue: NodeIndex, incoming: &Incoming) -> impl Iterator<Item = usize> {
        let reach = self.queues[queue].preemption.within_cluster_queue;
        let may = move |workload: &usize| {
            reach.reaches(incoming, &self.admitted[*workload]) && self.uses(*workload, &incoming.contested)
        };
        self.queues[queue].workloads.iter().copied().filter(may)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kueue::{
        BorrowWithinCohort, ClusterQueue, Cohort, Pending, Preemption, Quota, Settings, Workload,
    };

    const REACHES: [Reach; 4] =
        [Reach::Never, Reach::LowerPriority, Reach::LowerOrNewerEqualPriority, Reach::Any];

    /// Numbers without end from a seed.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)) % end
        }

        fn small(&mut self, end: u64) -> i64 {
            self.below(end).cast_signed()
        }

        fn of<T: Copy>(&mut self, values: &[T]) -> T {
            values[usize::try_from(self.below(values.len() as u64)).unwrap()]
        }
    }

    /// Queues of a cohort and of one below it, nearly all of which say the same.
    fn cluster(draw: &mut Draw) -> Cluster {
        let preemption = Preemption {
            within_cluster_queue: draw.of(&REACHES),
            reclaim_within_cohort: draw.of(&REACHES),
            borrow_within_cohort: (draw.below(3) == 0).then(BorrowWithinCohort::default),
        };
        let nominal = draw.small(12);
        let queue = |at: u64, draw: &mut Draw| {
            let mut queue = ClusterQueue::new(&format!("q{at}")).in_cohort(draw.of(&["all", "some"]));
            let more = i64::from(draw.below(8) == 0);
            queue = queue.with_quotas("f", vec![Quota::new("cpu", nominal + more)]);
            queue = queue.with_preemption(preemption);
            match draw.below(12) {
                0 | 4 | 5 => queue.weight = draw.of(&[None, Weight::new(1, 9)]),
                1 => queue.preemption.reclaim_within_cohort = draw.of(&REACHES),
                2 => queue.preemption.within_cluster_queue = draw.of(&REACHES),
                3 => queue.preemption.borrow_within_cohort = None,
                _ => {}
            }
            queue
        };
        let queues: Vec<ClusterQueue> = (0..7).map(|at| queue(at, draw)).collect();
        let below = Cohort { parent: Some("all".to_owned()), ..Cohort::new("some") };
        let settings = Settings { fair_sharing: draw.below(2) == 0, ..Settings::default() };
        Cluster::new(settings, &[below], &queues, Vec::new()).unwrap()
    }

    fn workload(draw: &mut Draw, queue: u64) -> Workload {
        let mut workload = Workload::new("", &format!("q{queue}"), vec![("f", "cpu", draw.small(3) + 1)]);
        workload.uid = draw.below(100).to_string();
        workload.priority = draw.of(&[0, 1]);
        (workload.created_ms, workload.reserved_ms) = (draw.small(3), draw.small(3));
        workload.evicted = draw.below(9) == 0;
        workload
    }

    #[test]
    fn what_was_found_before_is_what_a_search_would_find() {
        let (mut questions, mut remembered, mut with_victims) = (0, 0, 0);
        for seed in 0..600 {
            let draw = &mut Draw(seed);
            let mut asked = cluster(draw);
            let mut fresh = asked.clone();
            for _ in 0..4 {
                for queue in 0..7 {
                    let first = workload(draw, queue);
                    let second = if draw.below(3) == 0 { workload(draw, queue) } else { first.clone() };
                    for admitted in [first, second] {
                        assert_eq!(asked.admit(admitted.clone()), fresh.admit(admitted));
                    }
                }
                for queue in (0..7).chain(0..7) {
                    let mut pending = Pending::new("", &format!("q{queue}"), Vec::new());
                    (pending.priority, pending.created_ms) = (draw.of(&[1, 2]), draw.small(3));
                    let asks = [("f", "cpu", draw.of(&[2, 5]), true)];
                    let known = asked.found.answers.len();
                    let found = asked.victims_of(&pending, &asks);
                    questions += 1;
                    remembered += u32::from(asked.found.answers.len() == known);
                    with_victims += u32::from(!found.is_empty());
                    assert_eq!(found, fresh.clone().victims_of(&pending, &asks), "seed {seed}");
                }
                for _ in 0..6 {
                    let gone = usize::try_from(draw.below(40)).unwrap();
                    assert_eq!(asked.release(gone), fresh.release(gone));
                }
                let (noted, usage) = (usize::try_from(draw.below(10)).unwrap(), Some(draw.of(&[0.0, 1.0])));
                assert_eq!(asked.note_local_usage(noted, usage), fresh.note_local_usage(noted, usage));
            }
        }
        let enough = questions / 15;
        assert!(remembered > enough && with_victims > enough, "{remembered}, {with_victims} of {questions}");
    }
}
