use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use tokio::time::sleep;

use super::*;

/// A ticker that counts how often it is asked.
#[derive(Clone, Default)]
struct Source {
    asked: Arc<AtomicUsize>,
    drains: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Source {
    fn listen(&self, events: &Arc<Events>) -> Result<BoxStream<'static, String>, Full> {
        self.listen_with(events, Cut::default())
    }

    fn listen_with(
        &self,
        events: &Arc<Events>,
        cut: Cut,
    ) -> Result<BoxStream<'static, String>, Full> {
        let (own, over) = (self.clone(), Arc::clone(&self.over));
        let tell = move || {
            let asked = own.asked.fetch_add(1, Ordering::Relaxed) + 1;
            Told { json: asked.to_string().into(), is_last: own.drains.load(Ordering::Relaxed) }
        };
        let lives = move || !over.load(Ordering::Relaxed);
        let stream = events.listen(tell, lives, cut)?;
        Ok(stream.map(|text| String::from_utf8(text.unwrap().to_vec()).unwrap()).boxed())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn the_figures_are_computed_once_a_second_for_all_and_only_while_somebody_listens() {
    let (events, source) = (Arc::new(Events::default()), Source::default());
    sleep(Duration::from_secs(5)).await;
    assert_eq!(source.asked(), 0);
    let mut streams: Vec<_> = (0..9).map(|_| source.listen(&events).unwrap()).collect();
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap(), "retry: 2000\n\n");
        assert_eq!(stream.next().await.unwrap(), "id: 1\nevent: tick\ndata: 1\n\n");
    }
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap(), "id: 2\nevent: tick\ndata: 2\n\n");
    }
    assert_eq!(source.asked(), 2);
    // One who comes between two ticks is told the last one at once.
    let mut late = source.listen(&events).unwrap();
    late.next().await;
    let came = Instant::now();
    assert!(late.next().await.unwrap().starts_with("id: 2\n"));
    assert_eq!(came.elapsed(), Duration::ZERO);
    drop((streams, late));
    sleep(Duration::from_secs(2)).await;
    let asked = source.asked();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(source.asked(), asked);
    // And who comes then is not told what is long past.
    let mut again = source.listen(&events).unwrap();
    again.next().await;
    let figures = format!("data: {}\n\n", asked + 1);
    assert!(again.next().await.unwrap().ends_with(&figures));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_the_newest_and_is_cut_after_a_while() {
    let (events, source, cut) = (Arc::new(Events::default()), Source::default(), Cut::default());
    let mut slow = source.listen_with(&events, cut.clone()).unwrap();
    let mut quick = source.listen(&events).unwrap();
    slow.next().await;
    quick.next().await;
    for _ in 0..20 {
        quick.next().await;
    }
    assert!(slow.next().await.unwrap().starts_with("id: 20\n"));
    assert!(!cut.0.is_cancelled());
    for _ in 0..UNTAKEN_MAX_S + 2 {
        quick.next().await;
    }
    assert!(cut.0.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn places_are_bounded_and_come_back() {
    let (events, source) = (Arc::new(Events::default()), Source::default());
    let mut all: Vec<_> = (0..STREAMS_MAX).map(|_| source.listen(&events).unwrap()).collect();
    assert!(source.listen(&events).is_err());
    all.pop();
    assert!(source.listen(&events).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_drain_after_its_last_tick_and_with_its_session() {
    let (events, source) = (Arc::new(Events::default()), Source::default());
    let mut stream = source.listen(&events).unwrap();
    stream.next().await;
    stream.next().await;
    source.drains.store(true, Ordering::Relaxed);
    assert!(stream.next().await.is_some());
    assert_eq!(stream.next().await, None);

    let (events, source) = (Arc::new(Events::default()), Source::default());
    let mut stream = source.listen(&events).unwrap();
    stream.next().await;
    stream.next().await;
    source.over.store(true, Ordering::Relaxed);
    assert_eq!(stream.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn without_a_tick_a_comment_says_that_the_stream_lives() {
    let events = Arc::new(Events::default());
    // Ticks that are there for nobody: the ticker is taken for running.
    events.streams.lock().ticks = true;
    let mut stream = Source::default().listen(&events).unwrap();
    stream.next().await;
    assert_eq!(stream.next().await.unwrap(), ": here\n\n");
}
