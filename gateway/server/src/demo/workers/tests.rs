use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{QueueFull, Workers};

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn never_more_than_max_run_and_the_rest_is_refused() {
    block_on(async {
        let workers = Arc::new(Workers::new(20, 100));
        let running = Arc::new(AtomicU32::new(0));
        let peak = Arc::new(AtomicU32::new(0));
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (workers, running, peak) = (workers.clone(), running.clone(), peak.clone());
            requests.spawn(async move {
                let worker = workers.take().await?;
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                peak.fetch_max(now, Ordering::SeqCst);
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                    assert!(workers.busy() <= workers.max());
                }
                running.fetch_sub(1, Ordering::SeqCst);
                drop(worker);
                Ok(())
            });
        }
        let outcomes = requests.join_all().await;
        let refused = outcomes.iter().filter(|outcome| **outcome == Err(QueueFull)).count();
        assert_eq!(peak.load(Ordering::SeqCst), 20);
        // All 200 ask before the first one ends: 20 run, 100 wait.
        assert_eq!(refused, 80);
        assert_eq!(workers.busy(), 0);
    });
}

#[test]
fn a_waiting_request_that_goes_away_leaves_its_place() {
    block_on(async {
        let workers = Workers::new(1, 1);
        let running = workers.take().await.unwrap();
        {
            let waiting = workers.take();
            tokio::pin!(waiting);
            assert!(poll_once(waiting.as_mut()).await.is_none());
            assert_eq!(workers.take().await.unwrap_err(), QueueFull);
        }
        let waiting = workers.take();
        tokio::pin!(waiting);
        assert!(poll_once(waiting.as_mut()).await.is_none());
        drop(running);
        assert!(waiting.await.is_ok());
        assert_eq!(workers.busy(), 0);
    });
}

/// One poll: `Some` where the future is ready.
async fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
