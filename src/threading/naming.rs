//! Names for threads that were given none.

use std::sync::atomic::{AtomicU64, Ordering};

/// The main thread's name.
pub(crate) const MAIN: &str = "MainThread";

/// Counts all threads that got a name from here.
static NUMBER: AtomicU64 = AtomicU64::new(1);

fn number() -> u64 {
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// `Thread-N`, or `Thread-N (target)` where `F` is a function that has a name.
pub(crate) fn for_target<F>() -> String {
    let number = number();
    match target(std::any::type_name::<F>()) {
        Some(target) => format!("Thread-{number} ({target})"),
        None => format!("Thread-{number}"),
    }
}

/// `Dummy-N`, for a thread that somebody else started.
pub(crate) fn for_foreign() -> String {
    format!("Dummy-{}", number())
}

/// The last part of a path; closures and pointers have none.
fn target(path: &str) -> Option<&str> {
    // Of `a::b<c::d>::e` the part behind the last `::` that is not within brackets.
    let (mut depth, mut start, mut end, mut last) = (0_u32, 0, path.len(), ' ');
    for (at, mark) in path.char_indices() {
        match mark {
            '<' => {
                if depth == 0 {
                    end = at;
                }
                depth += 1;
            }
            '>' if last != '-' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && last == ':' => (start, end) = (at + 1, path.len()),
            _ => {}
        }
        last = mark;
    }
    let name = path[start..end.max(start)].trim_end_matches(':');
    let is_name = |name: &str| {
        let mut marks = name.chars();
        marks.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && marks.all(|mark| mark.is_alphanumeric() || mark == '_')
    };
    (is_name(name) && name != "Box").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{for_target, target};

    fn worker() {}
    fn generic<T>() {}

    fn name_of<F: FnOnce()>(_: F) -> String {
        for_target::<F>()
    }

    #[test]
    fn functions_have_names_and_closures_have_none() {
        assert!(name_of(worker).ends_with(" (worker)"));
        assert!(name_of(generic::<Vec<u8>>).ends_with(" (generic)"));
        for name in [name_of(|| ()), name_of(worker as fn()), name_of(Box::new(worker) as Box<dyn Fn()>)] {
            assert!(name.starts_with("Thread-") && !name.contains('('), "{name}");
        }
    }

    #[test]
    fn paths_of_all_shapes() {
        assert_eq!(target("a::b"), Some("b"));
        assert_eq!(target("a::b<c::d>"), Some("b"));
        assert_eq!(target("<a::B as c::D>::e"), Some("e"));
        assert_eq!(target("a::b::{{closure}}"), None);
        assert_eq!(target("fn() -> u8"), None);
        assert_eq!(target(""), None);
    }
}
