//! `admin create`: the first administrator of a school, and the school with him.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use hadir_shared::{ids::InstitutionId, time::Zone};

use super::{Exit, open};
use crate::{
    app::App,
    attendance::{SERVICE, roster, settings},
    config::Config,
    db::{Cloud, Tx},
    fail::{Fail, Flaw},
    identity::{Actor, NewUser, password, seed, user},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make an administrator. The password is read from a file or from standard input, never from the command line.
    Create(Create),
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// NIP or NIK: what he signs in with.
    #[arg(long)]
    number: String,
    #[arg(long)]
    name: String,
    /// The school's code.
    #[arg(long, value_name = "CODE")]
    institution: String,
    /// The school's name; makes the school where there is none with that code.
    #[arg(long)]
    institution_name: Option<String>,
    /// The school's time zone, for a school that is made.
    #[arg(long, default_value = "Asia/Jakarta")]
    zone: Zone,
    /// A file whose first line is the password; without it the first line of standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) async fn run(config: Config, Command::Create(args): Command) -> Result<(), Exit> {
    let password = read_password(args.password_file.as_deref())?;
    let given = args.institution_name.as_deref().unwrap_or_default();
    fits(&password, &args, given)?;
    let app = open::app(config, false).await?;
    let mut tx = app.db.read(Cloud).await?;
    let school = user::institution_by_code(&mut tx, args.institution.trim()).await?;
    fits(&password, &args, &user::institution_names(&mut tx, school).await?.name)?;
    drop(tx);
    let hash = app.identity.hasher().hash(&app.ids, &password).await?;
    let mut tx = app.db.write(Cloud).await?;
    let institution = institution(&mut tx, &app, &args).await?;
    let new = NewUser {
        institution: Some(institution),
        number: Some(args.number.trim()),
        name: args.name.trim(),
        password_hash: &hash,
        ..NewUser::default()
    };
    let taken = Fail::conflict(format!("somebody has the number {} already", args.number));
    let id = user::create(&mut tx, &app, Actor::System, &new, taken).await?;
    user::set_role(&mut tx, &app, Actor::System, id, seed::ADMIN).await?;
    roster::touch_person(&mut tx, &app, institution, id).await?;
    tx.commit().await?;
    println!("{id}");
    eprintln!("{} is administrator of {}", args.name, args.institution);
    app.db.close().await;
    Ok(())
}

async fn institution(tx: &mut Tx, app: &App, args: &Create) -> Result<InstitutionId, Exit> {
    let code = args.institution.trim();
    if let Some(found) = user::institution_by_code(tx, code).await? {
        return Ok(found);
    }
    let Some(name) = &args.institution_name else {
        return Err(Exit::Data(anyhow!(
            "there is no school {code}; make it with --institution-name NAME --zone ZONE"
        )));
    };
    let id = user::create_institution(tx, app, Actor::System, code, name, &["SSO", SERVICE]).await?;
    let chosen = [("school_name", name.as_str()), ("timezone", args.zone.name())];
    let chosen = chosen.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    settings::put_texts(tx, app, id, &chosen).await?;
    roster::ensure_keys(tx, app, id).await?;
    Ok(id)
}

/// That the password is one, for this administrator of a school of this name.
fn fits(password: &str, args: &Create, school: &str) -> Result<(), Exit> {
    let flaw = password::flaw_among(password, &[&args.name, &args.number, &args.institution, school]);
    match flaw {
        Some(flaw) => Err(Exit::Data(anyhow!("this password will not do: {}", told(&flaw)))),
        None => Ok(()),
    }
}

fn read_password(file: Option<&Path>) -> Result<String, Exit> {
    let text = match file {
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
        }
        None => std::io::read_to_string(std::io::stdin().take(1024)).context("cannot read the password"),
    };
    Ok(text.map_err(Exit::Data)?.lines().next().unwrap_or_default().to_owned())
}

fn told(flaw: &Flaw) -> String {
    match flaw {
        Flaw::TooShort(least) => format!("it needs {least} characters"),
        Flaw::TooLong(most) => format!("it has more than {most} bytes"),
        _ => "it is one of the most guessed, or little more than the school's or his own name".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_everybody_around_knows_is_refused() {
        let args = Create {
            number: "198501012010011001".into(),
            name: "Siti Rahma".into(),
            institution: "SMAN1".into(),
            institution_name: None,
            zone: "Asia/Jakarta".parse().unwrap(),
            password_file: None,
        };
        for known in
            ["sman1-2025", "SitiRahma1", "198501012010011001", "smanegeri1hadir", "pendek", "password123"]
        {
            assert!(fits(known, &args, "SMA Negeri 1 Hadir").is_err(), "{known}");
        }
        fits("kunci rumah nenek", &args, "SMA Negeri 1 Hadir").unwrap_or_else(|_| panic!("it is one"));
    }
}
