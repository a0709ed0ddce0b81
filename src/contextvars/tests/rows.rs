//! The chapter's rows, one after the other.

use std::collections::HashSet;

use crate::contextvars::{
    Context, ContextVar, EnterError, LookupError, ResetError, Scoped, Token, copy_context,
    set_thread_inherit_context, thread_inherit_context,
};
use crate::unwind::halt;

/// Runs `f` in a context of its own, so that tests on one thread do not meet.
fn apart<R>(f: impl FnOnce() -> R) -> R {
    Context::new().run(f).unwrap()
}

#[test]
fn a_variable_is_known_by_itself_and_not_by_its_name() {
    static ONE: ContextVar<u32> = ContextVar::new("same");
    static OTHER: ContextVar<u32> = ContextVar::new("same");
    apart(|| {
        ONE.set(1);
        OTHER.set(2);
        assert_eq!((ONE.get(), OTHER.get()), (Some(1), Some(2)));
        assert_eq!((ONE.name(), OTHER.name()), ("same", "same"));
        assert_eq!(copy_context().keys().collect::<HashSet<_>>().len(), 2);
        // Also when it moves.
        let local = ContextVar::new("local");
        local.set(3);
        let moved = Box::new(local);
        assert_eq!(moved.get(), Some(3));
    });
    assert!(format!("{ONE:?}").contains("same"));
}

#[test]
fn get_takes_the_value_then_the_callers_default_then_the_variables_own() {
    static BARE: ContextVar<u32> = ContextVar::new("bare");
    static WITH: ContextVar<u32> = ContextVar::with_default("with", 5);
    static MADE: ContextVar<String> = ContextVar::with_default_fn("made", || "made".to_owned());
    apart(|| {
        assert_eq!((BARE.get(), BARE.get_or(7)), (None, 7));
        assert_eq!((WITH.get(), WITH.get_or(7)), (Some(5), 7));
        assert_eq!(MADE.get().as_deref(), Some("made"));
        let first = MADE.with(|made| made.map(std::ptr::from_ref));
        assert_eq!(MADE.with(|made| made.map(std::ptr::from_ref)), first);
        let missing: LookupError = BARE.try_get().unwrap_err();
        assert!(missing.to_string().contains("`bare`"), "{missing}");
        assert_eq!(WITH.try_get(), Ok(5));
        BARE.set(1);
        WITH.set(2);
        assert_eq!((BARE.get(), BARE.get_or(7), BARE.try_get()), (Some(1), 1, Ok(1)));
        assert_eq!((WITH.get(), WITH.get_or(7)), (Some(2), 2));
    });
}

#[test]
fn more_variables_than_a_thread_remembers_keep_their_values() {
    let variables: Vec<_> = (0..1_000).map(|_| ContextVar::<usize>::new("one of many")).collect();
    apart(|| {
        for (number, variable) in variables.iter().enumerate() {
            variable.set(number);
        }
        for round in 0..2 {
            for (number, variable) in variables.iter().enumerate() {
                assert_eq!(variable.get(), Some(number), "in round {round}");
            }
        }
        variables[500].set(0);
        assert_eq!((variables[500].get(), variables[501].get()), (Some(0), Some(501)));
        assert_eq!(copy_context().len(), 1_000);
    });
    assert_eq!(variables[500].get(), None);
}

#[test]
fn reset_brings_back_what_was_there_or_nothing() {
    static V: ContextVar<u32> = ContextVar::new("v");
    apart(|| {
        let first = V.set(1);
        let second = V.set(2);
        assert_eq!((first.old_value(), second.old_value()), (Token::MISSING, Some(&1)));
        assert_eq!((first.variable(), first.variable().name()), (V.variable(), "v"));
        V.set(3);
        V.reset(&second).unwrap();
        assert_eq!(V.get(), Some(1));
        V.reset(&first).unwrap();
        assert_eq!(V.get(), None);
        assert!(copy_context().is_empty());
        // Out of order is in order.
        let first = V.set(1);
        let second = V.set(2);
        V.reset(&first).unwrap();
        V.reset(&second).unwrap();
        assert_eq!(V.get(), Some(1));
    });
}

#[test]
fn a_token_that_does_not_fit_is_refused_and_stays_good() {
    static V: ContextVar<u32> = ContextVar::new("v");
    static W: ContextVar<u32> = ContextVar::new("w");
    apart(|| {
        let token = V.set(1);
        V.set(2);
        let wrong = W.reset(&token).unwrap_err();
        assert_eq!(wrong, ResetError::DifferentVariable { name: "w", token: "v" });
        let copy = copy_context();
        let elsewhere = copy.run(|| V.reset(&token)).unwrap();
        assert_eq!(elsewhere, Err(ResetError::DifferentContext { name: "v" }));
        assert_eq!(copy.get(&V), Some(2));
        assert!(!token.is_used());
        assert!(!format!("{token:?}").contains("used "));

        assert_eq!(V.reset(&token), Ok(()));
        assert!(format!("{token:?}").contains("used "));
        V.set(3);
        let again = V.reset(&token).unwrap_err();
        assert_eq!(again, ResetError::AlreadyUsed { name: "v" });
        assert!(again.to_string().contains("`v`"), "{again}");
        assert_eq!(V.get(), Some(3));
        // Used is looked for first.
        assert_eq!(W.reset(&token), Err(ResetError::AlreadyUsed { name: "w" }));
    });
    // The base context is one too.
    let token = V.set(1);
    assert!(matches!(apart(|| V.reset(&token)), Err(ResetError::DifferentContext { .. })));
    assert_eq!(V.reset(&token), Ok(()));
}

#[test]
fn a_context_is_the_same_one_whenever_it_is_entered() {
    static V: ContextVar<u32> = ContextVar::new("v");
    let context = Context::new();
    let token = context.run(|| V.set(1)).unwrap();
    context.run(|| V.reset(&token)).unwrap().unwrap();
    assert!(context.is_empty());
    // A copy is another one.
    let token = context.run(|| V.set(1)).unwrap();
    let copy = context.clone();
    assert!(matches!(copy.run(|| V.reset(&token)).unwrap(), Err(ResetError::DifferentContext { .. })));
}

#[test]
fn a_guard_resets_on_every_way_out() {
    static V: ContextVar<u32> = ContextVar::with_default("v", 0);
    apart(|| {
        V.set(1);
        {
            let guard = V.set_scoped(2);
            assert_eq!((V.get(), guard.token().old_value()), (Some(2), Some(&1)));
            V.set(3);
            V.set(4);
        }
        assert_eq!(V.get(), Some(1));
        let panicked = halt(|| {
            V.scope(5, || -> () {
                assert_eq!(V.get(), Some(5));
                panic!("inside")
            })
        });
        assert!(panicked.is_err());
        assert_eq!(V.get(), Some(1));
        // Nested, and a token of another set within.
        let outer = V.set_scoped(2);
        let inner = V.set(3);
        V.reset(&inner).unwrap();
        assert_eq!(V.get(), Some(2));
        assert_eq!(outer.exit(), Ok(()));
        assert_eq!(V.get(), Some(1));
    });
}

#[test]
fn a_guard_that_cannot_reset_says_so_or_keeps_still() {
    static V: ContextVar<u32> = ContextVar::new("v");
    apart(|| {
        let guard = V.set_scoped(1);
        V.reset(guard.token()).unwrap();
        V.set(2);
        assert_eq!(guard.exit(), Err(ResetError::AlreadyUsed { name: "v" }));
        assert_eq!(V.get(), Some(2));
        let guard = V.set_scoped(3);
        apart(|| drop(guard));
        assert_eq!(V.get(), Some(3));
        let token = Scoped::disarm(V.set_scoped(4));
        assert_eq!(V.get(), Some(4));
        V.reset(&token).unwrap();
        assert_eq!(V.get(), Some(3));
    });
}

#[test]
fn copy_context_is_of_one_moment() {
    static V: ContextVar<u32> = ContextVar::new("v");
    apart(|| {
        let empty = copy_context();
        V.set(1);
        let one = copy_context();
        V.set(2);
        assert_eq!((empty.get(&V), one.get(&V), V.get()), (None, Some(1), Some(2)));
        one.run(|| V.set(3)).unwrap();
        assert_eq!((one.get(&V), V.get()), (Some(3), Some(2)));
    });
}

#[test]
fn run_returns_keeps_what_was_set_and_leaves_the_caller_alone() {
    static V: ContextVar<u32> = ContextVar::new("v");
    apart(|| {
        V.set(1);
        let context = Context::new();
        let seen = context.run(|| (V.get(), V.set(2).old_value().copied(), V.get())).unwrap();
        assert_eq!(seen, (None, None, Some(2)));
        assert_eq!((V.get(), context.get(&V)), (Some(1), Some(2)));
        assert_eq!(context.run(|| V.get()), Ok(Some(2)));
    });
}

#[test]
fn a_panic_leaves_the_context_and_keeps_what_was_set() {
    static V: ContextVar<u32> = ContextVar::new("v");
    apart(|| {
        V.set(1);
        let context = Context::new();
        let panicked = halt(|| {
            context.run(|| -> () {
                V.set(2);
                panic!("inside")
            })
        });
        assert!(panicked.is_err());
        assert_eq!((V.get(), context.get(&V)), (Some(1), Some(2)));
        assert_eq!(context.run(|| V.get()), Ok(Some(2)));
    });
}

#[test]
fn contexts_nest_and_none_is_entered_twice() {
    static V: ContextVar<u32> = ContextVar::with_default("v", 0);
    let (one, other) = (Context::new(), Context::new());
    one.run(|| {
        V.set(1);
        other
            .run(|| {
                V.set(2);
                assert_eq!(one.run(|| V.set(9)).unwrap_err(), EnterError::AlreadyEntered);
                assert_eq!(other.run(|| V.set(9)).unwrap_err(), EnterError::AlreadyEntered);
                assert_eq!(V.get(), Some(2));
                // A copy of one that somebody is in can be entered.
                assert_eq!(one.clone().run(|| V.get()), Ok(Some(1)));
            })
            .unwrap();
        assert_eq!(V.get(), Some(1));
        assert_eq!(one.get(&V), Some(1), "what is read from outside is never stale");
    })
    .unwrap();
    assert_eq!((one.get(&V), other.get(&V), V.get()), (Some(1), Some(2), Some(0)));
    let error = EnterError::AlreadyEntered.to_string();
    assert!(error.contains("already entered"), "{error}");
}

#[test]
fn a_context_reads_like_a_map() {
    static V: ContextVar<u32> = ContextVar::with_default("v", 0);
    static W: ContextVar<&str> = ContextVar::new("w");
    static X: ContextVar<u32> = ContextVar::new("x");
    let context = Context::new();
    assert!(context.is_empty() && !context.contains(&V));
    context
        .run(|| {
            V.set(1);
            W.set("two");
        })
        .unwrap();
    assert_eq!((context.len(), context.iter().len()), (2, 2));
    assert!(context.contains(&V) && context.contains(&W) && !context.contains(&X));
    assert_eq!((context.get(&V), context.get(&W), context.get(&X)), (Some(1), Some("two"), None));
    assert_eq!(context.keys().collect::<HashSet<_>>(), HashSet::from([V.variable(), W.variable()]));
    let numbers: Vec<u32> = context.values().filter_map(|value| value.downcast_ref().copied()).collect();
    assert_eq!(numbers, [1]);
    for (variable, value) in &context {
        assert_eq!(variable == V.variable(), value.as_any().is::<u32>());
    }
    // An iterator does not see later changes.
    let items = context.iter();
    context.run(|| X.set(3)).unwrap();
    assert_eq!((items.count(), context.len()), (2, 3));
    let shown = format!("{context:?}");
    assert!(shown.contains("w #"), "{shown}");
}

#[test]
fn contexts_are_equal_by_what_is_set() {
    static V: ContextVar<u32> = ContextVar::new("v").comparable();
    static W: ContextVar<u32> = ContextVar::new("w").comparable();
    static OPAQUE: ContextVar<u32> = ContextVar::new("opaque");
    let (one, other) = (Context::new(), Context::new());
    assert_eq!(one, other);
    one.run(|| V.set(1)).unwrap();
    assert_ne!(one, other);
    other.run(|| W.set(1)).unwrap();
    assert_ne!(one, other);
    one.run(|| W.set(1)).unwrap();
    other.run(|| V.set(1)).unwrap();
    assert_eq!(one, other);
    other.run(|| V.set(2)).unwrap();
    assert_ne!(one, other);
    // Without a comparison, a value is equal to itself alone.
    one.run(|| OPAQUE.set(1)).unwrap();
    let copy = one.clone();
    copy.run(|| V.set(1)).unwrap();
    assert_eq!(one, copy);
    copy.run(|| OPAQUE.set(1)).unwrap();
    assert_ne!(one, copy);
}

/// Turning it off is a doctest: here it would change what other tests' threads do.
#[test]
fn threads_inherit_when_told_to() {
    set_thread_inherit_context(true);
    assert!(thread_inherit_context());
}
