//! The results as a table for a terminal, and as CSV.

use std::io::{self, Write};

use super::contest::Row;
use crate::compare::table::{figures, quartiles};

const HEAD: [&str; 12] = [
    "measure",
    "engine",
    "workers",
    "value",
    "unit",
    "quartiles",
    "x rayon",
    "quartiles",
    "target",
    "met",
    "foreign",
    "rounds",
];

/// The columns of the CSV, in their order.
const COLUMNS: [&str; 10] = [
    "measure",
    "engine",
    "workers",
    "value",
    "unit",
    "ratio_to_rayon_median",
    "low_quartile",
    "high_quartile",
    "target",
    "met",
];

pub(super) fn print(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: [usize; 12] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
    });
    let mut measure = "";
    for (line, row) in lines.iter().zip(std::iter::once(None).chain(rows.iter().map(Some))) {
        if let Some(row) = row.filter(|row| row.measure != measure) {
            measure = &row.measure;
            writeln!(out)?;
        }
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let padded = match column {
                0 | 1 | 4 | 9 => format!("{cell:<width$}  "),
                _ => format!("{cell:>width$}  "),
            };
            text.push_str(&padded);
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

fn cells(row: &Row) -> [String; 12] {
    let dash = || "-".to_owned();
    [
        row.measure.clone(),
        row.engine.to_owned(),
        row.workers.to_string(),
        figures(row.value.median),
        row.unit.clone(),
        quartiles(row.value),
        row.to_rayon.map_or_else(dash, |ratio| figures(ratio.median)),
        row.to_rayon.map_or_else(dash, quartiles),
        row.target.map_or_else(dash, |target| target.to_string()),
        row.met.map_or_else(dash, |met| if met { "yes" } else { "NO" }.to_owned()),
        row.foreign.map_or_else(dash, figures),
        format!("{}/{}", row.rounds.0, row.rounds.1),
    ]
}

/// Writes one line for each row. The quartiles are those of the ratio to rayon where there is one, and else
/// those of the value; the target bounds the same.
///
/// # Errors
///
/// Whatever `out` fails with.
pub fn write_csv(rows: &[Row], out: impl Write) -> Result<(), csv::Error> {
    let mut sheet = csv::Writer::from_writer(out);
    sheet.write_record(COLUMNS)?;
    for row in rows {
        let spread = row.to_rayon.unwrap_or(row.value);
        sheet.write_record([
            row.measure.as_str(),
            row.engine,
            &row.workers.to_string(),
            &format!("{:.4}", row.value.median),
            &row.unit,
            &row.to_rayon.map_or(String::new(), |ratio| format!("{:.4}", ratio.median)),
            &format!("{:.4}", spread.low),
            &format!("{:.4}", spread.high),
            &row.target.map_or(String::new(), |target| target.to_string()),
            row.met.map_or("", |met| if met { "true" } else { "false" }),
        ])?;
    }
    sheet.flush()?;
    Ok(())
}
