use super::*;
use crate::config::Config;

fn machine(description: &str) -> Topology {
    Topology::synthetic(description).unwrap()
}

/// Two nodes of two caches of two cores of two threads: CPUs 0 to 15.
fn sixteen() -> Topology {
    machine("node:2 l3:2 core:2 pu:2")
}

fn config(text: &str) -> Config {
    Config::builder().text(text).variables([("", ""); 0]).load().unwrap()
}

fn plan(text: &str, machine: &Topology) -> Result<Plan, PlanError> {
    plan_of("a", &format!("[pool.a]\n{text}"), machine)
}

fn plan_of(pool: &str, text: &str, machine: &Topology) -> Result<Plan, PlanError> {
    Plan::new(&config(text).pool(pool).unwrap(), machine, None)
}

fn seats(plan: &Plan) -> Vec<String> {
    assert!(plan.places.is_empty() || plan.places.len() == plan.workers);
    plan.places.iter().map(|place| place.cpus().to_string()).collect()
}

#[test]
fn each_pin_holds_more_narrowly() {
    let map = sixteen();
    let none = plan("", &map).unwrap();
    assert_eq!((none.workers(), seats(&none).len(), none.cpus().len()), (16, 0, 16));
    for (pin, workers, first) in [
        ("node", "3", vec!["0-7", "8-15", "0-7"]),
        ("core", "3", vec!["0-1", "8-9", "4-5"]),
        ("place", "3", vec!["0-1", "8-9", "4-5"]),
        ("thread", "9", vec!["0", "8", "4", "12", "2", "10", "6", "14", "1"]),
    ] {
        let plan = plan(&format!("pin = \"{pin}\"\nworkers = {workers}"), &map).unwrap();
        assert_eq!(seats(&plan), first, "{pin}");
    }
}

#[test]
fn close_spread_and_primary() {
    let map = sixteen();
    for (bind, places, workers, expected) in [
        ("close", "cores", 3, vec!["0-1", "2-3", "4-5"]),
        ("close", "sockets", 4, vec!["0-7", "0-7", "8-15", "8-15"]),
        ("spread", "cores", 3, vec!["0-1", "8-9", "4-5"]),
        ("spread", "sockets", 4, vec!["0-7", "8-15", "0-7", "8-15"]),
        ("primary", "ll_caches", 3, vec!["0-3", "0-3", "0-3"]),
        ("spread", "numa", 2, vec!["0-7", "8-15"]),
        ("close", "threads", 2, vec!["0", "1"]),
        ("spread", "cores(2)", 4, vec!["0-1", "8-9", "0-1", "8-9"]),
        // Lists are parted as OpenMP parts them.
        ("spread", "{0:2}:8:2", 4, vec!["0-1", "4-5", "8-9", "12-13"]),
        ("close", "{0:2}:8:2", 4, vec!["0-1", "2-3", "4-5", "6-7"]),
        ("spread", "{0:4}:2:4", 4, vec!["0-3", "0-3", "4-7", "4-7"]),
        ("primary", "{6,7},{1}", 2, vec!["6-7", "6-7"]),
    ] {
        let text = format!("bind = \"{bind}\"\nplaces = \"{places}\"\nworkers = {workers}");
        assert_eq!(seats(&plan(&text, &map).unwrap()), expected, "{text}");
    }
}

#[test]
fn the_primary_place_is_all_there_is() {
    let plan = plan("bind = \"primary\"\nplaces = \"ll_caches\"", &sixteen()).unwrap();
    assert_eq!((plan.workers(), plan.cpus().to_string()), (4, "0-3".into()));
}

#[test]
fn a_pin_within_a_place() {
    let map = sixteen();
    let text = |pin: &str| format!("places = \"numa\"\nbind = \"close\"\npin = \"{pin}\"\nworkers = 6");
    assert_eq!(seats(&plan(&text("core"), &map).unwrap()), ["0-1", "2-3", "4-5", "8-9", "10-11", "12-13"]);
    assert_eq!(seats(&plan(&text("thread"), &map).unwrap()), ["0", "2", "4", "8", "10", "12"]);
    assert_eq!(seats(&plan(&text("node"), &map).unwrap())[5], "8-15");
    // More workers than a place has cores: round again.
    let text = "places = \"{0:4}\"\npin = \"core\"\nworkers = 3";
    assert_eq!(seats(&plan(text, &map).unwrap()), ["0-1", "2-3", "0-1"]);
}

#[test]
fn workers_are_counted_on_what_the_pool_may_use() {
    let map = sixteen();
    let quota = |cpus: f64| Quota::new(cpus, "/sys/fs/cgroup/cpu.max");
    for (text, cpus, workers, why) in [
        ("", None, 16, "one for each hardware thread it may use (\"threads\", by default)"),
        ("workers = \"cores\"", None, 8, "one for each core it may use"),
        ("workers = \"cores\"\nnodes = [1]", None, 4, "one for each core it may use"),
        ("smt = false", None, 8, "one for each hardware thread"),
        ("", Some(2.5), 3, "the CPU quota of 2.50 in /sys/fs/cgroup/cpu.max"),
        ("workers = \"quota\"", Some(2.5), 2, "the CPU quota of 2.50"),
        ("workers = \"quota\"", Some(0.5), 1, "the CPU quota of 0.50"),
        ("workers = \"quota\"", None, 16, "one for each hardware thread it may use; no quota is below that"),
        ("workers = \"cores\"", Some(32.0), 8, "one for each core"),
        ("workers = 20", Some(2.5), 20, "the configuration says so (20, by text:2:11)"),
    ] {
        let pool = config(&format!("[pool.a]\n{text}")).pool("a").unwrap();
        let plan = Plan::new(&pool, &map, cpus.map(quota).as_ref()).unwrap();
        assert_eq!(plan.workers(), workers, "{text}");
        assert!(plan.why().starts_with(why), "{text}: {}", plan.why());
    }
}

#[test]
fn what_may_be_used_is_never_left() {
    let map = sixteen().restrict(&"1-6,9".parse().unwrap());
    let all = plan("pin = \"core\"\nworkers = \"threads\"", &map).unwrap();
    assert_eq!((all.workers(), all.cpus().to_string()), (7, "1-6,9".into()));
    let one = plan("nodes = [1]", &map).unwrap();
    assert_eq!((one.workers(), seats(&one)), (1, vec!["9".to_owned()]));
    let first = plan("smt = false\npin = \"core\"", &map).unwrap();
    assert_eq!(seats(&first), ["1", "4", "9", "2", "6"]);
    // Unpinned, but not on all that is allowed: then the pool is the mask.
    let half = plan("smt = false", &map).unwrap();
    assert_eq!((seats(&half)[4].as_str(), half.workers()), ("1-2,4,6,9", 5));
}

#[test]
fn what_cannot_be_is_said() {
    let map = sixteen();
    let error = |text: &str, map: &Topology| plan(text, map).unwrap_err().to_string();
    for (text, message) in [
        ("nodes = [2]", "pool `a`: the machine has no NUMA node 2; it has 0-1"),
        ("memory_nodes = [7]", "pool `a`: the machine has no NUMA node 7; it has 0-1"),
        (
            "places = \"{0:4}:5:4\"",
            "pool `a`: CPU 16 is not in the allowed set 0-15 (affinity mask of this process;",
        ),
        (
            "places = \"{0:2}\"\nnodes = [1]",
            "pool `a`: no CPU is left of the allowed set 0-15: `places` names only",
        ),
    ] {
        assert!(error(text, &map).starts_with(message), "{text}: {}", error(text, &map));
    }
    let narrow = map.restrict(&"0-3".parse().unwrap());
    assert!(
        error("nodes = [1]", &narrow)
            .contains("no CPU is left of the allowed set 0-3: it may use those of NUMA nodes 1")
    );
    assert!(
        error("places = \"{3,4}\"", &narrow).starts_with("pool `a`: CPU 4 is not in the allowed set 0-3")
    );
    assert!(error("", &map.restrict(&CpuSet::new())).ends_with("the machine has none"));
}

#[test]
fn pools_that_are_pinned_have_places_of_their_own() {
    let map = sixteen();
    let text = "[pool.a]\npin = \"core\"\nworkers = 2\nbind = \"close\"\n[pool.b]\npin = \"core\"\nworkers = \"cores\"\n\
                [pool.c]\npin = \"thread\"\nworkers = \"threads\"\n[pool.d]\nplaces = \"{15}\"\n[pool.e]";
    let plan = |pool: &str| plan_of(pool, text, &map).unwrap();
    assert_eq!(seats(&plan("d")), ["15"]);
    assert_eq!(seats(&plan("a")), ["0-1", "2-3"]);
    // Five cores are free and whole; half of them for b, and c has what is left.
    assert_eq!(seats(&plan("b")).len(), 2);
    let all: Vec<CpuSet> = ["a", "b", "c", "d"].iter().map(|pool| plan(pool).cpus().clone()).collect();
    for (i, one) in all.iter().enumerate() {
        for other in &all[i + 1..] {
            assert!(one.intersection(other).is_empty(), "{one} {other}");
        }
    }
    assert_eq!(all.iter().map(CpuSet::len).sum::<usize>(), 16);
    // A pool that is not pinned roams, and one that shares does not ask.
    assert_eq!(plan("e").workers(), 16);
    let shared = format!("{text}\nshare = true\npin = \"core\"\nworkers = 8");
    assert_eq!(plan_of("e", &shared, &map).unwrap().cpus().len(), 16);
}

#[test]
fn pools_that_want_the_same_are_told() {
    let map = sixteen();
    let text = "[pool.a]\nplaces = \"{0:4}\"\n[pool.b]\nplaces = \"{3:2}\"";
    let error = plan_of("a", text, &map).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pools `a` and `b` both want CPU 3 to themselves: give them other `places`, or both `share = true`"
    );
    let text = "[pool.a]\npin = \"core\"\nworkers = 6\n[pool.b]\npin = \"core\"\nworkers = 3";
    assert_eq!(
        plan_of("b", text, &map).unwrap_err().to_string(),
        "pool `b` wants 3 places to itself and 2 are left beside `a`: lower `workers`, or set `share = true`"
    );
    let text = format!("{text}\nshare = true");
    assert!(plan_of("b", &text, &map).is_ok());
    // Too few workers' places in all is no quarrel.
    assert_eq!(plan("pin = \"core\"\nworkers = 20", &map).unwrap().workers(), 20);
}

#[test]
fn memory_goes_to_nodes_that_have_some() {
    let map = sixteen();
    let memory = |text| plan(text, &map).unwrap().memory().clone();
    assert_eq!(memory("memory = \"interleave\""), MemoryPolicy::Interleave(vec![0, 1]));
    assert_eq!(memory("memory = \"bind\"\nnodes = [1]"), MemoryPolicy::Bind(vec![1]));
    assert_eq!(memory("memory = \"bind\"\nmemory_nodes = [0]\nnodes = [1]"), MemoryPolicy::Bind(vec![0]));
    assert_eq!(memory(""), MemoryPolicy::Local);
}

proptest::proptest! {
    #[test]
    fn any_pool_on_any_machine(
        nodes in 1usize..4, l3 in 1usize..3, core in 1usize..4, pu in 1usize..3,
        mask in proptest::collection::vec(0usize..72, 1..40),
        pin in 0usize..5, bind in 0usize..3, kind in 0usize..6, workers in 0usize..12, smt: bool,
    ) {
        let map = machine(&format!("node:{nodes} l3:{l3} core:{core} pu:{pu}"));
        let map = map.restrict(&mask.into_iter().collect());
        let pin = ["none", "node", "place", "core", "thread"][pin];
        let bind = ["close", "spread", "primary"][bind];
        let kind = ["", "threads", "cores", "ll_caches", "numa", "sockets"][kind];
        let places = if kind.is_empty() { String::new() } else { format!("places = \"{kind}\"\n") };
        let count = if workers == 0 { String::new() } else { format!("workers = {workers}\n") };
        let text = format!("pin = \"{pin}\"\nbind = \"{bind}\"\n{places}{count}smt = {smt}");
        match plan(&text, &map) {
            Ok(plan) => {
                proptest::prop_assert!(plan.workers() >= 1);
                proptest::prop_assert!(plan.cpus().is_subset(&map.allowed()) && !plan.cpus().is_empty());
                let seats = seats(&plan);
                proptest::prop_assert!(seats.iter().all(|cpus| !cpus.is_empty()));
                if pin == "thread" {
                    proptest::prop_assert!(plan.places().iter().all(|place| place.cpus().len() == 1));
                }
            }
            Err(error) => proptest::prop_assert!(map.units().is_empty(), "{}", error),
        }
    }
}
