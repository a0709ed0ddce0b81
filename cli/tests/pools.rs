//! `topo`, `doctor`, `config` and `run` as a user meets them.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Output};

const POOLS: &str =
    "[pool.compute]\nworkers = \"cores\"\npin = \"core\"\nbind = \"close\"\n\n[pool.io]\nworkers = 3\n";

fn gristmill(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["GRISTMILL_", "OMP_", "RAYON_", "SLURM_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder).output().expect("the command was built")
}

/// A folder with this configuration in it.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gristmill.toml"), text).unwrap();
    folder
}

fn said(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a refused command says on standard error.
fn refused(output: &Output) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(output.stdout.is_empty(), "{output:?}");
    error
}

const SYNTHETIC: [&str; 3] = ["topo", "--synthetic", "pack:2 numa:2 l3:1 core:2 pu:2"];

#[test]
fn a_machine_is_shown_as_a_tree() {
    let folder = folder(POOLS);
    let text = said(&gristmill(folder.path(), &[&SYNTHETIC[..], &["--mask", "0-3,5-15"]].concat()));
    assert!(text.starts_with(
        "2 packages, 4 NUMA nodes, 4 L3 groups, 8 cores, 16 hardware threads; allowed: 0-3,5-15\n"
    ));
    assert!(text.contains("    L3 of CPUs 4-7\n      core: CPU 4 not allowed, CPU 5\n"), "{text}");
    assert!(text.contains("distances\n         0   1   2   3\n     0  10  12  20  20\n"), "{text}");
    let here = said(&gristmill(folder.path(), &["topo"]));
    assert!(here.contains("package") && here.contains("core: CPU"), "{here}");
}

#[test]
fn workers_are_shown_in_their_places() {
    let folder = folder(POOLS);
    let text = said(&gristmill(folder.path(), &[&SYNTHETIC[..], &["--pool", "compute"]].concat()));
    assert!(text.contains("core: CPU 2 [w1], CPU 3 [w1]\n"), "{text}");
    assert!(text.contains(
        "pool compute: 8 workers, one for each core it may use (\"cores\", by gristmill.toml:2:11)"
    ));
    assert!(text.contains("\n  w7: CPU 14-15\n"));
    let text = said(&gristmill(folder.path(), &[&SYNTHETIC[..], &["--pool", "io"]].concat()));
    assert!(text.contains("not pinned"), "{text}");

    let json = said(&gristmill(folder.path(), &[&SYNTHETIC[..], &["--pool", "compute", "--json"]].concat()));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (value["units"].as_array().unwrap().len(), &value["nodes"][1]["distances"][2]),
        (16, &20.into())
    );
    assert_eq!(value["pool"]["places"][7], "14-15");
}

#[test]
fn the_picture_has_every_unit_and_every_worker() {
    let folder = folder(POOLS);
    let arguments = [&SYNTHETIC[..], &["--pool", "compute", "--mask", "0-13", "--svg", "out.svg"]].concat();
    assert_eq!(said(&gristmill(folder.path(), &arguments)), "out.svg\n");
    let svg = fs::read_to_string(folder.path().join("out.svg")).unwrap();
    assert!(
        svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.trim_end().ends_with("</svg>")
    );
    let count = |text: &str| svg.matches(text).count();
    // One of each is in the key.
    assert_eq!(
        (count("class=\"unit seat\""), count("class=\"unit barred\""), count("class=\"core\"")),
        (15, 3, 8)
    );
    assert_eq!(
        (count(">w6</text>"), count(">package 1</text>"), count("distances between nodes")),
        (2, 1, 1)
    );
    assert!(!svg.contains("href") && !svg.contains("@import"));
    let error = refused(&gristmill(folder.path(), &[&SYNTHETIC[..], &["--svg", "no/such/out.svg"]].concat()));
    assert!(
        error.starts_with("gristmill: --svg no/such/out.svg: cannot be written: No such file"),
        "{error}"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = folder(POOLS);
    for (arguments, message) in [
        (&["topo", "--synthetic", "cores:2"][..], "--synthetic: `cores:2` is no level"),
        (&["topo", "--sysfs", "/nowhere"], "--sysfs /nowhere: no machine in its sys/devices/system/cpu: "),
        (&["topo", "--mask", "9000"], "--mask 9000: none of these CPUs may be used; those that may are "),
        (&["topo", "--mask", "0-x"], "--mask 0-x: "),
        (&["topo", "--pool", "compoot"], "there is no pool `compoot`; did you mean `compute`? (compute, io)"),
        (&["topo", "--pool", "io", "--config", "none.toml"], "none.toml: cannot be read: No such file"),
        (&["run", "--pool", "oi", "--", "true"], "there is no pool `oi`; did you mean `io`?"),
        (&["config", "check", "none.toml"], "none.toml: cannot be read"),
        (&["config", "check", "."], ".: cannot be read: Is a directory"),
        (&["config", "check", "/proc/self/exe"], "/proc/self/exe: cannot be read: it is larger than 1 MiB"),
        (&["config", "check", "/dev/zero"], "/dev/zero: cannot be read: it is larger than 1 MiB"),
    ] {
        let error = refused(&gristmill(folder.path(), arguments));
        assert!(error.starts_with(&format!("gristmill: {message}")), "{arguments:?}: {error}");
    }
}

#[test]
fn a_file_is_checked_against_its_grammar_and_against_the_machine() {
    let folder = folder(POOLS);
    let text = said(&gristmill(folder.path(), &["config", "check", "gristmill.toml"]));
    assert!(text.contains("pool compute: ") && text.contains("pool io: 3 workers"), "{text}");
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, "[pool.a]\npinn = 1\nworkers = 0\n").unwrap();
    let error = refused(&gristmill(folder.path(), &["config", "check", "bad.toml"]));
    assert_eq!(error.lines().count(), 2);
    assert!(
        error.starts_with("gristmill: bad.toml:2:1: unknown key `pinn` in [pool.a]; did you mean `pin`?"),
        "{error}"
    );
    fs::write(&bad, "[pool.a]\nplaces = \"{9000}\"\n").unwrap();
    let error = refused(&gristmill(folder.path(), &["config", "check", "bad.toml"]));
    assert!(error.starts_with("gristmill: pool `a`: CPU 9000 is not in the allowed set "), "{error}");
    assert!(
        said(&gristmill(folder.path(), &["config", "check", "--only-file", "bad.toml"]))
            .contains("pool a: well described")
    );
    let schema = said(&gristmill(folder.path(), &["config", "schema"]));
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let keys = &schema["properties"]["pool"]["additionalProperties"]["properties"];
    assert_eq!(
        (keys["bind"]["enum"][0].as_str(), keys["memory_nodes"]["anyOf"][0]["type"].as_str()),
        (Some("close"), Some("array"))
    );
    assert_eq!(keys.as_object().unwrap().len(), 17);
}

#[test]
fn a_program_runs_on_the_pools_cpus() {
    let folder = folder("[pool.one]\nworkers = 1\npin = \"thread\"\n");
    let script = "echo $OMP_NUM_THREADS $RAYON_NUM_THREADS; grep Cpus_allowed_list /proc/self/status; exit 7";
    let output = gristmill(folder.path(), &["run", "--pool", "one", "-v", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(7));
    let text = String::from_utf8(output.stdout).unwrap();
    let cpu = text.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap();
    assert!(text.starts_with("1 1\n") && cpu.parse::<usize>().is_ok(), "{text}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with(&format!("gristmill: CPU {cpu}, 1 worker: ")), "{error}");
}

#[test]
fn a_program_that_does_not_run_or_is_killed_says_so_by_its_code() {
    let folder = folder(POOLS);
    fs::write(folder.path().join("text"), "no program").unwrap();
    let run =
        |program: &[&str]| gristmill(folder.path(), &[&["run", "--pool", "io", "--"], program].concat());
    for (program, code, message) in [
        ("/no/such/program", 127, "cannot be started: No such file"),
        ("./text", 126, "cannot be started: Permission denied"),
        (".", 126, "cannot be started: Permission denied"),
    ] {
        let output = run(&[program]);
        assert_eq!(output.status.code(), Some(code), "{program}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(&format!("gristmill: {program}: {message}")), "{error}");
    }
    // The program takes the command's place, so signals are its own.
    let killed = run(&["sh", "-c", "kill -INT $$; kill -KILL $$"]);
    let signal = std::os::unix::process::ExitStatusExt::signal(&killed.status);
    assert!(matches!(signal, Some(2 | 9)), "{:?}", killed.status);
}

#[test]
fn what_cannot_be_written_is_an_error_and_a_reader_that_leaves_is_none() {
    let folder = folder(POOLS);
    for task in ["topo", "doctor"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
        let output = command.arg(task).current_dir(folder.path()).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{task}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("standard output cannot be written to: No space left"), "{task}: {error}");
        // Closed at the other end, as a pipe is.
        let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
        let output =
            command.arg(task).current_dir(folder.path()).stdout(OwnedFd::from(writer)).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{task}: {output:?}");
    }
}

#[test]
fn a_program_has_the_pools_memory() {
    let folder = folder("[pool.one]\nmemory = \"bind\"\nhuge_pages = true\n");
    let script = "echo $GLIBC_TUNABLES; exec cat /proc/self/numa_maps";
    let output = gristmill(folder.path(), &["run", "--pool", "one", "-v", "--", "sh", "-c", script]);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    if error.contains("set_mempolicy is not to be had here") {
        return eprintln!("skipped: {error}");
    }
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.starts_with("glibc.malloc.hugetlb=1\n"), "{text}");
    assert!(error.contains("gristmill: memory: Bind(["), "{error}");
    match output.status.success() {
        true => assert!(text.contains(" bind:"), "{text}"),
        false => eprintln!("skipped: this kernel has no numa_maps"),
    }
}

#[test]
fn the_doctor_says_where_each_value_comes_from() {
    let folder = folder(POOLS);
    let text = said(&gristmill(folder.path(), &["doctor", "--explain"]));
    for line in [
        "Threads\n",
        "  affinity mask ",
        "  threads to start ",
        "Environment\n",
        "(gristmill.toml:3:7)",
        "  NUMA balancing ",
        "  /dev/shm ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    fs::write(folder.path().join("gristmill.toml"), "[pool.a]\nbind = 1").unwrap();
    let output = gristmill(folder.path(), &["doctor"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("threads to start"));
}

/// `GRISTMILL_WRITE_PICTURE=1 cargo test -p cli --test pools` draws it anew.
#[test]
fn the_picture_in_the_readme_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = folder("[pool.compute]\nworkers = 12\npin = \"core\"\n");
    let machine = ["topo", "--synthetic", "pack:2 numa:1 l3:2 core:4 pu:2", "--mask", "0-27"];
    said(&gristmill(folder.path(), &[&machine[..], &["--pool", "compute", "--svg", "out.svg"]].concat()));
    let drawn = fs::read_to_string(folder.path().join("out.svg")).unwrap();
    let path = root.join("images/two-packages.svg");
    if std::env::var_os("GRISTMILL_WRITE_PICTURE").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap_or_default() == drawn, "{} is not current", path.display());
}
