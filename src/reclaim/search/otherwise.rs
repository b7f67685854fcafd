//! Otherwise: what is tried after a set of victims was refused.
//!
//! Where R2 protects a side, it is left alone; else another way to choose is taken, or no victims are chosen on the node that
//! came first. A set that loses too much GPU time is followed by sets of those who lose less; one that holds more than may be
//! stopped for what the job asks, when all else was tried, by sets of those who make most of the room that is lacking. On
//! nodes all is tried once more at the end without the sides that R2 has protected.
//! Absent on purpose: how victims are chosen (see `search`), and what is legal. Layer 3; uses `legal`, `alike`.

use super::super::alike::Snug;
use super::super::legal::Refusal;
use super::Search;

/// Why victims that were chosen are not stopped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    /// The job would have no room after all.
    NoRoom,
    /// They would lose more GPU time than there is to lose.
    Lost,
    NotLegal(Refusal),
}

impl Search<'_, '_> {
    /// Another set may be found from now on; `None` where everything was tried.
    pub(super) fn try_after(&mut self, refused: Refused) -> Option<()> {
        if let Refused::NotLegal(Refusal::Share(rival)) = refused
            && !self.divisible
        {
            self.protected.insert(rival);
            if !self.left_alone.is_empty() && self.left_alone.insert(rival) {
                self.banned.insert(rival);
                return Some(());
            }
        }
        match refused {
            Refused::Lost => return self.try_cheaper(),
            Refused::NotLegal(Refusal::Share(rival)) if self.divisible && self.snug == Snug::OfSide => {
                self.snug = Snug::Never;
                self.banned.insert(rival);
                return Some(());
            }
            // There was room on the nodes: what others keep may come from another side.
            Refused::NotLegal(Refusal::Share(rival))
                if !self.divisible
                    && self.first_node.is_none()
                    && self.others_keep()
                    && self.banned.insert(rival) =>
            {
                return Some(());
            }
            Refused::NotLegal(Refusal::Ratio) => self.too_much = true,
            _ => {}
        }
        match self.first_node {
            _ if self.divisible => self.try_otherwise(),
            Some(node) => {
                self.exclude(node);
                Some(())
            }
            None => self.try_otherwise(),
        }
    }

    /// From now on whoever leaves least room unused of a side is chosen, in place of who loses least; then both again, but
    /// without regard to R2 until the set is judged; and where some held too much together, whoever leaves least unused of
    /// all. `None` where all that was tried.
    pub(super) fn try_otherwise(&mut self) -> Option<()> {
        self.excluded.clear();
        self.domains.clear();
        if self.snug == Snug::Never {
            self.snug = Snug::OfSide;
            return Some(());
        }
        self.banned.clone_from(&self.left_alone);
        if core::mem::replace(&mut self.strict, false) {
            if self.snug == Snug::OfSide {
                self.snug = Snug::Never;
            }
            return Some(());
        }
        if !core::mem::replace(&mut self.too_much, false) {
            return None;
        }
        self.snug = Snug::OfAll;
        self.strict = self.divisible;
        Some(())
    }

    /// All is tried again, without taking equals from a side that R2 has protected. Whoever gives way first on a node is asked
    /// for first, and where that is refused another node is tried; but he may give way first on each.
    pub(super) fn leave_alone(&mut self) {
        self.excluded.clear();
        self.domains.clear();
        self.left_alone = core::mem::take(&mut self.protected);
        self.banned.clone_from(&self.left_alone);
        (self.snug, self.below, self.too_much) = (Snug::Never, None, false);
    }

    /// From now on nobody is chosen who loses as much as the dearest of those chosen, who lose too much together.
    fn try_cheaper(&mut self) -> Option<()> {
        let dearest = self.chosen.iter().map(|candidate| self.candidates[*candidate].victim.loss.0).max()?;
        self.domains.clear();
        self.below = Some(dearest);
        Some(())
    }
}
