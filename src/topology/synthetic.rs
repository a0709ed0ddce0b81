//! Machines written by hand, as hwloc's `HWLOC_SYNTHETIC` has them.

use std::collections::BTreeMap;

use crate::topology::map::{Facts, LOCAL, MAX_NODES, NodeFacts, REMOTE, Source, Topology, UnitFacts};

/// The distance between two nodes of one package.
const NEAR: u32 = 12;
/// The most units a description may ask for.
const MAX_UNITS: usize = 65_536;

/// The levels, outermost first: their names, and another name each.
const LEVELS: [(&str, &str); 5] =
    [("package", "pack"), ("node", "numa"), ("l3", "l3cache"), ("core", "core"), ("pu", "thread")];
const PACKAGE: usize = 0;
const NODE: usize = 1;

/// Why a description is not a machine: the answer of [`Topology::synthetic`]. Each names the word that is
/// wrong and what would be right.
///
/// # Examples
///
/// ```
/// use gristmill::topology::Topology;
///
/// let error = Topology::synthetic("cores:2").unwrap_err();
/// assert!(error.to_string().starts_with("`cores:2` is no level; the levels are package"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// There is no word in the description.
    #[error("the description is empty; one reads like `node:2 l3:1 core:4 pu:2`")]
    Empty,
    /// A word is not a level, a colon and a count.
    #[error("`{word}` has no count; a level reads like `core:4`")]
    NoCount {
        /// The word as it stands.
        word: String,
    },
    /// The level of a word is not known.
    #[error("`{word}` is no level; the levels are package (pack), node (numa), l3, core, pu, in this order")]
    UnknownLevel {
        /// The word as it stands.
        word: String,
    },
    /// The count of a word is not a number, is 0 or is too high.
    #[error("`{word}` needs a whole number from 1 to {MAX_UNITS} after the colon, as in `core:4`")]
    BadCount {
        /// The word as it stands.
        word: String,
    },
    /// A level comes twice, or after one that lies within it.
    #[error(
        "`{word}` cannot follow `{after}`; each level comes once, in the order package, node, l3, core, pu"
    )]
    OutOfOrder {
        /// The word as it stands.
        word: String,
        /// The word before it.
        after: String,
    },
    /// The counts multiply to more units than can be described.
    #[error("with `{word}` the machine has more than {MAX_UNITS} units; lower a count")]
    TooManyUnits {
        /// The word that goes too far.
        word: String,
    },
    /// The counts multiply to more NUMA nodes than Linux knows.
    #[error("with `{word}` the machine has more than {MAX_NODES} nodes; lower a count")]
    TooManyNodes {
        /// The word that goes too far.
        word: String,
    },
}

impl Topology {
    /// A machine from its description: levels with a count per parent, outermost first, parted by blanks.
    ///
    /// The levels are `package` (or `pack`), `node` (`numa`), `l3` (`l3cache`), `core` and `pu` (`thread`);
    /// one that is left out counts 1. Units get the OS ids 0, 1, 2, ... in the order of the tree, so that SMT
    /// siblings are neighbours. Distances are 10 within a node, 12 between nodes of one package and 20 else;
    /// where no package is named, each node is a package of its own, as on most machines. Memory sizes are
    /// unknown. At most 65,536 units and 1,024 nodes.
    ///
    /// For tests, and to see what would be decided on a machine one does not have.
    ///
    /// # Errors
    ///
    /// A [`SyntheticError`] that names the word that is wrong and what would be right.
    ///
    /// # Examples
    ///
    /// ```
    /// use gristmill::topology::Topology;
    ///
    /// let machine = Topology::synthetic("pack:2 numa:2 l3:1 core:4 pu:2")?;
    /// assert_eq!((machine.packages().len(), machine.nodes().len(), machine.units().len()), (2, 4, 32));
    /// assert_eq!((machine.distance(0, 1), machine.distance(0, 2)), (12, 20));
    ///
    /// let error = Topology::synthetic("core:4 l3:2").unwrap_err();
    /// assert!(error.to_string().starts_with("`l3:2` cannot follow `core:4`"));
    /// # Ok::<(), gristmill::topology::SyntheticError>(())
    /// ```
    pub fn synthetic(description: &str) -> Result<Self, SyntheticError> {
        let (counts, packages_named) = parse(description)?;
        let [packages, nodes, l3s, cores, pus] = counts;
        // How many units each thing of a level has.
        let per_core = pus;
        let per_l3 = per_core * cores;
        let per_node = per_l3 * l3s;
        let per_package = if packages_named { per_node * nodes } else { per_node };

        let all_nodes = packages * nodes;
        let units: Vec<UnitFacts> = (0..all_nodes * per_node)
            .map(|unit| UnitFacts {
                node: unit / per_node,
                package: unit / per_package,
                l3: unit / per_l3,
                core: unit / per_core,
                ..UnitFacts::of(unit)
            })
            .collect();
        let package_of = |node: usize| node * per_node / per_package;
        let distance = |from: usize, to: usize| match (from == to, package_of(from) == package_of(to)) {
            (true, _) => LOCAL,
            (_, true) => NEAR,
            _ => REMOTE,
        };
        let distances =
            (0..all_nodes).flat_map(|from| (0..all_nodes).map(move |to| distance(from, to))).collect();
        let facts = Facts {
            source: Source::Synthetic,
            packages: units
                .iter()
                .map(|unit| (unit.package, unit.package))
                .collect::<BTreeMap<usize, usize>>(),
            units,
            nodes: (0..all_nodes).map(|os_id| NodeFacts { os_id, memory: None }).collect(),
            distances,
        };
        Ok(facts.assemble())
    }
}

/// The count of each level, and whether packages are named.
fn parse(description: &str) -> Result<([usize; LEVELS.len()], bool), SyntheticError> {
    let mut counts = [1; LEVELS.len()];
    let mut before: Option<(usize, &str)> = None;
    let mut packages_named = false;
    for text in description.split_whitespace() {
        let word = text.to_owned();
        let (name, count) = match text.split_once(':') {
            Some(parts) => parts,
            None if level(text).is_some() => return Err(SyntheticError::NoCount { word }),
            None => return Err(SyntheticError::UnknownLevel { word }),
        };
        let Some(level) = level(name) else { return Err(SyntheticError::UnknownLevel { word }) };
        if let Some((_, after)) = before.filter(|(outer, _)| *outer >= level) {
            return Err(SyntheticError::OutOfOrder { word, after: after.to_owned() });
        }
        counts[level] = match count.parse() {
            Ok(count) if (1..=MAX_UNITS).contains(&count) => count,
            _ => return Err(SyntheticError::BadCount { word }),
        };
        // Checked word by word, so the product of bounded factors cannot overflow.
        if counts.iter().product::<usize>() > MAX_UNITS {
            return Err(SyntheticError::TooManyUnits { word });
        }
        if level <= NODE && counts[PACKAGE] * counts[NODE] > MAX_NODES {
            return Err(SyntheticError::TooManyNodes { word });
        }
        packages_named |= level == PACKAGE;
        before = Some((level, text));
    }
    before.map(|_| (counts, packages_named)).ok_or(SyntheticError::Empty)
}

fn level(name: &str) -> Option<usize> {
    LEVELS.iter().position(|(long, short)| name == *long || name == *short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_nodes_of_two_caches() {
        let map = Topology::synthetic("node:4 l3:2 core:4 pu:2").unwrap();
        assert_eq!(map.source(), Source::Synthetic);
        assert_eq!((map.packages().len(), map.nodes().len()), (4, 4));
        assert_eq!((map.l3s().len(), map.cores().len(), map.units().len()), (8, 32, 64));
        let unit = map.unit(37).unwrap();
        assert_eq!((unit.node, unit.l3, unit.core, unit.package), (2, 4, 18, 2));
        assert_eq!(map.cpus(map.cores()[18].units.clone()).to_string(), "36-37");
        assert_eq!((map.distance(2, 2), map.distance(0, 3)), (10, 20));
        assert_eq!(map.packages()[3].os_id, Some(3));
    }

    #[test]
    fn levels_may_be_left_out() {
        let map = Topology::synthetic(" pu:3 ").unwrap();
        assert_eq!((map.packages().len(), map.nodes().len(), map.l3s().len()), (1, 1, 1));
        assert_eq!((map.cores().len(), map.units().len()), (1, 3));
        let map = Topology::synthetic("package:2 core:2").unwrap();
        assert_eq!(
            (map.packages().len(), map.nodes().len(), map.l3s().len(), map.units().len()),
            (2, 2, 2, 4)
        );
        assert_eq!(map.distance(0, 1), 20);
        let map = Topology::synthetic("pack:1 numa:2").unwrap();
        assert_eq!((map.packages().len(), map.nodes().len(), map.distance(0, 1)), (1, 2, 12));
    }

    #[test]
    fn the_word_that_is_wrong() {
        let word = |word: &str| word.to_owned();
        for (text, error) in [
            ("", SyntheticError::Empty),
            ("node:2 core", SyntheticError::NoCount { word: word("core") }),
            ("node:2 cores:4", SyntheticError::UnknownLevel { word: word("cores:4") }),
            ("8", SyntheticError::UnknownLevel { word: word("8") }),
            ("core:0", SyntheticError::BadCount { word: word("core:0") }),
            ("core:-1", SyntheticError::BadCount { word: word("core:-1") }),
            (
                "core:99999999999999999999",
                SyntheticError::BadCount { word: word("core:99999999999999999999") },
            ),
            ("node:2:2", SyntheticError::BadCount { word: word("node:2:2") }),
            ("pu:2 node:2", SyntheticError::OutOfOrder { word: word("node:2"), after: word("pu:2") }),
            ("numa:2 node:2", SyntheticError::OutOfOrder { word: word("node:2"), after: word("numa:2") }),
            ("node:1024 core:32 pu:4", SyntheticError::TooManyUnits { word: word("pu:4") }),
            ("pack:2 node:1024", SyntheticError::TooManyNodes { word: word("node:1024") }),
        ] {
            assert_eq!(Topology::synthetic(text).unwrap_err(), error, "{text}");
        }
        let text = Topology::synthetic("core:65537").unwrap_err().to_string();
        assert_eq!(text, "`core:65537` needs a whole number from 1 to 65536 after the colon, as in `core:4`");
    }

    #[test]
    fn the_largest_machine() {
        let map = Topology::synthetic("node:1024 core:32 pu:2").unwrap();
        assert_eq!((map.units().len(), map.nodes().len()), (65_536, 1024));
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer(text in "((package|node|numa|l3|core|pu|x)?:?[0-9]{0,2} ?){0,5}") {
            let _ = Topology::synthetic(&text);
        }

        #[test]
        fn counts_multiply(
            pack in 1usize..4,
            numa in 1usize..4,
            l3 in 1usize..4,
            core in 1usize..4,
            pu in 1usize..4,
        ) {
            let text = format!("pack:{pack} numa:{numa} l3:{l3} core:{core} pu:{pu}");
            let map = Topology::synthetic(&text).unwrap();
            prop_assert_eq!(map.packages().len(), pack);
            prop_assert_eq!(map.nodes().len(), pack * numa);
            prop_assert_eq!(map.l3s().len(), pack * numa * l3);
            prop_assert_eq!(map.cores().len(), pack * numa * l3 * core);
            prop_assert_eq!(map.units().len(), pack * numa * l3 * core * pu);
        }
    }
}
