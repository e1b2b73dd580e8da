//! How often each call was made, how often in vain, and how long it took.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

#[derive(Debug, Default)]
pub struct Summary(BTreeMap<&'static str, Line>);

#[derive(Debug, Clone, Copy, Default)]
struct Line {
    count: u64,
    errors: u64,
    total: Duration,
}

/// A line as JSON has it.
#[derive(Serialize)]
struct Told {
    name: &'static str,
    count: u64,
    errors: u64,
    total_ns: u128,
    mean_ns: u128,
}

impl Summary {
    pub fn add(&mut self, name: &'static str, failed: bool, took: Duration) {
        let line = self.0.entry(name).or_default();
        line.count += 1;
        line.errors += u64::from(failed);
        line.total += took;
    }

    /// What took longest first.
    fn sorted(&self) -> Vec<(&'static str, Line)> {
        let mut lines: Vec<_> = self.0.iter().map(|(name, line)| (*name, *line)).collect();
        lines.sort_by_key(|(_, line)| std::cmp::Reverse(line.total));
        lines
    }

    fn total(&self) -> Line {
        self.0.values().fold(Line::default(), |sum, line| Line {
            count: sum.count + line.count,
            errors: sum.errors + line.errors,
            total: sum.total + line.total,
        })
    }

    pub fn table(&self) -> String {
        let total = self.total();
        let mut text = String::from("     time   % time       mean     calls    errors  call\n");
        let mut row = |name: &str, line: &Line| {
            let share = match total.total.as_secs_f64() {
                0.0 => 0.0,
                all => 100.0 * line.total.as_secs_f64() / all,
            };
            let [time, mean] = [line.total, line.mean()].map(|time| format!("{time:.1?}"));
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{time:>9} {share:>8.1} {mean:>10} {:>9} {:>9}  {name}",
                line.count, line.errors
            );
        };
        for (name, line) in self.sorted() {
            row(name, &line);
        }
        row("in all", &total);
        text
    }

    pub fn json(&self) -> serde_json::Result<String> {
        let told = |(name, line): (&'static str, Line)| Told {
            name,
            count: line.count,
            errors: line.errors,
            total_ns: line.total.as_nanos(),
            mean_ns: line.mean().as_nanos(),
        };
        let calls: Vec<Told> = self.sorted().into_iter().map(told).collect();
        Ok(serde_json::to_string(&BTreeMap::from([("calls", calls)]))? + "\n")
    }
}

impl Line {
    fn mean(&self) -> Duration {
        let count = u32::try_from(self.count).unwrap_or(u32::MAX);
        self.total.checked_div(count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let mut summary = Summary::default();
        let micros = Duration::from_micros;
        summary.add("fd_close", false, micros(5));
        summary.add("sock_recv", true, micros(2));
        summary.add("sock_recv", false, micros(18));
        summary
    }

    #[test]
    fn the_table_is_sorted_by_time_and_aligned() {
        let expected = "
     time   % time       mean     calls    errors  call
   20.0µs     80.0     10.0µs         2         1  sock_recv
    5.0µs     20.0      5.0µs         1         0  fd_close
   25.0µs    100.0      8.3µs         3         1  in all
";
        assert_eq!(summary().table(), expected[1..]);
        let nothing = Summary::default().table();
        assert!(
            nothing.ends_with("0.0ns         0         0  in all\n"),
            "{nothing}"
        );
    }

    #[test]
    fn json_has_the_same() {
        let calls = concat!(
            r#"{"calls":[{"name":"sock_recv","count":2,"errors":1,"total_ns":20000,"#,
            r#""mean_ns":10000},{"name":"fd_close","count":1,"errors":0,"total_ns":5000,"#,
            r#""mean_ns":5000}]}"#,
            "\n"
        );
        assert_eq!(summary().json().unwrap(), calls);
    }
}
