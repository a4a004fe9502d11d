//! Keeps the link: tries for one, holds the first tier against the purges of others, tells our own, and
//! gives the link up where Redis does not answer.
//!
//! A link is used only once purges are known and our own are told, so that nothing purged while there
//! was none is served after. Each new try is the probe: it touches no call.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::epochs::{Outdated, softened};
use super::link::{Link, LinkError};
use super::meters::{Op, OpResult};
use super::purges::TOLD_AT_ONCE;
use super::{EVERYTHING, Tier};

/// How often Redis is asked for others' purges even if no message came: the bound on how long a lost
/// message delays one. Less than the second that is promised, so that the asking itself has time.
const ASK_EVERY: Duration = Duration::from_millis(800);

/// Least time between two askings, however many messages come.
const ASK_PAUSE: Duration = Duration::from_millis(5);

/// Time between two tries for a link, a little less or more, so that gateways do not all come at once.
const TRY_EVERY: Duration = Duration::from_millis(700);
const TRY_SPREAD_MS: u64 = 300;

/// Tries for a link and keeps it, again and again.
pub(crate) async fn keep(tier: Arc<Tier>) {
    loop {
        let error = match tier.once().await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tier.down(&error);
        sleep(TRY_EVERY + Duration::from_millis(fastrand::u64(..TRY_SPREAD_MS))).await;
    }
}

impl Tier {
    /// One link, from its making to its end.
    async fn once(&self) -> Result<Infallible, LinkError> {
        let link = Arc::new(Link::open(&self.settings).await?);
        // A message that came before the first asking is covered by it.
        let heard = Arc::new(Notify::new());
        let listening = listen(&link, self.purges_name(), &heard);
        let keeping = async {
            self.sync(&link).await?;
            self.tell_all(&link).await?;
            self.up(Arc::clone(&link));
            self.hold(&link, &heard).await
        };
        let mut listening = pin!(listening);
        let mut keeping = pin!(keeping);
        let ended = tokio::select! {
            ended = &mut keeping => ended,
            never = &mut listening => match never {},
        };
        // So that an operation that still waits on it says nothing of the next one.
        link.give_up();
        ended
    }

    /// Asks and tells until the link fails.
    async fn hold(&self, link: &Arc<Link>, heard: &Notify) -> Result<Infallible, LinkError> {
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.sync(link).await?,
                () = heard.notified() => {
                    let asked = Instant::now();
                    self.sync(link).await?;
                    sleep_until(asked + ASK_PAUSE).await;
                }
                () = self.to_tell.notified() => self.tell_all(link).await?,
                () = link.until_given_up() => return Err(self.why_given_up()),
            }
        }
    }

    /// Why calls gave the link up; they have said it.
    fn why_given_up(&self) -> LinkError {
        let reason = self.health.lock().reason.clone();
        let reason = reason.map_or_else(|| "given up".to_owned(), String::from);
        LinkError::GivenUp(reason)
    }

    /// Holds the first tier against what Redis says.
    async fn sync(&self, link: &Link) -> Result<(), LinkError> {
        let begun_ns = self.now_ns();
        let asked = self.ask(link).await;
        let result = asked.as_ref().map_or_else(LinkError::result, |_| OpResult::Ok);
        self.meters.took(Op::Sync, result, self.now_ns().saturating_sub(begun_ns));
        let before = self.epochs.mark();
        // By the time of asking: what came after it may be missing.
        self.epochs.take(&asked?, begun_ns, |outdated| self.outdate(outdated));
        if before.id != self.epochs.mark().id {
            // Another set: what was purged here lately is purged in it too.
            self.to_tell.notify_one();
        }
        Ok(())
    }

    /// Tells Redis of all purges that wait.
    async fn tell_all(&self, link: &Link) -> Result<(), LinkError> {
        loop {
            let slots = self.epochs.send(TOLD_AT_ONCE);
            if slots.is_empty() {
                return Ok(());
            }
            let begun_ns = self.now_ns();
            let told = self.tell(link, &slots).await;
            let result = told.as_ref().map_or_else(LinkError::result, |_| OpResult::Ok);
            self.meters.took(Op::Purge, result, self.now_ns().saturating_sub(begun_ns));
            let (mark, earlier) = match told {
                Ok(told) => told,
                Err(error) => {
                    self.epochs.failed();
                    return Err(error);
                }
            };
            let known = self.epochs.sent(mark, earlier, self.now_ns(), |o| self.outdate(o));
            if !known {
                self.sync(link).await?;
            }
        }
    }

    fn outdate(&self, outdated: &Outdated) {
        match outdated {
            Outdated::All => self.memory.purge_all(),
            Outdated::Slots(slots) => {
                for &slot in slots.iter().filter(|&&slot| slot != EVERYTHING) {
                    match softened(slot) {
                        None => self.memory.outdate(slot),
                        Some(slot) => self.memory.soften(slot, self.now_ns()),
                    }
                }
            }
        }
    }
}

/// Notes each message; subscribes again where the subscription ends. The regular asking covers what is
/// missed meanwhile.
async fn listen(link: &Link, channel: String, heard: &Notify) -> Infallible {
    loop {
        match link.subscribe(&channel).await {
            Ok(subscribed) => {
                let mut messages = pin!(subscribed.into_on_message());
                heard.notify_one();
                while messages.next().await.is_some() {
                    heard.notify_one();
                }
                tracing::debug!("subscription to purges ended");
            }
            Err(error) => tracing::debug!(%error, "no subscription to purges"),
        }
        sleep(TRY_EVERY).await;
    }
}
