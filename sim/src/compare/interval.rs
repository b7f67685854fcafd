//! Intervals of mean paired differences.
//!
//! From one trace: batch means. The jobs in order of submission are cut into 30 runs of equal length, whose mean
//! differences are taken as independent; 95 % by Student's t with 29 degrees of freedom. Fewer than 10 jobs a batch give
//! no interval. It is about this trace's variation over time.
//!
//! From replicas: the standard bootstrap interval (Efron and Tibshirani 1993, chapter 13). The difference on the trace
//! itself is the centre; the standard deviation of the differences on its bootstrap replicas is its standard error; 95 %
//! by Student's t with one degree of freedom less than there are replicas. It is about traces that might as well have
//! come. Replicas whose differences are all alike, and not that on the trace, tell no spread.
//!
//! A verdict is given only where the interval leaves zero out. Absent on purpose: what is compared (see `compare`).

use serde::Serialize;

/// Batches of the estimator.
const BATCHES: usize = 30;
/// Jobs that a batch needs.
const JOBS_PER_BATCH: usize = 10;
/// The normal distribution at 97.5 %.
const Z: f64 = 1.959_963_984_540_054;
/// Student's t at 97.5 % with one, two, .. degrees of freedom.
const T: [f64; 30] = [
    12.706_204_736_174_694,
    4.302_652_729_749_462,
    3.182_446_305_283_707_8,
    2.776_445_105_197_793_4,
    2.570_581_835_636_314_6,
    2.446_911_851_144_978_6,
    2.364_624_251_592_784,
    2.306_004_135_204_166,
    2.262_157_162_798_205,
    2.228_138_851_986_274,
    2.200_985_160_091_639,
    2.178_812_829_667_228_4,
    2.160_368_656_462_791_3,
    2.144_786_687_917_804,
    2.131_449_545_559_776,
    2.119_905_299_221_254_6,
    2.109_815_577_833_315_6,
    2.100_922_040_241_038_2,
    2.093_024_054_408_308_7,
    2.085_963_447_265_864,
    2.079_613_844_727_679_5,
    2.073_873_067_904_025_4,
    2.068_657_610_419_048,
    2.063_898_561_628_024_5,
    2.059_538_552_753_297_2,
    2.055_529_438_642_873_5,
    2.051_830_516_480_284_6,
    2.048_407_141_795_245_4,
    2.045_229_642_132_703,
    2.042_272_456_301_237_8,
];

/// A mean paired difference.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// Mean over the jobs; null without any.
    pub mean: Option<f64>,
    /// Lower end of the 95 % interval; null where there is too little to tell it from.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Jobs that ended under both.
    pub jobs: u64,
    /// `higher` or `lower` where the interval leaves zero out, else `undecided`.
    pub verdict: &'static str,
}

impl Interval {
    /// The interval of paired differences in order of submission, by batch means.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::compare::Interval;
    /// let always = Interval::new(&[2.0; 300]);
    /// assert_eq!((always.mean, always.low, always.verdict), (Some(2.0), Some(2.0), "higher"));
    /// let few = Interval::new(&[2.0, 4.0]);
    /// assert_eq!((few.mean, few.low, few.verdict), (Some(3.0), None, "undecided"));
    /// ```
    #[must_use]
    pub fn new(differences: &[f64]) -> Self {
        let count = differences.len();
        let overall = mean(differences);
        if count < BATCHES * JOBS_PER_BATCH {
            return Self::around(overall, None, count as u64);
        }
        let batch = |index: usize| &differences[index * count / BATCHES..(index + 1) * count / BATCHES];
        let means: Vec<f64> = (0..BATCHES).filter_map(|index| mean(batch(index))).collect();
        #[expect(clippy::cast_precision_loss, reason = "thirty batches")]
        let half =
            deviation(&means).map(|deviation| T[BATCHES - 2] * deviation / (means.len() as f64).sqrt());
        Self::around(overall, half, count as u64)
    }

    /// The interval around what was `observed` on the trace itself, by the same figure on its replicas.
    ///
    /// # Examples
    ///
    /// Three replicas, 1 s, 2 s and 3 s longer: their standard deviation is 1 s, and t with two degrees of freedom is
    /// 4.3027. Around 5 s that is all above zero; around 4 s it is not.
    ///
    /// ```
    /// use fairshare_sim::compare::Interval;
    /// let interval = Interval::of_replicas(Some(5.0), &[1.0, 2.0, 3.0], 7);
    /// let ends = [interval.low, interval.high].map(|end| format!("{:.4}", end.unwrap()));
    /// assert_eq!(ends, ["0.6973", "9.3027"]);
    /// assert_eq!((interval.jobs, interval.verdict), (7, "higher"));
    /// assert_eq!(Interval::of_replicas(Some(4.0), &[1.0, 2.0, 3.0], 7).verdict, "undecided");
    /// assert_eq!(Interval::of_replicas(Some(4.0), &[1.0], 7).low, None, "one replica tells no spread");
    /// let alike = [0.1; 3];
    /// assert_eq!(Interval::of_replicas(Some(4.0), &alike, 7).low, None, "nor do those that are alike and elsewhere");
    /// assert_eq!(Interval::of_replicas(Some(0.1), &alike, 7).verdict, "higher");
    /// ```
    #[must_use]
    pub fn of_replicas(observed: Option<f64>, replicas: &[f64], jobs: u64) -> Self {
        let spread = match replicas {
            // The mean of what is alike may be another by its rounding.
            [first, rest @ ..]
                if !rest.is_empty() && rest.iter().all(|other| other.total_cmp(first).is_eq()) =>
            {
                (observed == Some(*first)).then_some(0.0)
            }
            _ => deviation(replicas),
        };
        let half = spread.map(|deviation| student_t(replicas.len() - 1) * deviation);
        Self::around(observed, half, jobs)
    }

    fn around(mean: Option<f64>, half: Option<f64>, jobs: u64) -> Self {
        let ends = mean.zip(half).map(|(mean, half)| (mean - half, mean + half));
        let verdict = match ends {
            Some((low, _)) if low > 0.0 => "higher",
            Some((_, high)) if high < 0.0 => "lower",
            _ => "undecided",
        };
        Self { mean, low: ends.map(|ends| ends.0), high: ends.map(|ends| ends.1), jobs, verdict }
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of jobs are far below 2^53")]
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample's standard deviation; `None` of fewer than two values.
#[expect(clippy::cast_precision_loss, reason = "numbers of replicas are far below 2^53")]
fn deviation(values: &[f64]) -> Option<f64> {
    let centre = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - centre) * (value - centre)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Student's t at 97.5 %; beyond the table by its expansion around the normal distribution (Abramowitz and Stegun
/// 26.7.5), which is off by less than a millionth there.
#[expect(clippy::cast_precision_loss, reason = "numbers of replicas are far below 2^53")]
fn student_t(degrees: usize) -> f64 {
    if let Some(t) = T.get(degrees.wrapping_sub(1)) {
        return *t;
    }
    let n = degrees.max(1) as f64;
    let (z3, z5, z7) = (Z.powi(3), Z.powi(5), Z.powi(7));
    Z + (z3 + Z) / (4.0 * n)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * Z) / (96.0 * n * n)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * Z) / (384.0 * n * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expansion_continues_the_table() {
        // From published tables: t at 97.5 % with 40, 60 and 120 degrees of freedom.
        for (degrees, published) in [(40, 2.0211), (60, 2.0003), (120, 1.9799)] {
            assert!((student_t(degrees) - published).abs() < 5e-5, "{degrees}: {}", student_t(degrees));
        }
        assert!(student_t(31) < T[29] && T[29] - student_t(31) < 0.003);
    }

    /// Of normal samples with mean zero, the interval must leave zero out about once in twenty times.
    #[test]
    fn intervals_of_replicas_cover_what_they_promise() {
        let mut stream = crate::rng::Streams::new(11).stream("coverage");
        let mut outside = 0;
        for _ in 0..4_000 {
            let observed = stream.standard_normal();
            let replicas: Vec<f64> = (0..10).map(|_| observed + stream.standard_normal()).collect();
            outside += u32::from(Interval::of_replicas(Some(observed), &replicas, 1).verdict != "undecided");
        }
        // 5 % of 4,000 is 200, with a standard error of 14.
        assert!((150..250).contains(&outside), "{outside}");
    }
}
