//! Admission: which jobs are let in, in which class, and to which pools they go, by the rules of a scenario.
//!
//! Pure, and data throughout: a further cloud is a further pool and a further rule. Absent on purpose: what is free, and
//! who is served (the scheduler's), and how the rules are written (see `scenario`).

/// `[admission]`: what a job must be like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// A job that names no cost owner is rejected; else its team pays.
    pub owner_required: bool,
    /// Classes that a job may name; `None`: all.
    pub classes: Option<Vec<String>>,
    /// The most GPUs that a job of a class may ask, in thousandths.
    pub most_gpus: Vec<(String, u64)>,
    /// What a development job gets; `None`: nothing.
    pub dev: Option<Dev>,
}

/// What the `dev` column of a job means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dev {
    /// Its class, whatever it names.
    pub class: Option<String>,
    /// The most GPUs that it may ask, in thousandths.
    pub most_gpus: u64,
}

/// `[[route]]`: where jobs go that name no pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which jobs.
    pub asks: Asks,
    /// Indices of the pools.
    pub pools: Vec<usize>,
}

/// Which jobs a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// All.
    Anything,
    /// Those that ask GPUs of this type.
    Accelerator(String),
    /// Those that ask no GPUs.
    NoGpus,
}

/// What admission looks at of one way to run a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Its class as the job names it; empty: none.
    pub(crate) class: &'a str,
    pub(crate) dev: bool,
    /// GPUs of all workers, thousandths.
    pub(crate) gpus: u64,
}

impl Admission {
    /// The class in which a job is served.
    pub(crate) fn class<'a>(&'a self, ask: Ask<'a>) -> &'a str {
        let dev = self.dev.as_ref().filter(|_| ask.dev);
        dev.and_then(|dev| dev.class.as_deref()).unwrap_or(ask.class)
    }

    /// Why a job that asks this is rejected, if it is.
    pub(crate) fn refuses(&self, ask: Ask<'_>) -> Option<String> {
        let class = self.class(ask);
        let is_known = |classes: &Vec<String>| class.is_empty() || classes.iter().any(|known| known == class);
        if !self.classes.as_ref().is_none_or(is_known) {
            return Some(format!("class `{}` is not among those allowed", crate::trace::printable(class)));
        }
        let dev = self.dev.as_ref().filter(|dev| ask.dev && ask.gpus > dev.most_gpus);
        if let Some(dev) = dev {
            return Some(format!("a development job may ask at most {}", gpus(dev.most_gpus)));
        }
        let (_, most) = self.most_gpus.iter().find(|(known, most)| known == class && ask.gpus > *most)?;
        Some(format!("a job of class `{class}` may ask at most {}", gpus(*most)))
    }
}

/// The pools to which the first rule sends a job; `None`: no rule is about it.
pub(crate) fn route<'a>(rules: &'a [Rule], accelerator: Option<&str>, gpus: u64) -> Option<&'a [usize]> {
    rule_of(rules, accelerator, gpus).map(|rule| rules[rule].pools.as_slice())
}

/// The index of the first rule that is about a job.
pub(crate) fn rule_of(rules: &[Rule], accelerator: Option<&str>, gpus: u64) -> Option<usize> {
    let is_about = |rule: &&Rule| match &rule.asks {
        Asks::Anything => true,
        Asks::Accelerator(name) => accelerator == Some(name.as_str()),
        Asks::NoGpus => gpus == 0,
    };
    rules.iter().position(|rule| is_about(&rule))
}

fn gpus(thousandths: u64) -> String {
    let amount = fairshare::Millis::new(thousandths);
    format!("{amount} {}", if thousandths == 1_000 { "GPU" } else { "GPUs" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_is_about_a_job_sends_it() {
        let rule = |asks, pools: &[usize]| Rule { asks, pools: pools.to_vec() };
        let rules = [
            rule(Asks::Accelerator("H200".to_owned()), &[0]),
            rule(Asks::NoGpus, &[1]),
            rule(Asks::Anything, &[0, 1]),
        ];
        assert_eq!(route(&rules, Some("H200"), 8_000), Some(&[0][..]));
        assert_eq!(route(&rules, None, 0), Some(&[1][..]));
        assert_eq!(route(&rules, Some("L4"), 1_000), Some(&[0, 1][..]));
        assert_eq!(route(&rules[..1], Some("L4"), 1_000), None);
    }

    #[test]
    fn a_development_job_is_judged_in_its_own_class() {
        let dev = Some(Dev { class: Some("interactive".to_owned()), most_gpus: 1_000 });
        let most_gpus = vec![("interactive".to_owned(), 500)];
        let rules = Admission { most_gpus, dev, ..Admission::default() };
        let ask = |gpus| Ask { class: "lowest", dev: true, gpus };
        assert_eq!(rules.class(ask(1)), "interactive");
        assert_eq!(rules.refuses(ask(500)), None);
        assert_eq!(
            rules.refuses(ask(1_000)).unwrap(),
            "a job of class `interactive` may ask at most 0.5 GPUs"
        );
        assert_eq!(rules.refuses(ask(1_001)).unwrap(), "a development job may ask at most 1 GPU");
        assert_eq!(rules.refuses(Ask { dev: false, ..ask(8_000) }), None);
    }
}
