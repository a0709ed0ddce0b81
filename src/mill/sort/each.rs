//! A loop over a handful of large pieces of work.

use crate::mill::join::join;

/// Does `work` on each of the items, maybe at the same time.
pub(super) fn each<I: Send>(items: &mut [I], work: &(impl Fn(&mut I) + Sync)) {
    match items {
        [] => {}
        [item] => work(item),
        _ => {
            let (first, second) = items.split_at_mut(items.len() / 2);
            join(|| each(first, work), || each(second, work));
        }
    }
}
