//! Medians and quartiles.

/// The three quartiles of a handful of measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// A quarter lies below.
    pub low: f64,
    /// Half lies below.
    pub median: f64,
    /// Three quarters lie below.
    pub high: f64,
}

impl Spread {
    /// The quartiles of `values`, interpolated between neighbours; `None` if there are no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |part: f64| {
            let place = part * last as f64;
            let below = sorted[place.floor() as usize];
            let above = sorted[place.ceil() as usize];
            below + (above - below) * place.fract()
        };
        Some(Self { low: at(0.25), median: at(0.5), high: at(0.75) })
    }

    /// The spread of the reciprocals: a ratio of times turned into a speedup.
    pub fn inverse(self) -> Self {
        Self { low: 1.0 / self.high, median: 1.0 / self.median, high: 1.0 / self.low }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn quartiles_lie_between_neighbours() {
        assert_eq!(Spread::of([7.0]), Some(Spread { low: 7.0, median: 7.0, high: 7.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0, 5.0]), Some(Spread { low: 2.0, median: 3.0, high: 4.0 }));
        assert_eq!(Spread::of([2.0, 1.0]), Some(Spread { low: 1.25, median: 1.5, high: 1.75 }));
    }

    #[test]
    fn a_speedup_turns_the_quartiles_round() {
        let speedup = Spread { low: 0.25, median: 0.5, high: 1.0 }.inverse();
        assert_eq!(speedup, Spread { low: 1.0, median: 2.0, high: 4.0 });
    }
}
