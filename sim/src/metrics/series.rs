//! Series: averages over equal slices of time, for charts.
//!
//! A value that holds from a to b is added to every slice by the part of the slice that it covers: exact integrals in
//! O(1) per stretch, whatever its length. Absent on purpose: drawing.

/// Slices of the time in `series.csv`.
pub(crate) const SLICES: usize = 240;

/// Integrals of a step function over equal slices of time.
///
/// # Examples
///
/// Two units held during the first half of four seconds, in two slices:
///
/// ```
/// use fairshare_sim::metrics::series::Slices;
/// let mut held = Slices::new(0, 4_000, 2);
/// held.add(0, 2_000, 2);
/// assert_eq!(held.averages(), [2.0, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Slices {
    /// When each slice begins, ms; behind them the end of the last.
    boundaries: Vec<i64>,
    /// Value × ms of slices that are covered in part, by slice.
    partial: Vec<i128>,
    /// Change of the value that covers whole slices, by slice.
    change: Vec<i128>,
    /// In which slice the last stretch began: often that of the next one too.
    last: usize,
}

impl Slices {
    /// `count` equal slices from `start` to `end`, ms.
    #[must_use]
    pub fn new(start: i64, end: i64, count: usize) -> Self {
        let count = count.max(1);
        let length = end.max(start).abs_diff(start);
        let boundary = |index| start.saturating_add_unsigned(part(length, index as u64, count as u64));
        let boundaries = (0..=count).map(boundary).collect();
        Self { boundaries, partial: vec![0; count], change: vec![0; count + 1], last: 0 }
    }

    /// When slice `index` begins, ms; that of the slice after the last is the end.
    ///
    /// # Panics
    ///
    /// For a slice beyond that.
    #[must_use]
    pub fn boundary(&self, index: usize) -> i64 {
        self.boundaries[index]
    }

    /// From when to when, ms.
    #[must_use]
    pub fn window(&self) -> (i64, i64) {
        (self.boundaries[0], self.boundaries[self.partial.len()])
    }

    fn slice_of(&self, at: i64) -> usize {
        let (start, end) = self.window();
        let length = end.abs_diff(start).max(1);
        let count = self.partial.len();
        let guess = part(at.abs_diff(start), count as u64, length);
        let mut slice = usize::try_from(guess).unwrap_or(count).min(count - 1);
        while slice + 1 < count && self.boundary(slice + 1) <= at {
            slice += 1;
        }
        while slice > 0 && self.boundary(slice) > at {
            slice -= 1;
        }
        slice
    }

    /// Adds `value` from `from` to `to`, ms.
    pub fn add(&mut self, from: i64, to: i64, value: u64) {
        let (start, end) = self.window();
        let (from, to) = (from.max(start), to.min(end));
        if from >= to {
            return;
        }
        let value = i128::from(value);
        let covers = |slice: usize, at: i64| (self.boundary(slice)..self.boundary(slice + 1)).contains(&at);
        let first = if covers(self.last, from) { self.last } else { self.slice_of(from) };
        let last = if covers(first, to - 1) { first } else { self.slice_of(to - 1) };
        self.last = first;
        let length = |a: i64, b: i64| i128::from(b.abs_diff(a));
        if first == last {
            self.partial[first] += value * length(from, to);
            return;
        }
        self.partial[first] += value * length(from, self.boundary(first + 1));
        self.partial[last] += value * length(self.boundary(last), to);
        self.change[first + 1] += value;
        self.change[last] -= value;
    }

    /// The integral over all slices, value × ms.
    #[must_use]
    pub fn area(&self) -> i128 {
        let mut level = 0_i128;
        let of_slice = |index: usize| {
            level += self.change[index];
            self.partial[index] + level * i128::from(self.boundary(index + 1).abs_diff(self.boundary(index)))
        };
        (0..self.partial.len()).map(of_slice).sum()
    }

    /// The average value in every slice.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a chart shows far fewer digits")]
    pub fn averages(&self) -> Vec<f64> {
        let mut level = 0_i128;
        let average = |index: usize| {
            level += self.change[index];
            let length = i128::from(self.boundary(index + 1).abs_diff(self.boundary(index)));
            if length == 0 { 0.0 } else { (self.partial[index] + level * length) as f64 / length as f64 }
        };
        (0..self.partial.len()).map(average).collect()
    }
}

/// `amount · times / whole`, rounded down; hardly any clock is so long that the product does not fit 64 bits.
fn part(amount: u64, times: u64, whole: u64) -> u64 {
    match amount.checked_mul(times) {
        Some(product) => product / whole,
        None => u64::try_from(u128::from(amount) * u128::from(times) / u128::from(whole)).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_over_many_slices_keeps_its_integral() {
        let mut slices = Slices::new(-7, 93, 7);
        slices.add(-50, 0, 3);
        slices.add(10, 11, 5);
        slices.add(20, 500, 2);
        let total: f64 = slices
            .averages()
            .iter()
            .enumerate()
            .map(|(index, average)| {
                average
                    * (slices.boundary(index + 1) - slices.boundary(index))
                        .to_string()
                        .parse::<f64>()
                        .unwrap()
            })
            .sum();
        assert!((total - (3.0 * 7.0 + 5.0 + 2.0 * 73.0)).abs() < 1e-9, "{total}");
        assert_eq!(slices.area(), 3 * 7 + 5 + 2 * 73);
    }
}
