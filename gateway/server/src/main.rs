//! The command `sumun`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use sumun::cli::{self, Cli, Command, SettingsArgs};
use sumun::demo::{Demo, DemoAddresses};
use sumun::gateway::Gateway;
use sumun::settings::{self, AccessLogFormat};
use sumun::telemetry::log;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Measured against the system's allocator: fewer cycles per call, and memory that is given back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => serve(&args, false),
        Command::Demo(args) => serve(&args, true),
        Command::DemoService => demo_service(),
        Command::Health(args) => cli::health(&args),
        Command::Check(args) => cli::check(&args),
        Command::Explain(args) => cli::explain(&args),
        Command::Schema => cli::schema(),
        Command::HashPassword => cli::hash_password(),
        Command::Config(args) => cli::config(&args),
    }
}

fn serve(args: &SettingsArgs, demo: bool) -> ExitCode {
    let mut settings = match settings::load(&args.written()) {
        Ok(effective) => effective.settings,
        Err(problems) => {
            cli::complain(&problems);
            return ExitCode::FAILURE;
        }
    };
    if demo && settings.access_log.to.is_none() {
        // The terminal is for the demo's summary.
        settings.access_log.format = AccessLogFormat::Off;
    }
    let served = log::start()
        .map_err(anyhow::Error::from)
        .and_then(|()| Gateway::build(settings))
        .and_then(|gateway| if demo { run_demo(gateway) } else { run(gateway) });
    exit_code(served)
}

fn run(gateway: Gateway) -> anyhow::Result<()> {
    gateway.run(&Arc::new(Notify::new()), |_| Ok(()))
}

/// The gateway with its demo: one ends with the other.
fn run_demo(gateway: Gateway) -> anyhow::Result<()> {
    let mut demo = None;
    let served = gateway.run(&Arc::new(Notify::new()), |gateway| {
        let listen = gateway.addresses().listen;
        let started = Demo::start(DemoAddresses::default(), listen)?;
        let (draining, quiet) = (gateway.draining(), started.quiet());
        gateway.background().spawn(async move {
            draining.await;
            quiet.cancel();
        });
        demo = Some(started);
        Ok(())
    });
    drop(demo);
    served
}

/// The demo services alone, until the process is told to end.
fn demo_service() -> ExitCode {
    let served = Demo::services_only(DemoAddresses::default()).map_err(anyhow::Error::from);
    let served = served.and_then(|demo| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut term = signal(SignalKind::terminate())?;
            tokio::select! {
                _ = term.recv() => {}
                interrupted = tokio::signal::ctrl_c() => interrupted?,
            }
            anyhow::Ok(())
        })?;
        demo.stop();
        Ok(())
    });
    exit_code(served)
}

fn exit_code(ended: anyhow::Result<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
