use proptest::prelude::*;

use super::*;

fn machine(description: &str) -> Topology {
    Topology::synthetic(description).unwrap()
}

fn cpus(places: &[Place]) -> Vec<usize> {
    places.iter().map(|place| place.cpus().iter().next().unwrap()).collect()
}

fn tiers(order: &VictimOrder, place: usize) -> [usize; Tier::COUNT] {
    let mut counts = [0; Tier::COUNT];
    order.groups(place).for_each(|(tier, group)| counts[tier.index()] += group.len());
    counts
}

/// What must hold of any order.
fn check(map: &Topology, places: &[Place], order: &VictimOrder) {
    assert_eq!(order.len(), places.len());
    for thief in 0..places.len() {
        let groups: Vec<(Tier, &[usize])> = order.groups(thief).collect();
        assert!(groups.is_sorted_by_key(|(tier, group)| {
            let node = places[group[0]].node();
            (*tier, if *tier == Tier::Remote { map.distance(places[thief].node(), node) } else { 0 })
        }));
        let mut all: Vec<usize> = groups.iter().flat_map(|(_, group)| group.iter().copied()).collect();
        all.push(thief);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..places.len()), "each other place once");
        for (tier, group) in groups {
            for &victim in group {
                assert_eq!(tier, expected(&places[thief], &places[victim]));
                assert_eq!((order.tier(thief, victim), order.tier(victim, thief)), (tier, tier));
            }
        }
    }
}

fn expected(a: &Place, b: &Place) -> Tier {
    if a.core().is_some() && a.core() == b.core() {
        Tier::Smt
    } else if a.l3().is_some() && a.l3() == b.l3() {
        Tier::L3
    } else if a.node() == b.node() {
        Tier::Node
    } else {
        Tier::Remote
    }
}

#[test]
fn a_machine_of_four_nodes() {
    let map = machine("node:4 l3:2 core:4 pu:2");
    let all = places(&map, 64);
    let order = VictimOrder::new(&map, &all);
    check(&map, &all, &order);
    for place in 0..64 {
        assert_eq!(tiers(&order, place), [1, 6, 8, 48]);
        assert_eq!(order.groups(place).filter(|(tier, _)| *tier == Tier::Remote).count(), 3);
    }
    let nodes = |place: usize| -> Vec<usize> {
        let remote = order.groups(place).filter(|(tier, _)| *tier == Tier::Remote);
        remote.map(|(_, group)| all[group[0]].node()).collect()
    };
    assert_eq!((all[2].node(), nodes(2)), (2, vec![3, 0, 1]));
}

#[test]
fn cores_come_before_siblings() {
    let map = machine("node:4 l3:2 core:4 pu:2");
    let half = places(&map, 32);
    let mut cores: Vec<usize> = half.iter().filter_map(Place::core).collect();
    cores.sort_unstable();
    assert!(cores.into_iter().eq(0..32));
    // Nodes in step, and in each of them the caches.
    assert_eq!(cpus(&half[..9]), [0, 16, 32, 48, 8, 24, 40, 56, 2]);
    let order = VictimOrder::new(&map, &half);
    check(&map, &half, &order);
    assert_eq!(tiers(&order, 0), [0, 3, 4, 24]);
}

#[test]
fn packages_fill_in_step_before_their_nodes() {
    let map = machine("pack:2 numa:2 core:2");
    assert_eq!(cpus(&places(&map, 8)), [0, 4, 2, 6, 1, 5, 3, 7]);
    let order = VictimOrder::new(&map, &places(&map, 8));
    let first: Vec<usize> = order.groups(0).map(|(_, group)| group[0]).collect();
    assert_eq!(first, [4, 2, 1, 3], "the L3, the near node, the far ones");
}

#[test]
fn a_restricted_machine_fills_by_what_is_left() {
    let map = machine("node:2 core:4 pu:2").restrict(&"0-5,8".parse().unwrap());
    // Node 0 has three cores to give and node 1 one, which stands in the middle.
    assert_eq!(cpus(&places(&map, 4)), [0, 2, 8, 4]);
    assert_eq!(cpus(&places(&map, 9))[4..], [1, 3, 5, 0, 2]);
}

#[test]
fn strong_cores_come_first() {
    let root = tempfile::TempDir::new().unwrap();
    for (file, text) in [("system/cpu/online", "0-5"), ("cpu_core/cpus", "4-5"), ("cpu_atom/cpus", "0-3")] {
        let file = root.path().join("sys/devices").join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let map = Topology::from_sysfs(root.path()).unwrap();
    assert_eq!(cpus(&places(&map, 6)), [4, 5, 0, 1, 2, 3]);
}

#[test]
fn more_workers_than_units_share_them() {
    let map = machine("core:2");
    let all = places(&map, 5);
    assert_eq!(cpus(&all), [0, 1, 0, 1, 0]);
    let order = VictimOrder::new(&map, &all);
    check(&map, &all, &order);
    assert_eq!(
        order.groups(2).collect::<Vec<_>>(),
        [(Tier::Smt, &[4][..]), (Tier::Smt, &[0]), (Tier::L3, &[1, 3])]
    );
}

#[test]
fn places_that_span_much_share_little() {
    let map = machine("node:2 l3:2 core:2 pu:2");
    let over = |cpus: &str| Place::new(&map, cpus.parse().unwrap());
    let all = ["0-7", "0-1", "0-3", "0", "4", "8-15", "0-3", "7-15", "99", ""].map(over);
    assert_eq!((all[1].core(), all[2].core(), all[2].l3(), all[0].l3()), (Some(0), None, Some(0), None));
    assert_eq!((all[7].node(), all[8].node(), all[8].cpus().len()), (1, 0, 1));
    let order = VictimOrder::new(&map, &all);
    check(&map, &all, &order);
    assert_eq!((order.tier(1, 3), order.tier(2, 6), order.tier(0, 8)), (Tier::Smt, Tier::L3, Tier::Node));
    assert_eq!(tiers(&order, 0), [0, 0, 7, 2]);
}

#[test]
fn nobody_and_nowhere() {
    let map = machine("core:2");
    assert!(VictimOrder::new(&map, &[]).is_empty() && places(&map, 0).is_empty());
    assert_eq!(VictimOrder::new(&map, &places(&map, 1)).groups(0).next(), None);
    let nothing = Topology::flat(&CpuSet::new());
    let all = places(&nothing, 2);
    assert!(all.iter().all(|place| place.cpus().is_empty()));
    check(&nothing, &all, &VictimOrder::new(&nothing, &all));
}

#[test]
fn occupying_a_place_sets_the_mask() {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let map = Topology::detect();
            let anywhere = Place::new(&map, map.allowed());
            for place in places(&map, map.units().len()).iter().chain([&anywhere]) {
                place.occupy().unwrap();
                assert_eq!(Topology::detect().allowed(), *place.cpus());
            }
            Place::new(&map, CpuSet::new()).occupy().unwrap();
            assert_eq!(Topology::detect().allowed(), map.allowed());
            let error = Place::new(&map, [9000].into_iter().collect()).occupy().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        });
    });
}

#[test]
fn memory_is_linear_in_the_workers() {
    let map = machine("node:8 l3:8 core:8 pu:2");
    let all = places(&map, 1024);
    let order = VictimOrder::new(&map, &all);
    assert_eq!((order.order.len(), order.seats.len(), order.remote.len()), (1024, 1024, 8 * 7));
    assert_eq!(tiers(&order, 77), [1, 14, 112, 896]);
}

fn machines() -> impl Strategy<Value = Topology> {
    let counts = (1usize..3, 1usize..4, 1usize..4, 1usize..4, 1usize..3);
    let mask = prop::collection::vec(any::<bool>(), 216);
    (counts, mask, any::<bool>()).prop_map(|((pack, numa, l3, core, pu), mask, whole)| {
        let map = machine(&format!("pack:{pack} numa:{numa} l3:{l3} core:{core} pu:{pu}"));
        map.restrict(&(0..216).filter(|&cpu| whole || mask[cpu]).collect())
    })
}

proptest! {
    #[test]
    fn every_other_place_once(map in machines(), workers in 0usize..80) {
        let all = places(&map, workers);
        prop_assert_eq!(all.len(), workers);
        check(&map, &all, &VictimOrder::new(&map, &all));
    }

    #[test]
    fn every_other_place_once_for_any_places(
        map in machines(),
        sets in prop::collection::vec(prop::collection::vec(0usize..220, 0..4), 0..30),
    ) {
        let place = |set: Vec<usize>| Place::new(&map, set.into_iter().collect());
        let all: Vec<Place> = sets.into_iter().map(place).collect();
        check(&map, &all, &VictimOrder::new(&map, &all));
    }

    #[test]
    fn each_node_gets_its_share(map in machines(), workers in 0usize..80) {
        prop_assume!(!map.units().is_empty());
        let all = places(&map, workers);
        let units = map.units().len();
        let mut on_unit = vec![0usize; units];
        for place in &all {
            on_unit[map.units().iter().position(|unit| place.cpus().contains(unit.os_id)).unwrap()] += 1;
        }
        let (least, most) = (on_unit.iter().min().unwrap(), on_unit.iter().max().unwrap());
        prop_assert!(most - least <= 1, "no unit is taken twice while another is free");

        let on_core = |core: &Core| on_unit[core.units.clone()].iter().sum::<usize>();
        let cores = map.cores();
        if workers <= cores.len() {
            let once = cores.iter().all(|core| on_core(core) <= 1);
            prop_assert!(once, "a core is taken twice, another is free");
            for node in 0..map.nodes().len() {
                let has = cores.iter().filter(|core| core.node == node).count() as f64;
                let got = all.iter().filter(|place| place.node() == node).count() as f64;
                let share = workers as f64 * has / cores.len() as f64;
                // Less than one place off in the package, and as much among the packages.
                prop_assert!((got - share).abs() < 2.0, "node {node}: {got} for a share of {share}");
            }
        }
    }

    #[test]
    fn growing_moves_nobody(map in machines(), few in 0usize..40, more in 0usize..40) {
        prop_assert_eq!(&places(&map, few + more)[..few], &places(&map, few)[..]);
    }
}
