//! Check: whether every list is what it should be.
//!
//! Absent on purpose: what is done about it. Layer 4.

use super::{ARITY, Lists, View};
use crate::id::Id as _;
use crate::line::Place;
use crate::route::RouteId;
use crate::tree::MemberId;

impl Lists {
    /// Compares every list, caught up on a copy, with what it should hold; the first difference, in words.
    pub(in crate::policy) fn check(
        &self,
        view: View<'_>,
        place: impl Fn(MemberId, RouteId) -> Place,
    ) -> Result<(), String> {
        let mut copy = self.clone();
        for parent in view.tree.ids() {
            for route in view.routes.ids() {
                copy.catch_up(|| view, parent, route, |member| place(member, route));
                for at in 0..copy.len(parent, route) {
                    let item = copy.parents[parent].lists[route.index()].items[at];
                    let (member, version) = {
                        let stand = &copy.stands[item.stand as usize];
                        if copy.at[item.stand as usize] as usize != at || stand.route != route {
                            return Err(format!("route {route:?}: a stand does not know where it is"));
                        }
                        (stand.member, stand.version)
                    };
                    if at > 0 {
                        let above = copy.parents[parent].lists[route.index()].items[(at - 1) / ARITY];
                        if copy.precedes(&view, item, above) {
                            return Err(format!(
                                "route {route:?}: the heap below {parent:?} is out of order at {at}"
                            ));
                        }
                    }
                    // The same stand as it would be now, beside it.
                    let now = copy.new_stand(member, route, place(member, route));
                    let fresh = copy.refresh_stand(&view, now, place(member, route));
                    let order = (fresh.borrows.cmp(&item.borrows))
                        .then_with(|| copy.compare_keys(&view, fresh, item));
                    copy.free.push(now);
                    let has_moved = version != copy.rivals[member].version;
                    if order.is_lt() || order.is_gt() && !has_moved {
                        return Err(format!(
                            "route {route:?}: the entry of member {member:?} is out of date"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Every (member, route) that stands somewhere.
    pub(in crate::policy) fn all_stands(&self) -> Vec<(MemberId, RouteId)> {
        let mut all = Vec::new();
        for rival in self.rivals.iter() {
            for (_, stand) in &rival.stands {
                all.push((self.stands[*stand as usize].member, self.stands[*stand as usize].route));
            }
        }
        all
    }
}
