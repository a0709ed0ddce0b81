//! The results as an aligned table for a terminal.

use std::io::{self, Write};

use super::report::Report;
use super::rounds::Row;
use super::spread::Spread;

const HEAD: [&str; 9] =
    ["kernel", "engine", "size", "median", "x rayon", "quartiles", "speedup", "steals", "parks"];

pub(super) fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let rows = &report.measured.rows;
    let mut lines = vec![HEAD.map(str::to_owned).to_vec()];
    lines[0].push("answer".to_owned());
    lines.extend(rows.iter().map(cells));
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut kernel = "";
    for (line, row) in lines.iter().zip(std::iter::once(None).chain(rows.iter().map(Some))) {
        if let Some(row) = row.filter(|row| row.kernel != kernel) {
            kernel = row.kernel;
            writeln!(out)?;
        }
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let padded = match column {
                0 | 1 => format!("{cell:<width$}  "),
                _ => format!("{cell:>width$}  "),
            };
            text.push_str(&padded);
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    writeln!(out)?;
    super::executors::print(&report.executors, out)?;
    for line in report.summary().into_iter().chain(report.reading()) {
        writeln!(out, "{line}")?;
    }
    for note in &report.notes {
        writeln!(out, "{note}")?;
    }
    for wrong in &report.measured.wrong {
        writeln!(out, "{wrong}")?;
    }
    Ok(())
}

fn cells(row: &Row) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        row.kernel.to_owned(),
        row.engine.clone(),
        row.size.to_string(),
        time(row.seconds.median),
        row.to_rayon.map_or_else(dash, |ratio| figures(ratio.median)),
        row.to_rayon.map_or_else(dash, quartiles),
        row.to_serial.map_or_else(dash, |ratio| figures(ratio.inverse().median)),
        row.tally.map_or_else(dash, |tally| tally.steals.to_string()),
        row.tally.map_or_else(dash, |tally| tally.parks.to_string()),
        if row.answer_ok { "ok" } else { "WRONG" }.to_owned(),
    ]
}

pub(crate) fn quartiles(spread: Spread) -> String {
    format!("{}..{}", figures(spread.low), figures(spread.high))
}

/// About three figures: `0.042`, `1.37`, `12.4`, `350`.
pub(crate) fn figures(value: f64) -> String {
    match value {
        v if v < 0.1 => format!("{v:.3}"),
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// A duration with its unit: `12.4 ms`.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{} s", figures(s)),
        s if s >= 1e-3 => format!("{} ms", figures(s * 1e3)),
        s if s >= 1e-6 => format!("{} us", figures(s * 1e6)),
        s => format!("{} ns", figures(s * 1e9)),
    }
}

#[cfg(test)]
mod tests {
    use super::{figures, time};

    #[test]
    fn three_figures() {
        assert_eq!([0.0421, 1.372, 12.41, 350.4].map(figures), ["0.042", "1.37", "12.4", "350"]);
        assert_eq!(time(0.01241), "12.4 ms");
        assert_eq!(time(2.0), "2.00 s");
        assert_eq!(time(350e-6), "350 us");
    }
}
