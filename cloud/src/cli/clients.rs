//! `clients add`, `clients list`, `clients remove`: the software that lets people sign in here.

use anyhow::anyhow;

use super::{Exit, open};
use crate::{
    config::Config,
    db::Cloud,
    identity::{Actor, Alg, user},
    oidc::{
        client::{self, About},
        scope::Scopes,
    },
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Register software. Prints its client id and, unless it is public, its secret: the only time it is to be seen.
    Add(Box<Add>),
    /// Print every client: its id, name, scopes and addresses.
    List,
    /// Take a client away, and end what it holds of users.
    Remove {
        /// The client id.
        client: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// As people read it when they are asked whether they agree.
    #[arg(long)]
    name: String,
    /// Where people are sent back to; compared as it stands. May be given more than once.
    #[arg(long = "redirect-uri", required = true, value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where people are sent after signing out. May be given more than once.
    #[arg(long = "logout-uri", value_name = "URI")]
    logout_uris: Vec<String>,
    /// What it may ask for.
    #[arg(long, default_value = "openid profile email")]
    scope: String,
    /// How its id tokens are signed: RS256 or EdDSA.
    #[arg(long, default_value = "RS256")]
    alg: String,
    /// The code of the school whose people sign in; without it everybody may.
    #[arg(long, value_name = "CODE")]
    institution: Option<String>,
    /// It runs where it can keep no secret: in a browser, on a phone.
    #[arg(long)]
    public: bool,
    /// It is the school's own: nobody is asked for his consent.
    #[arg(long)]
    trusted: bool,
}

pub(super) async fn run(config: Config, command: Command) -> Result<(), Exit> {
    let app = open::app(config, false).await?;
    let mut tx = app.db.write(Cloud).await?;
    match command {
        Command::Add(args) => {
            let institution = match &args.institution {
                None => None,
                Some(code) => {
                    let found = user::institution_by_code(&mut tx, code.trim()).await?;
                    Some(found.ok_or_else(|| Exit::Data(anyhow!("there is no school {code}")))?)
                }
            };
            let alg = Alg::parse(&args.alg).ok_or_else(|| Exit::Data(anyhow!("--alg is RS256 or EdDSA")))?;
            let about = About {
                name: args.name.trim().to_owned(),
                institution,
                is_public: args.public,
                redirect_uris: args.redirect_uris,
                logout_uris: args.logout_uris,
                scopes: Scopes::parse(&args.scope),
                alg,
                is_trusted: args.trusted,
                is_active: true,
            };
            let (made, secret) = client::create(&mut tx, &app, Actor::System, &about).await?;
            tx.commit().await?;
            println!("{}", made.client_id);
            if let Some(secret) = secret {
                println!("{secret}");
            }
        }
        Command::List => {
            for one in client::list(&mut tx).await? {
                let about = one.about;
                println!(
                    "{}\t{}\t{}\t{}",
                    one.client_id,
                    about.name,
                    about.scopes,
                    about.redirect_uris.join(" ")
                );
            }
        }
        Command::Remove { client: id } => {
            let found = client::by_id(&mut tx, &id).await?;
            let found = found.ok_or_else(|| Exit::Data(anyhow!("there is no client {id}")))?;
            client::remove(&mut tx, &app, Actor::System, &found).await?;
            tx.commit().await?;
        }
    }
    app.db.close().await;
    Ok(())
}
