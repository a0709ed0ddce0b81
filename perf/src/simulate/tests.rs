use super::*;

const SMALL: Shape = Shape { nodes: 4, cores: 8 };

fn run(shape: Shape, load: Load, policy: Policy) -> Outcome {
    simulate(shape, load, policy, &Costs::default(), 64 * shape.nodes * shape.cores, 7)
}

#[test]
fn the_same_seed_gives_the_same_outcome_and_another_does_not() {
    for policy in Policy::ALL {
        let first = run(SMALL, Load::OneSided, policy);
        assert_eq!(first, run(SMALL, Load::OneSided, policy));
        let leaves = 64 * SMALL.nodes * SMALL.cores;
        assert_ne!(first, simulate(SMALL, Load::OneSided, policy, &Costs::default(), leaves, 8));
    }
}

#[test]
fn every_leaf_runs_once_whatever_the_machine() {
    for (nodes, cores) in [(1, 1), (1, 7), (3, 1), (4, 8)] {
        let shape = Shape { nodes, cores };
        for load in [Load::Balanced, Load::OneSided] {
            for policy in Policy::ALL {
                let outcome = run(shape, load, policy);
                assert_eq!(outcome.jobs as usize, 64 * nodes * cores, "{shape:?} {policy:?}");
                assert!((0.0..1.0).contains(&outcome.idle_share()), "{outcome:?}");
                assert!(nodes > 1 || outcome.remote_steals == 0);
            }
        }
    }
}

#[test]
fn one_worker_has_nobody_to_rob_and_is_never_idle() {
    let outcome = run(Shape { nodes: 1, cores: 1 }, Load::OneSided, Policy::Near);
    assert_eq!((outcome.steals, outcome.idle_nanos), (0, 0));
}

/// Remote steals a job and time, over those of random victims, in a dozen runs.
fn to_random(shape: Shape, load: Load, policy: Policy) -> (f64, f64) {
    let leaves = 64 * shape.nodes * shape.cores;
    let sum = |policy| {
        (1..=12)
            .map(|seed| simulate(shape, load, policy, &Costs::default(), leaves, seed))
            .fold((0.0, 0.0), |sum, run| (sum.0 + run.remote_per_job(), sum.1 + run.nanos as f64))
    };
    let (ours, random) = (sum(policy), sum(Policy::Random));
    (ours.0 / random.0, ours.1 / random.1)
}

/// What is claimed in NUMA.md.
#[test]
fn an_envoy_spares_the_way_to_other_nodes_and_no_time_is_lost() {
    for shape in SHAPES {
        for load in [Load::Balanced, Load::OneSided] {
            let (remote, time) = to_random(shape, load, Policy::Envoy);
            assert!(remote <= 0.3 && time <= 1.02, "{shape:?} {load:?}: {remote} {time}");
        }
    }
}

/// Without it, where all work begins on one node, whole nodes go and fetch what one of them could.
#[test]
fn near_victims_first_are_not_enough_where_all_begins_on_one_node() {
    let shape = SHAPES[1];
    let (near, envoy) =
        (to_random(shape, Load::OneSided, Policy::Near), to_random(shape, Load::OneSided, Policy::Envoy));
    assert!(near.0 > 2.0 * envoy.0 && near.1 > envoy.1, "{near:?} {envoy:?}");
}

#[test]
fn the_report_has_a_line_for_each() {
    let mut out = Vec::new();
    report(1, 4, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("2x64") || line.starts_with("8x32")).count(), 16);
}
