//! The results as one page of HTML that needs nothing else.

use std::fmt::Write as _;

use super::charts;
use super::executors::Timed;
use super::report::Report;
use super::rounds::Row;
use super::spread::Spread;
use super::table::{figures, quartiles, time};

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let rows = &report.measured.rows;
    let mut body = String::new();
    let title = format!("gristmill compare, {}", report.machine.date);
    section(&mut body, "", &facts(report));
    if !report.measured.wrong.is_empty() {
        let wrong: Vec<_> = report.measured.wrong.iter().map(ToString::to_string).collect();
        section(&mut body, "Wrong answers", &format!("<div class=\"wrong\">{}</div>", list(&wrong)));
    }
    let summary = report.summary();
    if !summary.is_empty() {
        section(&mut body, "In short", &list(&summary));
    }
    section(&mut body, "How to read this", &list(&report.reading()));
    let plot = charts::speedups(rows, report.workers);
    let about = "Serial time over time in the same round. The bar is the median, the whisker runs between the \
                 quartiles; longer is faster.";
    figure(&mut body, "Speedup over serial", about, plot, "Serial code was not run.");
    let about = "Time over rayon's time in the same round, on a logarithmic axis. The dot is the median, the \
                 whisker runs between the quartiles; left of the line is faster than rayon.";
    figure(
        &mut body,
        "Time, in units of rayon's",
        about,
        charts::ratios(rows),
        "There is nothing to set beside rayon.",
    );
    section(&mut body, "All numbers", &table(rows));
    if !report.executors.is_empty() {
        section(&mut body, "Executors", &executors(&report.executors));
    }
    let engines = report.engines.iter().map(|(name, about)| format!("{name}: {about}"));
    let notes: Vec<_> = engines.chain(report.notes.iter().cloned()).collect();
    section(&mut body, "Engines and notes", &list(&notes));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>gristmill compare</h1>\n{body}</body>\n</html>\n"
    )
}

fn facts(report: &Report) -> String {
    let machine = &report.machine;
    let rounds = match report.measured.rounds {
        finished if finished < report.rounds => format!("{finished} of {} (time limit)", report.rounds),
        finished => finished.to_string(),
    };
    let foreign = report.foreign.map_or("unknown".to_owned(), |cpus| format!("{cpus:.2} CPUs"));
    let facts = [
        ("CPU", machine.cpu.clone()),
        ("Hardware threads", machine.threads.to_string()),
        ("Workers", report.workers.to_string()),
        ("System", machine.kernel.clone()),
        ("Compiler", machine.rustc.to_owned()),
        ("Busy with other programs", foreign),
        ("Rounds", rounds),
        ("Seed", report.seed.to_string()),
        ("Date", machine.date.clone()),
    ];
    let mut text = "<dl>".to_owned();
    for (name, value) in facts {
        let _ = write!(text, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    text + "</dl>"
}

fn section(body: &mut String, title: &str, text: &str) {
    let title = if title.is_empty() { String::new() } else { format!("<h2>{title}</h2>\n") };
    let _ = writeln!(body, "<section>\n{title}{text}\n</section>");
}

fn figure(body: &mut String, title: &str, about: &str, plot: Option<String>, without: &str) {
    let text = match plot {
        Some(svg) => format!("<p>{about}</p>\n<figure>{svg}</figure>"),
        None => format!("<p>{without}</p>"),
    };
    section(body, title, &text);
}

fn list(items: &[String]) -> String {
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
    format!("<ul>\n{items}</ul>")
}

fn table(rows: &[Row]) -> String {
    let mut text = "<div class=\"wide\"><table>\n<thead><tr><th>kernel</th><th>engine</th><th>workers</th>\
                    <th>size</th><th>median time</th><th>x rayon</th><th>quartiles</th><th>speedup</th>\
                    <th>quartiles</th><th>steals</th><th>parks</th><th>answer</th></tr></thead>\n<tbody>\n"
        .to_owned();
    let mut kernel = "";
    for row in rows {
        let class = if row.kernel == kernel { "" } else { " class=\"first\"" };
        kernel = row.kernel;
        let median = |spread: Option<Spread>| spread.map_or(String::new(), |spread| figures(spread.median));
        let range = |spread: Option<Spread>| spread.map_or(String::new(), quartiles);
        let speedup = row.to_serial.map(Spread::inverse);
        let cells = [
            escape(row.kernel),
            escape(&row.engine),
            row.workers.to_string(),
            row.size.to_string(),
            time(row.seconds.median),
            median(row.to_rayon),
            range(row.to_rayon),
            median(speedup),
            range(speedup),
            row.tally.map_or(String::new(), |tally| tally.steals.to_string()),
            row.tally.map_or(String::new(), |tally| tally.parks.to_string()),
            if row.answer_ok { "ok".to_owned() } else { "<strong>wrong</strong>".to_owned() },
        ];
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        let _ = writeln!(text, "<tr{class}>{cells}</tr>");
    }
    text + "</tbody>\n</table></div>"
}

fn executors(timed: &[Timed]) -> String {
    let head: String = super::executors::HEAD.iter().map(|name| format!("<th>{name}</th>")).collect();
    let rows: String = timed
        .iter()
        .map(|timed| {
            let cells = super::executors::cells(timed).map(|cell| format!("<td>{}</td>", escape(&cell)));
            format!("<tr>{}</tr>\n", cells.concat())
        })
        .collect();
    let about = super::executors::ABOUT;
    format!(
        "<p>{about}</p>\n<div class=\"wide\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n\
         </table></div>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
