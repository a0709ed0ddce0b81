//! `gristmill compare` as a user meets it: what it refuses, what it writes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn compare(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .arg("compare")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command was built")
}

/// Runs it, expects it to be refused in one line on stderr with nothing written, and returns that line.
fn refused(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = compare(folder.path(), arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a refused run left a file behind");
    assert!(output.stdout.is_empty());
    error
}

#[test]
fn an_unknown_kernel_is_told_the_nearest() {
    let error = refused(&["--only", "fibb"]);
    assert!(error.contains("unknown kernel `fibb`; did you mean `fib`? ("), "{error}");
    assert!(error.contains("nqueens"), "{error}");
}

#[test]
fn an_unknown_engine_is_told_the_nearest() {
    let error = refused(&["--engines", "serial,rayn"]);
    assert!(error.contains("unknown engine `rayn`; did you mean `rayon`? ("), "{error}");
    assert!(error.contains("cpython"), "{error}");
}

#[test]
fn workers_have_bounds() {
    for workers in ["0", "4097"] {
        let error = refused(&["--workers", workers]);
        assert!(error.contains(&format!("--workers {workers}: must be from 1 to 4096")), "{error}");
    }
}

#[test]
fn a_size_needs_one_kernel_that_takes_it() {
    let error = refused(&["--size", "30"]);
    assert!(error.contains("--only"), "{error}");
    let error = refused(&["--only", "fib,nqueens", "--size", "10"]);
    assert!(error.contains("--only"), "{error}");
    let error = refused(&["--only", "fib", "--size", "1000"]);
    assert!(error.contains("fib") && error.contains("1000"), "{error}");
    assert!(refused(&["--rounds", "0"]).contains("--rounds"));
}

#[test]
fn a_folder_must_be_readable() {
    let error = refused(&["--only", "wordcount", "--input", "/nowhere/texts"]);
    assert!(error.contains("--input /nowhere/texts: "), "{error}");
    assert!(error.contains("No such file or directory"), "{error}");
    let error = refused(&["--only", "fib", "--input", "."]);
    assert!(error.contains("--input is for wordcount"), "{error}");
}

#[test]
fn reports_must_be_writable_before_anything_runs() {
    let error = refused(&["--csv", "no/such/folder/out.csv"]);
    assert!(error.contains("--csv no/such/folder/out.csv: cannot be written"), "{error}");
    let error = refused(&["--html", "no/such/folder/out.html"]);
    assert!(error.contains("--html no/such/folder/out.html: cannot be written"), "{error}");
}

#[test]
fn an_engine_that_can_run_nothing_is_refused() {
    let error = refused(&["--only", "sort", "--engines", "std"]);
    assert!(error.contains("none of the engines std can run sort"), "{error}");
}

#[test]
fn a_small_run_writes_both_reports() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        "--only fib --size 20 --rounds 2 --workers 2 --seed 7 --no-python --csv out.csv --html out.html";
    let output = compare(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("seed 7"), "{table}");

    let text = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let header =
        "kernel,engine,workers,size,seconds_median,ratio_to_rayon_median,ratio_to_serial_median,answer_ok";
    assert_eq!(text.lines().next(), Some(header));
    let mut sheet = csv::Reader::from_reader(text.as_bytes());
    let mut engines = Vec::new();
    for row in sheet.deserialize() {
        type Row = (String, String, usize, usize, f64, Option<f64>, Option<f64>, bool);
        let (kernel, engine, workers, size, seconds, to_rayon, to_serial, ok): Row = row.unwrap();
        assert_eq!((kernel.as_str(), size, ok), ("fib", 20, true));
        assert_eq!(workers, if engine == "serial" { 1 } else { 2 });
        assert!(seconds > 0.0 && to_rayon.unwrap() > 0.0 && to_serial.unwrap() > 0.0);
        assert!(table.contains(&engine), "{table}");
        engines.push(engine);
    }
    for engine in ["serial", "std", "rayon", "chili"] {
        assert!(engines.iter().any(|name| name == engine), "{engines:?}");
    }

    let page = fs::read_to_string(folder.path().join("out.html")).unwrap();
    assert!(!page.contains("http") && !page.contains("src=") && !page.contains("@import"));
    assert!(page.contains("<svg") && page.contains("currentColor") && page.contains("chili"));
}

#[test]
fn ratios_to_a_peer_that_was_not_run_are_empty() {
    let folder = tempfile::tempdir().unwrap();
    let output = compare(
        folder.path(),
        &"--only fib --size small --rounds 2 --engines chili --csv out.csv".split(' ').collect::<Vec<_>>(),
    );
    assert!(output.status.success());
    let text = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let row: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((row[1], row[5], row[6], row[7]), ("chili", "", "", "true"));
    assert!(folder.path().join("report.html").exists());
}
