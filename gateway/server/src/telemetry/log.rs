//! Diagnostics of the gateway itself: `tracing` to standard error.
//!
//! `SUMUN_LOG` filters as `RUST_LOG` does elsewhere (`debug`, `sumun::sense=trace,info`); default
//! `info`. Standard output stays free for the access log.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `SUMUN_LOG` is no filter.
    #[error("SUMUN_LOG is not a log filter")]
    Filter(#[source] ParseError),
    /// Another subscriber is installed.
    #[error("diagnostics are already being logged")]
    Started,
}

/// Starts the log for the whole process; once.
pub fn start() -> Result<(), LogError> {
    let filter = match std::env::var("SUMUN_LOG") {
        Ok(text) if !text.trim().is_empty() => filter(&text)?,
        _ => EnvFilter::new("info"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init()
        .map_err(|_| LogError::Started)
}

fn filter(text: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(text).map_err(LogError::Filter)
}
