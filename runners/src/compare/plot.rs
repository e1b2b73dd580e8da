//! The plot: throughput over idle connections, for 16 busy ones, a line for each contestant.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::{KeyPointHint, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::contestant::Contestant;
use super::figures;
use super::plan::{Kind, Workload, thousands};
use super::results::Results;

const SIZE: (u32, u32) = (860, 480);
/// How many connections are busy.
const BUSY: u32 = 16;

/// A line's points: idle connections and requests a second.
type Lines = BTreeMap<Contestant, Vec<(f64, f64)>>;

/// The plot as SVG, if there are results for it.
pub fn draw(results: &Results) -> Result<Option<String>> {
    let lines = lines(results);
    let points = || lines.values().flatten();
    let Some(range) = range(points().map(|(_, y)| *y)) else {
        return Ok(None);
    };
    let ticks: Vec<f64> = {
        let mut ticks: Vec<f64> = points().map(|(x, _)| *x).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        ticks
    };
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    chart(&area, &lines, ticks, range).map_err(|error| anyhow!("cannot draw the plot: {error}"))?;
    drop(area);
    Ok(Some(svg))
}

fn lines(results: &Results) -> Lines {
    let mut lines = Lines::new();
    for measured in &results.workloads {
        let Workload { kind, busy, idle } = measured.workload;
        if (kind, busy) != (Kind::Echo, BUSY) {
            continue;
        }
        for contestant in Contestant::FOUR {
            if let Some(summary) = measured.summary(contestant) {
                let point = (f64::from(idle), summary.throughput.median);
                lines.entry(contestant).or_default().push(point);
            }
        }
    }
    lines
}

/// The whole decades that hold all values; a logarithm has no place for 0.
fn range(values: impl Iterator<Item = f64>) -> Option<std::ops::Range<f64>> {
    let exponents: Vec<f64> = values
        .filter(|value| *value > 0.0)
        .map(f64::log10)
        .collect();
    let least = exponents.iter().copied().reduce(f64::min)?.floor();
    let most = exponents.iter().copied().reduce(f64::max)?.ceil();
    Some(10_f64.powf(least)..10_f64.powf(most.max(least + 1.0)))
}

fn chart<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    lines: &Lines,
    ticks: Vec<f64>,
    range: std::ops::Range<f64>,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>>
where
    B::ErrorType: 'static,
{
    // White, so that it can be read on a dark page as well.
    area.fill(&WHITE)?;
    let title = format!("Echo of 64 bytes, {BUSY} busy connections");
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 23))
        .margin(16)
        .margin_right(28)
        .x_label_area_size(54)
        .y_label_area_size(84)
        .build_cartesian_2d(Idle::new(ticks), range.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(RGBColor(236, 236, 236))
        .bold_line_style(RGBColor(208, 208, 208))
        .label_style(("sans-serif", 17))
        .axis_desc_style(("sans-serif", 18))
        .x_desc("idle connections")
        .y_desc("requests per second")
        .y_label_formatter(&|value| figures::round_count(*value))
        .draw()?;
    for (contestant, points) in lines {
        let color = color(*contestant);
        let style = color.stroke_width(3);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(contestant.title())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 4, color.filled()));
        chart.draw_series(dots)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .margin(14)
        .legend_area_size(34)
        .background_style(WHITE)
        .border_style(RGBColor(208, 208, 208))
        .label_font(("sans-serif", 17))
        .draw()?;
    area.present()
}

/// Colours that the colour-blind can tell apart as well (Okabe and Ito).
pub fn color(contestant: Contestant) -> RGBColor {
    match contestant {
        Contestant::Published => RGBColor(213, 94, 0),
        Contestant::Patched => RGBColor(230, 159, 0),
        Contestant::Ours => RGBColor(0, 114, 178),
        Contestant::Upstream => RGBColor(110, 110, 110),
        Contestant::Native => RGBColor(0, 158, 115),
        Contestant::Floor | Contestant::DrainedFloor => BLACK,
    }
}

/// The axis of idle connections: logarithmic, with a place for none at its left end, a decade
/// before the first; a tick for each number that was measured.
#[derive(Debug, Clone)]
struct Idle {
    ticks: Vec<f64>,
    /// Where the axis begins and ends, as logarithms.
    ends: (f64, f64),
}

impl Idle {
    fn new(ticks: Vec<f64>) -> Idle {
        let some = ticks.iter().copied().filter(|tick| *tick > 0.0);
        let first = some.clone().reduce(f64::min).unwrap_or(10.0);
        let last = some.reduce(f64::max).unwrap_or(10.0);
        let none = first.log10() - 1.0;
        let ends = (none, last.log10());
        Idle { ticks, ends }
    }

    fn place(&self, idle: f64) -> f64 {
        if idle > 0.0 {
            idle.log10()
        } else {
            self.ends.0
        }
    }
}

impl Ranged for Idle {
    type FormatOption = plotters::coord::ranged1d::NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, idle: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.ends.0..self.ends.1).map(&self.place(*idle), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        let last = self.ticks.last().copied().unwrap_or_default();
        0.0..last
    }
}

impl ValueFormatter<f64> for Idle {
    fn format_ext(&self, idle: &f64) -> String {
        thousands(*idle as u32)
    }
}
