//! Somebody who breaks things at random.

use std::time::Duration;

use coffee_rt_actors::supervision::Fault;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::probe::Grove;

/// Injects faults into everything, and makes what is outside behave badly, until told to stop. Returns how many faults hit a
/// live actor.
pub async fn be_a_vandal(
    grove: &Grove,
    random: &mut StdRng,
    mut enough: mpsc::Receiver<()>,
    mut misbehave: impl FnMut(&mut StdRng),
) -> usize {
    let paths: Vec<_> = grove.tree.snapshot().into_iter().map(|actor| actor.path).collect();
    let mut suffered = 0;
    while enough.try_recv() == Err(mpsc::error::TryRecvError::Empty) {
        let fault = match random.random_range(0..10) {
            0..6 => Fault::Kill,
            6..9 => Fault::Panic,
            _ => Fault::Stall(random.random_range(0..100)),
        };
        let path = paths.choose(random).unwrap();
        suffered += usize::from(grove.tree.inject(path, fault).is_ok());
        misbehave(random);
        sleep(Duration::from_micros(random.random_range(0..15_000))).await;
    }
    suffered
}
