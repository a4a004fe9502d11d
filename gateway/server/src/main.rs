//! The command `sumun`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use sumun::cli::{self, Cli, Command, SettingsArgs};
use sumun::demo::{Demo, DemoAddresses};
use sumun::gateway::Gateway;
use sumun::settings;
use sumun::telemetry::log;
use tokio::sync::Notify;

/// Measured against the system's allocator: fewer cycles per call, and memory that is given back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => serve(&args, false),
        Command::Demo(args) => serve(&args, true),
        Command::Check(args) => cli::check(&args),
        Command::Explain(args) => cli::explain(&args),
        Command::Schema => cli::schema(),
        Command::Config(args) => cli::config(&args),
    }
}

fn serve(args: &SettingsArgs, demo: bool) -> ExitCode {
    let effective = match settings::load(&args.written()) {
        Ok(effective) => effective,
        Err(problems) => {
            cli::complain(&problems);
            return ExitCode::FAILURE;
        }
    };
    let served = log::start()
        .map_err(anyhow::Error::from)
        .and_then(|()| Gateway::build(effective.settings))
        .and_then(|gateway| if demo { run_demo(gateway) } else { run(gateway) });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(gateway: Gateway) -> anyhow::Result<()> {
    gateway.run(&Arc::new(Notify::new()), |_| Ok(()))
}

/// The gateway with its demo: one ends with the other.
fn run_demo(gateway: Gateway) -> anyhow::Result<()> {
    let mut demo = None;
    let served = gateway.run(&Arc::new(Notify::new()), |gateway| {
        let listen = gateway.addresses().listen;
        demo = Some(Demo::start(DemoAddresses::default(), listen)?);
        Ok(())
    });
    drop(demo);
    served
}
