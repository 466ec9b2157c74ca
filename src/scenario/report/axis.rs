//! Where values go along an axis, and which of them are named.

/// The most that the largest value may be of the smallest before a linear axis hides the small ones.
const LINEAR_SPREAD: f64 = 50.0;
/// Up to this spread a logarithmic axis names 1, 2 and 5 of each power of ten.
const FINE_SPREAD: f64 = 150.0;

/// From a value to its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Values that are named, from low to high.
    pub(super) ticks: Vec<f64>,
}

impl Axis {
    /// From zero to exactly `high`, with about so many ticks.
    pub(super) fn exact(high: f64, ticks: u32) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        let step = nice_above(high / f64::from(ticks) * 0.99);
        Self {
            low: 0.0,
            high,
            logarithmic: false,
            // A thousandth more, so that rounding does not lose the last.
            ticks: multiples(step, high * 1.001),
        }
    }

    /// From zero to a round number above `high`.
    pub(super) fn round(high: f64, ticks: u32) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        let step = nice_above(high / f64::from(ticks) * 0.99);
        let high = (high / step * 0.999).ceil() * step;
        Self {
            low: 0.0,
            high,
            logarithmic: false,
            ticks: multiples(step, high * 1.001),
        }
    }

    /// Logarithmic where the positive ones of the values spread far, else from zero to a round number.
    pub(super) fn fitting(values: impl Iterator<Item = f64> + Clone, ticks: u32) -> Self {
        let high = values.clone().fold(0.0, f64::max);
        let low = values.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        if high / low <= LINEAR_SPREAD || !low.is_finite() {
            return Self::round(high, ticks);
        }
        let (low, high) = (nice_below(low), nice_above(high));
        let fine = high / low <= FINE_SPREAD;
        let ticks = nice_from(low).take_while(|tick| *tick <= high * 1.001);
        let ticks = ticks.filter(|tick| fine || is_power_of_ten(*tick));
        Self {
            low,
            high,
            logarithmic: true,
            ticks: ticks.collect(),
        }
    }

    /// From 0 to 1; none where the axis does not have the value.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let place = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.is_finite().then(|| place.clamp(0.0, 1.0))
    }
}

fn multiples(step: f64, until: f64) -> Vec<f64> {
    let ticks = (0..).map(|turn| step * f64::from(turn));
    ticks.take_while(|tick| *tick <= until).collect()
}

/// 1, 2 or 5 times a power of ten.
fn nice_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let nice = [1.0, 2.0, 5.0].map(|digit| digit * power);
    nice.into_iter()
        .find(|nice| *nice >= value * 0.999)
        .unwrap_or(10.0 * power)
}

fn nice_below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let nice = [5.0, 2.0].map(|digit| digit * power);
    nice.into_iter().find(|nice| *nice <= value * 1.001).unwrap_or(power)
}

fn nice_from(low: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(low), |tick| Some(nice_above(tick * 1.01)))
}

fn is_power_of_ten(value: f64) -> bool {
    let power = value.log10();
    (power - power.round()).abs() < 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], expected: &[f64]) {
        let same = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs();
        let all = found.len() == expected.len() && found.iter().zip(expected).all(same);
        assert!(all, "{found:?} is not {expected:?}");
    }

    #[test]
    fn ticks_are_round_numbers_up_to_the_end() {
        near(&Axis::exact(31.0, 6).ticks, &[0.0, 10.0, 20.0, 30.0]);
        near(&Axis::exact(30.0, 6).ticks, &[0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        near(&Axis::round(480.0, 5).ticks, &[0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
        near(&Axis::round(0.0, 5).ticks, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        near(&Axis::round(1e-9, 5).ticks, &[0.0, 2e-10, 4e-10, 6e-10, 8e-10, 1e-9]);
    }

    #[test]
    fn values_that_spread_far_get_a_logarithmic_axis() {
        let axis = Axis::fitting([0.9, 31.0, 4_100.0].into_iter(), 5);
        near(&axis.ticks, &[1.0, 10.0, 100.0, 1_000.0]);
        near(&[axis.place(0.5).unwrap(), axis.place(5_000.0).unwrap()], &[0.0, 1.0]);
        assert!((axis.place(50.0).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(axis.place(f64::NAN), None);
        near(
            &Axis::fitting([3.0, 200.0].into_iter(), 5).ticks,
            &[2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0],
        );
        near(
            &Axis::fitting([1.0, 40.0].into_iter(), 5).ticks,
            &[0.0, 10.0, 20.0, 30.0, 40.0],
        );
        near(&Axis::fitting([0.0; 2].into_iter(), 1).ticks, &[0.0, 1.0]);
    }

    #[test]
    fn a_place_is_the_share_of_the_way() {
        let axis = Axis::exact(20.0, 6);
        assert_eq!(
            [0.0, 5.0, 20.0].map(|value| axis.place(value)),
            [Some(0.0), Some(0.25), Some(1.0)]
        );
    }
}
