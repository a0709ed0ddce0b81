//! The known word that is nearest to an unknown one.

/// The word that takes the fewest changes, if those are few for its length.
pub(super) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let near = known.into_iter().map(|word| (distance(&unknown, &word.to_lowercase()), word));
    let (changes, word) = near.min_by_key(|(changes, _)| *changes)?;
    (changes <= word.chars().count().max(unknown.chars().count()) / 2).then_some(word)
}

/// How many characters must be put in, taken out, changed or swapped with the next (Damerau and Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (i, 0) => i,
                (0, j) => j,
                _ => {
                    let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        least = least.min(rows[i - 2][j - 2] + 1);
                    }
                    least
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let keys = ["workers", "pin", "bind", "nodes", "stack_size"];
        for (slip, meant) in [
            ("wokers", "workers"),
            ("Pin", "pin"),
            ("bidn", "bind"),
            ("node", "nodes"),
            ("stacksize", "stack_size"),
        ] {
            assert_eq!(nearest(slip, keys), Some(meant), "{slip}");
        }
        assert_eq!(nearest("temperature", keys), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn distances() {
        for (a, b, changes) in
            [("", "", 0), ("", "ab", 2), ("ab", "ba", 1), ("pinn", "pin", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (changes, changes), "{a} {b}");
        }
    }
}
