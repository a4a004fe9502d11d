//! What the overload experiments run beside the gateway: a service with a fixed number of workers,
//! callers that do not wait for answers before they call again, and the baselines.
//!
//! `overload ROLE JSON`; each role says what its JSON is. Every role is one thread, listens on
//! 127.0.0.1 only and ends with its parent's signal. `overload/run` starts them; see the README.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a tool of the bench: what fails is to be seen"
)]

mod clients;
mod decide;
mod gates;
mod load;
mod proxy;
mod tally;
mod timer;
mod upstream;
mod wire;

use std::process::ExitCode;

use tokio::task::LocalSet;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [role, settings] = words.as_slice() else {
        eprintln!("usage: overload upstream|proxy|load|clients|decide JSON");
        return ExitCode::FAILURE;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = LocalSet::new();
    match role.as_str() {
        "upstream" => local.block_on(&runtime, upstream::run(settings)),
        "proxy" => local.block_on(&runtime, proxy::run(settings)),
        "load" => println!("{}", local.block_on(&runtime, load::run(settings))),
        "clients" => println!("{}", local.block_on(&runtime, clients::run(settings))),
        "decide" => println!("{}", decide::run(settings)),
        _ => {
            eprintln!("no such role: {role}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
