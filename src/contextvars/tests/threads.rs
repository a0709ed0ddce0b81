//! Contexts that go from thread to thread.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use crate::contextvars::{
    Context, ContextVar, EnterError, Instrumented, Iter, ResetError, Scoped, Token, Value, Variable,
    copy_context, inherit,
};

#[test]
fn what_may_go_to_other_threads_may() {
    fn check<T: Send + Sync + 'static>() {}
    check::<ContextVar<String>>();
    check::<Context>();
    check::<Token<String>>();
    check::<Scoped<'static, String>>();
    check::<Value>();
    check::<Variable>();
    check::<Iter>();
    check::<Instrumented<std::future::Ready<()>>>();
}

static V: ContextVar<u32> = ContextVar::with_default("v", 0);

#[test]
fn each_thread_begins_with_nothing_and_keeps_to_itself() {
    Context::new()
        .run(|| {
            V.set(1);
            thread::scope(|s| {
                for n in 2..6 {
                    s.spawn(move || {
                        assert_eq!(V.get(), Some(0));
                        V.set(n);
                        thread::yield_now();
                        assert_eq!(V.get(), Some(n));
                    });
                }
            });
            assert_eq!(V.get(), Some(1));
        })
        .unwrap();
}

#[test]
fn a_context_goes_to_another_thread_and_comes_back() {
    let context = Context::new();
    let token = context.run(|| V.set(1)).unwrap();
    thread::scope(|s| {
        s.spawn(|| context.run(|| V.set(V.get().unwrap() + 1)).unwrap());
    });
    assert_eq!(context.get(&V), Some(2));
    // A token is good wherever its context is.
    thread::scope(|s| {
        s.spawn(|| {
            assert!(matches!(V.reset(&token), Err(ResetError::DifferentContext { .. })));
            context.run(|| V.reset(&token)).unwrap().unwrap();
        });
    });
    assert!(context.is_empty());
}

#[test]
fn a_context_that_another_thread_is_in_can_be_read_and_copied_but_not_entered() {
    let context = Context::new();
    let ((say_in, is_in), (let_go, go)) = (channel(), channel::<()>());
    thread::scope(|s| {
        let context = &context;
        s.spawn(move || {
            context
                .run(|| {
                    V.set(1);
                    say_in.send(()).unwrap();
                    go.recv().unwrap();
                })
                .unwrap();
        });
        is_in.recv().unwrap();
        assert_eq!(context.run(|| V.set(9)).unwrap_err(), EnterError::AlreadyEntered);
        assert_eq!((context.get(&V), context.len()), (Some(1), 1));
        assert_eq!(context.clone().run(|| V.get()), Ok(Some(1)));
        let_go.send(()).unwrap();
    });
    assert_eq!(context.run(|| V.get()), Ok(Some(1)));
}

#[test]
fn threads_that_take_turns_in_a_context_lose_nothing() {
    const THREADS: u32 = 3;
    const ROUNDS: u32 = 500;
    let (context, refused, over) = (Context::new(), AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|s| {
        let turns: Vec<_> = (0..THREADS)
            .map(|_| {
                s.spawn(|| {
                    let mut done = 0;
                    while done < ROUNDS {
                        match context.run(|| V.set(V.get().unwrap() + 1)) {
                            Ok(_) => done += 1,
                            Err(_) => {
                                refused.fetch_add(1, Ordering::Relaxed);
                                thread::yield_now();
                            }
                        }
                    }
                })
            })
            .collect();
        s.spawn(|| {
            let mut last = 0;
            while !over.load(Ordering::Relaxed) {
                let now = context.get(&V).unwrap_or(0);
                assert!(now >= last && context.iter().len() <= 1);
                last = now;
                thread::yield_now();
            }
        });
        for turn in turns {
            turn.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(context.get(&V), Some(THREADS * ROUNDS));
}

/// A value that this thread reads without counting, while others drop what else has it.
#[test]
fn a_value_that_is_being_read_outlives_copies_that_others_drop() {
    static TEXT: ContextVar<String> = ContextVar::new("text");
    let (send, receive) = channel::<(Context, Option<Token<String>>)>();
    thread::scope(|s| {
        s.spawn(move || receive.into_iter().for_each(drop));
        Context::new()
            .run(|| {
                for round in 0..300 {
                    TEXT.set(round.to_string());
                    TEXT.with(|text| {
                        send.send((copy_context(), None)).unwrap();
                        let token = TEXT.set("other".to_owned());
                        send.send((copy_context(), Some(token))).unwrap();
                        assert_eq!(text.unwrap(), &round.to_string());
                    });
                }
            })
            .unwrap();
        drop(send);
    });
}

#[test]
fn inherit_carries_the_context_of_the_moment() {
    Context::new()
        .run(|| {
            V.set(1);
            let job = inherit(|| {
                let before = V.get();
                V.set(3);
                before
            });
            V.set(2);
            assert_eq!(thread::spawn(job).join().unwrap(), Some(1));
            assert_eq!(V.get(), Some(2));
        })
        .unwrap();
}
