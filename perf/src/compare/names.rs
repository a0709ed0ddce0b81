//! Names on the command line: found in a list, or refused with the nearest one.

use crate::CompareError;

/// The items of `list` that `given` names, in the order of the list; all of them if nothing is given.
pub(crate) fn chosen<T: Copy>(
    what: &'static str,
    given: &[String],
    list: &[T],
    name: impl Fn(&T) -> &'static str,
) -> Result<Vec<T>, CompareError> {
    for given in given {
        if !list.iter().any(|item| name(item) == given) {
            let names: Vec<_> = list.iter().map(&name).collect();
            let nearest = names.iter().min_by_key(|name| distance(given, name)).copied().unwrap_or_default();
            return Err(CompareError::Unknown { what, given: given.clone(), nearest, all: names.join(", ") });
        }
    }
    let wanted = |item: &&T| given.is_empty() || given.iter().any(|given| name(item) == given);
    Ok(list.iter().filter(wanted).copied().collect())
}

/// How many characters must be put in, taken out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let changed = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{chosen, distance};

    #[test]
    fn distances() {
        assert_eq!(distance("fib", "fib"), 0);
        assert_eq!(distance("", "fib"), 3);
        assert_eq!(distance("fibb", "fib"), 1);
        assert_eq!(distance("nqeens", "nqueens"), 1);
    }

    #[test]
    fn an_unknown_name_is_told_its_neighbour() {
        let list = ["rayon", "chili"];
        let error = chosen("engine", &["rayn".into()], &list, |name| name).unwrap_err();
        assert_eq!(error.to_string(), "unknown engine `rayn`; did you mean `rayon`? (rayon, chili)");
        assert_eq!(chosen("engine", &["chili".into()], &list, |name| name).unwrap(), ["chili"]);
        assert_eq!(chosen("engine", &[], &list, |name| name).unwrap(), list);
    }
}
