//! A scripted upstream that also serves a Tomcat-like Prometheus text with figures set by the test.

use std::sync::{Arc, Mutex, PoisonError};

use crate::script::Reply;
use crate::upstream::{Recorded, Upstream};

/// What the next scrape says.
#[derive(Clone, Debug)]
pub enum Scrape {
    /// These figures.
    Figures {
        /// Busy workers.
        busy: f64,
        /// Most workers.
        max: f64,
        /// CPU share.
        cpu: f64,
    },
    /// This answer, whatever it is.
    Other(Reply),
}

/// An upstream with an Actuator endpoint at `/actuator/prometheus`.
pub struct Actuator {
    upstream: Upstream,
    scrape: Arc<Mutex<Scrape>>,
}

// === impl Actuator ===

impl Actuator {
    /// Answers calls by `script` and scrapes with 0 of 200 workers busy.
    pub async fn start(script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        let idle = Scrape::Figures { busy: 0.0, max: 200.0, cpu: 0.1 };
        let scrape = Arc::new(Mutex::new(idle));
        let shared = Arc::clone(&scrape);
        let upstream = Upstream::start(move |request| {
            if request.target() != "/actuator/prometheus" {
                return script(request);
            }
            match &*shared.lock().unwrap_or_else(PoisonError::into_inner) {
                Scrape::Figures { busy, max, cpu } => exposition(*busy, *max, *cpu),
                Scrape::Other(reply) => reply.clone(),
            }
        });
        Self { upstream: upstream.await, scrape }
    }

    /// Sets the figures of the next scrapes.
    pub fn set(&self, busy: f64, max: f64, cpu: f64) {
        self.answer(Scrape::Figures { busy, max, cpu });
    }

    /// Answers scrapes with this instead.
    pub fn reply(&self, reply: Reply) {
        self.answer(Scrape::Other(reply));
    }

    /// The upstream, scrapes included.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Requests that were no scrapes.
    pub fn calls(&self) -> Vec<Recorded> {
        let mut requests = self.upstream.requests();
        requests.retain(|request| request.target() != "/actuator/prometheus");
        requests
    }

    fn answer(&self, scrape: Scrape) {
        *self.scrape.lock().unwrap_or_else(PoisonError::into_inner) = scrape;
    }
}

fn exposition(busy: f64, max: f64, cpu: f64) -> Reply {
    let text = format!(
        "# HELP tomcat_threads_busy_threads  \n\
         # TYPE tomcat_threads_busy_threads gauge\n\
         tomcat_threads_busy_threads{{name=\"http-nio-8080\",}} {busy:?}\n\
         # HELP tomcat_threads_config_max_threads  \n\
         # TYPE tomcat_threads_config_max_threads gauge\n\
         tomcat_threads_config_max_threads{{name=\"http-nio-8080\",}} {max:?}\n\
         # HELP system_cpu_usage The \"recent cpu usage\" of the system\n\
         # TYPE system_cpu_usage gauge\n\
         system_cpu_usage {cpu:?}\n"
    );
    Reply::with(200, &[("content-type", "text/plain;version=0.0.4;charset=utf-8")], text)
}
