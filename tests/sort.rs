//! The sorts, on slices long enough to be sorted in parallel as users' are.

use gristmill::Mill;
use proptest::prelude::*;

fn random(seed: u64, n: usize) -> Vec<u64> {
    let mut state = seed | 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    std::iter::repeat_with(step).take(n).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sorts_agree_with_std(seed: u64, n in 10_000_usize..300_000, values in 1_u32..64, workers in 1_usize..=4) {
        let mill = Mill::builder().workers(workers).build().unwrap();
        let v: Vec<(u64, usize)> = random(seed, n).into_iter().map(|x| x >> (64 - values)).zip(0..).collect();
        let mut expected = v.clone();
        expected.sort_by_key(|pair| pair.0);
        let (mut stable, mut unstable) = (v.clone(), v);
        mill.install(|| gristmill::par_sort_by_key(&mut stable, |pair| pair.0));
        prop_assert!(stable == expected);
        mill.install(|| gristmill::par_sort_unstable(&mut unstable));
        prop_assert!(unstable == expected);
    }
}

#[test]
fn patterns_are_sorted() {
    let n = 200_000_usize;
    let mill = Mill::builder().workers(2).build().unwrap();
    let patterns: [&dyn Fn(usize) -> usize; 6] =
        [&|i| i, &|i| n - i, &|_| 0, &|i| i % 1_000, &|i| i.min(n - i), &|i| if i == n / 2 { 0 } else { i }];
    for (number, pattern) in patterns.into_iter().enumerate() {
        let v: Vec<usize> = (0..n).map(pattern).collect();
        let (mut stable, mut unstable, mut expected) = (v.clone(), v.clone(), v);
        expected.sort_unstable();
        mill.install(|| gristmill::par_sort(&mut stable));
        mill.install(|| gristmill::par_sort_unstable(&mut unstable));
        assert!(stable == expected && unstable == expected, "pattern {number}");
    }
}
