//! `hadir-edge`: the box in the school.

use std::process::ExitCode;

fn main() -> ExitCode {
    hadir_edge::cli::main()
}
