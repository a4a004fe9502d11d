use std::task::{Context, Poll, Waker};

use super::Drain;

/// Which steps a waiter sees as taken.
fn seen(drain: &Drain) -> [bool; 3] {
    let mut cx = Context::from_waker(Waker::noop());
    let mut is_ready =
        |step: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>| step(&mut cx).is_ready();
    [
        is_ready(&mut |cx| Box::pin(drain.begun()).as_mut().poll(cx)),
        is_ready(&mut |cx| Box::pin(drain.stopped()).as_mut().poll(cx)),
        is_ready(&mut |cx| Box::pin(drain.cut()).as_mut().poll(cx)),
    ]
}

#[test]
fn each_step_is_seen_by_itself_and_for_good() {
    let drain = Drain::default();
    assert!(!drain.is_draining());
    assert_eq!(seen(&drain), [false; 3]);
    drain.announce();
    assert!(drain.is_draining());
    assert_eq!(seen(&drain), [true, false, false]);
    drain.stop_accepting();
    assert_eq!(seen(&drain), [true, true, false]);
    drain.cut_all();
    drain.announce();
    assert_eq!(seen(&drain), [true; 3]);
}

#[tokio::test]
async fn who_waits_already_is_woken() {
    let drain = std::sync::Arc::new(Drain::default());
    let waiting = tokio::spawn({
        let drain = std::sync::Arc::clone(&drain);
        async move {
            drain.begun().await;
            drain.stopped().await;
            drain.cut().await;
        }
    });
    tokio::task::yield_now().await;
    drain.announce();
    drain.stop_accepting();
    drain.cut_all();
    waiting.await.unwrap();
}
