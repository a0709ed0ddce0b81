//! The results as CSV.

use std::io::Write;

use super::rounds::Row;
use super::spread::Spread;

/// The columns, in their order.
const COLUMNS: [&str; 8] = [
    "kernel",
    "engine",
    "workers",
    "size",
    "seconds_median",
    "ratio_to_rayon_median",
    "ratio_to_serial_median",
    "answer_ok",
];

/// Writes one line for each row. Both ratios are time over time, so below 1 is faster; a ratio to a peer
/// that was not run is empty.
///
/// # Errors
///
/// Whatever `out` fails with.
pub fn write_csv(rows: &[Row], out: impl Write) -> Result<(), csv::Error> {
    let ratio = |ratio: Option<Spread>| ratio.map_or(String::new(), |ratio| format!("{:.4}", ratio.median));
    let mut sheet = csv::Writer::from_writer(out);
    sheet.write_record(COLUMNS)?;
    for row in rows {
        sheet.write_record([
            row.kernel,
            &row.engine,
            &row.workers.to_string(),
            &row.size.to_string(),
            &format!("{:.9}", row.seconds.median),
            &ratio(row.to_rayon),
            &ratio(row.to_serial),
            if row.answer_ok { "true" } else { "false" },
        ])?;
    }
    sheet.flush()?;
    Ok(())
}
