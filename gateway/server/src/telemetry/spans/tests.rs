use super::super::fixture::{MS, call, refused, route};
use super::super::meters::RouteMeters;
use super::*;
use sumun_policy::policy::Mode;

fn ends() -> (SpanRing, SpanDrain) {
    ring(0, Arc::new(Notify::new()), Intake::exported())
}

fn sampled() -> CallRecord {
    let mut record = call(None);
    record.trace.sampled = true;
    record
}

#[test]
fn sampled_calls_are_kept_and_quiet_ones_are_not() {
    let (ring, drain) = ends();
    ring.offer(&call(None));
    ring.offer(&sampled());
    let kept: Vec<_> = drain.drain(10).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].path.as_str(), "/mail/list/7", "the query stays out of it");
    assert_eq!(drain.state().dropped.get(), 0);
}

#[test]
fn refused_failed_cut_and_slow_calls_are_kept_unsampled() {
    let (ring, drain) = ends();
    let failed = CallRecord { status: 500, ..call(None) };
    let cut = CallRecord { complete: false, ..call(None) };
    let slow = CallRecord { ended_ns: 2001 * MS, ..call(None) };
    for (index, record) in
        [refused(None, Code::QuotaFull), failed, cut, slow].into_iter().enumerate()
    {
        ring.offer(&record);
        assert_eq!(drain.drain(10).count(), 1, "case {index}");
    }
    ring.offer(&CallRecord { ended_ns: 2000 * MS, ..call(None) });
    assert_eq!(drain.drain(10).count(), 0, "exactly one second is not slow");
}

#[test]
fn notable_calls_are_bounded_by_core_and_route_and_the_rest_is_counted() {
    let (ring, drain) = ends();
    let routes: Vec<_> = (0..8)
        .map(|i| Arc::new(RouteMeters::new(Some(&route(&format!("r{i}"), Mode::Enforce)), 1)))
        .collect();
    for _ in 0..1000 {
        ring.offer(&refused(Some(&routes[0]), Code::RpsOver));
    }
    assert_eq!(drain.drain(2000).count() as u64, NOTABLE_PER_ROUTE);
    assert_eq!(drain.state().dropped.get(), 1000 - NOTABLE_PER_ROUTE);
    for route in &routes[1..] {
        for _ in 0..1000 {
            ring.offer(&refused(Some(route), Code::RpsOver));
        }
    }
    assert_eq!(drain.drain(2000).count() as u64, NOTABLE_PER_CORE - NOTABLE_PER_ROUTE);
    assert_eq!(drain.state().dropped.get(), 8000 - NOTABLE_PER_CORE);

    let mut next_second = refused(Some(&routes[0]), Code::RpsOver);
    next_second.ended_ns += 1000 * MS;
    ring.offer(&next_second);
    assert_eq!(drain.drain(10).count(), 1);
}

#[test]
fn calls_without_a_route_leave_room_for_the_others() {
    let (ring, drain) = ends();
    for _ in 0..1000 {
        ring.offer(&refused(None, Code::RouteUnknown));
    }
    assert_eq!(drain.drain(2000).count() as u64, NOTABLE_PER_ROUTE);
    let mail = Arc::new(RouteMeters::new(Some(&route("mail", Mode::Enforce)), 1));
    ring.offer(&refused(Some(&mail), Code::RpsOver));
    assert_eq!(drain.drain(10).count(), 1);
}

#[test]
fn where_nothing_is_exported_some_of_the_sampled_calls_are_kept_each_second() {
    let all = Sampler::new(Some("always_on"), None).unwrap();
    for (sampler, record) in [(all, call(None)), (Sampler::pass_on(), sampled())] {
        let (ring, drain) = ring(0, Arc::new(Notify::new()), Intake::local(sampler));
        for _ in 0..1000 {
            ring.offer(&record);
        }
        assert_eq!(drain.drain(2000).count() as u64, SAMPLED_PER_CORE);
        assert_eq!(drain.state().dropped.get(), 0, "they were not to be kept");
        ring.offer(&CallRecord { ended_ns: record.ended_ns + 1000 * MS, ..record.clone() });
        assert_eq!(drain.drain(10).count(), 1);
    }
    let (ring, drain) = ring(0, Arc::new(Notify::new()), Intake::local(Sampler::pass_on()));
    ring.offer(&call(None));
    assert_eq!(drain.drain(10).count(), 0, "nobody sampled it");
}

#[test]
fn a_full_ring_drops_and_counts_spans() {
    let (ring, drain) = ends();
    for _ in 0..EXPORTED_RECORDS + 10 {
        ring.offer(&sampled());
    }
    assert_eq!(drain.state().dropped.get(), 20, "each has a CLIENT span too");
    assert_eq!(drain.drain(usize::MAX).count(), EXPORTED_RECORDS);
    ring.offer(&sampled());
    assert_eq!(drain.drain(10).count(), 1, "there is room again");
}

#[tokio::test]
async fn the_task_is_woken_when_a_ring_is_half_full() {
    let wake = Arc::new(Notify::new());
    let (ring, _drain) = ring(0, Arc::clone(&wake), Intake::exported());
    for _ in 0..EXPORTED_RECORDS / 2 {
        ring.offer(&sampled());
    }
    let woken = tokio::time::timeout(std::time::Duration::from_secs(5), wake.notified());
    woken.await.expect("woken");
}

#[test]
fn a_long_path_is_cut_between_characters() {
    let path = format!("/{}é", "a".repeat(PATH_BYTES - 2));
    assert_eq!(Path::new(&path).as_str(), &path[..PATH_BYTES - 1]);
    for bytes in [0, 1, PATH_BYTES_WITHIN, PATH_BYTES_WITHIN + 1, PATH_BYTES - 1] {
        assert_eq!(Path::new(&path[..bytes]).as_str(), &path[..bytes]);
    }
}

#[test]
fn a_record_is_small_enough_for_its_ring() {
    assert!(size_of::<SpanRecord>() <= 336, "{} bytes", size_of::<SpanRecord>());
}
