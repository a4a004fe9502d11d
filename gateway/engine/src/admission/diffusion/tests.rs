use proptest::prelude::*;

use super::*;

#[test]
fn thirty_percent_is_exactly_three_of_ten() {
    for (share, of, chosen) in [(0.3, 10, 3), (0.25, 400, 100), (0.1, 10_000, 1_000), (0.7, 30, 21)]
    {
        let diffusion = Diffusion::default();
        assert_eq!((0..of).filter(|_| diffusion.choose(share)).count(), chosen, "{share} of {of}");
    }
}

#[test]
fn nothing_of_zero_and_all_of_one() {
    let diffusion = Diffusion::default();
    assert!(!(0..1_000).any(|_| diffusion.choose(0.0)));
    assert!((0..1_000).all(|_| diffusion.choose(1.0)));
    assert!(!(0..1_000).any(|_| diffusion.choose(f64::NAN)), "no share at all");
}

#[test]
fn threads_lose_no_share() {
    let diffusion = Diffusion::default();
    let chosen: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..25_000).filter(|_| diffusion.choose(0.3)).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(chosen, 30_000);
}

proptest! {
    /// However the share changes from call to call, |chosen − Σ shares| ≤ 1 at every call.
    #[test]
    fn never_further_than_one_from_the_sum(shares in prop::collection::vec(0.0f64..1.0, 1..2_000)) {
        let diffusion = Diffusion::default();
        let (mut sum, mut chosen) = (0.0, 0.0);
        for share in shares {
            sum += share;
            chosen += f64::from(u8::from(diffusion.choose(share)));
            prop_assert!((chosen - sum).abs() <= 1.0, "{chosen} of {sum}");
        }
    }
}
