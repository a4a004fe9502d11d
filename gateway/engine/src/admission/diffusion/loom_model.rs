//! Every interleaving of two threads that diffuse the same error.

use loom::sync::Arc;
use loom::thread;

use super::*;

#[test]
fn loom_of_four_halves_exactly_two_are_chosen() {
    loom::model(|| {
        let diffusion = Arc::new(Diffusion::default());
        let there = {
            let diffusion = Arc::clone(&diffusion);
            thread::spawn(move || (0..2).filter(|_| diffusion.choose(0.5)).count())
        };
        let here = (0..2).filter(|_| diffusion.choose(0.5)).count();
        assert_eq!(here + there.join().unwrap(), 2);
    });
}
