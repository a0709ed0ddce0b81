use super::*;

const SMALL: Shape = Shape { nodes: 4, cores: 8 };

fn run(shape: Shape, load: Load, policy: Policy) -> Outcome {
    simulate(shape, load, policy, &Costs::default(), 64 * shape.nodes * shape.cores, 7)
}

#[test]
fn the_same_seed_gives_the_same_outcome_and_another_does_not() {
    for policy in [Policy::Random, Policy::Sweep, Policy::Near] {
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
            for policy in [Policy::Random, Policy::Sweep, Policy::Near] {
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

/// What is claimed in NUMA.md.
#[test]
fn near_victims_first_spares_the_way_to_other_nodes() {
    for shape in SHAPES {
        for load in [Load::Balanced, Load::OneSided] {
            let (random, near) = (run(shape, load, Policy::Random), run(shape, load, Policy::Near));
            let remote = near.remote_per_job() / random.remote_per_job();
            let time = near.nanos as f64 / random.nanos as f64;
            // Where all work begins on one node, it has to cross over.
            let most = if load == Load::Balanced { (0.3, 1.0) } else { (0.7, 1.08) };
            assert!(remote <= most.0 && time <= most.1, "{shape:?} {load:?}: {remote} {time}");
        }
    }
}

#[test]
fn the_report_has_a_line_for_each() {
    let mut out = Vec::new();
    report(1, 4, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("2x64") || line.starts_with("8x32")).count(), 12);
}
