//! Embeds the admin page anew when it was built anew.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Named only where it is: cargo takes a path that isn't there for changed, every time. So the
    // first build of the page touches this file.
    if std::path::Path::new("../../admin-ui/dist").is_dir() {
        println!("cargo::rerun-if-changed=../../admin-ui/dist");
    }
}
