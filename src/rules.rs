//! Rules: which jobs are let in, in which class, and to which pools they go, as data.
//!
//! Judged once, before a job is submitted; a further cloud is a further pool and a further rule. Absent on purpose: what is
//! free and who is served (the scheduler's), and which pools could hold a job (see `route`). Layer 1; uses `id`, `quantity`.

use core::fmt;

use crate::id::PoolId;
use crate::quantity::{Quantity, write_thousandths};

/// What a platform asks of a job before it may wait, and where it sends jobs that name no pools.
///
/// # Examples
///
/// A third cloud is one rule more: the jobs, their classes and the code that judges them stay as they are.
///
/// ```
/// use fairshare::{Ask, Asks, PoolId, Quantity, Refusal, RouteRule, Rules};
/// let [nebius, gcp, aws] = [0, 1, 2].map(PoolId::new);
/// let mut rules = Rules {
///     owner_required: true,
///     most_gpus: vec![("interactive".into(), Quantity::from_units(2).unwrap())],
///     routes: vec![RouteRule::new(Asks::Accelerator("H200".into()), [nebius]), RouteRule::new(Asks::Anything, [gcp])],
///     ..Rules::default()
/// };
/// let gpus = Quantity::from_units(8).unwrap();
/// let training = Ask { gpus, accelerator: Some("H200"), has_owner: true, class: "low", ..Ask::default() };
/// assert_eq!(rules.admit(&training).unwrap().pools, Some(&[nebius][..]));
/// assert_eq!(rules.admit(&Ask { has_owner: false, ..training }), Err(Refusal::NoOwner));
/// let notebook = Ask { class: "interactive", ..training };
/// assert_eq!(rules.admit(&notebook).unwrap_err().to_string(), "a job of class `interactive` may ask at most 2 GPUs");
///
/// rules.routes[0] = RouteRule::new(Asks::Accelerator("H200".into()), [nebius, aws]);
/// assert_eq!(rules.admit(&training).unwrap().pools, Some(&[nebius, aws][..]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rules {
    /// A job that names no cost owner is refused; else its team pays.
    pub owner_required: bool,
    /// Classes that a job may name; `None`: all. A job may always name none.
    pub classes: Option<Vec<String>>,
    /// The most GPUs that all workers of a job of a class may ask.
    pub most_gpus: Vec<(String, Quantity)>,
    /// What it means that a job is one of development; `None`: nothing.
    pub dev: Option<Dev>,
    /// Where jobs go that name no pools. The first rule that is about a job sends it; about whom none is may use every pool.
    pub routes: Vec<RouteRule>,
}

/// What it means that a job is one of development.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dev {
    /// Its class, whatever it names; `None`: what it names.
    pub class: Option<String>,
    /// The most GPUs that all its workers may ask.
    pub most_gpus: Quantity,
}

/// Where some jobs go.
///
/// # Examples
///
/// ```
/// use fairshare::{Asks, PoolId, RouteRule};
/// let rule = RouteRule::new(Asks::NoGpus, [PoolId::new(2), PoolId::new(0), PoolId::new(2)]);
/// assert_eq!(rule.pools, [PoolId::new(0), PoolId::new(2)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RouteRule {
    /// Which jobs.
    pub asks: Asks,
    /// The pools, each once.
    pub pools: Vec<PoolId>,
}

impl RouteRule {
    /// Jobs that ask this go to these pools.
    #[must_use]
    pub fn new(asks: Asks, pools: impl IntoIterator<Item = PoolId>) -> Self {
        let mut pools: Vec<PoolId> = pools.into_iter().collect();
        pools.sort_unstable();
        pools.dedup();
        Self { asks, pools }
    }
}

/// Which jobs a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Asks {
    /// All.
    Anything,
    /// Those that ask GPUs of this type.
    Accelerator(String),
    /// Those that ask no GPUs.
    NoGpus,
}

/// What the rules look at of one way to run a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask<'a> {
    /// Its class as the job names it; empty: none.
    pub class: &'a str,
    /// Whether the job is one of development.
    pub dev: bool,
    /// Whether the job names who pays for it.
    pub has_owner: bool,
    /// GPUs of all its workers.
    pub gpus: Quantity,
    /// The type of GPU that it names.
    pub accelerator: Option<&'a str>,
    /// Whether the job names its pools itself: no rule sends it then.
    pub names_pools: bool,
}

/// What the rules say of a job that they let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted<'a> {
    /// The class in which it is served; empty: none.
    pub class: &'a str,
    /// The pools to which it is sent; `None`: it names its own, or no rule is about it.
    pub pools: Option<&'a [PoolId]>,
}

/// Why the rules refuse a job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Refusal {
    /// It names no cost owner.
    NoOwner,
    /// Its class is not among those allowed.
    Class {
        /// The class.
        class: String,
    },
    /// It asks more than a job of development may.
    Dev {
        /// The most GPUs of one.
        most: Quantity,
    },
    /// It asks more than a job of its class may.
    Gpus {
        /// The class in which it would be served.
        class: String,
        /// The most GPUs of a job of it.
        most: Quantity,
    },
}

impl Rules {
    /// Lets a job in or says why not; in which class it is served, and to which pools it goes.
    ///
    /// # Errors
    ///
    /// The first [`Refusal`] in the order of its variants.
    ///
    /// # Complexity
    ///
    /// O(classes + rules).
    pub fn admit<'a>(&'a self, ask: &Ask<'a>) -> Result<Admitted<'a>, Refusal> {
        if let Some(refusal) = self.refuses(ask) {
            return Err(refusal);
        }
        let rule = self.rule_of(ask).filter(|_| !ask.names_pools);
        Ok(Admitted { class: self.class(ask), pools: rule.map(|rule| self.routes[rule].pools.as_slice()) })
    }

    /// The class in which a job is served; empty: none.
    #[must_use]
    pub fn class<'a>(&'a self, ask: &Ask<'a>) -> &'a str {
        let dev = self.dev.as_ref().filter(|_| ask.dev);
        dev.and_then(|dev| dev.class.as_deref()).unwrap_or(ask.class)
    }

    /// The index of the first rule that is about what a job asks, whether it names pools or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Ask, Asks, PoolId, RouteRule, Rules};
    /// let routes = vec![RouteRule::new(Asks::NoGpus, [PoolId::new(0)])];
    /// let rules = Rules { routes, ..Rules::default() };
    /// assert_eq!(rules.rule_of(&Ask { names_pools: true, ..Ask::default() }), Some(0));
    /// ```
    #[must_use]
    pub fn rule_of(&self, ask: &Ask<'_>) -> Option<usize> {
        let is_about = |rule: &RouteRule| match &rule.asks {
            Asks::Anything => true,
            Asks::Accelerator(name) => ask.accelerator == Some(name.as_str()),
            Asks::NoGpus => ask.gpus == Quantity::ZERO,
        };
        self.routes.iter().position(is_about)
    }

    fn refuses(&self, ask: &Ask<'_>) -> Option<Refusal> {
        if self.owner_required && !ask.has_owner {
            return Some(Refusal::NoOwner);
        }
        let class = self.class(ask);
        let is_known = |classes: &Vec<String>| class.is_empty() || classes.iter().any(|known| known == class);
        if !self.classes.as_ref().is_none_or(is_known) {
            return Some(Refusal::Class { class: class.to_owned() });
        }
        if let Some(dev) = self.dev.as_ref().filter(|dev| ask.dev && ask.gpus > dev.most_gpus) {
            return Some(Refusal::Dev { most: dev.most_gpus });
        }
        let (_, most) = self.most_gpus.iter().find(|(known, most)| known == class && ask.gpus > *most)?;
        Some(Refusal::Gpus { class: class.to_owned(), most: *most })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOwner => f.write_str("a cost owner is required, and the job names none"),
            Self::Class { class } => write!(f, "class `{class}` is not among those allowed"),
            Self::Dev { most } => write!(f, "a development job may ask at most {}", Gpus(*most)),
            Self::Gpus { class, most } => {
                write!(f, "a job of class `{class}` may ask at most {}", Gpus(*most))
            }
        }
    }
}

impl core::error::Error for Refusal {}

/// An amount of GPUs in words.
struct Gpus(Quantity);

impl fmt::Display for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_thousandths(f, self.0.get())?;
        f.write_str(if self.0 == Quantity::new(1_000) { " GPU" } else { " GPUs" })
    }
}
