//! On a paused clock: time moves only when everything waits for it.

use tokio::sync::Mutex;

use super::*;
use crate::reload::Apply;

/// A watch over the built-in policy, whose notices the test makes.
struct Fixture {
    loads: mpsc::Receiver<Instant>,
    notices: mpsc::Sender<()>,
    hangups: mpsc::Sender<()>,
    shared: Arc<Shared>,
}

impl Fixture {
    async fn new() -> Self {
        let (loaded, mut loads) = mpsc::channel(16);
        let apply: Apply = Arc::new(move |_| {
            loaded.try_send(Instant::now()).unwrap();
            1
        });
        let shared = Arc::new(Shared {
            past: None,
            source: Source::To("http://127.0.0.1:9101".to_owned()),
            apply,
            gate: Mutex::default(),
            status: parking_lot::RwLock::default(),
        });
        shared.load(Cause::Asked).await.unwrap();
        loads.recv().await.unwrap();
        let (notices, noticed) = mpsc::channel(1);
        let (hangups, hung_up) = mpsc::channel(1);
        let held = (None, notices.clone());
        tokio::spawn(run(Arc::downgrade(&shared), noticed, hung_up, held));
        Self { loads, notices, hangups, shared }
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_does_not_wait_until_the_folder_is_quiet() {
    let mut fixture = Fixture::new().await;
    let began = Instant::now();
    fixture.notices.send(()).await.unwrap();
    // The watch takes the notice and waits for quiet.
    while fixture.notices.capacity() == 0 {
        tokio::task::yield_now().await;
    }
    fixture.hangups.send(()).await.unwrap();
    let loaded = fixture.loads.recv().await.unwrap();
    assert!(loaded - began < DEBOUNCE, "{:?}", loaded - began);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_never_quiet_is_still_read() {
    let mut fixture = Fixture::new().await;
    // As if the folder had changed since.
    fixture.shared.gate.lock().await.seen = Some(0);
    let began = Instant::now();
    let notices = fixture.notices.clone();
    tokio::spawn(async move {
        while notices.send(()).await.is_ok() {
            tokio::time::sleep(DEBOUNCE / 2).await;
        }
    });
    let waited = fixture.loads.recv().await.unwrap() - began;
    assert!(waited >= DEBOUNCE && waited <= DEBOUNCE_MAX + DEBOUNCE, "{waited:?}");
}
