//! `hadir-cloud`: see `hadir-cloud --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hadir_cloud::cli::main()
}
