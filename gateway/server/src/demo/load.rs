//! The demo's load: who calls the gateway, how often, and how politely.
//!
//! | callers | what |
//! |---|---|
//! | [`READERS`] readers | `GET /mail/list/…` and `/mail/read/…`, 30 calls a second in all, steadily |
//! | [`SENDERS`] senders | `POST /mail/receive/…`, a wave from 10 a second to ten times what the mailbox can take, and back, each 40 s |
//! | [`REINDEXERS`] indexers | `POST /mail/reindex/…`, 8 calls a second: bulk, the first to be shed |
//! | [`BROWSERS`] browsers | `GET /catalog/items/…` and `/prices/…`, 60 calls a second, items by Zipf's law |
//! | [`FUNCTION_CALLERS`] function callers | `POST /functions/…` in bursts, more at once than is reserved |
//!
//! Each caller has one connection and one call at a time, so calls in flight are bounded by the
//! number of callers. A caller who is refused obeys `Retry-After`; mail that comes in meanwhile
//! waits in its backlog, and what does not fit there is put off (and counted).

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::caller::{Caller, Outcome};
use super::catalog::ITEMS;
use super::mailbox::capacity_per_second;
use super::tally::{Kind, Tally};
use super::wave::{Wave, Zipf};
use super::{SEED, serve};

/// People who read their mail; with 30 calls a second of at most 180 ms six are busy.
const READERS: u32 = 16;
/// Calls of all readers together.
const READS_PER_SECOND: f64 = 30.0;
/// Systems that deliver mail. Five times as many as the mailbox has workers.
const SENDERS: u32 = 200;
/// Programs that index folders again.
const REINDEXERS: u32 = 4;
/// Calls of all indexers together.
const REINDEXES_PER_SECOND: f64 = 8.0;
/// Callers of the catalog.
const BROWSERS: u32 = 12;
/// Calls of all browsers together.
const BROWSES_PER_SECOND: f64 = 60.0;
/// Callers of functions: in a burst all call at once.
const FUNCTION_CALLERS: u32 = 48;
/// Calls in flight at most: one per caller.
pub(super) const CALLERS_MAX: u32 = READERS + SENDERS + REINDEXERS + BROWSERS + FUNCTION_CALLERS;
// Should the gateway give every call its own connection, one demo service can still take them all.
const _: () = assert!(CALLERS_MAX as usize <= serve::CONNECTIONS_MAX);
/// Mails that one sender keeps while it may not call. Beyond, mail is put off.
pub(super) const BACKLOG_MAX: f64 = 8.0;
/// Bytes of one mail.
const MAIL_BYTES: usize = 2 * 1024;
/// From one burst of function calls to the next.
const BURST_EVERY: Duration = Duration::from_secs(8);
/// Calls that a function caller makes in a burst, one after another.
const BURST_CALLS: u32 = 3;
/// How often a sender whose backlog is empty looks again.
const SENDER_TICK: Duration = Duration::from_millis(100);
/// From one line about what happened to the next.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// Wait after a call that got no answer or an error: the gateway is starting, or gone.
const FAILED_PAUSE: Duration = Duration::from_millis(500);

/// What all callers share.
#[derive(Debug)]
struct Load {
    gateway: SocketAddr,
    /// Once cancelled, nobody calls any more.
    quiet: CancellationToken,
    tally: Tally,
    began: Instant,
    mail: Wave,
    items: Zipf,
}

/// Runs the load until dropped; after `quiet`, calls under way end and no further ones are made.
pub(super) async fn run(gateway: SocketAddr, quiet: CancellationToken) {
    let load = Arc::new(Load {
        gateway,
        quiet,
        tally: Tally::default(),
        began: Instant::now(),
        mail: Wave {
            low_per_second: 10.0,
            // Two instances, ten times over.
            high_per_second: 10.0 * 2.0 * capacity_per_second(),
            period: Duration::from_secs(40),
        },
        items: Zipf::new(ITEMS),
    });
    let mut callers = JoinSet::new();
    for number in 0..READERS {
        callers.spawn(load.clone().read(number));
    }
    for number in 0..SENDERS {
        callers.spawn(load.clone().send(number));
    }
    for number in 0..REINDEXERS {
        callers.spawn(load.clone().reindex(number));
    }
    for number in 0..BROWSERS {
        callers.spawn(load.clone().browse(number));
    }
    for number in 0..FUNCTION_CALLERS {
        callers.spawn(load.clone().run_functions(number));
    }
    load.report().await;
}

// === impl Load ===

impl Load {
    /// Makes one call, counts it, and waits as long as its answer asks for.
    async fn call(&self, caller: &mut Caller, kind: Kind, request: Request<Full<Bytes>>) {
        if self.quiet.is_cancelled() {
            return std::future::pending().await;
        }
        let outcome = caller.call(request).await;
        self.tally.record(kind, &outcome);
        match outcome {
            Outcome::Done { .. } => {}
            Outcome::Refused { after, .. } => tokio::time::sleep(after).await,
            Outcome::Failed => tokio::time::sleep(FAILED_PAUSE).await,
        }
    }

    async fn read(self: Arc<Self>, number: u32) {
        let mut caller = Caller::new(self.gateway);
        let mut rng = rng(Kind::Reads, number);
        let mut pace = pace(READERS, number, READS_PER_SECOND);
        loop {
            pace.tick().await;
            let path = if rng.f64() < 0.3 {
                format!("/mail/list/inbox-{}", rng.u32(1..=40))
            } else {
                format!("/mail/read/{}", rng.u32(1..=100_000))
            };
            self.call(&mut caller, Kind::Reads, request(Method::GET, &path, 0)).await;
        }
    }

    async fn send(self: Arc<Self>, number: u32) {
        let mut caller = Caller::new(self.gateway);
        let path = format!("/mail/receive/account-{number}");
        // A part of a mail to begin with, each sender another: they do not call in step.
        let mut backlog = rng(Kind::Batch, number).f64();
        let mut counted_to = self.began;
        loop {
            let now = Instant::now();
            let at = now.duration_since(self.began);
            let arrived = self.mail.rate_per_second(at) / f64::from(SENDERS)
                * now.duration_since(counted_to).as_secs_f64();
            counted_to = now;
            backlog += arrived;
            if backlog > BACKLOG_MAX {
                let over = (backlog - BACKLOG_MAX).ceil();
                backlog -= over;
                self.tally.put_off(over as u64);
            }
            if backlog < 1.0 {
                tokio::time::sleep(SENDER_TICK).await;
                continue;
            }
            backlog -= 1.0;
            self.call(&mut caller, Kind::Batch, request(Method::POST, &path, MAIL_BYTES)).await;
        }
    }

    async fn reindex(self: Arc<Self>, number: u32) {
        let mut caller = Caller::new(self.gateway);
        let path = format!("/mail/reindex/inbox-{number}");
        let mut pace = pace(REINDEXERS, number, REINDEXES_PER_SECOND);
        loop {
            pace.tick().await;
            self.call(&mut caller, Kind::Batch, request(Method::POST, &path, 0)).await;
        }
    }

    async fn browse(self: Arc<Self>, number: u32) {
        let mut caller = Caller::new(self.gateway);
        let mut rng = rng(Kind::Catalog, number);
        let mut pace = pace(BROWSERS, number, BROWSES_PER_SECOND);
        loop {
            pace.tick().await;
            let what = if rng.f64() < 0.2 { "prices" } else { "items" };
            let path = format!("/catalog/{what}/{}", self.items.draw(&mut rng));
            self.call(&mut caller, Kind::Catalog, request(Method::GET, &path, 0)).await;
        }
    }

    async fn run_functions(self: Arc<Self>, number: u32) {
        let mut caller = Caller::new(self.gateway);
        // Most make thumbnails, some reports, few the newsletter (which the policies pause).
        let path = match number % 12 {
            0 => "/functions/newsletter",
            1..=4 => "/functions/reports",
            _ => "/functions/thumbnails",
        };
        let mut burst = tokio::time::interval(BURST_EVERY);
        burst.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            burst.tick().await;
            for _ in 0..BURST_CALLS {
                let request = request(Method::POST, path, MAIL_BYTES);
                self.call(&mut caller, Kind::Functions, request).await;
            }
        }
    }

    /// Prints a line every two seconds.
    async fn report(&self) {
        let mut earlier = self.tally.counts();
        let mut every = tokio::time::interval_at(self.began + LINE_EVERY, LINE_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            every.tick().await;
            let at = self.began.elapsed();
            let counts = self.tally.counts();
            let line = counts.line(&earlier, at, self.mail.rate_per_second(at));
            earlier = counts;
            // Nobody need be reading: the demo goes on without its lines.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }
}

/// Ticks for one of `callers` who together make `per_second` calls, spread evenly.
fn pace(callers: u32, number: u32, per_second: f64) -> tokio::time::Interval {
    let one = Duration::from_secs_f64(1.0 / per_second);
    let mut pace = tokio::time::interval_at(Instant::now() + one * number, one * callers);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    pace
}

/// Draws of one caller: the same in every run.
fn rng(kind: Kind, number: u32) -> fastrand::Rng {
    fastrand::Rng::with_seed(SEED ^ (u64::from(number) << 8) ^ kind as u64)
}

fn request(method: Method, path: &str, body_bytes: usize) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from(vec![b'm'; body_bytes])));
    *request.method_mut() = method;
    // Paths come from this file and are valid.
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, http::HeaderValue::from_static("sumun-demo"));
    if body_bytes > 0 {
        let content_type = http::HeaderValue::from_static("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    request
}

#[cfg(test)]
mod tests;
