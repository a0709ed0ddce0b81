use proptest::prelude::*;

use super::*;

fn set(text: &str) -> CpuSet {
    text.parse().unwrap()
}

/// What must hold of any map.
fn check(map: &Topology) {
    assert!(!map.nodes.is_empty());
    assert_eq!(map.distances.len(), map.nodes.len() * map.nodes.len());
    assert_eq!(map.allowed().len(), map.units.len());
    let tiles = |ranges: Vec<Range<usize>>| {
        let mut at = 0;
        for range in ranges {
            assert!(range.start == at && range.end > at);
            at = range.end;
        }
        assert_eq!(at, map.units.len());
    };
    tiles(map.nodes.iter().map(|node| node.units.clone()).filter(|units| !units.is_empty()).collect());
    tiles(map.l3s.iter().map(|l3| l3.units.clone()).collect());
    tiles(map.cores.iter().map(|core| core.units.clone()).collect());
    for (i, unit) in map.units.iter().enumerate() {
        let (core, l3) = (&map.cores[unit.core], &map.l3s[unit.l3]);
        assert!(core.units.contains(&i) && l3.units.contains(&i) && map.nodes[unit.node].units.contains(&i));
        assert_eq!((core.l3, core.node, core.package), (unit.l3, unit.node, unit.package));
        assert_eq!((l3.node, l3.package), (unit.node, unit.package));
        assert!(map.packages[unit.package].cpus.contains(unit.os_id));
        assert_eq!(map.unit(unit.os_id), Some(unit));
    }
    assert_eq!(map.packages.iter().map(|package| package.cpus.len()).sum::<usize>(), map.units.len());
}

#[test]
fn a_flat_machine_with_holes() {
    let map = Topology::flat(&set("3,7-8,1000"));
    check(&map);
    assert_eq!(map.source(), Source::Flat);
    assert_eq!((map.packages().len(), map.nodes().len(), map.l3s().len(), map.cores().len()), (1, 1, 1, 4));
    assert_eq!(map.allowed(), set("3,7-8,1000"));
    assert_eq!(map.unit(1000).map(|unit| unit.core), Some(3));
    assert_eq!(map.unit(4), None);
    assert_eq!(map.distance(0, 0), 10);
}

#[test]
fn a_machine_without_units_is_still_a_map() {
    let map = Topology::flat(&CpuSet::new());
    check(&map);
    assert!(map.units().is_empty() && map.nodes()[0].units.is_empty() && map.packages().is_empty());
    assert_eq!(map.current_unit(), None);
    assert_eq!(map.cpus(3..9), CpuSet::new());
}

#[test]
#[should_panic(expected = "nodes 0 and 1 of a machine with 1")]
fn a_distance_to_nowhere() {
    let _ = Topology::flat(&set("0")).distance(0, 1);
}

#[test]
fn the_current_unit_is_an_allowed_one() {
    let map = Topology::flat(&affinity::allowed().unwrap().into_iter().collect());
    assert!(map.current_unit().is_some());
}

fn facts() -> impl Strategy<Value = Facts> {
    let unit = (0usize..3, 0usize..3, 0usize..3, 0usize..4, prop::option::of(0u32..3));
    (prop::collection::btree_map(0usize..200, unit, 0..40), 1usize..5).prop_map(|(units, step)| Facts {
        source: Source::Flat,
        units: units
            .into_iter()
            .map(|(os_id, (node, package, l3, core, strength))| UnitFacts {
                os_id,
                node: node * step,
                package,
                l3,
                core,
                die: strength.map(|strength| strength as usize),
                capacity: strength,
                strength,
            })
            .collect(),
        nodes: (0..4).map(|node| NodeFacts { os_id: node * step, memory: Some(node as u64) }).collect(),
        distances: (0..16).collect(),
        packages: BTreeMap::from([(0, 5), (2, 6)]),
    })
}

proptest! {
    #[test]
    fn any_facts_make_a_map(facts in facts()) {
        check(&facts.assemble());
    }

    #[test]
    fn a_restriction_is_the_machine_less_units(
        facts in facts(),
        one in prop::collection::vec(0usize..200, 0..150),
        two in prop::collection::vec(0usize..200, 0..150),
    ) {
        let map = facts.assemble();
        let (one, two): (CpuSet, CpuSet) = (one.into_iter().collect(), two.into_iter().collect());
        let less = map.restrict(&one);
        check(&less);
        prop_assert_eq!(less.allowed(), map.allowed().intersection(&one));
        prop_assert_eq!(less.nodes.len(), map.nodes.len());
        prop_assert_eq!(less.restrict(&two), map.restrict(&one.intersection(&two)));
        prop_assert_eq!(map.restrict(&map.allowed()), map.clone());
        for a in &less.units {
            let was = map.unit(a.os_id).unwrap();
            prop_assert_eq!((a.node, a.capacity), (was.node, was.capacity));
            for b in &less.units {
                let was_other = map.unit(b.os_id).unwrap();
                prop_assert_eq!(a.core == b.core, was.core == was_other.core);
                prop_assert_eq!(a.l3 == b.l3, was.l3 == was_other.l3);
                prop_assert_eq!(a.package == b.package, was.package == was_other.package);
            }
        }
    }
}
