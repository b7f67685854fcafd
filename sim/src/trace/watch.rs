//! Who is told how far the reading of a trace is. Absent on purpose: how that is shown.

use std::rc::Rc;

/// Told now and then how many rows have been read; by default nobody is.
#[derive(Clone, Default)]
pub struct Watch(Option<Rc<dyn Fn(u64)>>);

impl Watch {
    /// Rows between two calls.
    const ROWS: u64 = 1 << 14;

    /// Lets `tell` hear the number of rows.
    #[must_use]
    pub fn new(tell: impl Fn(u64) + 'static) -> Self {
        Self(Some(Rc::new(tell)))
    }

    pub(crate) fn row(&self, number: u64) {
        if let Some(tell) = &self.0
            && number.is_multiple_of(Self::ROWS)
        {
            tell(number);
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.0.is_some()).finish()
    }
}
