//! `sumun hash-password`: a password from standard input becomes the hash that `admin.users` takes.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;

use super::{misused, print};

/// Least characters. NIST SP 800-63B-4 asks for 15 where the password stands alone, as here.
const CHARS_MIN: usize = 15;

/// Reads one line, prints its Argon2id hash. The password is no argument: those are seen by others
/// on the machine and kept by shells.
pub fn hash_password() -> ExitCode {
    let mut input = std::io::stdin().lock();
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        let _ = write!(std::io::stderr().lock(), "password (shown as you type): ");
    }
    let mut line = String::new();
    if let Err(error) = input.read_line(&mut line) {
        return misused(&format!("the password cannot be read: {error}"));
    }
    let password = line.trim_end_matches(['\n', '\r']);
    if password.chars().count() < CHARS_MIN {
        return misused(&format!(
            "write a password of at least {CHARS_MIN} characters on standard input; four random \
             words will do"
        ));
    }
    match Argon2::default().hash_password(password.as_bytes()) {
        Ok(hash) => {
            print(&format!("{hash}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => misused(&format!("the password cannot be hashed: {error}")),
    }
}
