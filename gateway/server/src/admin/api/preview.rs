//! What a draft of the policy would have done with the calls of the last minutes.
//!
//! The recording is copied and played twice in virtual time, off the data path and off the admin
//! listener's own thread: under the policies that decided live, which shows how true the replay is,
//! and under the draft. One at a time ([`PREVIEWS_MAX`]); one whose client leaves is stopped.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use axum::Json;
use axum::extract::{Request, State};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use sumun_engine::Moment;
use sumun_engine::admission::Reason;
use sumun_engine::replay::{Asked, Ended, Played, Recording, Under, Verdict, play};
use sumun_policy::Policy;
use sumun_policy::policy::Class;

use super::policies;
use crate::admin::Desk;
use crate::admin::fault::Fault;
use crate::admin::watch::{Counts, Recorded};

/// Previews at once: each takes a core and as much memory again as the recording.
pub(in crate::admin) const PREVIEWS_MAX: usize = 1;

/// Points of the series, at most: a quarter of an hour in seconds.
const POINTS_MAX: u64 = 900;

/// Callers that are counted apart; of those seen later only the sum is told.
const CALLERS_MAX: usize = 10_000;

/// Callers that are told.
const CALLERS_TOLD_MAX: usize = 10;

/// What `POST /api/v1/policies:preview` answers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Preview {
    /// When the first call was made that was played, ms since 1970; null without calls.
    from_unix_ms: Option<u64>,
    /// When the last one was made, ms since 1970; null without calls.
    to_unix_ms: Option<u64>,
    /// Calls played: all that asked for admission and are still recorded.
    calls: u64,
    /// Calls of the time that is kept which are no longer recorded, for want of memory.
    lost: u64,
    /// Calls that can't be said to be admitted or refused under the draft, by reason:
    /// `route_removed`, `match_changed` (the route of that name matches other calls),
    /// `matched_elsewhere` (another route, new or changed, may take them).
    not_replayed: Counts,
    /// What happened live.
    now: Sums,
    /// What would have happened under the draft.
    draft: Sums,
    /// The same by route and class, sorted; only those that were called.
    routes: Vec<RouteSums>,
    /// The callers of which the draft would refuse most, at most ten.
    callers: Vec<CallerSums>,
    /// Refusals over time.
    series: Series,
    /// How true the replay is.
    fidelity: Fidelity,
    /// What differs from the policy that runs, one sentence each.
    diff: Vec<String>,
    /// What should be known about these numbers, in sentences.
    notes: Vec<&'static str>,
}

/// Counts of calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Sums {
    /// Calls that ran.
    admitted: u64,
    /// Calls refused.
    refused: u64,
    /// Of these, by code: `rps_over`, `cpu_over`, `workers_over`, `quota_full`.
    refused_by: Counts,
    /// Calls that ran and shadow mode would have refused, by code.
    shadow_refused_by: Counts,
}

/// Counts of a route and class.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RouteSums {
    /// The route's name.
    route: String,
    /// The class that the calls asked for.
    class: &'static str,
    /// Its calls.
    calls: u64,
    /// Of these, not played under the draft.
    not_replayed: u64,
    /// What happened live.
    now: Sums,
    /// What would have happened under the draft.
    draft: Sums,
}

/// Counts of a caller.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CallerSums {
    /// Its name where that is known and no secret, else its hash: `#` and 16 hexadecimal digits, the
    /// same for as long as the gateway runs; null: all that are not known.
    caller: Option<String>,
    /// Its calls.
    calls: u64,
    /// Refused live.
    refused_now: u64,
    /// Refused under the draft.
    refused_draft: u64,
}

/// Counts over time; the lists have the same length.
#[derive(Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PreviewSeries"))]
struct Series {
    /// Length of a step, seconds.
    every_s: u64,
    /// Calls in each step, from `from_unix_ms` on.
    calls: Vec<u64>,
    /// Refused live.
    refused_now: Vec<u64>,
    /// Refused under the draft.
    refused_draft: Vec<u64>,
}

/// How true the replay is.
#[derive(Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Fidelity {
    /// Calls that a replay of the policies that ran decides as they were decided live.
    same: u64,
    /// Calls that it decides otherwise.
    different: u64,
    /// Whether the recording goes back to the start of the gateway: then what the engine had learned
    /// at its beginning is known; else the replay learns it from the first calls.
    whole: bool,
}

const NOTE_EMPTY: &str = "no calls are recorded yet";
const NOTE_OFF: &str = "nothing is recorded (recording.bytes is 0)";
const NOTE_CALLERS: &str = "callers are taken as they called: none comes back for being refused";
const NOTE_SERVICE: &str = "services are taken as fast as they were, whatever the draft admits";
const NOTE_HITS: &str = "calls answered from the cache, or that no route took, are not among them";

/// `POST /api/v1/policies:preview`.
pub(super) async fn preview(
    State(desk): State<Arc<Desk>>,
    request: Request,
) -> Result<Json<Preview>, Fault> {
    let drafted = policies::drafted(&desk, request).await?;
    let policy = drafted.policy.ok_or_else(|| Fault::problems(drafted.problems))?;
    let diff = policies::difference(&desk, &policy);
    let Ok(place) = Arc::clone(&desk.previews).try_acquire_owned() else {
        let detail = "another preview is being computed";
        let fault = Fault::new(StatusCode::SERVICE_UNAVAILABLE, "preview_busy", detail);
        return Err(fault.with(header::RETRY_AFTER, HeaderValue::from_static("2")));
    };
    let left = Arc::new(Left::default());
    let leaving = Leaving(Arc::clone(&left));
    let watch = Arc::clone(&desk.watch);
    let computed = tokio::task::spawn_blocking(move || {
        let _place = place;
        let Some(recorded) = watch.recorded() else { return Some(Preview::without(NOTE_OFF)) };
        let wall = |at: Moment| watch.wall(at);
        let names = |caller: u64| watch.caller_name(caller);
        Preview::of(&recorded, &policy, &names, &wall, &|| left.0.load(Ordering::Relaxed))
    });
    let computed = computed.await;
    drop(leaving);
    if let Ok(Some(preview)) = computed {
        Ok(Json(Preview { diff, ..preview }))
    } else {
        let detail = "the preview was not finished; the log says more";
        Err(Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail))
    }
}

/// Names of callers by hash.
type Names<'a> = dyn Fn(u64) -> Option<String> + 'a;

/// Whether the client has left.
#[derive(Default)]
struct Left(AtomicBool);

/// Dropped with the call: done, or its client has left.
struct Leaving(Arc<Left>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

// === impl Preview ===

impl Preview {
    /// Plays the recording; `None`: told to stop.
    fn of(
        recorded: &Recorded,
        draft: &Policy,
        names: &Names<'_>,
        wall: &dyn Fn(Moment) -> SystemTime,
        stop: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let recording = &recorded.recording;
        let Some((from, to)) = recording.span() else {
            return Some(Self { lost: recorded.lost, ..Self::without(NOTE_EMPTY) });
        };
        let mut fidelity = Fidelity { whole: recording.is_whole(), ..Fidelity::default() };
        let mut compare = |asked: &Asked, played: Played| {
            let same = (Ok(asked.verdict), asked.shadow) == (played.verdict, played.shadow);
            let count = if same { &mut fidelity.same } else { &mut fidelity.different };
            *count += 1;
        };
        if play(recording, Under::Recorded, &mut compare, stop) == Ended::Stopped {
            return None;
        }
        let mut tally = Tally::new(from, to);
        let mut count = |asked: &Asked, played: Played| tally.add(asked, played);
        if play(recording, Under::Draft(draft), &mut count, stop) == Ended::Stopped {
            return None;
        }
        let unix_ms = |at| wall(at).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unix_ms = |at| unix_ms(at).as_millis() as u64;
        let preview = Self {
            from_unix_ms: Some(unix_ms(from)),
            to_unix_ms: Some(unix_ms(to)),
            lost: recorded.lost,
            fidelity,
            notes: vec![NOTE_CALLERS, NOTE_SERVICE, NOTE_HITS],
            ..Self::without("")
        };
        Some(tally.tell(recording, names, preview))
    }

    fn without(note: &'static str) -> Self {
        Self {
            from_unix_ms: None,
            to_unix_ms: None,
            calls: 0,
            lost: 0,
            not_replayed: Counts::new(),
            now: Sums::default(),
            draft: Sums::default(),
            routes: Vec::new(),
            callers: Vec::new(),
            series: Series::default(),
            fidelity: Fidelity::default(),
            diff: Vec::new(),
            notes: vec![note],
        }
    }
}

/// What is counted while the draft is played.
struct Tally {
    from: Moment,
    routes: BTreeMap<(u16, Class), (Asked, u64, Sums, Sums)>,
    callers: HashMap<Option<u64>, [u64; 3]>,
    not_replayed: Counts,
    series: Series,
}

impl Tally {
    fn new(from: Moment, to: Moment) -> Self {
        let span_s = to.since(from).as_secs() + 1;
        let every_s = span_s.div_ceil(POINTS_MAX);
        let zeros = || vec![0; span_s.div_ceil(every_s) as usize];
        let series =
            Series { every_s, calls: zeros(), refused_now: zeros(), refused_draft: zeros() };
        Self {
            from,
            routes: BTreeMap::new(),
            callers: HashMap::new(),
            not_replayed: Counts::new(),
            series,
        }
    }

    fn add(&mut self, asked: &Asked, played: Played) {
        let now = u64::from(asked.verdict != Verdict::Admitted);
        let draft = u64::from(played.verdict.is_ok_and(|verdict| verdict != Verdict::Admitted));
        let key = (asked.route, asked.class);
        let (_, skipped, now_sums, draft_sums) =
            self.routes.entry(key).or_insert((*asked, 0, Sums::default(), Sums::default()));
        now_sums.add(asked.verdict, asked.shadow);
        match played.verdict {
            Ok(verdict) => draft_sums.add(verdict, played.shadow),
            Err(why) => {
                *skipped += 1;
                *self.not_replayed.entry(why.as_str()).or_default() += 1;
            }
        }
        let known = self.callers.len() < CALLERS_MAX || self.callers.contains_key(&asked.caller);
        let caller = if known { asked.caller } else { None };
        let of = self.callers.entry(caller).or_default();
        for (sum, n) in std::iter::zip(of, [1, now, draft]) {
            *sum += n;
        }
        let step = asked.at.since(self.from).as_secs() / self.series.every_s;
        let step = (step as usize).min(self.series.calls.len() - 1);
        self.series.calls[step] += 1;
        self.series.refused_now[step] += now;
        self.series.refused_draft[step] += draft;
    }

    fn tell(self, recording: &Recording, names: &Names<'_>, mut preview: Preview) -> Preview {
        for ((_, class), (asked, not_replayed, now, draft)) in self.routes {
            preview.now.merge(&now);
            preview.draft.merge(&draft);
            preview.routes.push(RouteSums {
                route: recording.route(&asked).map(ToString::to_string).unwrap_or_default(),
                class: class.as_str(),
                calls: now.admitted + now.refused,
                not_replayed,
                now,
                draft,
            });
        }
        preview.routes.sort_by(|a, b| (&a.route, a.class).cmp(&(&b.route, b.class)));
        preview.calls = preview.now.admitted + preview.now.refused;
        let mut callers: Vec<_> = self.callers.into_iter().collect();
        callers.sort_by_key(|(caller, [calls, now, draft])| {
            std::cmp::Reverse((*draft, *now, *calls, *caller))
        });
        let told = callers.into_iter().take(CALLERS_TOLD_MAX);
        preview.callers = told
            .map(|(caller, [calls, refused_now, refused_draft])| CallerSums {
                caller: caller.map(|hash| names(hash).unwrap_or_else(|| format!("#{hash:016x}"))),
                calls,
                refused_now,
                refused_draft,
            })
            .collect();
        preview.series = self.series;
        preview.not_replayed = self.not_replayed;
        preview
    }
}

// === impl Sums ===

impl Sums {
    fn add(&mut self, verdict: Verdict, shadow: Option<Reason>) {
        match verdict.code() {
            None => self.admitted += 1,
            Some(code) => {
                self.refused += 1;
                *self.refused_by.entry(code).or_default() += 1;
            }
        }
        if let Some(reason) = shadow {
            *self.shadow_refused_by.entry(reason.code()).or_default() += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.admitted += other.admitted;
        self.refused += other.refused;
        let lists = [
            (&mut self.refused_by, &other.refused_by),
            (&mut self.shadow_refused_by, &other.shadow_refused_by),
        ];
        for (own, theirs) in lists {
            for (code, count) in theirs {
                *own.entry(code).or_default() += count;
            }
        }
    }
}
