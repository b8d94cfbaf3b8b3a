//! `muster invite`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::names::{path, short_ids};
use super::output::{Out, Table, field, pairs, remark, time};
use super::{InPart, Usage, names};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct InviteArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    new: NewArgs,
}

#[derive(Debug, Args)]
struct NewArgs {
    /// Whom to invite; somebody who is not there yet is added, without a password. What is no e-mail address is a name to
    /// sign in with, and no mail is sent.
    #[arg(value_name = "EMAIL")]
    emails: Vec<String>,
    /// Give each a PIN; without this only who has no password gets one.
    #[arg(long)]
    pin: bool,
    /// How long the invitations work, e.g. 7d; default: as configured.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// The name to sign in with, where that is not the address; for one person.
    #[arg(long, value_name = "NAME", conflicts_with = "csv")]
    user: Option<String>,
    /// Language of the mail: en or fr; default: as configured.
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// Invite those of a CSV file; its first line names some of the columns email, user, name, pin, expires_in, language.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["emails", "pin", "expires", "language"])]
    csv: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List invitations, newest first.
    List {
        /// Part of the name to sign in with.
        words: Option<String>,
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show an invitation and what became of its mail.
    Show {
        /// Id.
        id: String,
    },
    /// Send an invitation again, with a new address and a new PIN; those before stop working.
    Resend {
        /// Id.
        #[arg(required_unless_present = "failed")]
        id: Option<String>,
        /// All whose mail was given up and that nobody used or withdrew.
        #[arg(long, conflicts_with = "id")]
        failed: bool,
        /// Give it a PIN.
        #[arg(long)]
        pin: bool,
        /// How long it works from now on, e.g. 7d; default: as configured.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Withdraw an invitation: address and PIN stop working at once.
    Revoke {
        /// Id.
        id: String,
    },
    /// The texts of invitations.
    #[command(subcommand)]
    Template(TemplateCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum TemplateCommand {
    /// Show the text in use: its subject, an empty line, its body.
    Show {
        /// en or fr.
        language: String,
    },
    /// Put the text of a file in its place: a subject, an empty line, a body with variables such as {url} and {pin}.
    Set {
        /// en or fr.
        language: String,
        /// The file.
        file: PathBuf,
    },
    /// Show how a text reads with example values.
    Preview {
        /// en or fr.
        language: String,
        /// A file that is not in use yet; default: the text in use.
        file: Option<PathBuf>,
        /// Without a PIN.
        #[arg(long)]
        no_pin: bool,
    },
    /// Go back to the text that is built in.
    Reset {
        /// en or fr.
        language: String,
    },
}

pub(super) async fn run(client: &Client, out: &Out, args: InviteArgs) -> Result<()> {
    match args.command {
        None => invite(client, out, args.new).await,
        Some(Command::List { words, limit }) => list(client, out, words.as_deref(), limit).await,
        Some(Command::Show { id }) => show(client, out, &id).await,
        Some(Command::Resend { id, pin, expires, .. }) => {
            let mut body = json!({});
            if pin {
                body["pin"] = Value::from(true);
            }
            if let Some(expires) = expires {
                body["expires_in"] = Value::from(expires);
            }
            let Some(id) = id else { return resend_failed(client, out, &body).await };
            let issued = client.post(&format!("{}/resend", path("/invitations", &id)?), &[], &body).await?;
            tell_secrets(std::slice::from_ref(&issued));
            out.either(&issued, || issued_lines(&issued))
        }
        Some(Command::Revoke { id }) => {
            client.delete(&path("/invitations", &id)?, &[]).await?;
            out.either(&json!({"id": id, "revoked": true}), || format!("revoked {id}"))
        }
        Some(Command::Template(command)) => template(client, out, command).await,
    }
}

async fn invite(client: &Client, out: &Out, args: NewArgs) -> Result<()> {
    let answer = match &args.csv {
        Some(file) => {
            let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            client.post_csv("/invitations", text).await?
        }
        None => client.post("/invitations", &[], &json!({"invitations": people(&args)?})).await?,
    };
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    tell_secrets(&items);
    out.either(&answer, || blocks(&items))
}

/// Sends all again whose mail was given up. What fails for one is told, and the others go on.
async fn resend_failed(client: &Client, out: &Out, body: &Value) -> Result<()> {
    let found = client.list("/invitations", &[("mail", "failed")], usize::MAX).await?.items;
    let is_closed = |one: &Value| one["state"] == "used" || one["state"] == "revoked";
    let asked: Vec<&Value> = found.iter().filter(|one| !is_closed(one)).collect();
    let mut done = Vec::new();
    for one in &asked {
        match client.post(&format!("{}/resend", path("/invitations", &field(one, "id"))?), &[], body).await {
            Ok(issued) => done.push(issued),
            Err(error) => remark(&format!("{}: {error:#}", field(one, "user"))),
        }
    }
    if asked.is_empty() {
        remark("there is no invitation to send again: no mail was given up");
    }
    tell_secrets(&done);
    out.either(&json!({"items": done}), || blocks(&done))?;
    match done.len() {
        done if done == asked.len() => Ok(()),
        0 => bail!("none of the {} invitations was sent again", asked.len()),
        done => Err(InPart { done, asked: asked.len() }.into()),
    }
}

fn people(args: &NewArgs) -> Result<Vec<Value>> {
    if args.emails.is_empty() {
        return Err(Usage("say whom to invite: muster invite EMAIL…, or --csv FILE".to_owned()).into());
    }
    if args.user.is_some() && args.emails.len() > 1 {
        return Err(Usage("--user is for one person".to_owned()).into());
    }
    let person = |email: &String| {
        let mut person = json!({"user": args.user, "expires_in": args.expires, "language": args.language});
        // A name alone is whom to invite, not where the invitation goes.
        let key = if email.contains('@') || args.user.is_some() { "email" } else { "user" };
        person[key] = Value::from(email.as_str());
        if args.pin {
            person["pin"] = Value::from(true);
        }
        person
    };
    Ok(args.emails.iter().map(person).collect())
}

fn tell_secrets(issued: &[Value]) {
    for words in fates(issued) {
        remark(&words);
    }
}

/// What becomes of invitations that were just issued, with the names of those who get no mail though others do.
fn fates(issued: &[Value]) -> Vec<String> {
    let (done_before, new): (Vec<&Value>, Vec<&Value>) = issued.iter().partition(|one| one["url"].is_null());
    let (no_mail, mailed): (Vec<&Value>, Vec<&Value>) = new.into_iter().partition(|one| one["mail"].is_null());
    let (no_address, no_server): (Vec<&Value>, Vec<&Value>) =
        no_mail.into_iter().partition(|one| one["no_mail"] == "no_address");
    let mut words = Vec::new();
    if !done_before.is_empty() {
        words.push(
            "the first try has done it; the address is not shown again, for another one: muster invite resend"
                .to_owned(),
        );
    }
    if !no_server.is_empty() {
        words.push("no mail is sent; pass address and PIN on, they are shown this once".to_owned());
    }
    if !no_address.is_empty() {
        let names: Vec<String> = no_address.iter().map(|one| field(one, "user")).collect();
        words.push(format!(
            "no mail goes to {}: there is no e-mail address; pass address and PIN on, they are shown this once",
            names.join(", ")
        ));
    }
    match mailed.len() {
        0 => {}
        1 => words.push("the mail is on its way; address and PIN are shown this once".to_owned()),
        many => words.push(format!("{many} mails are on their way; addresses and PINs are shown this once")),
    }
    words
}

fn blocks(issued: &[Value]) -> String {
    issued.iter().map(issued_lines).collect::<Vec<_>>().join("\n")
}

fn issued_lines(issued: &Value) -> String {
    let mut lines = vec![
        ("id", field(issued, "id")),
        ("user", field(issued, "user")),
        ("url", field(issued, "url")),
        ("until", time(issued, "expires_at")),
    ];
    if !issued["pin"].is_null() {
        lines.insert(3, ("pin", field(issued, "pin")));
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

async fn list(client: &Client, out: &Out, words: Option<&str>, limit: usize) -> Result<()> {
    let query: Vec<_> = words.map(|words| ("query", words)).into_iter().collect();
    let found = client.list("/invitations", &query, limit).await?;
    out.list(&found.items, "no invitations", || {
        let mut table = Table::new(["ID", "USER", "STATE", "PIN", "MAIL", "SENT (UTC)", "UNTIL (UTC)"]);
        let ids = short_ids(&found.items, "id", found.is_whole && words.is_none());
        for (invitation, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                field(invitation, "user"),
                field(invitation, "state"),
                field(invitation, "pin_state"),
                field(&invitation["mail"], "state"),
                time(&invitation["mail"], "sent_at"),
                time(invitation, "expires_at"),
            ]);
        }
        table
    })
}

async fn show(client: &Client, out: &Out, id: &str) -> Result<()> {
    let invitation = client.get(&path("/invitations", id)?, &[]).await?;
    if out.json {
        return out.document(&invitation);
    }
    let mail = &invitation["mail"];
    out.text(&pairs([
        ("id", field(&invitation, "id")),
        ("user", field(&invitation, "user")),
        ("address", field(&invitation, "email")),
        ("language", field(&invitation, "language")),
        ("state", field(&invitation, "state")),
        ("reason", field(&invitation, "closed_reason")),
        ("pin", field(&invitation, "pin_state")),
        ("invited by", field(&invitation, "created_by")),
        ("invited", time(&invitation, "created_at")),
        ("until", time(&invitation, "expires_at")),
        ("used", time(&invitation, "closed_at")),
        ("enrollment", field(&invitation, "enrollment_id")),
        ("mail", field(mail, "state")),
        ("mail tries", field(mail, "tries")),
        ("mail error", field(mail, "error")),
        ("next try", time(mail, "next_try_at")),
        ("mail sent", time(mail, "sent_at")),
    ]))
}

async fn template(client: &Client, out: &Out, command: TemplateCommand) -> Result<()> {
    match command {
        TemplateCommand::Show { language } => {
            let list = client.get("/invitation-templates", &[]).await?;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            let found = items.into_iter().find(|item| item["language"] == language.as_str());
            let found = found.ok_or_else(|| Usage(format!("there is no language {language}; there are en and fr")))?;
            out.either(&found, || lines(&found))
        }
        TemplateCommand::Set { language, file } => {
            let saved = client.put(&address(&language, "")?, &text(&file)?).await?;
            out.either(&saved, || format!("the text for {language} is in use"))
        }
        TemplateCommand::Preview { language, file, no_pin } => {
            let mut body = json!({"pin": !no_pin});
            if let Some(file) = file {
                body["text"] = text(&file)?;
            }
            let shown = client.post(&address(&language, "/preview")?, &[], &body).await?;
            out.either(&shown, || lines(&shown))
        }
        TemplateCommand::Reset { language } => {
            client.delete(&address(&language, "")?, &[]).await?;
            out.either(&json!({"language": language, "is_built_in": true}), || {
                format!("the built-in text for {language} is in use")
            })
        }
    }
}

fn address(language: &str, rest: &str) -> Result<String> {
    if !names::is_word(language) {
        return Err(Usage(format!("{language} is no language; there are en and fr")).into());
    }
    Ok(format!("/invitation-templates/{language}{rest}"))
}

fn lines(text: &Value) -> String {
    format!("{}\n\n{}", field(text, "subject"), text["body"].as_str().unwrap_or_default())
}

/// A subject, an empty line, a body.
fn text(file: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let Some((subject, body)) = text.split_once("\n\n") else {
        return Err(Usage(format!("{}: expected a subject, an empty line and a body", file.display())).into());
    };
    Ok(json!({"subject": subject, "body": body}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gets_no_mail_is_told_wherever_it_stands() {
        let mailed = || json!({"user": "a@x", "url": "u", "mail": {"state": "queued"}, "no_mail": null});
        let unmailed = |why: &str, user: &str| json!({"user": user, "url": "u", "mail": null, "no_mail": why});
        let nameless = || unmailed("no_address", "bob");
        let told = |issued: &[Value]| {
            let words = fates(issued);
            words.iter().map(|words| words.split([';', ':']).next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(told(&[mailed()]), ["the mail is on its way"]);
        assert_eq!(told(&[unmailed("no_mail_server", "a"), unmailed("no_mail_server", "b")]), ["no mail is sent"]);
        for order in [[nameless(), mailed(), mailed()], [mailed(), mailed(), nameless()]] {
            assert_eq!(told(&order), ["no mail goes to bob", "2 mails are on their way"]);
        }
        let two = [unmailed("no_address", "bob"), unmailed("no_address", "eve")];
        assert_eq!(told(&two), ["no mail goes to bob, eve"]);
        let repeated = json!({"user": "a@x", "url": null, "mail": {"state": "sent"}});
        assert_eq!(told(&[repeated.clone(), repeated]), ["the first try has done it"]);
    }
}
