//! `script SEED COUNT [--only I,J,…] [--until I] [--aligned]`: so many operations, each of which
//! depends on the seed and its own number, and on nothing that the others did except for what is
//! open; number 0 is the preparation. So a difference between hosts can be narrowed down by
//! leaving operations out.
//!
//! What it tells is the same each time, except that the kernel may choose a port a second time,
//! about once in a hundred runs, and what is called by its port is then called by another's.
//!
//! It is to be run in an empty folder, with an empty standard input, and where it may use Unix
//! sockets. Everything it connects to is its own or refuses on loopback.

use std::env;
use std::process::ExitCode;

use crate::ops;
use crate::world::World;

const USAGE: &str = "usage: script SEED COUNT [--only I,J,...] [--until I] [--aligned]";

struct Plan {
    seed: u64,
    last: usize,
    only: Option<Vec<usize>>,
    /// Hosts from 0.16.0 on refuse what is not aligned.
    aligned: bool,
}

pub fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let Some(plan) = plan(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    run(&plan);
    ExitCode::SUCCESS
}

fn plan(words: &[String]) -> Option<Plan> {
    let (first, options) = words.split_at_checked(2)?;
    let mut plan = Plan {
        seed: first[0].parse().ok()?,
        last: first[1].parse().ok()?,
        only: None,
        aligned: false,
    };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "--aligned" => plan.aligned = true,
            "--until" => plan.last = options.next()?.parse().ok()?,
            "--only" => {
                let list = options.next()?.split(',').map(str::parse);
                plan.only = Some(list.collect::<Result<_, _>>().ok()?);
            }
            _ => return None,
        }
    }
    Some(plan)
}

fn run(plan: &Plan) {
    let mut world = World::new();
    ops::prepare(&mut world);
    for number in 1..=plan.last {
        if plan.only.as_ref().is_none_or(|only| only.contains(&number)) {
            let seed = plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number as u64;
            world.at = (number, 0);
            ops::random(
                &mut world,
                &mut fastrand::Rng::with_seed(seed),
                plan.aligned,
            );
        }
    }
    println!("end of seed {}", plan.seed);
}
