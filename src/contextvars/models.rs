//! Contexts under loom.

use std::sync::Arc;

use loom::thread;

use super::{Context, ContextVar, inherit};

static V: ContextVar<u32> = ContextVar::with_default("v", 0);

/// What one adds that was let in.
fn add(context: &Context) -> u32 {
    context.run(|| V.set(V.get().unwrap() + 1)).map_or(0, |_| 1)
}

#[test]
fn models_one_thread_at_a_time_is_in_a_context_and_the_next_sees_what_it_did() {
    loom::model(|| {
        let context = Arc::new(Context::new());
        let others: Vec<_> = (0..2)
            .map(|_| {
                let context = Arc::clone(&context);
                thread::spawn(move || add(&context) + add(&context))
            })
            .collect();
        let seen = context.get(&V).unwrap_or(0);
        let copied = context.clone().get(&V).unwrap_or(0);
        assert!(copied >= seen);
        let added: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert!(added >= 2, "one of two who meet gets in, and who is alone does");
        assert_eq!(context.get(&V), Some(added));
        assert_eq!(V.get(), Some(0));
    });
}

#[test]
fn models_a_copy_goes_its_own_way() {
    loom::model(|| {
        let context = Context::new();
        context.run(|| V.set(1)).unwrap();
        let job = context.run(|| inherit(|| V.set(V.get().unwrap() + 1).old_value().copied())).unwrap();
        let other = thread::spawn(job);
        context.run(|| V.set(7)).unwrap();
        assert_eq!(other.join().unwrap(), Some(1));
        assert_eq!(context.get(&V), Some(7));
    });
}
