//! Kernels as turns of a contest.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use kernels::{Answer, Case};

use super::Options;
use super::contest::{Contest, Contestant, Goal, Reading};
use crate::CompareError;
use crate::engines;

/// A kernel in memory, which the engines of a contest grind in turns.
pub(super) struct Ground {
    case: Rc<RefCell<Case>>,
    expected: Answer,
}

impl Ground {
    pub(super) fn make(kernel: &str, size: usize) -> Result<Self, CompareError> {
        let mut case = Case::make(kernel, size)?;
        case.prepare();
        case.serial();
        let expected = case.answer();
        Ok(Self { case: Rc::new(RefCell::new(case)), expected })
    }

    /// `engine` grinds it `times` times in a turn; the value is the time of one run in units of `unit` seconds.
    pub(super) fn on(
        &self,
        engine: &'static str,
        workers: usize,
        times: usize,
        unit: f64,
    ) -> Result<Contestant, CompareError> {
        let listing = engines::all().into_iter().find(|listing| listing.name == engine);
        let opened = listing.map_or_else(|| Err("it is not in this build".to_owned()), |it| it.open(workers));
        let mut peer = opened.map_err(|why| CompareError::Pool { engine, workers, why })?;
        let (case, expected) = (Rc::clone(&self.case), self.expected);
        Ok(Contestant::new(engine, workers, move || {
            let mut seconds = 0.0;
            let case = &mut *case.borrow_mut();
            for _ in 0..times {
                case.prepare();
                peer.rouse();
                let begun = Instant::now();
                peer.run(case);
                seconds += begun.elapsed().as_secs_f64();
                peer.rest();
                assert!(case.answer().agrees(&expected), "{engine} gave a wrong answer");
            }
            vec![seconds / times as f64 / unit]
        }))
    }
}

pub(super) fn sort(_: &Options) -> Result<Vec<Contest>, CompareError> {
    let ground = Ground::make("sort", 10_000_000)?;
    let on = |engine, workers| ground.on(engine, workers, 1, 1e-3);
    Ok(vec![Contest {
        contestants: vec![on("serial", 1)?, on("rayon", 2)?, on("gristmill", 2)?],
        readings: vec![Reading::new("sort", "ms", &[Goal::OverRayon(0.65)])],
        enough: None,
    }])
}
