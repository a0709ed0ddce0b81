//! Producers, consumers, and a queue between them: who puts waits while it is full, `join` waits until all is done, and
//! a shutdown ends the consumers' loops.

use std::thread;

use gristmill::queue::{Queue, ShutDown};

/// What a consumer does with an item.
fn grind(sack: u64) -> u64 {
    (1..=sack).map(|grain| grain * grain).sum()
}

fn main() -> Result<(), ShutDown<u64>> {
    let sacks = Queue::new(8);
    let flour = thread::scope(|s| {
        let consumers: Vec<_> = (0..2)
            .map(|_| {
                s.spawn(|| {
                    let mut flour = 0;
                    // Each task counts itself done at the end of its turn.
                    for sack in sacks.tasks() {
                        flour += grind(*sack);
                    }
                    flour
                })
            })
            .collect();
        let producers: Vec<_> = (0..3)
            .map(|cart| {
                let sacks = &sacks;
                s.spawn(move || (0..100).try_for_each(|n| sacks.put(cart * 100 + n)))
            })
            .collect();
        for producer in producers {
            producer.join().expect("putting does not panic")?;
        }
        sacks.join();
        println!("all sacks are ground");
        sacks.shutdown();
        Ok(consumers
            .into_iter()
            .map(|consumer| consumer.join().expect("grinding does not panic"))
            .sum::<u64>())
    })?;
    assert_eq!(flour, (0..300).map(grind).sum());
    println!("{flour} ounces of flour");

    // Whoever comes late is told so, and has its item back.
    assert_eq!(sacks.put(7), Err(ShutDown(7)));
    Ok(())
}
