//! Natural: whole numbers of any size, as far as exact fractions need them.
//!
//! The level at which a resource runs out is a quotient of sums over all teams; its denominator is a common multiple of
//! what the teams ask, which 128 bits hold for a handful of teams only. Schoolbook methods suffice: the numbers have
//! a few limbs in practice and some hundred at a thousand teams that all ask different odd amounts.
//!
//! Invariant: the most significant limb is not zero; zero has no limbs.
//! Absent on purpose: signs, and anything that fairness does not need. Layer 0; uses `share` for small divisors.

use core::cmp::Ordering;

use crate::share::gcd as small_gcd;

const LIMB: u32 = u64::BITS;

/// A whole number of any size, least significant limb first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Natural {
    limbs: Vec<u64>,
}

#[expect(clippy::cast_possible_truncation, reason = "the low limb of a double one is what is asked for")]
const fn low(value: u128) -> u64 {
    value as u64
}

const fn high(value: u128) -> u64 {
    low(value >> LIMB)
}

impl Natural {
    pub(super) fn one() -> Self {
        Self::from(1_u128)
    }

    pub(super) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    pub(super) fn is_one(&self) -> bool {
        self.limbs == [1]
    }

    /// The value where it fits into 128 bits.
    pub(super) fn to_u128(&self) -> Option<u128> {
        match self.limbs[..] {
            [] => Some(0),
            [only] => Some(u128::from(only)),
            [lower, upper] => Some(u128::from(upper) << LIMB | u128::from(lower)),
            _ => None,
        }
    }

    /// How many bits the value takes; zero takes none.
    pub(super) fn bits(&self) -> usize {
        let top = self.limbs.last().map_or(0, |top| LIMB - top.leading_zeros());
        (self.limbs.len().saturating_sub(1)) * LIMB as usize + top as usize
    }

    fn trimmed(mut limbs: Vec<u64>) -> Self {
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        Self { limbs }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let (long, short) = if self.limbs.len() < other.limbs.len() { (other, self) } else { (self, other) };
        let mut sum = long.limbs.clone();
        let mut carry = false;
        for (at, limb) in sum.iter_mut().enumerate() {
            let addend = short.limbs.get(at).copied().unwrap_or(0);
            if at >= short.limbs.len() && !carry {
                break;
            }
            let (first, over) = limb.overflowing_add(addend);
            let (second, again) = first.overflowing_add(u64::from(carry));
            *limb = second;
            carry = over | again;
        }
        if carry {
            sum.push(1);
        }
        Self { limbs: sum }
    }

    /// The difference; zero where `other` is larger.
    pub(super) fn minus(&self, other: &Self) -> Self {
        if *self <= *other {
            return Self::default();
        }
        let mut rest = self.limbs.clone();
        let mut borrow = false;
        for (at, limb) in rest.iter_mut().enumerate() {
            let (first, under) = limb.overflowing_sub(other.limbs.get(at).copied().unwrap_or(0));
            let (second, again) = first.overflowing_sub(u64::from(borrow));
            *limb = second;
            borrow = under | again;
        }
        Self::trimmed(rest)
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        let mut product = vec![0_u64; self.limbs.len() + other.limbs.len()];
        for (at, &factor) in self.limbs.iter().enumerate() {
            let mut carry = 0_u64;
            for (slot, &limb) in product[at..].iter_mut().zip(&other.limbs) {
                // (2^64 - 1)^2 + 2 (2^64 - 1) is the largest double limb: no overflow.
                let sum = u128::from(factor) * u128::from(limb) + u128::from(*slot) + u128::from(carry);
                (*slot, carry) = (low(sum), high(sum));
            }
            if let Some(slot) = product.get_mut(at + other.limbs.len()) {
                *slot = carry;
            }
        }
        Self::trimmed(product)
    }

    /// Quotient and remainder. The divisor is not zero; where it is, the quotient is.
    pub(super) fn divided(&self, divisor: &Self) -> (Self, Self) {
        if *self < *divisor || divisor.is_zero() {
            return (Self::default(), self.clone());
        }
        if let (Some(a), Some(b)) = (self.to_u128(), divisor.to_u128()) {
            return (Self::from(a / b), Self::from(a % b));
        }
        if let [only] = divisor.limbs[..] {
            let (quotient, rest) = self.divided_by_limb(only);
            return (quotient, Self::from(u128::from(rest)));
        }
        self.divided_long(divisor)
    }

    fn divided_by_limb(&self, divisor: u64) -> (Self, u64) {
        let mut quotient = self.limbs.clone();
        let mut rest = 0_u64;
        for limb in quotient.iter_mut().rev() {
            let value = u128::from(rest) << LIMB | u128::from(*limb);
            *limb = low(value / u128::from(divisor));
            rest = low(value % u128::from(divisor));
        }
        (Self::trimmed(quotient), rest)
    }

    /// Long division (Knuth, volume 2, algorithm D): each digit of the quotient is guessed from the two leading limbs
    /// and is at most two too large.
    fn divided_long(&self, divisor: &Self) -> (Self, Self) {
        let shift = divisor.limbs.last().map_or(0, |top| top.leading_zeros());
        let below = divisor.shifted_left(shift).limbs;
        let mut above = self.shifted_left(shift).limbs;
        above.resize(self.limbs.len() + 1, 0);
        let size = below.len();
        let (top, second) = (u128::from(below[size - 1]), u128::from(below[size - 2]));
        let mut quotient = vec![0_u64; above.len() - size];
        for at in (0..quotient.len()).rev() {
            let lead = u128::from(above[at + size]) << LIMB | u128::from(above[at + size - 1]);
            let (mut digit, mut rest) = (lead / top, lead % top);
            while digit >> LIMB != 0 || digit * second > (rest << LIMB | u128::from(above[at + size - 2])) {
                digit -= 1;
                rest += top;
                if rest >> LIMB != 0 {
                    break;
                }
            }
            let mut digit = low(digit);
            if subtract_product(&mut above[at..=at + size], &below, digit) {
                digit -= 1;
                add_back(&mut above[at..=at + size], &below);
            }
            quotient[at] = digit;
        }
        (Self::trimmed(quotient), Self::trimmed(above).shifted_right(shift))
    }

    /// Times `2^shift`, `shift` below the size of a limb.
    fn shifted_left(&self, shift: u32) -> Self {
        let mut limbs = self.limbs.clone();
        let mut carry = 0_u64;
        for limb in &mut limbs {
            let value = u128::from(*limb) << shift | u128::from(carry);
            (*limb, carry) = (low(value), high(value));
        }
        limbs.push(carry);
        Self::trimmed(limbs)
    }

    /// Divided by `2^shift`, rounded down, `shift` below the size of a limb.
    fn shifted_right(&self, shift: u32) -> Self {
        let mut limbs = self.limbs.clone();
        let mut carry = 0_u64;
        for limb in limbs.iter_mut().rev() {
            let value = (u128::from(*limb) << LIMB) >> shift;
            *limb = high(value) | carry;
            carry = low(value);
        }
        Self::trimmed(limbs)
    }

    /// The leading 64 bits, and how many bits were left out below them.
    pub(super) fn leading(&self) -> (u64, usize) {
        let dropped = self.bits().saturating_sub(LIMB as usize);
        let (limb, shift) = (dropped / LIMB as usize, dropped % LIMB as usize);
        let get = |at: usize| u128::from(self.limbs.get(at).copied().unwrap_or(0));
        (low((get(limb + 1) << LIMB | get(limb)) >> shift), dropped)
    }

    /// Greatest common divisor; that of zero and a number is the number.
    pub(super) fn gcd(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.clone(), other.clone());
        while !b.is_zero() {
            if let (Some(x), Some(y)) = (a.to_u128(), b.to_u128()) {
                return Self::from(small_gcd(x, y));
            }
            let rest = a.divided(&b).1;
            (a, b) = (b, rest);
        }
        a
    }

    /// The decimal digits.
    pub(super) fn to_decimal(&self) -> String {
        const CHUNK: u64 = 10_000_000_000_000_000_000;
        let mut chunks = Vec::new();
        let mut rest = self.clone();
        while !rest.is_zero() {
            let (quotient, chunk) = rest.divided_by_limb(CHUNK);
            chunks.push(chunk);
            rest = quotient;
        }
        let Some(first) = chunks.pop() else { return "0".to_owned() };
        let mut digits = first.to_string();
        for chunk in chunks.iter().rev() {
            let part = chunk.to_string();
            digits.extend(core::iter::repeat_n('0', 19 - part.len()));
            digits.push_str(&part);
        }
        digits
    }
}

/// Takes `digit * below` away from `above`; whether it was too much, so that the result is short of `below`.
fn subtract_product(above: &mut [u64], below: &[u64], digit: u64) -> bool {
    let (mut carry, mut borrow) = (0_u64, false);
    for (at, limb) in above.iter_mut().enumerate() {
        let factor = below.get(at).copied().unwrap_or(0);
        let product = u128::from(factor) * u128::from(digit) + u128::from(carry);
        carry = high(product);
        let (first, under) = limb.overflowing_sub(low(product));
        let (second, again) = first.overflowing_sub(u64::from(borrow));
        *limb = second;
        borrow = under | again;
    }
    borrow
}

/// Adds `below` to `above` and drops what overflows: the undoing of one subtraction too many.
fn add_back(above: &mut [u64], below: &[u64]) {
    let mut carry = false;
    for (at, limb) in above.iter_mut().enumerate() {
        let (first, over) = limb.overflowing_add(below.get(at).copied().unwrap_or(0));
        let (second, again) = first.overflowing_add(u64::from(carry));
        *limb = second;
        carry = over | again;
    }
}

impl From<u128> for Natural {
    fn from(value: u128) -> Self {
        Self::trimmed(vec![low(value), high(value)])
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_size = self.limbs.len().cmp(&other.limbs.len());
        by_size.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers whose limbs are often all ones or zero, where carries and wrong guesses happen.
    fn numbers() -> Vec<Natural> {
        let mut state = 1_u64;
        let mut limb = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match state >> 61 {
                0 | 1 => 0,
                2 | 3 => u64::MAX,
                4 => 1 << 63,
                _ => state,
            }
        };
        (0..80).map(|size| Natural::trimmed((0..size % 8).map(|_| limb()).collect())).collect()
    }

    #[test]
    fn quotient_times_divisor_plus_remainder_is_the_number() {
        let numbers = numbers();
        for a in &numbers {
            for b in numbers.iter().filter(|b| !b.is_zero()) {
                let (quotient, rest) = a.divided(b);
                assert!(rest < *b, "{a:?} / {b:?}");
                assert_eq!(quotient.times(b).plus(&rest), *a, "{a:?} / {b:?}");
                let (exact, none) = a.times(b).divided(b);
                assert_eq!((&exact, none.is_zero()), (a, true));
                assert_eq!(a.plus(b).minus(b), *a);
            }
        }
    }

    #[test]
    fn the_greatest_common_divisor_is_common_and_leaves_nothing_in_common() {
        let numbers = numbers();
        for a in numbers.iter().filter(|a| !a.is_zero()) {
            for b in numbers.iter().filter(|b| !b.is_zero()) {
                let factor = &numbers[7];
                let common = a.times(factor).gcd(&b.times(factor));
                let (x, none) = a.times(factor).divided(&common);
                assert!(none.is_zero());
                let (y, none) = b.times(factor).divided(&common);
                assert!(none.is_zero());
                assert!(x.gcd(&y).is_one());
            }
        }
    }

    #[test]
    fn decimals_are_written_in_full() {
        let big = Natural::from(u128::MAX).times(&Natural::from(10_u128.pow(20)));
        assert_eq!(big.to_decimal(), format!("{}{}", u128::MAX, "0".repeat(20)));
        assert_eq!(Natural::default().to_decimal(), "0");
        assert_eq!(Natural::from(10_u128.pow(19)).to_decimal(), "10000000000000000000");
    }
}
