//! Contender: one policy that is compared, to be run on the trace and on every replica of it.
//!
//! What jobs say of run times, and with it what may pass a blocked job, is settled once by the whole trace. Absent on
//! purpose: differences (see `compare`).

use super::{Runs, recorded, replica};
use crate::error::SimError;
use crate::metrics::population::Trim;
use crate::observer::Observer;
use crate::record::Record;
use crate::rng::Streams;
use crate::scenario::Scenario;
use crate::setup::Setup;
use crate::simulate::simulate;
use crate::summary::{RunInfo, Summary};
use crate::trace::Trace;

/// One policy that is compared.
#[derive(Debug)]
pub struct Contender {
    scenario: Scenario,
    setup: Setup,
    /// What the trace itself says, and no policy.
    recorded: bool,
}

impl Contender {
    /// A scenario with its policy, or with what is `recorded` instead.
    ///
    /// # Errors
    ///
    /// [`SimError`] where the two do not go together.
    pub fn new(scenario: Scenario, trace: &Trace, recorded: bool) -> Result<Self, SimError> {
        let setup = Setup::new(&scenario, trace)?;
        Ok(Self { scenario, setup, recorded })
    }

    /// Runs it on the trace; what should be known is said only of what is recorded.
    ///
    /// # Errors
    ///
    /// [`SimError`] if a run fails, or nothing is recorded.
    pub fn run<O: Observer>(
        &self,
        trace: &Trace,
        info: &RunInfo,
        observer: &mut O,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(Summary, Record, Vec<String>), SimError> {
        self.run_as(&self.setup, trace, info, observer, interrupted)
    }

    fn run_as<O: Observer>(
        &self,
        setup: &Setup,
        trace: &Trace,
        info: &RunInfo,
        observer: &mut O,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(Summary, Record, Vec<String>), SimError> {
        let (record, cautions) = if self.recorded {
            recorded::record(setup, trace)?
        } else {
            (simulate(setup, trace, observer, interrupted)?, Vec::new())
        };
        let mut summary = Summary::new(&self.scenario, setup, trace, &record, info);
        if self.recorded {
            recorded::NAME.clone_into(&mut summary.policy);
            // What the scenario would do is none of what happened.
            summary.warnings.retain(|warning| !warning.starts_with("backfill is best-effort"));
        }
        Ok((summary, record, cautions))
    }

    /// The scheduler's numbers of the teams; they are the same for every policy.
    #[must_use]
    pub fn team_of(&self) -> &[fairshare::TeamId] {
        &self.setup.team_of
    }
}

/// Runs all contenders on replica `number` of the trace, with the same draws for each.
///
/// # Errors
///
/// [`SimError`] if a run fails.
pub fn on_replica<O: Observer>(
    contenders: &[Contender],
    trace: &Trace,
    (number, baseline): (u64, usize),
    (seed, trim): (u64, Option<Trim>),
    mut observer: O,
    interrupted: &dyn Fn() -> bool,
) -> Result<Option<super::Replica>, SimError> {
    let mut stream = Streams::new(seed).stream(&format!("compare/replica/{number}"));
    let drawn = replica::draw(trace, &mut stream);
    let placement_seed = stream.next_u64();
    let info = RunInfo { seed, trim, ..RunInfo::default() };
    let mut runs = Vec::with_capacity(contenders.len());
    for contender in contenders {
        let mut setup = contender.setup.clone();
        setup.config.policy.seed = placement_seed;
        let (summary, record, _) = contender.run_as(&setup, &drawn, &info, &mut observer, interrupted)?;
        if record.interrupted {
            return Ok(None);
        }
        runs.push((summary, record));
    }
    let team_of = contenders.first().map_or(&[][..], Contender::team_of);
    Ok(Some(Runs { trace: &drawn, team_of, trim, runs, baseline }.replica()))
}
