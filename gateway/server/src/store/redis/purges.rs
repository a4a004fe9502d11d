//! The purges that Redis keeps: one sorted set, a slot's number as its score.
//!
//! `{PREFIX}1:{purges}` holds up to two times [`EPOCH_SLOTS`](super::super::memory::EPOCH_SLOTS) +
//! 4 members: a number for each slot that was ever purged, hard or softly, `seq` with the newest
//! number, and `id` with a random one that tells this set from any other that may take its place.
//! So "what has been purged since n" is one command, its answer is bounded, and the set is lost
//! whole or not at all. A message on the channel of the same name only says that there is something
//! to ask for.

use std::time::Duration;

use ::redis::{Cmd, cmd};

use super::Tier;
use super::codec::VERSION;
use super::epochs::{Mark, News};
use super::link::{Link, LinkError};

/// Longest time of one small command. Off the path, and nearly always answered within a millisecond:
/// who takes longer is hung or overloaded, and is left alone.
pub(crate) const CONTROL_TIME_MAX: Duration = Duration::from_millis(500);

/// Slots told in one command: it holds Redis up for less than a millisecond.
pub(crate) const TOLD_AT_ONCE: usize = 512;

/// Ids are exact as scores, and greater than any number of a purge.
const ID_LEAST: u64 = 1 << 52;
const ID_BOUND: u64 = 1 << 53;

/// Gives the next number to the slots, and the set an id where it has none; id, number, and the latest
/// number that one of the slots had before.
///
/// The removal of what is not there comes first because it is a write that takes no room: once a
/// script has written, Redis lets it finish, full or not, and a purge must get through.
const TELL: &str = "\
redis.call('ZREM', KEYS[1], '-')
local id = redis.call('ZSCORE', KEYS[1], 'id')
if not id then
  id = ARGV[1]
  redis.call('ZADD', KEYS[1], id, 'id')
end
local seq = redis.call('ZINCRBY', KEYS[1], 1, 'seq')
local earlier = 0
for i = 3, #ARGV do
  earlier = math.max(earlier, tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or 0))
  redis.call('ZADD', KEYS[1], seq, ARGV[i])
end
redis.call('PUBLISH', ARGV[2], seq)
return {id, seq, string.format('%.0f', earlier)}";

/// Removes the set if it still has this id.
const FORGET: &str = "\
local id = redis.call('ZSCORE', KEYS[1], 'id')
if id and tonumber(id) == tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) end
return 1";

impl Tier {
    /// Key and channel. In braces, so that a cluster keeps what belongs to it on one node.
    pub(crate) fn purges_name(&self) -> String {
        format!("{}{VERSION}:{{purges}}", self.settings.prefix)
    }

    /// Tells Redis of purges of these slots (of none: only that it shall have a set). The number they
    /// got, and the latest that one of them had before.
    pub(crate) async fn tell(&self, link: &Link, slots: &[u32]) -> Result<(Mark, u64), LinkError> {
        let name = self.purges_name();
        let mut command = script(TELL, &name);
        command.arg(fastrand::u64(ID_LEAST..ID_BOUND)).arg(&name).arg(slots);
        let told: (f64, f64, f64) = link.control.ask(&command, CONTROL_TIME_MAX).await?;
        let mark = Mark { id: told.0 as u64, seq: told.1 as u64 };
        Ok((mark, told.2 as u64))
    }

    /// What has been purged since this gateway last asked.
    pub(crate) async fn ask(&self, link: &Link) -> Result<News, LinkError> {
        let known = self.epochs.mark();
        let news = self.ask_since(link, known.seq).await?;
        let same = known.id != 0 && news.mark.id == known.id;
        if same && news.mark.seq >= known.seq {
            return Ok(news);
        }
        if same {
            // The same set with a lower number: a replica that had not heard the last purges.
            let mut command = script(FORGET, &self.purges_name());
            command.arg(known.id);
            link.control.ask::<()>(&command, CONTROL_TIME_MAX).await?;
        }
        // Another set, or none: all of what there is now.
        let news = self.ask_since(link, 0).await?;
        if news.mark.id != 0 {
            return Ok(news);
        }
        self.tell(link, &[]).await?;
        self.ask_since(link, 0).await
    }

    async fn ask_since(&self, link: &Link, seq: u64) -> Result<News, LinkError> {
        let mut command = cmd("ZRANGEBYSCORE");
        // From the number known on, itself included: `seq` is missing only where it went back.
        command.arg(self.purges_name()).arg(seq).arg("+inf").arg("WITHSCORES");
        let members: Vec<(String, f64)> = link.control.ask(&command, CONTROL_TIME_MAX).await?;
        let mut news = News::default();
        for (member, score) in members {
            match member.as_str() {
                "id" => news.mark.id = score as u64,
                "seq" => news.mark.seq = score as u64,
                slot => news.slots.extend(slot.parse().ok().map(|slot: u32| (slot, score as u64))),
            }
        }
        Ok(news)
    }
}

/// A script of one key. Sent whole: it is short, and a server that was restarted does not know it.
fn script(text: &str, key: &str) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(text).arg(1).arg(key);
    command
}
