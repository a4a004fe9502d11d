//! Where the gateway's binary is, and that it is built from the sources the test sees.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Built once a test process.
static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// The path of `sumun`: what `SUMUN_BIN` names, else the one beside the running test, built on
/// first use with the test's own profile.
///
/// # Panics
/// Where it can't be built.
pub fn path() -> &'static Path {
    BINARY.get_or_init(|| match std::env::var_os("SUMUN_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a running test knows its path");
    // target/<profile>/deps/<test>
    let folder = test.parent().and_then(Path::parent).expect("a test lies in target/PROFILE/deps");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => panic!("no profile in {}", test.display()),
    };
    let target = folder.parent().expect("a profile lies in the target folder");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        // With the features that this package asks for: so its dependencies are there already.
        .args(["build", "--locked", "--package", "sumun-server", "--package", "sumun-tests"])
        .args(["--bin", "sumun"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    folder.join("sumun")
}
