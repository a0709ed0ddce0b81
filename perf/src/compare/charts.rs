//! The plots of the page, as SVG to be set into it.
//!
//! Every row has its own line and its own words, so nothing depends on colour alone and no two labels can
//! meet. Ink is drawn in a colour that is then replaced by `currentColor`, so that a plot follows the page
//! from light to dark.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::options::CPYTHON;
use super::rounds::Row;
use super::spread::Spread;
use super::table::{figures, quartiles};

const INK: RGBColor = RGBColor(1, 2, 3);
const INK_IN_SVG: &str = "#010203";

const WIDTH: i32 = 960;
const LEFT: i32 = 196;
const RIGHT: i32 = WIDTH - 150;
const TOP: i32 = 44;
const LINE: i32 = 19;
const GAP: i32 = 14;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Speedup over serial, a bar for each kernel and engine; `None` if serial code was not run.
pub(super) fn speedups(rows: &[Row], workers: usize) -> Option<String> {
    let spreads = |row: &Row| (row.engine != "serial").then_some(row.to_serial?.inverse());
    let lines = Lines::of(rows, spreads)?;
    let most = lines.spreads().map(|spread| spread.high).fold(workers as f64, f64::max).max(1.0) * 1.04;
    let step = nice_step(most / 8.0);
    let x = |value: f64| LEFT + (value / most * f64::from(RIGHT - LEFT)).round() as i32;
    let ticks: Vec<f64> = (0..).map(|n| f64::from(n) * step).take_while(|tick| *tick <= most).collect();
    draw(&lines, |canvas| {
        for tick in ticks {
            canvas.tick(x(tick), &format!("{}", (tick * 100.0).round() / 100.0))?;
        }
        canvas.mark(x(1.0), HPos::Right, "serial")?;
        if workers > 1 {
            canvas.mark(x(workers as f64), HPos::Left, &format!("{workers} workers, ideal"))?;
        }
        for line in &lines.0 {
            let (y, paint) = (line.y, color(line.engine));
            let bar = [(x(0.0), y - 6), (x(line.spread.median), y + 6)];
            canvas.area.draw(&Rectangle::new(bar, paint.filled()))?;
            canvas.whisker(x(line.spread.low), x(line.spread.high), y, INK.mix(0.8))?;
            canvas.value(y, &format!("{} ({})", figures(line.spread.median), quartiles(line.spread)))?;
        }
        Ok(())
    })
}

/// Time over rayon's on a logarithmic axis, a dot with quartiles for each kernel and engine; `None` if
/// there is nothing to set beside rayon.
pub(super) fn ratios(rows: &[Row]) -> Option<String> {
    let lines = Lines::of(rows, |row| row.to_rayon.filter(|_| row.engine != "rayon"))?;
    let least = lines.spreads().map(|spread| spread.low).fold(0.6, f64::min) * 0.92;
    let most = lines.spreads().map(|spread| spread.high).fold(1.7, f64::max) * 1.08;
    let scale = f64::from(RIGHT - LEFT) / (most / least).ln();
    let x = |value: f64| LEFT + ((value.max(least) / least).ln() * scale).round() as i32;
    let digits: &[f64] = match most / least {
        range if range < 12.0 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
        range if range < 1000.0 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let ticks = (-6..=6).flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)));
    draw(&lines, |canvas| {
        let faster = [(LEFT, TOP), (x(1.0), canvas.bottom)];
        canvas.area.draw(&Rectangle::new(faster, RGBColor(46, 160, 67).mix(0.07).filled()))?;
        for tick in ticks.filter(|tick| (least..=most).contains(tick)) {
            canvas.tick(x(tick), &format!("{}", (tick * 1e6).round() / 1e6))?;
        }
        canvas.mark(x(1.0), HPos::Center, "rayon")?;
        for line in &lines.0 {
            let (y, paint) = (line.y, color(line.engine));
            canvas.whisker(x(line.spread.low), x(line.spread.high), y, paint.to_rgba())?;
            canvas.area.draw(&Circle::new((x(line.spread.median), y), 5, paint.filled()))?;
            canvas.value(y, &format!("{} ({})", figures(line.spread.median), quartiles(line.spread)))?;
        }
        Ok(())
    })
}

/// One row of a plot.
struct Line<'a> {
    kernel: &'a str,
    engine: &'a str,
    spread: Spread,
    y: i32,
    first: bool,
}

struct Lines<'a>(Vec<Line<'a>>);

impl<'a> Lines<'a> {
    fn of(rows: &'a [Row], spread: impl Fn(&Row) -> Option<Spread>) -> Option<Self> {
        let mut lines: Vec<Line<'_>> = Vec::new();
        let mut y = TOP;
        for row in rows.iter().filter(|row| row.engine != CPYTHON) {
            let Some(spread) = spread(row) else { continue };
            let first = lines.last().is_none_or(|line| line.kernel != row.kernel);
            y += if first { GAP + LINE / 2 } else { LINE };
            if first && !lines.is_empty() {
                y += LINE / 2;
            }
            lines.push(Line { kernel: row.kernel, engine: &row.engine, spread, y, first });
        }
        (!lines.is_empty()).then_some(Self(lines))
    }

    fn spreads(&self) -> impl Iterator<Item = Spread> {
        self.0.iter().map(|line| line.spread)
    }

    fn bottom(&self) -> i32 {
        self.0.last().map_or(TOP, |line| line.y) + LINE
    }
}

struct Plot<'a> {
    area: Canvas<'a>,
    bottom: i32,
}

impl Plot<'_> {
    fn text(&self, x: i32, y: i32, at: HPos, size: i32, strength: f64, text: &str) -> Drawn {
        let style =
            ("sans-serif", size).into_font().color(&INK.mix(strength)).pos(Pos::new(at, VPos::Center));
        Ok(self.area.draw(&Text::new(text.to_owned(), (x, y), style))?)
    }

    /// A thin line across the plot with its number below.
    fn tick(&self, x: i32, text: &str) -> Drawn {
        self.area.draw(&PathElement::new([(x, TOP), (x, self.bottom)], INK.mix(0.14)))?;
        self.text(x, self.bottom + 12, HPos::Center, 12, 0.7, text)
    }

    /// A strong line across the plot with its meaning above, on the side where no other can be.
    fn mark(&self, x: i32, at: HPos, text: &str) -> Drawn {
        self.area.draw(&PathElement::new([(x, TOP - 6), (x, self.bottom)], INK.mix(0.75)))?;
        self.text(x, TOP - 16, at, 12, 0.85, text)
    }

    fn whisker(&self, low: i32, high: i32, y: i32, paint: RGBAColor) -> Drawn {
        self.area.draw(&PathElement::new([(low, y), (high, y)], paint.stroke_width(2)))?;
        for x in [low, high] {
            self.area.draw(&PathElement::new([(x, y - 4), (x, y + 4)], paint.stroke_width(1)))?;
        }
        Ok(())
    }

    fn value(&self, y: i32, text: &str) -> Drawn {
        self.text(RIGHT + 12, y, HPos::Left, 12, 0.85, text)
    }
}

/// Draws the names of the rows, then what `body` draws, and returns the SVG element.
fn draw(lines: &Lines<'_>, body: impl FnOnce(&Plot<'_>) -> Drawn) -> Option<String> {
    let mut svg = String::new();
    let bottom = lines.bottom();
    {
        let size = (WIDTH as u32, (bottom + 24) as u32);
        let plot = Plot { area: SVGBackend::with_string(&mut svg, size).into_drawing_area(), bottom };
        for line in &lines.0 {
            if line.first {
                let y = line.y - LINE / 2 - GAP / 2;
                let rule = [(8, y), (WIDTH - 8, y)];
                plot.area.draw(&PathElement::new(rule, INK.mix(0.25))).ok()?;
                plot.text(8, line.y, HPos::Left, 14, 1.0, line.kernel).ok()?;
            }
            plot.text(LEFT - 10, line.y, HPos::Right, 13, 0.85, line.engine).ok()?;
        }
        body(&plot).ok()?;
        plot.area.present().ok()?;
    }
    // Inside a page the element needs no namespace, and its size follows the page.
    let fixed = format!("<svg width=\"{}\" height=\"{}\"", WIDTH, bottom + 24);
    let svg = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "").replace(&fixed, "<svg role=\"img\"");
    Some(svg.replace(INK_IN_SVG, "currentColor"))
}

/// The least of 1, 2 and 5 times a power of ten that is not below `step`.
fn nice_step(step: f64) -> f64 {
    let decade = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|digit| digit * decade).into_iter().find(|nice| *nice >= step).unwrap_or(step)
}

/// Tones that stand out on white and on black.
fn color(engine: &str) -> RGBColor {
    match engine {
        "gristmill" => RGBColor(46, 160, 67),
        "rayon" => RGBColor(66, 133, 222),
        "chili" => RGBColor(219, 88, 72),
        "std" => RGBColor(214, 152, 42),
        "forkunion" => RGBColor(153, 102, 204),
        "serial" => RGBColor(128, 134, 142),
        _ => RGBColor(32, 158, 158),
    }
}

#[cfg(test)]
mod tests {
    use super::nice_step;

    #[test]
    fn steps_are_round() {
        assert_eq!([0.26, 0.5, 1.1, 30.0].map(nice_step), [0.5, 0.5, 2.0, 50.0]);
    }
}
