//! `gristmill measure` as a user meets it: what it refuses, what it writes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn gristmill(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command was built")
}

/// Runs it, expects it to be refused in one line on stderr with nothing written, and returns that line.
fn refused(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = gristmill(folder.path(), arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a refused run left a file behind");
    assert!(output.stdout.is_empty());
    error
}

#[test]
fn what_makes_no_sense_is_refused() {
    let error = refused(&["measure", "--only", "fibb"]);
    assert!(error.contains("unknown measure `fibb`; did you mean `fib`? (fib, tree, "), "{error}");
    assert!(refused(&["measure", "--rounds", "0"]).contains("--rounds 0"));
    let error = refused(&["measure", "--csv", "no/such/folder/out.csv"]);
    assert!(error.contains("--csv no/such/folder/out.csv: cannot be written"), "{error}");
}

#[test]
fn a_small_run_writes_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "measure --only leaves,install-asleep --rounds 1 --seed 7 --csv out.csv";
    let output = gristmill(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("seed 7") && table.contains(" targets met."), "{table}");

    let text = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let header =
        "measure,engine,workers,value,unit,ratio_to_rayon_median,low_quartile,high_quartile,target,met";
    assert_eq!(text.lines().next(), Some(header));
    let mut sheet = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = sheet.records().map(Result::unwrap).collect();
    let row = |measure: &str, engine: &str, unit: &str| {
        let found = rows.iter().find(|row| (&row[0], &row[1], &row[4]) == (measure, engine, unit));
        found.unwrap_or_else(|| panic!("no row for {measure} by {engine} in {unit}:\n{text}"))
    };
    for engine in ["rayon", "chili", "gristmill"] {
        assert!(row("leaves", engine, "speed-up")[3].parse::<f64>().unwrap() > 0.0);
    }
    assert_eq!(&row("leaves", "gristmill", "speed-up")[8], "1.9");
    assert_eq!(&row("leaves", "serial", "ms")[2], "1");
    for reading in ["install-asleep-p50", "install-asleep-p99"] {
        assert!(row(reading, "gristmill", "us")[5].parse::<f64>().unwrap() > 0.0);
    }
}

#[test]
fn the_memory_of_a_pool_is_asked_of_a_process_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for engine in ["rayon", "gristmill"] {
        let output = gristmill(folder.path(), &["pool-memory", engine, "16"]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.trim().parse::<u64>().is_ok_and(|kib| kib > 0), "{engine}: {said}");
    }
    assert!(refused(&["pool-memory", "mill", "2"]).contains("unknown engine `mill`"));
    let help = gristmill(folder.path(), &["--help"]);
    assert!(!String::from_utf8(help.stdout).unwrap().contains("pool-memory"), "it is nobody's command");
}
