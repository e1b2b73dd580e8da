//! Medians, ratios, and how numbers are written for people.

use serde::{Deserialize, Serialize};

/// A figure measured several times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Spread { median, min, max })
    }

    /// Of a single run; several are never all equal.
    fn is_single(&self) -> bool {
        self.min == self.max
    }

    fn overlaps(&self, other: &Spread) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}

/// How many times one figure is another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    pub value: f64,
    /// The two ranges overlap, or there is no range: the difference may be noise.
    pub noisy: bool,
}

impl Ratio {
    pub fn of(upper: &Spread, lower: &Spread) -> Option<Ratio> {
        let value = upper.median / lower.median;
        let noisy = upper.overlaps(lower) || upper.is_single() || lower.is_single();
        value.is_finite().then_some(Ratio { value, noisy })
    }

    pub fn shown(&self) -> String {
        let value = if self.value < 10.0 {
            format!("{:.2}", self.value)
        } else {
            significant(self.value)
        };
        format!("{}{value}×", if self.noisy { "~" } else { "" })
    }
}

/// 117832.0 requests a second as `118 k/s`.
pub fn rate(per_second: f64) -> String {
    let (number, prefix) = scaled(per_second);
    format!("{number} {prefix}/s")
}

/// Bytes a second as `512 MB/s`.
pub fn byte_rate(per_second: f64) -> String {
    let (number, prefix) = scaled(per_second);
    format!("{number} {prefix}B/s")
}

pub fn bytes(count: f64) -> String {
    let (number, prefix) = scaled(count);
    format!("{number} {prefix}B")
}

/// Microseconds as `85 µs`, `1.25 ms` or `2.5 s`.
pub fn latency(us: f64) -> String {
    match us {
        us if us < 999.5 => format!("{} µs", significant(us)),
        us if us < 999_500.0 => format!("{} ms", significant(us / 1e3)),
        us => format!("{} s", significant(us / 1e6)),
    }
}

/// A count per request: two decimals, none needed where there are many.
pub fn count(number: f64) -> String {
    match number {
        number if number < 10.0 => format!("{number:.2}"),
        number if number < 999.5 => significant(number),
        number => {
            let (number, prefix) = scaled(number);
            format!("{number} {prefix}").trim_end().into()
        }
    }
}

/// A round number as `100 k`.
pub fn round_count(number: f64) -> String {
    let (number, prefix) = scaled(number);
    format!("{} {prefix}", trimmed(&number)).trim_end().into()
}

/// A small count without decimals that say nothing: `3` or `0.5`.
pub fn small_count(number: f64) -> String {
    trimmed(&count(number)).into()
}

fn trimmed(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

/// Three digits and the prefix of the unit.
fn scaled(value: f64) -> (String, &'static str) {
    let prefixes = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let prefix = prefixes.iter().find(|(size, _)| value >= size * 0.9995);
    let (size, prefix) = prefix.unwrap_or(&(1.0, ""));
    (significant(value / size), prefix)
}

fn significant(value: f64) -> String {
    match value {
        value if value >= 99.95 => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn the_median_is_the_middle() {
        let odd = spread(&[5.0, 1.0, 3.0]);
        assert_eq!((odd.median, odd.min, odd.max), (3.0, 1.0, 5.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]).median, 3.0);
        assert_eq!(spread(&[7.0]).median, 7.0);
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, 2.0]).unwrap().max, 2.0);
    }

    #[test]
    fn a_ratio_within_the_noise_is_marked() {
        let (slow, fast) = (
            spread(&[90.0, 100.0, 110.0]),
            spread(&[105.0, 120.0, 130.0]),
        );
        let ratio = Ratio::of(&fast, &slow).unwrap();
        assert_eq!((ratio.value, ratio.noisy), (1.2, true));
        assert_eq!(ratio.shown(), "~1.20×");
        let clear = Ratio::of(&spread(&[111.0, 113.0, 115.0]), &slow).unwrap();
        assert_eq!(clear.shown(), "1.13×");
        assert_eq!(Ratio::of(&fast, &spread(&[0.0])), None);
        assert!(Ratio::of(&fast, &spread(&[1.0])).unwrap().noisy);
        let much = Ratio {
            value: 31.26,
            noisy: false,
        };
        assert_eq!(much.shown(), "31.3×");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(rate(117_832.0), "118 k/s");
        assert_eq!(rate(5_234.0), "5.23 k/s");
        assert_eq!(rate(812.4), "812 /s");
        assert_eq!(rate(999_700.0), "1.00 M/s");
        assert_eq!(byte_rate(512.3e6), "512 MB/s");
        assert_eq!(bytes(64_321.0), "64.3 kB");
        assert_eq!(latency(84.7), "84.7 µs");
        assert_eq!(latency(999.7), "1.00 ms");
        assert_eq!(latency(1_250_000.0), "1.25 s");
        assert_eq!(count(3.0625), "3.06");
        assert_eq!(count(4016.2), "4.02 k");
        assert_eq!(count(0.0), "0.00");
        assert_eq!(round_count(10_000.0), "10 k");
        assert_eq!(round_count(1_500.0), "1.5 k");
        assert_eq!(round_count(100.0), "100");
        assert_eq!([3.0, 0.5].map(small_count), ["3", "0.5"]);
    }
}
