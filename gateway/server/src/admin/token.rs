//! The admin token: made once, kept in the state folder, compared in constant time.
//!
//! The file is created atomically with mode 0600 and never rewritten: an operator may put his own
//! token there. The token has no `Debug` and appears in no log.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;

use super::secret::{self, NoRandom};

/// Name of the token's file in the state folder.
pub const FILE: &str = "admin.token";

/// Least characters of a token: 128 bits in hexadecimal. Ours have 64.
const CHARS_MIN: usize = 32;

/// Most characters of a token.
const CHARS_MAX: usize = 512;

/// The secret that administers.
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The state folder or the file can't be used.
    #[error("{path} cannot be {verb}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// `read` or `created`.
        verb: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds no token.
    #[error(
        "{0} must hold {CHARS_MIN} to {CHARS_MAX} visible ASCII characters on one line; \
         remove the file and a new token is made"
    )]
    Malformed(PathBuf),
    /// The system gave no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandom),
}

impl Token {
    /// The token of a state folder, and whether it was made just now. Makes the folder (mode 0700)
    /// where there is none.
    pub fn open(state: &Path) -> Result<(Self, bool), TokenError> {
        let path = state.join(FILE);
        match read(&path) {
            Ok(token) => Ok((token, false)),
            Err(TokenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let text = secret::random()?;
                match create(state, &path, &text) {
                    Ok(()) => Ok((Self(text), true)),
                    // Another process was first: its token counts.
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok((read(&path)?, false)),
                    Err(source) => Err(TokenError::Io { path, verb: "created", source }),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Whether this is the token; takes as long wherever the first difference is.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(candidate).into()
    }

    /// The link that logs a browser in. A fragment is never sent to a server nor logged by one.
    pub fn login_link(&self, address: std::net::SocketAddr) -> String {
        format!("http://{address}/#token={}", self.0)
    }
}

fn read(path: &Path) -> Result<Token, TokenError> {
    let fail = |source| TokenError::Io { path: path.to_owned(), verb: "read", source };
    let file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        let mode = format!("{:o}", mode & 0o777);
        tracing::warn!(path = %path.display(), mode, "others can read the admin token");
    }
    let mut text = String::new();
    file.take(CHARS_MAX as u64 + 2).read_to_string(&mut text).map_err(fail)?;
    let text = text.trim_end_matches(['\n', '\r']);
    let visible = text.bytes().all(|b| b.is_ascii_graphic());
    if !visible || !(CHARS_MIN..=CHARS_MAX).contains(&text.len()) {
        return Err(TokenError::Malformed(path.to_owned()));
    }
    Ok(Token(text.to_owned()))
}

/// Makes the file whole or not at all, and never over another one.
fn create(state: &Path, path: &Path, text: &str) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state)?;
    let temporary = state.join(format!(".{FILE}.{:016x}", fastrand::u64(..)));
    let made = (|| {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        // A link fails where the name is taken; a rename would replace.
        std::fs::hard_link(&temporary, path)
    })();
    let _ = std::fs::remove_file(&temporary);
    made?;
    File::open(state)?.sync_all()
}

#[cfg(test)]
mod tests;
