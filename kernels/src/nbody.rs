//! Bodies that attract each other, all pairs, step by step.
//!
//! Source: the softened all-pairs sum of Aarseth, "Gravitational n-body simulations", 2003, section
//! 2.2, with the semi-implicit Euler step.

use std::mem;

use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernel::{Entry, Kernel, Shape};
use crate::rng::Rng;

const STEPS: usize = 4;
const TIME: f64 = 1e-3;
/// The square of the distance below which attraction no longer grows.
const SOFT: f64 = 1e-4;
/// Bodies of a block: about 35 us at the default size.
const BLOCK: usize = 4;

#[derive(Debug, Clone, Copy)]
struct Body {
    mass: f64,
    place: [f64; 3],
    speed: [f64; 3],
}

/// Four steps of `n` bodies.
///
/// Each body adds up the pull of all others in their order, so the bits agree. A step reads the
/// bodies as they were and writes them to a second array.
#[derive(Debug, Clone)]
pub struct Nbody {
    start: Vec<Body>,
    now: Vec<Body>,
    next: Vec<Body>,
    ran: bool,
}

fn moved(body: Body, all: &[Body]) -> Body {
    let [x, y, z] = body.place;
    let mut pull = [0.0; 3];
    for other in all {
        let way = [other.place[0] - x, other.place[1] - y, other.place[2] - z];
        let square = SOFT + way[0] * way[0] + way[1] * way[1] + way[2] * way[2];
        let strength = other.mass / (square * square.sqrt());
        for (pull, way) in pull.iter_mut().zip(way) {
            *pull += way * strength;
        }
    }
    let mut body = body;
    for ((place, speed), pull) in body.place.iter_mut().zip(&mut body.speed).zip(pull) {
        *speed += TIME * pull;
        *place += TIME * *speed;
    }
    body
}

/// Writes the bodies from number `first` on.
fn advance(now: &[Body], first: usize, next: &mut [Body]) {
    for (slot, body) in next.iter_mut().zip(&now[first..]) {
        *slot = moved(*body, now);
    }
}

impl Kernel for Nbody {
    const ENTRY: Entry = Entry {
        name: "nbody",
        what: "steps of bodies under their mutual gravity, all pairs",
        shape: Shape::Loop,
        unit: "bodies",
        default_size: 2500,
        quick_size: 900,
        least: 1,
        most: 100_000,
    };

    fn make(size: usize) -> Result<Self, Error> {
        Self::ENTRY.check(size)?;
        let mut rng = Rng::new(17);
        let mut three = || [(); 3].map(|()| 2.0 * rng.unit() - 1.0);
        let mass = 1.0 / size as f64;
        let start: Vec<_> = (0..size).map(|_| Body { mass, place: three(), speed: three() }).collect();
        Ok(Self { now: start.clone(), next: start.clone(), start, ran: false })
    }

    fn prepare(&mut self) {
        self.now.copy_from_slice(&self.start);
        self.next.copy_from_slice(&self.start);
        self.ran = false;
    }

    fn serial(&mut self) {
        for _ in 0..STEPS {
            advance(&self.now, 0, &mut self.next);
            mem::swap(&mut self.now, &mut self.next);
        }
        self.ran = true;
    }

    fn run<E: Engine>(&mut self, engine: &mut E) {
        for _ in 0..STEPS {
            let now = &self.now;
            engine.chunks_mut(&mut self.next, BLOCK, |block, next| advance(now, block * BLOCK, next));
            mem::swap(&mut self.now, &mut self.next);
        }
        self.ran = true;
    }

    fn answer(&self) -> Answer {
        if !self.ran {
            return Answer::Missing;
        }
        Answer::digest_reals(self.now.iter().flat_map(|body| body.place.into_iter().chain(body.speed)))
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Nbody};
    use crate::kernel::Kernel;
    use crate::suite;

    #[test]
    fn momentum_stays() {
        let mut nbody = Nbody::make(50).unwrap();
        let momentum = |bodies: &[super::Body], axis: usize| -> f64 {
            bodies.iter().map(|body| body.mass * body.speed[axis]).sum()
        };
        nbody.serial();
        for axis in 0..3 {
            assert!((momentum(&nbody.now, axis) - momentum(&nbody.start, axis)).abs() < 1e-12);
        }
    }

    #[test]
    fn engines_agree() {
        suite::agree::<Nbody>(&[2, BLOCK, BLOCK + 1, 61]);
    }
}
