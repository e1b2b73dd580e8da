//! The plot of HTTP: a bar for each server's throughput, with the least and the most of its runs.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::contestant::Contestant;
use super::figures;
use super::plot;
use super::results::{Results, Summary};

const WIDTH: i32 = 860;
/// Where bars begin, and what the longest may measure.
const LEFT: i32 = 360;
const LONGEST: i32 = 380;
/// Of the title, of a bar, and from one bar to the next.
const TOP: i32 = 64;
const BAR: i32 = 30;
const STEP: i32 = 48;

/// The plot as SVG, if there are results for it.
pub fn draw(results: &Results) -> Result<Option<String>> {
    let Some(measured) = results.http() else {
        return Ok(None);
    };
    let bars = Contestant::HTTP.iter();
    let bars: Vec<(Contestant, &Summary)> = bars
        .filter_map(|one| Some((*one, measured.summary(*one)?)))
        .collect();
    let most = bars.iter().map(|(_, summary)| summary.throughput.max);
    let Some(most) = most.reduce(f64::max) else {
        return Ok(None);
    };
    let height = TOP + STEP * bars.len() as i32;
    let mut svg = String::new();
    let size = (WIDTH as u32, height as u32);
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    chart(&area, &bars, f64::from(LONGEST) / most)
        .map_err(|error| anyhow!("cannot draw the plot: {error}"))?;
    drop(area);
    Ok(Some(svg))
}

fn chart<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    bars: &[(Contestant, &Summary)],
    scale: f64,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>>
where
    B::ErrorType: 'static,
{
    // White, so that it can be read on a dark page as well.
    area.fill(&WHITE)?;
    let style = |size, x, y| {
        let style = TextStyle::from(("sans-serif", size).into_font());
        style.pos(Pos::new(x, y))
    };
    let title = "A greeting over HTTP, wrk -t1 -c32: requests per second";
    let centred = style(23, HPos::Center, VPos::Center);
    area.draw(&Text::new(title, (WIDTH / 2, TOP / 2), centred))?;
    let mut top = TOP;
    for (contestant, summary) in bars {
        let middle = top + BAR / 2;
        let end = |rate: f64| LEFT + (rate * scale).round() as i32;
        let name = style(17, HPos::Right, VPos::Center);
        area.draw(&Text::new(
            contestant.http_title(),
            (LEFT - 12, middle),
            name,
        ))?;
        let rate = summary.throughput;
        // As wide as a line where it would not be seen.
        let corners = [(LEFT, top), (end(rate.median).max(LEFT + 1), top + BAR)];
        area.draw(&Rectangle::new(corners, plot::color(*contestant).filled()))?;
        let spread = [(end(rate.min), middle), (end(rate.max), middle)];
        area.draw(&PathElement::new(spread, BLACK.stroke_width(2)))?;
        let value = style(17, HPos::Left, VPos::Center);
        let place = (end(rate.max) + 10, middle);
        area.draw(&Text::new(figures::rate(rate.median), place, value))?;
        top += STEP;
    }
    area.present()
}
