//! Tells the program when it was built: the earliest time a box's clock can rightly show.

#[expect(clippy::disallowed_methods, reason = "a build script has no other source of time and settings")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let reproducible = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    println!("cargo:rustc-env=HADIR_BUILT_MS={}", reproducible.unwrap_or(now.as_secs()) * 1000);
}
