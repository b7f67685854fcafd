//! Sift: entries of a list compared, and moved to where they belong.
//!
//! Absent on purpose: what an entry holds, and when it changes (see `lists`). Layer 4; uses `dominant`.

use core::cmp::Ordering;

use super::{ARITY, Item, Lists, View};
use crate::dominant::{decide_by_hint, is_apart};
use crate::id::position;

impl Lists {
    /// Whether an entry comes before another of the same list: tier, then the order. Their class is the same.
    #[inline]
    pub(super) fn precedes(&mut self, view: &View<'_>, a: Item, b: Item) -> bool {
        if a.borrows != b.borrows {
            return b.borrows;
        }
        self.compare_keys(view, a, b) == Ordering::Less
    }

    #[inline]
    pub(super) fn compare_keys(&mut self, view: &View<'_>, a: Item, b: Item) -> Ordering {
        self.comparisons += 1;
        decide_by_hint(a.hint, b.hint).unwrap_or_else(|| self.compare_exactly(view, a, b))
    }

    #[inline(never)]
    fn compare_exactly(&self, view: &View<'_>, a: Item, b: Item) -> Ordering {
        view.order.compare(&self.contender(view, a.stand), &self.contender(view, b.stand))
    }

    /// Moves an entry up or down to where it belongs.
    #[inline]
    pub(super) fn sift(&mut self, view: &View<'_>, items: &mut [Item], at: usize) {
        if !self.sift_up(view, items, at) {
            self.sift_down(view, items, at);
        }
    }

    /// Moves an entry up to where it belongs; whether it moved.
    #[inline]
    pub(super) fn sift_up(&mut self, view: &View<'_>, items: &mut [Item], from: usize) -> bool {
        let mut at = from;
        let item = items[at];
        while at > 0 {
            let above = (at - 1) / ARITY;
            if !self.precedes(view, item, items[above]) {
                break;
            }
            self.put(items, at, items[above]);
            at = above;
        }
        self.put(items, at, item);
        at != from
    }

    /// Moves an entry down to where it belongs.
    pub(super) fn sift_down(&mut self, view: &View<'_>, items: &mut [Item], from: usize) {
        let mut at = from;
        let item = items[at];
        loop {
            let first = at * ARITY + 1;
            if first >= items.len() {
                break;
            }
            let below = &items[first..(first + ARITY).min(items.len())];
            let least = first + self.least(view, below);
            if !self.precedes(view, items[least], item) {
                break;
            }
            self.put(items, at, items[least]);
            at = least;
        }
        self.put(items, at, item);
    }

    /// Which of some entries comes first. Hints decide without a branch, which would be guessed wrong half of the time.
    #[inline]
    fn least(&mut self, view: &View<'_>, items: &[Item]) -> usize {
        self.comparisons += items.len() as u64 - 1;
        let (mut least, mut lowest, mut borrow) = (0, f64::INFINITY, 0);
        for (at, item) in items.iter().enumerate() {
            let is_lower = item.hint < lowest;
            least = if is_lower { at } else { least };
            lowest = if is_lower { item.hint } else { lowest };
            borrow += usize::from(item.borrows);
        }
        let near = items.iter().filter(|item| !is_apart(item.hint, lowest)).count();
        let is_plain = near == 1 && (borrow == 0 || borrow == items.len());
        if is_plain { least } else { self.least_exactly(view, items) }
    }

    #[inline(never)]
    fn least_exactly(&self, view: &View<'_>, items: &[Item]) -> usize {
        let compare = |a: &Item, b: &Item| {
            let by_key =
                || decide_by_hint(a.hint, b.hint).unwrap_or_else(|| self.compare_exactly(view, *a, *b));
            a.borrows.cmp(&b.borrows).then_with(by_key)
        };
        let least = items.iter().enumerate().min_by(|(_, a), (_, b)| compare(a, b));
        least.map_or(0, |(at, _)| at)
    }

    #[inline]
    fn put(&mut self, items: &mut [Item], at: usize, item: Item) {
        items[at] = item;
        self.at[item.stand as usize] = position(at);
    }
}
