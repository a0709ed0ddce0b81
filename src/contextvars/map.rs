//! A persistent map from numbers to values: a copy costs one reference count, and does not see what is changed later.
//!
//! A trie with eight slots a node, indexed by the key's bits, lowest first; a key goes down only as far as it must to
//! stand alone, so a node that holds a single leaf is never below the root. Keys are the numbers of variables: given
//! out one after the other, they fill the trie evenly without being hashed, and since no two are equal, they part at
//! some bit. A change copies the nodes on its way that somebody else can see, and changes the others in place. Few
//! slots a node keep such a copy cheap: each value in it costs a reference count.

use std::sync::Arc;

const BITS: u32 = 3;
const SLOTS: usize = 1 << BITS;

/// The map; see the module. It runs no code of its values' but `Clone`, and `Drop` of what a caller gets.
#[derive(Debug, Clone)]
pub(super) struct Map<V> {
    root: Option<Arc<Node<V>>>,
    len: usize,
}

#[derive(Debug, Clone)]
struct Node<V> {
    slots: [Slot<V>; SLOTS],
}

#[derive(Debug, Clone)]
enum Slot<V> {
    Empty,
    Leaf(u64, V),
    Branch(Arc<Node<V>>),
}

impl<V> Node<V> {
    fn new() -> Self {
        Node { slots: [const { Slot::Empty }; SLOTS] }
    }

    /// A node that holds one leaf.
    fn of(key: u64, value: V, shift: u32) -> Self {
        let mut node = Node::new();
        node.slots[index(key, shift)] = Slot::Leaf(key, value);
        node
    }
}

fn index(key: u64, shift: u32) -> usize {
    (key >> shift) as usize % SLOTS
}

impl<V> Map<V> {
    pub(super) const fn new() -> Self {
        Map { root: None, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: u64) -> Option<&V> {
        let mut node = self.root.as_ref()?;
        let mut shift = 0;
        loop {
            match &node.slots[index(key, shift)] {
                Slot::Empty => return None,
                Slot::Leaf(found, value) => return (*found == key).then_some(value),
                Slot::Branch(below) => (node, shift) = (below, shift + BITS),
            }
        }
    }

    /// All values, in no particular order.
    pub(super) fn values(&self) -> Vec<V>
    where
        V: Clone,
    {
        fn collect<V: Clone>(node: &Node<V>, values: &mut Vec<V>) {
            for slot in &node.slots {
                match slot {
                    Slot::Empty => {}
                    Slot::Leaf(_, value) => values.push(value.clone()),
                    Slot::Branch(below) => collect(below, values),
                }
            }
        }
        let mut values = Vec::with_capacity(self.len);
        if let Some(root) = &self.root {
            collect(root, &mut values);
        }
        values
    }

    /// Are these copies of one map, unchanged since? `false` does not mean that they differ.
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl<V: Clone> Map<V> {
    /// Puts `value` at `key` and returns what was there.
    pub(super) fn insert(&mut self, key: u64, value: V) -> Option<V> {
        let mut node = Arc::make_mut(self.root.get_or_insert_with(|| Arc::new(Node::new())));
        let mut shift = 0;
        loop {
            let slot = &mut node.slots[index(key, shift)];
            shift += BITS;
            // Two keys in one slot: the older goes one node down, and the newer after it.
            *slot = match std::mem::replace(slot, Slot::Empty) {
                Slot::Empty => {
                    *slot = Slot::Leaf(key, value);
                    self.len += 1;
                    return None;
                }
                Slot::Leaf(found, old) if found == key => {
                    *slot = Slot::Leaf(key, value);
                    return Some(old);
                }
                Slot::Leaf(found, old) => Slot::Branch(Arc::new(Node::of(found, old, shift))),
                branch @ Slot::Branch(_) => branch,
            };
            let Slot::Branch(below) = slot else { unreachable!("made above") };
            node = Arc::make_mut(below);
        }
    }

    /// Takes what is at `key` away and returns it.
    pub(super) fn remove(&mut self, key: u64) -> Option<V> {
        self.get(key)?; // copies nothing for nothing
        let root = self.root.as_mut()?;
        let removed = Arc::make_mut(root).remove(key, 0);
        self.len -= usize::from(removed.is_some());
        if self.len == 0 {
            self.root = None;
        }
        removed
    }
}

impl<V: Clone> Node<V> {
    fn remove(&mut self, key: u64, shift: u32) -> Option<V> {
        let slot = &mut self.slots[index(key, shift)];
        match slot {
            Slot::Empty => None,
            Slot::Leaf(..) => match std::mem::replace(slot, Slot::Empty) {
                Slot::Leaf(_, value) => Some(value),
                _ => unreachable!("looked at above"),
            },
            Slot::Branch(below) => {
                let below = Arc::make_mut(below);
                let removed = below.remove(key, shift + BITS);
                if let Some(leaf) = below.take_last_leaf() {
                    *slot = leaf;
                }
                removed
            }
        }
    }

    /// The leaf, if there is nothing else.
    fn take_last_leaf(&mut self) -> Option<Slot<V>> {
        let mut taken = self.slots.iter_mut().filter(|slot| !matches!(slot, Slot::Empty));
        let (Some(last @ Slot::Leaf(..)), None) = (taken.next(), taken.next()) else { return None };
        Some(std::mem::replace(last, Slot::Empty))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{Map, Node, Slot};

    impl<V> Map<V> {
        /// Fails if a node below the root holds fewer than two things, or the length is wrong.
        fn check(&self) {
            fn count<V>(node: &Node<V>, is_root: bool) -> usize {
                let (mut leaves, mut branches) = (0, 0);
                for slot in &node.slots {
                    match slot {
                        Slot::Empty => {}
                        Slot::Leaf(..) => leaves += 1,
                        Slot::Branch(below) => branches += count(below, false),
                    }
                }
                assert!(is_root || leaves + branches >= 2, "a leaf stands lower than it must");
                leaves + branches
            }
            assert_eq!(self.root.as_ref().map_or(0, |root| count(root, true)), self.len);
            assert!(self.root.is_none() || self.len > 0, "an empty map has no nodes");
        }
    }

    fn assert_same(map: &Map<u32>, model: &HashMap<u64, u32>) {
        map.check();
        assert_eq!(map.len(), model.len());
        for (key, value) in model {
            assert_eq!(map.get(*key), Some(value), "at {key}");
        }
        let (mut ours, mut theirs) = (map.values(), model.values().copied().collect::<Vec<_>>());
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64, u32),
        Remove(u64),
        Keep,
    }

    /// Keys as they are given out, and keys that are alike in all bits but the highest.
    fn keys() -> impl Strategy<Value = u64> {
        prop_oneof![
            3 => 1..40_u64,
            1 => 1..5_000_u64,
            2 => (0..16_u64).prop_map(|key| key << 60),
            2 => (0..6_u32, 0..64_u32).prop_map(|(low, bit)| u64::from(low) | 1 << bit),
            1 => any::<u64>(),
        ]
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            5 => (keys(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
            4 => keys().prop_map(Step::Remove),
            1 => Just(Step::Keep),
        ];
        prop::collection::vec(step, 0..300)
    }

    proptest! {
        #[test]
        fn it_does_what_a_hash_map_does_and_old_copies_stay(steps in steps()) {
            let (mut map, mut model, mut kept) = (Map::new(), HashMap::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Insert(key, value) => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                    Step::Remove(key) => prop_assert_eq!(map.remove(key), model.remove(&key)),
                    Step::Keep => kept.push((map.clone(), model.clone())),
                }
            }
            kept.push((map, model));
            for (map, model) in &kept {
                assert_same(map, model);
            }
        }
    }

    #[test]
    fn thousands_of_keys_go_in_and_out() {
        let (mut map, mut model) = (Map::new(), HashMap::new());
        for key in 1..=5_000 {
            assert_eq!(map.insert(key, key as u32), None);
            model.insert(key, key as u32);
        }
        let full = (map.clone(), model.clone());
        for key in (1..=5_000).rev() {
            assert_eq!(map.remove(key), model.remove(&key));
            if key % 500 == 0 {
                assert_same(&map, &model);
            }
        }
        assert!(map.root.is_none());
        assert_same(&full.0, &full.1);
    }

    #[test]
    fn keys_that_differ_in_their_last_bit_part_there() {
        let mut map = Map::new();
        assert_eq!((map.insert(0, 1), map.insert(1 << 63, 2)), (None, None));
        map.check();
        assert_eq!((map.get(0), map.get(1 << 63), map.get(1 << 62)), (Some(&1), Some(&2), None));
        assert_eq!(map.remove(1 << 63), Some(2));
        map.check();
        assert_eq!((map.get(0), map.len()), (Some(&1), 1));
    }

    #[test]
    fn nodes_that_nobody_else_sees_are_changed_in_place() {
        let mut map = Map::new();
        for key in 1..100 {
            map.insert(key, 0);
        }
        let root = map.root.as_ref().map(Arc::as_ptr);
        map.insert(5, 1);
        assert_eq!(map.root.as_ref().map(Arc::as_ptr), root);
        let copy = map.clone();
        assert!(copy.is_copy_of(&map));
        map.insert(5, 2);
        assert!(!copy.is_copy_of(&map));
        assert_eq!(copy.get(5), Some(&1));
        // Taking away what is not there is no change.
        let copy = map.clone();
        assert_eq!(map.remove(1_000), None);
        assert!(copy.is_copy_of(&map));
    }

    #[test]
    fn values_are_dropped_with_the_last_map_that_has_them() {
        let value = Arc::new(());
        let mut map = Map::new();
        for key in 1..20 {
            map.insert(key, Arc::clone(&value));
        }
        let copy = map.clone();
        map.remove(7);
        drop(map);
        assert_eq!(Arc::strong_count(&value), 20);
        drop(copy);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
