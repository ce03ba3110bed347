//! The value axis: three labels at round numbers that enclose all values.

/// The axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    pub low: f64,
    pub step: f64,
}

impl Axis {
    /// Of finite `values`, with labels at multiples of `grain`.
    pub fn of(values: impl Iterator<Item = f64>, grain: f64) -> Self {
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Self { low: 0.0, step: 1.0 };
        }
        let grain = if grain.is_finite() && grain > 0.0 { grain } else { 1.0 };
        let (mut low, mut high) = (low / grain, high / grain);
        // What begins near 0 begins at 0.
        if low > 0.0 && low < high * 0.6 {
            low = 0.0;
        }
        let room = (high - low) * 0.04;
        if room == 0.0 {
            let half = if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
            (low, high) = (low - half, high + half);
        } else {
            high += room;
            low -= if low == 0.0 { 0.0 } else { room };
        }
        let mut step = nice((high - low) / 2.0);
        loop {
            let start = (low / step).floor() * step;
            if start + 2.0 * step >= high || !step.is_finite() {
                return Self { low: start * grain, step: step * grain };
            }
            step = nice(step * 1.01);
        }
    }

    pub const fn high(self) -> f64 {
        self.low + 2.0 * self.step
    }
}

/// The next of 1, 2, 2.5, 5, 10 times a power of ten.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let wanted = step / power;
    let found = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0].into_iter().find(|factor| *factor + 1e-9 >= wanted);
    found.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_round_and_enclose_everything() {
        for (low, high, grain) in [
            (0.0, 1.0, 1.0),
            (78.0, 96.2, 1.0),
            (-5.0, 5.0, 1.0),
            (1e15, 1.1e15, 1.0),
            (7.0, 7.0, 1.0),
            (0.0, 0.0, 1.0),
            (1e-9, 3e-9, 1.0),
            (1e9, 9e9, 1_073_741_824.0),
            (-1e300, 1e300, 1.0),
        ] {
            let axis = Axis::of([low, high].into_iter(), grain);
            assert!(axis.low <= low && axis.high() >= high, "{low} {high}: {axis:?}");
            assert!(
                axis.step > 0.0 && axis.high() - axis.low <= ((high - low) * 3.0).max(f64::MIN_POSITIVE)
                    || low >= high * 0.4
            );
        }
        assert_eq!(Axis::of([3.0, 96.0].into_iter(), 1.0), Axis { low: 0.0, step: 50.0 });
        assert_eq!(Axis::of(std::iter::empty(), 1.0), Axis { low: 0.0, step: 1.0 });
    }
}
