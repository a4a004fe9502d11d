//! A fixed number of clients that each want one call through.
//!
//! With `obey`, a refused client waits as long as the answer says and tries again, until it is
//! served or `give_up_s` is over; without, it tries once. All begin at once, on connections that are
//! open before.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::timer::Timer;
use crate::wire::{self, Connection};

/// Connections made at a time, so that the listener's backlog holds them.
const CONNECT_AT_ONCE: usize = 64;

/// What the clients do.
#[derive(Deserialize)]
struct Settings {
    port: u16,
    path: String,
    clients: usize,
    obey: Obey,
    give_up_s: f64,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Obey {
    /// Tries once.
    No,
    /// `Retry-After`, whole seconds.
    Header,
    /// `retry_after_ms` of the problem document.
    Body,
}

/// What came of all clients.
#[derive(Default)]
struct Sum {
    served: Cell<u64>,
    refused: Cell<u64>,
    failed: Cell<u64>,
    last_served_s: Cell<f64>,
    waits_s: RefCell<Vec<f64>>,
}

/// Runs the clients; gives what came of them as JSON.
pub async fn run(settings: &str) -> Value {
    let settings: Settings = serde_json::from_str(settings).expect("settings of clients");
    let settings = Rc::new(settings);
    let mut connections = Vec::new();
    while connections.len() < settings.clients {
        let count = CONNECT_AT_ONCE.min(settings.clients - connections.len());
        let opening: tokio::task::JoinSet<_> =
            (0..count).map(|_| Connection::open(settings.port)).collect();
        let opened: Result<Vec<_>, _> = opening.join_all().await.into_iter().collect();
        connections.extend(opened.expect("the gateway listens"));
    }
    let sum = Rc::new(Sum::default());
    let begun = Instant::now();
    let clients: Vec<_> = connections
        .into_iter()
        .map(|connection| {
            let client = client(Rc::clone(&settings), connection, begun, Rc::clone(&sum));
            tokio::task::spawn_local(client)
        })
        .collect();
    for client in clients {
        client.await.expect("a client does not panic");
    }
    json!({
        "took_s": begun.elapsed().as_secs_f64(),
        "served": sum.served.get(),
        "refused": sum.refused.get(),
        "failed": sum.failed.get(),
        "last_served_s": sum.last_served_s.get(),
        "wait_max_s": sum.waits_s.borrow().iter().copied().fold(0.0, f64::max),
    })
}

async fn client(settings: Rc<Settings>, mut connection: Connection, begun: Instant, sum: Rc<Sum>) {
    let request = wire::get(&settings.path);
    let add = |count: &Cell<u64>| count.set(count.get() + 1);
    let timer = Timer::new();
    loop {
        let Ok(answer) = connection.call(&request).await else { return add(&sum.failed) };
        match answer.status {
            200..=299 => {
                add(&sum.served);
                return sum.last_served_s.set(begun.elapsed().as_secs_f64());
            }
            429 => add(&sum.refused),
            _ => return add(&sum.failed),
        }
        let wait_s = match settings.obey {
            Obey::No => return,
            Obey::Header => answer.retry_after_s.map(f64::from),
            Obey::Body => retry_after_ms(connection.body()).map(|ms| ms / 1000.0),
        };
        let Some(wait_s) = wait_s else { return add(&sum.failed) };
        sum.waits_s.borrow_mut().push(wait_s);
        let at = Instant::now() + Duration::from_secs_f64(wait_s);
        if at.duration_since(begun).as_secs_f64() > settings.give_up_s {
            return add(&sum.failed);
        }
        timer.until(at).await;
    }
}

fn retry_after_ms(body: &[u8]) -> Option<f64> {
    serde_json::from_slice::<Value>(body).ok()?["retry_after_ms"].as_f64()
}
