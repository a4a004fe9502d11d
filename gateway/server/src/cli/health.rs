//! `sumun health`: is a gateway on this machine alive? For container health checks, which have no
//! shell and no curl.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{SettingsArgs, complain};
use crate::settings;

/// Longest that each step of the question may take.
const STEP_TIME_MAX: Duration = Duration::from_secs(2);

/// Arguments of `sumun health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Admin listener of the gateway that is asked [default: as the settings say]
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
}

/// Asks `/livez`: 0 alive, 1 not.
pub fn health(args: &HealthArgs) -> ExitCode {
    let of_settings = || {
        let effective = settings::load(&SettingsArgs::default().written());
        effective.inspect_err(|problems| complain(problems)).ok()
    };
    let admin = args.admin.or_else(|| of_settings().map(|known| known.settings.admin.listen));
    let Some(admin) = admin else { return ExitCode::FAILURE };
    match ask(admin) {
        Ok(head) if head.starts_with(b"HTTP/1.1 200") => ExitCode::SUCCESS,
        Ok(_) => unwell("it answers, but not 200"),
        Err(error) => unwell(&error.to_string()),
    }
}

fn ask(admin: SocketAddr) -> std::io::Result<[u8; 12]> {
    let mut stream = TcpStream::connect_timeout(&admin, STEP_TIME_MAX)?;
    stream.set_read_timeout(Some(STEP_TIME_MAX))?;
    stream.set_write_timeout(Some(STEP_TIME_MAX))?;
    write!(stream, "GET /livez HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(head)
}

fn unwell(why: &str) -> ExitCode {
    // Nobody to tell, nothing lost.
    let _ = writeln!(std::io::stderr().lock(), "not alive: {why}");
    ExitCode::FAILURE
}
