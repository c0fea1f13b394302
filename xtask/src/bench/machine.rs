//! What was measured on: never its name, only its kind.

use std::{fs, path::Path};

use anyhow::Context as _;

pub fn describe(folder: &Path) -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?.get();
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("", |(_, m)| m.trim());
    let memory = fs::read_to_string("/proc/meminfo")?;
    let memory = memory
        .lines()
        .find_map(|line| kilobytes(line, "MemTotal"))
        .context("no MemTotal in /proc/meminfo")?;
    Ok(format!(
        "- cores: {cores}{}\n- memory: {:.0} GiB\n- disk: {}\n- Linux {}",
        if model.is_empty() { String::new() } else { format!(" ({model})") },
        gibibytes(memory),
        disk(folder)?,
        kernel(&fs::read_to_string("/proc/sys/kernel/osrelease")?),
    ))
}

/// The version without what a distribution or a host adds to it.
fn kernel(release: &str) -> &str {
    release.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default()
}

/// The file system and the kind of device under a folder.
fn disk(folder: &Path) -> anyhow::Result<String> {
    let folder = folder.canonicalize()?;
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?, words.next()?))
        })
        .filter(|(_, point, _)| folder.starts_with(point))
        .max_by_key(|(_, point, _)| point.len());
    let (device, _, system) = mount.context("no file system in /proc/mounts")?;
    let name = Path::new(device).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let whole = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let rotates = [name.as_str(), whole]
        .iter()
        .find_map(|name| fs::read_to_string(format!("/sys/block/{name}/queue/rotational")).ok());
    let kind = match rotates.as_deref().map(str::trim) {
        _ if name.starts_with("nvme") => "NVMe",
        _ if name.starts_with("vd") => "virtual disk",
        Some("0") => "solid state",
        Some("1") => "rotating",
        _ => "unknown device",
    };
    Ok(format!("{kind}, {system}"))
}

/// What a process holds in memory, in KiB (`VmRSS`).
pub fn resident(id: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    status.lines().find_map(|line| kilobytes(line, "VmRSS")).context("no VmRSS")
}

fn kilobytes(line: &str, key: &str) -> Option<u64> {
    line.strip_prefix(key)?.strip_prefix(':')?.split_whitespace().next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "a machine has less than 2^53 KiB")]
fn gibibytes(kilobytes: u64) -> f64 {
    kilobytes as f64 / 1024.0 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_described() {
        let text = describe(Path::new("/")).unwrap();
        assert!(text.contains("- cores: ") && text.contains(" GiB") && text.contains("- disk: "), "{text}");
        assert!(resident(std::process::id()).unwrap() > 100);
    }
}
