use std::fmt::Write as _;

use super::*;

fn no_variables() -> [(&'static str, &'static str); 0] {
    []
}

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::builder().text(text).variables(no_variables()).load()
}

fn with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::builder().text(text).variables(variables.iter().copied()).load()
}

fn origin(pool: &PoolConfig, key: &str) -> String {
    pool.settings().find(|setting| setting.key == key).unwrap().origin.to_string()
}

/// Each with the line and column, the key, and what the message must say.
const BAD_FILES: &[(&str, usize, usize, &str, &str)] = &[
    // What is no TOML.
    ("[pool.a]\npin = core", 2, 7, "pin", "this is not TOML in `pin`"),
    ("[pool.a\nworkers = 2", 1, 8, "", "this is not TOML"),
    ("[pool.a]\nworkers 2", 2, 9, "workers", "this is not TOML in `workers`"),
    ("[pool.a]\nworkers =", 2, 10, "workers", "this is not TOML in `workers`"),
    ("[pool.a]\npin = \"core", 2, 12, "pin", "this is not TOML in `pin`"),
    ("[pool.a]\nnodes = [0, 1", 2, 14, "nodes", "this is not TOML in `nodes`"),
    ("[pool.a]\npin = \"core\"\npin = \"node\"", 3, 1, "pin", "this is not TOML in `pin`: duplicate key"),
    ("[pool.a]\nworkers = 07", 2, 11, "workers", "this is not TOML in `workers`"),
    // Tables that there are not.
    (
        "workers = 2",
        1,
        1,
        "workers",
        "unknown key `workers`: expected only `[pool.NAME]` tables here; `workers` goes below",
    ),
    ("[pools.a]\nworkers = 2", 1, 2, "pools", "unknown key `pools`: expected only `[pool.NAME]`"),
    ("[mill]", 1, 2, "mill", "unknown key `mill`: expected only `[pool.NAME]`"),
    ("pool = 3", 1, 8, "pool", "`pool` is an integer: expected tables `[pool.NAME]`"),
    ("[[pool]]\nworkers = 1", 1, 1, "pool", "`pool` is an array: expected tables `[pool.NAME]`"),
    (
        "[pool]\nworkers = 2",
        2,
        1,
        "pool.workers",
        "`workers` is an integer in [pool]: `workers` is a key of a pool",
    ),
    (
        "[pool]\nmain = true",
        2,
        1,
        "pool.main",
        "`main` is a boolean in [pool]: expected a table `[pool.main]`",
    ),
    ("[pool.\"a b\"]", 1, 7, "pool.a b", "`a b` is no name for a pool: expected a letter"),
    ("[pool.7up]", 1, 7, "pool.7up", "`7up` is no name for a pool"),
    ("[pool.\"\"]", 1, 7, "pool.", "`` is no name for a pool"),
    (
        "[pool.a-b]\n[pool.A_b]",
        2,
        7,
        "pool.A_b",
        "the pools `a-b` and `A_b` would both be set by GRISTMILL_POOL_A_B_",
    ),
    // Keys that there are not.
    (
        "[pool.a]\n\npinn = \"core\"",
        3,
        1,
        "pool.a.pinn",
        "unknown key `pinn` in [pool.a]; did you mean `pin`? (one of none, node,",
    ),
    (
        "[pool.a]\nWorkers = 2",
        2,
        1,
        "pool.a.Workers",
        "did you mean `workers`? (a whole number from 1 to 8192",
    ),
    ("[pool.a]\nstack-size = 2", 2, 1, "pool.a.stack-size", "did you mean `stack_size`?"),
    (
        "[pool.a]\nmax_workers = 2",
        2,
        1,
        "pool.a.max_workers",
        "unknown key `max_workers` in [pool.a]; did you mean",
    ),
    (
        "[pool.a]\ntemperature = 2",
        2,
        1,
        "pool.a.temperature",
        "in [pool.a]; expected one of workers, pin, places,",
    ),
    ("pool.a.nod = [0]", 1, 8, "pool.a.nod", "did you mean `nodes`? (a list of NUMA nodes"),
    // Values in which something does not fit.
    (
        "[pool.a]\n  workers   =   99999999999999999999999",
        2,
        17,
        "pool.a.workers",
        "cannot be 99999999999999999999999",
    ),
    ("[pool.ä]\nworkers = 1", 1, 7, "", "this is not TOML"),
    ("[pool.a]\n# ä\nname = \"ä\u{7f}\"", 3, 10, "name", "this is not TOML in `name`"),
    ("[pool.a]\nname = \"ä\", pin = 1", 2, 11, "name", "this is not TOML in `name`"),
    (
        "[pool.a]\nplaces = \"core\"",
        2,
        11,
        "pool.a.places",
        "`core` is no kind of place; the kinds are threads",
    ),
    ("[pool.a]\nplaces = \"{0:4}:0\"", 2, 17, "pool.a.places", "a length is a whole number from 1 to"),
    ("[pool.a]\nplaces = \"\"", 2, 11, "pool.a.places", "the list of places is empty"),
];

/// A key of a pool, a value that does not fit it, and what the message must say.
const MISFITS: &[(&str, &str, &str)] = &[
    ("workers", "0", "`workers` of [pool.a] cannot be 0: expected a whole number from 1 to 8192, or one of"),
    ("workers", "-4", "cannot be -4: expected a whole number"),
    ("workers", "9000", "cannot be 9000"),
    ("workers", "\"4\"", "cannot be \"4\": expected"),
    ("workers", "2.5", "cannot be a float: expected"),
    ("workers", "\"all\"", "cannot be \"all\""),
    ("pin", "\"Core\"", "cannot be \"Core\": expected one of none, node, place, core, thread"),
    ("pin", "true", "cannot be true: expected one of none"),
    ("bind", "\"compact\"", "expected one of close, spread, primary"),
    ("places", "[0, 1]", "cannot be [0, 1]: expected threads, cores, ll_caches"),
    ("nodes", "[]", "cannot be []: expected a list of NUMA nodes"),
    ("nodes", "[0, \"1\"]", "cannot be an array with more than numbers in it"),
    ("nodes", "[-1]", "cannot be [-1]"),
    ("nodes", "\"3-\"", "cannot be \"3-\""),
    ("nodes", "0", "cannot be 0: expected a list of NUMA nodes, such as [0, 1]"),
    ("memory", "\"far\"", "expected one of local, interleave, bind"),
    ("smt", "\"off\"", "cannot be \"off\": expected true or false"),
    ("share", "1", "cannot be 1: expected true or false"),
    ("stack_size", "\"2 MB\"", "cannot be \"2 MB\": expected a number of bytes"),
    ("stack_size", "1024", "cannot be 1024: expected a number of bytes from 65536"),
    ("spin", "-1", "cannot be -1: expected a whole number of microseconds"),
    ("waiting", "\"rayon\"", "expected one of subtree, greedy"),
    ("max_spares", "100000", "expected a whole number from 0 to 8192"),
    ("pin_failure", "\"ignore\"", "expected one of error, warn"),
    ("follow", "1979-05-27", "cannot be a date: expected true or false"),
    ("name", "\"\"", "cannot be \"\": expected a text of 1 to 64 bytes"),
    ("huge_pages", "{ size = 2 }", "cannot be a table: expected true or false"),
];

#[test]
fn bad_files_are_told_where_and_what_would_be_right() {
    let mut wrong = String::new();
    let bad = BAD_FILES
        .iter()
        .map(|&(text, line, column, key, message)| (text.to_owned(), line, column, key.to_owned(), message));
    let misfits = MISFITS.iter().map(|(key, value, message)| {
        let text = format!("[pool.a]\n{key} = {value}");
        (text, 2, key.len() + " = ".len() + 1, format!("pool.a.{key}"), *message)
    });
    for (text, line, column, key, message) in bad.chain(misfits) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.toml");
        std::fs::write(&path, &text).unwrap();
        let error = match Config::builder().file(&path).variables(no_variables()).load() {
            Err(ConfigError::Faults(faults)) => faults,
            other => panic!("{text}: {other:?}"),
        };
        let fault = &error[0];
        let place = Origin::File { path: path.clone(), line, column };
        let expects = fault.message.contains("expected") || fault.message.contains("did you mean");
        let right = error.len() == 1
            && fault.origin == place
            && fault.key == key
            && fault.message.contains(message)
            && expects;
        if !right {
            let _ = writeln!(wrong, "{text:?}: {} {error:?}", error.len());
        }
        assert!(fault.to_string().starts_with(&format!("{}:{line}:", path.display())) || !right);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(BAD_FILES.len() + MISFITS.len() >= 40);
}

#[test]
fn all_faults_are_told_at_once() {
    let error = load("[pool.a]\npinn = 1\nworkers = 0\n[pool.b]\nbind = \"x\"").unwrap_err();
    assert_eq!(error.faults().len(), 3);
    assert_eq!(error.to_string().lines().count(), 3);
    let error = with("[pool.a]\nbind = 1", &[("GRISTMILL_POOL_A_SMT", "perhaps")]).unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with("GRISTMILL_POOL_A_SMT: `smt` of [pool.a] cannot be perhaps: expected true or false"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_no_text_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gristmill.toml");
    let error = Config::builder().file(&path).variables(no_variables()).load().unwrap_err();
    assert!(error.to_string().starts_with(&format!("{}: cannot be read: No such file", path.display())));
    let named = [("GRISTMILL_CONFIG", path.to_str().unwrap())];
    assert!(matches!(Config::builder().variables(named).load(), Err(ConfigError::Unreadable { .. })));
    std::fs::write(&path, b"[pool.a]\nname = \"\xff\"").unwrap();
    let error = Config::builder().file(&path).variables(no_variables()).load().unwrap_err();
    assert_eq!(
        error.faults()[0].to_string(),
        format!("{}:2:9: this is not UTF-8: expected a text file", path.display())
    );
    assert_eq!(error.faults()[0].key, "name");
    std::fs::write(&path, "[pool.a]\nworkers = 3").unwrap();
    let config = Config::builder().variables(named).load().unwrap();
    assert_eq!(
        (config.file(), config.pool("a").unwrap().workers()),
        (Some(path.as_path()), Workers::Count(3))
    );
}

#[test]
fn everything_can_be_set() {
    let config = load(
        "[pool.a]\nworkers = 'cores'\npin = 'core'\nplaces = '{0:2}:2:2'\nbind = 'close'\nnodes = '0-2,5'\nsmt = false\n\
         share = true\npin_failure = 'warn'\nfollow = true\nmemory = 'bind'\nmemory_nodes = [1, 0, 1]\nhuge_pages = true\n\
         stack_size = '4 MiB'\nspin = 0\nwaiting = 'greedy'\nmax_spares = 0\nname = 'grind'",
    )
    .unwrap();
    let a = config.pool("a").unwrap();
    assert_eq!(
        (a.workers(), a.pin(), a.bind(), a.nodes()),
        (Workers::Cores, Pin::Core, Bind::Close, &[0, 1, 2, 5][..])
    );
    assert_eq!(a.places(), Some(&PlaceList::Listed(vec![vec![0, 1], vec![2, 3]])));
    assert_eq!((a.smt(), a.share(), a.follow(), a.huge_pages()), (false, true, true, true));
    assert_eq!(
        (a.memory(), a.memory_nodes(), a.pin_failure()),
        (Memory::Bind, &[0, 1][..], PinFailure::Warn)
    );
    assert_eq!((a.stack_size(), a.spin()), (Some(4 << 20), Some(std::time::Duration::ZERO)));
    assert_eq!((a.waiting(), a.max_spares(), a.thread_name()), (Waiting::Greedy, 0, "grind"));
    assert!(a.settings().all(|setting| matches!(setting.origin, Origin::File { .. })), "{a:?}");
    assert_eq!(origin(&a, "spin"), "text:15:8");
    // What is shown for a key can stand in a file.
    let shown: String = a.settings().map(|s| format!("{} = {}\n", s.key, s.value)).collect();
    let again = load(&format!("[pool.a]\n{shown}")).unwrap().pool("a").unwrap();
    assert!(a.settings().zip(again.settings()).all(|(a, b)| (a.key, a.value) == (b.key, b.value)));
}

#[test]
fn nothing_is_said() {
    let config = load("[pool.a]").unwrap();
    let a = config.pool("a").unwrap();
    assert_eq!(
        (a.workers(), a.pin(), a.places(), a.bind()),
        (Workers::Threads, Pin::None, None, Bind::Spread)
    );
    assert!(a.settings().all(|setting| setting.origin == Origin::Default));
    let empty = load("").unwrap();
    assert_eq!(empty.pools().count(), 0);
    assert!(empty.pool("a").unwrap_err().to_string().contains("there is no gristmill.toml"));
    let error = config.pool("something").unwrap_err().to_string();
    assert_eq!(error, "there is no pool `something`, only a");
}

#[test]
fn code_counts_less_than_the_file_and_that_less_than_the_environment() {
    let builder = || Config::builder().pool("a", |pool| pool.workers(1).bind(Bind::Close).smt(false));
    let text = "[pool.a]\nworkers = 2\nbind = \"primary\"";
    let variables = [("GRISTMILL_POOL_A_WORKERS", "3")];
    let config = builder().text(text).variables(variables).load().unwrap();
    let a = config.pool("a").unwrap();
    assert_eq!((a.workers(), a.bind(), a.smt()), (Workers::Count(3), Bind::Primary, false));
    assert_eq!(
        [origin(&a, "workers"), origin(&a, "bind"), origin(&a, "smt")],
        ["GRISTMILL_POOL_A_WORKERS", "text:3:8", "code"]
    );
    let error =
        Config::builder().pool("a b", |pool| pool).variables(no_variables()).text("").load().unwrap_err();
    assert!(error.to_string().starts_with("code: `a b` is no name for a pool"));
}

#[test]
fn variables_name_pools_and_keys() {
    let variables = [
        ("GRISTMILL_POOL_MY_POOL_STACK_SIZE", "128 KiB"),
        ("GRISTMILL_POOL_OTHER_MAX_SPARES", "7"),
        ("GRISTMILL_POOL_OTHER_SMT", "off"),
        ("GRISTMILL_POOL_OTHER_NODES", "[0, 2-3]"),
        ("GRISTMILL_POOL_OTHER_NAME", "5"),
    ];
    let config = with("[pool.my-pool]\n[pool.my]", &variables).unwrap();
    assert_eq!(config.pool("my-pool").unwrap().stack_size(), Some(128 << 10));
    let other = config.pool("other").unwrap();
    assert_eq!(
        (other.max_spares(), other.smt(), other.nodes(), other.thread_name()),
        (7, false, &[0, 2, 3][..], "5")
    );
    for (name, value, message) in [
        ("GRISTMILL_POOL_A_WORKER", "3", "unknown key `worker` in [pool.a]; did you mean `workers`?"),
        (
            "GRISTMILL_POOL_B_WORKER",
            "3",
            "it ends in no key of a pool; did you mean `workers`? (expected GRISTMILL_POOL_",
        ),
        ("GRISTMILL_POOL_WORKERS", "3", "it ends in no key of a pool"),
        (
            "GRISTMILL_POOL_A_WORKERS",
            "three",
            "`workers` of [pool.a] cannot be three: expected a whole number",
        ),
        (
            "GRISTMILL_POOL_A_PLACES",
            "{0",
            "cannot be {0: `}` or `,` was expected at the end; expected threads",
        ),
        ("GRISTMILL_POOL_7_WORKERS", "3", "`7` is no name for a pool"),
        ("GRISTMILL_NUM_THREADS", "0", "`workers` of [pool.a] cannot be 0"),
        ("GRISTMILL_BIND", "far", "`bind` of [pool.a] cannot be far: expected one of close"),
    ] {
        let error = with("[pool.a]", &[(name, value)]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: ")) && error.contains(message), "{error}");
    }
}

#[test]
fn other_programs_variables_count_where_nothing_is_said() {
    let one = |variables: &[(&str, &str)]| with("[pool.a]", variables).unwrap();
    let a = one(&[("OMP_NUM_THREADS", "4,2"), ("RAYON_NUM_THREADS", "8"), ("SLURM_CPUS_PER_TASK", "16")]);
    let a = a.pool("a").unwrap();
    assert_eq!(
        (a.workers(), origin(&a, "workers")),
        (Workers::Count(4), "OMP_NUM_THREADS (nothing else is said)".into())
    );
    let a = one(&[("RAYON_NUM_THREADS", "0"), ("SLURM_CPUS_PER_TASK", "16")]).pool("a").unwrap();
    assert_eq!(a.workers(), Workers::Count(16));
    let a = one(&[("GRISTMILL_NUM_THREADS", "2"), ("OMP_NUM_THREADS", "4")]).pool("a").unwrap();
    assert_eq!(a.workers(), Workers::Count(2));
    let a = one(&[("OMP_PLACES", "sockets(2)"), ("OMP_PROC_BIND", "close,spread")]).pool("a").unwrap();
    assert_eq!(
        (a.places().unwrap().to_string(), a.bind(), a.pin()),
        ("sockets(2)".into(), Bind::Close, Pin::Place)
    );
    let a = one(&[("OMP_PLACES", "cores"), ("OMP_PROC_BIND", "false")]).pool("a").unwrap();
    assert_eq!((a.places(), a.pin()), (None, Pin::None));
    let a = one(&[("OMP_PLACES", "threads")]).pool("a").unwrap();
    assert_eq!((a.places().unwrap().to_string(), a.pin()), ("threads".into(), Pin::Place));
    let a = one(&[("OMP_PROC_BIND", "TRUE"), ("GRISTMILL_PLACES", "numa"), ("OMP_PLACES", "threads")]);
    assert_eq!(a.pool("a").unwrap().places().unwrap().to_string(), "numa");

    // What makes no sense is passed over, and said.
    let config = one(&[
        ("OMP_NUM_THREADS", "many"),
        ("OMP_PLACES", "{"),
        ("OMP_PROC_BIND", "tight"),
        ("RAYON_NUM_THREADS", "3"),
    ]);
    assert_eq!(config.pool("a").unwrap().workers(), Workers::Count(3));
    assert_eq!(config.notes().len(), 3, "{:?}", config.notes());
    // What somebody said counts more.
    let said = with(
        "[pool.a]\nworkers = 1\npin = \"none\"\nbind = \"spread\"",
        &[("OMP_NUM_THREADS", "4"), ("OMP_PROC_BIND", "close")],
    );
    let a = said.unwrap().pool("a").unwrap();
    assert_eq!((a.workers(), a.pin(), a.bind()), (Workers::Count(1), Pin::None, Bind::Spread));
    // And several pools cannot all be meant.
    let config = with("[pool.a]\n[pool.b]", &[("OMP_NUM_THREADS", "4")]).unwrap();
    assert_eq!(config.pool("b").unwrap().workers(), Workers::Threads);
    assert_eq!(config.notes(), ["OMP_NUM_THREADS is passed over: it speaks of one pool, and there are 2"]);
}

proptest::proptest! {
    #[test]
    fn any_text_is_an_answer(text in "(\\[pool\\.[a-z]{0,2}\\]\n|workers|pin|places|nodes|[=\"{}0-9a-zé,#\\[\\]\n ]){0,12}") {
        let _ = load(&text);
    }
}
