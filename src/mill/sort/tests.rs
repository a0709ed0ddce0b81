//! With lengths so small (see the constants) that short slices take every path.

use std::cell::Cell;
use std::cmp::{Ordering as Order, Reverse};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;

use super::*;
use crate::mill::cancel::CancelToken;

static MILLS: LazyLock<Vec<Mill>> =
    LazyLock::new(|| [1, 2, 4].map(|n| Mill::builder().workers(n).build().unwrap()).into());

fn on_each_mill(f: impl Fn() + Sync) {
    MILLS.iter().for_each(|mill| mill.install(&f));
}

/// Repeatable, for comparators that must not depend on the number of threads.
fn scramble(i: usize) -> usize {
    (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
        as usize
        >> 8
}

fn patterns(n: usize) -> Vec<Vec<usize>> {
    let make = |f: &dyn Fn(usize) -> usize| (0..n).map(f).collect();
    vec![
        make(&scramble),
        make(&|i| i),
        make(&|i| n - i),
        make(&|_| 7),
        make(&|i| scramble(i) % 2),
        make(&|i| scramble(i) % 5),
        make(&|i| (scramble(i) % 50).saturating_sub(40)),
        make(&|i| i % 100),
        make(&|i| 99 - i % 100),
        make(&|i| i.min(n - i)),
        make(&|i| i.max(n - i)),
        make(&|i| if i == n / 2 { 0 } else { i }),
        make(&|i| if i + 10 < n { i } else { scramble(i) % n }),
        make(&|i| if scramble(i) % 10 == 0 { scramble(i) % n } else { i }),
        make(&|i| i ^ 1),
        make(&|i| i / 16 * 16 + 15 - i % 16),
    ]
}

#[test]
fn all_patterns_and_lengths_are_sorted() {
    on_each_mill(|| {
        for n in [0, 1, 2, 3, 127, 128, 129, 500, 1_000, 4_096, 20_000] {
            for (number, v) in patterns(n).into_iter().enumerate() {
                let mut expected = v.clone();
                expected.sort_unstable();
                let mut sorted = v.clone();
                par_sort_unstable(&mut sorted);
                assert_eq!(sorted, expected, "unstable, pattern {number}, {n} elements");
                let mut sorted = v;
                par_sort(&mut sorted);
                assert_eq!(sorted, expected, "stable, pattern {number}, {n} elements");
            }
        }
    });
}

#[test]
fn no_pattern_takes_many_comparisons() {
    let n = 20_000_usize;
    for mill in &*MILLS {
        for (number, mut v) in patterns(n).into_iter().enumerate() {
            let count = AtomicUsize::new(0);
            let compare = |a: &usize, b: &usize| {
                count.fetch_add(1, Relaxed);
                a.cmp(b)
            };
            let mut other = v.clone();
            mill.install(|| par_sort_unstable_by(&mut v, compare));
            let unstable = count.swap(0, Relaxed);
            mill.install(|| par_sort_by(&mut other, compare));
            let most = 3 * n * (n.ilog2() as usize + 1);
            assert!(unstable < most, "unstable, pattern {number}: {unstable}");
            assert!(count.into_inner() < most, "stable, pattern {number}");
        }
    }
}

#[test]
fn sorted_and_reversed_slices_take_one_comparison_each() {
    let n = 10_000;
    on_each_mill(|| {
        let mut v: Vec<usize> = (0..n).collect();
        for _ in 0..2 {
            let count = AtomicUsize::new(0);
            let compare = |a: &usize, b: &usize| {
                count.fetch_add(1, Relaxed);
                a.cmp(b)
            };
            par_sort_by(&mut v, compare);
            v.reverse();
            par_sort_unstable_by(&mut v, compare);
            assert!(v.is_sorted());
            assert!(count.into_inner() < 2 * n + 100);
            v.reverse();
        }
    });
}

type Pair = (u16, usize);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_six_agree_with_std(
        keys in prop_oneof![
            prop::collection::vec(any::<u16>(), 0..3_000),
            prop::collection::vec(0_u16..20, 0..3_000),
            (0_u16..300, prop::collection::vec(any::<u16>(), 0..1_000)).prop_map(|(step, tail)| {
                (0..2_000_u16).map(|i| i.wrapping_mul(step)).chain(tail).collect()
            }),
        ],
    ) {
        let v: Vec<Pair> = keys.into_iter().zip(0..).collect();
        let mut natural = v.clone();
        natural.sort();
        let mut by_key = v.clone();
        by_key.sort_by_key(|&(key, _)| key);
        let mut backwards = v.clone();
        backwards.sort_by_key(|&(key, _)| Reverse(key));
        for mill in &*MILLS {
            let sorted = |sort: &(dyn Fn(&mut [Pair]) + Sync)| {
                let mut v = v.clone();
                mill.install(|| sort(&mut v));
                v
            };
            prop_assert_eq!(&sorted(&|v| par_sort(v)), &natural);
            prop_assert_eq!(&sorted(&|v| par_sort_by(v, |a, b| b.0.cmp(&a.0))), &backwards);
            prop_assert_eq!(&sorted(&|v| par_sort_by_key(v, |&(key, _)| key)), &by_key);
            prop_assert_eq!(&sorted(&|v| par_sort_unstable(v)), &natural);
            prop_assert_eq!(&sorted(&|v| par_sort_unstable_by(v, |a, b| b.cmp(a).reverse())), &natural);
            prop_assert_eq!(&sorted(&|v| par_sort_unstable_by_key(v, |&pair| pair)), &natural);
        }
    }
}

#[test]
fn large_elements_strings_and_elements_without_size() {
    on_each_mill(|| {
        let words: Vec<String> = (0..3_000).map(|i| format!("{:x}", scramble(i))).collect();
        let mut expected = words.clone();
        expected.sort();
        let (mut stable, mut unstable) = (words.clone(), words);
        par_sort(&mut stable);
        par_sort_unstable(&mut unstable);
        assert_eq!((&stable, &unstable), (&expected, &expected));

        let mut large: Vec<[usize; 32]> = (0..3_000).map(|i| [scramble(i); 32]).collect();
        par_sort_unstable(&mut large);
        assert!(large.is_sorted() && large.iter().all(|x| x[0] == x[31]));

        let mut nothing = vec![(); 10_000];
        par_sort(&mut nothing);
        par_sort_unstable_by(&mut nothing, |(), ()| Order::Greater);
    });
}

/// An element that counts how often it is dropped, and would be freed twice if it were there twice.
struct Counted<'a> {
    key: usize,
    number: Box<usize>,
    drops: &'a [AtomicUsize],
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.drops[*self.number].fetch_add(1, Relaxed);
    }
}

/// Sorts with both functions and a comparator that may do what it likes. No element may be lost or doubled.
fn nothing_is_lost(keys: &[usize], compare: impl Fn(&usize, &usize) -> Order + Sync) {
    for stable in [true, false] {
        let drops: Vec<AtomicUsize> = keys.iter().map(|_| AtomicUsize::new(0)).collect();
        let mut v: Vec<Counted<'_>> = keys
            .iter()
            .zip(0..)
            .map(|(&key, i)| Counted { key, number: Box::new(i), drops: &drops })
            .collect();
        let compare = |a: &Counted<'_>, b: &Counted<'_>| compare(&a.key, &b.key);
        // A panic, ours or one of `std` who has seen through the comparator, or none: all are well.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if stable { par_sort_by(&mut v, compare) } else { par_sort_unstable_by(&mut v, compare) }
        }));
        let mut numbers: Vec<usize> = v.iter().map(|x| *x.number).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..keys.len()), "stable: {stable}");
        drop(v);
        assert!(drops.iter().all(|n| n.load(Relaxed) == 1), "stable: {stable}");
    }
}

#[test]
fn a_comparator_that_panics_loses_nothing() {
    let n = 1_500;
    for mill in &*MILLS {
        for (number, keys) in patterns(n).iter().enumerate() {
            for round in 0..12 {
                let (calls, fatal) = (AtomicUsize::new(0), scramble(number * 100 + round) % (n * 12));
                mill.install(|| {
                    nothing_is_lost(keys, |a, b| {
                        if calls.fetch_add(1, Relaxed) == fatal {
                            calls.store(0, Relaxed);
                            // Without the panic hook, which would print this some thousand times.
                            resume_unwind(Box::new("comparator"));
                        }
                        a.cmp(b)
                    });
                });
            }
        }
    }
}

#[test]
fn a_comparator_that_lies_loses_nothing() {
    let n = 3_000;
    let keys: Vec<usize> = (0..n).map(scramble).collect();
    let calls = AtomicUsize::new(0);
    on_each_mill(|| {
        for round in 0..5 {
            nothing_is_lost(&keys, |_, _| match scramble(calls.fetch_add(1, Relaxed) + round) % 3 {
                0 => Order::Less,
                1 => Order::Equal,
                _ => Order::Greater,
            });
            nothing_is_lost(&keys, |a, b| {
                let honest = a.cmp(b);
                if scramble(calls.fetch_add(1, Relaxed)) % 50 == round { honest.reverse() } else { honest }
            });
        }
        nothing_is_lost(&keys, |_, _| Order::Less);
        nothing_is_lost(&keys, |_, _| Order::Greater);
        nothing_is_lost(&keys, |a, b| (a % 3).cmp(&((b + 1) % 3)));
        nothing_is_lost(&keys, |a, b| if (a + b) % 2 == 0 { Order::Less } else { Order::Greater });
    });
}

#[test]
fn a_cancelled_sort_loses_nothing() {
    let n = 3_000;
    let keys: Vec<usize> = (0..n).map(scramble).collect();
    for mill in &*MILLS {
        for round in 0..60 {
            let (token, calls) = (CancelToken::new(), AtomicUsize::new(0));
            let last = scramble(round) % (n * 12);
            mill.install(|| {
                let _ = token.run(|| {
                    nothing_is_lost(&keys, |a, b| {
                        if calls.fetch_add(1, Relaxed) == last {
                            token.cancel();
                        }
                        a.cmp(b)
                    });
                });
            });
        }
    }
}

#[test]
fn no_two_threads_see_an_element_at_a_time() {
    /// `Send`, not `Sync`: a lost update would show.
    struct Shy {
        key: usize,
        seen: Cell<usize>,
    }
    for mill in &*MILLS {
        for (number, keys) in patterns(5_000).into_iter().enumerate() {
            for stable in [true, false] {
                let mut v: Vec<Shy> = keys.iter().map(|&key| Shy { key, seen: Cell::new(0) }).collect();
                let calls = AtomicUsize::new(0);
                let compare = |a: &Shy, b: &Shy| {
                    calls.fetch_add(2, Relaxed);
                    a.seen.set(a.seen.get() + 1);
                    b.seen.set(b.seen.get() + 1);
                    a.key.cmp(&b.key)
                };
                mill.install(|| {
                    if stable { par_sort_by(&mut v, compare) } else { par_sort_unstable_by(&mut v, compare) }
                });
                let calls = calls.into_inner();
                assert!(v.is_sorted_by_key(|x| x.key));
                assert_eq!(v.iter().map(|x| x.seen.get()).sum::<usize>(), calls, "pattern {number}");
            }
        }
    }
}

#[test]
fn sorts_work_outside_of_any_mill() {
    let mut v: Vec<usize> = (0..50_000).map(scramble).collect();
    let mut other = v.clone();
    par_sort(&mut v);
    par_sort_unstable(&mut other);
    assert!(v.is_sorted());
    assert_eq!(v, other);
}
