//! `openapi`: prints what `/docs/{module}/openapi.json` serves.

use std::io::Write as _;

use anyhow::anyhow;
use clap::builder::PossibleValuesParser;

use super::Exit;
use crate::docs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_parser = PossibleValuesParser::new(docs::MODULES.iter().map(|(name, _)| *name)))]
    module: String,
}

pub(super) fn run(args: &Args) -> Result<(), Exit> {
    let document = docs::json(&args.module).ok_or_else(|| Exit::Software(anyhow!("no document")))?;
    let written = writeln!(std::io::stdout(), "{document}");
    written.map_err(|e| Exit::Software(e.into()))
}
