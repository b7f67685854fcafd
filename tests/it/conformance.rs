//! The conformance kit: every order of the crate passes it, and orders that break a law are found out.

use std::cell::Cell;
use std::cmp::Ordering;

use fairshare::conformance::{Law, Violation, check};
use fairshare::{Contender, Order, OrderName, PolicySpec};

#[test]
fn every_order_of_the_crate_conforms() {
    for name in OrderName::ALL {
        let checked =
            check(|| PolicySpec::new(name).order(), 7, 24).unwrap_or_else(|why| panic!("{name:?}: {why}"));
        assert!(checked.triples > 5_000 && checked.starts > 300, "{name:?}: {checked:?}");
        assert!(checked.evictions > 0 || name == OrderName::Static, "{name:?}: {checked:?}");
    }
}

/// How an order compares, and its hint.
type Compare = fn(&Contender<'_>, &Contender<'_>) -> Ordering;

#[derive(Debug)]
struct Broken {
    compare: Compare,
    hint: fn(&Contender<'_>) -> f64,
    by_shares: bool,
}

impl Order for Broken {
    fn by_shares(&self) -> bool {
        self.by_shares
    }

    fn hint(&self, contender: &Contender<'_>) -> f64 {
        (self.hint)(contender)
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        (self.compare)(a, b)
    }
}

fn law(compare: Compare, hint: fn(&Contender<'_>) -> f64) -> Law {
    let make = || -> Box<dyn Order> { Box::new(Broken { compare, hint, by_shares: true }) };
    check(make, 1, 8).unwrap_err().law
}

#[test]
fn an_order_that_breaks_a_law_is_found_out() {
    // Equal teams are not told apart.
    assert_eq!(law(|a, b| a.compare_after(b).then(Ordering::Equal), |_| 0.0), Law::Total);
    // Who is asked first comes first.
    assert_eq!(law(|_, _| Ordering::Less, |_| 0.0), Law::Monotone);
    // The team that has most comes first, so that a grant moves it forward.
    assert_eq!(law(|a, b| b.compare_now(a).then_with(|| a.compare_ties(b)), |_| 0.0), Law::Monotone);
    // The hint says the opposite, or nothing.
    let after = |a: &Contender<'_>, b: &Contender<'_>| a.compare_after(b).then_with(|| a.compare_ties(b));
    assert_eq!(law(after, |contender| -contender.dominant_after()), Law::Hint);
    assert_eq!(law(after, |_| f64::NAN), Law::Hint);
}

#[test]
fn an_order_with_a_memory_of_its_own_is_not_deterministic() {
    // Every other scheduler that is built turns the order round.
    let built = Cell::new(0);
    let make = || -> Box<dyn Order> {
        built.set(built.get() + 1);
        let compare: Compare = if built.get() % 3 == 0 {
            |a, b| a.place().number.cmp(&b.place().number)
        } else {
            |a, b| a.place().cmp(&b.place())
        };
        Box::new(Broken { compare, hint: |_| 0.0, by_shares: false })
    };
    let Err(Violation { law, .. }) = check(make, 1, 64) else { return };
    assert_eq!(law, Law::Deterministic);
}
