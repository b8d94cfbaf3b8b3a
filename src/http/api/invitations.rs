//! `/invitations`: people who are asked to enroll a device; and the texts of their mails.

mod csv;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::period::Period;
use super::{List, page, stamp, word};
use crate::app::App;
use crate::app::invitations::{Invite, Issued, NewInvitation, NoMail, Reissue};
use crate::app::ports::{InvitationFilter, InvitationView, Table};
use crate::domain::language::Language;
use crate::domain::mail::{Content, Mail, MailState};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{
    IdempotencyKey, NoParams, OptionalBody, Params, expect_media_type, from_json, from_value, read_body,
};

/// An invitation, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationDocument {
    /// Identifier.
    id: String,
    /// Where it went, or whom it names.
    email: String,
    /// The name with which the user signs in.
    user: String,
    /// That user's identifier.
    user_id: String,
    /// Language of its mail: `en` or `fr`.
    language: &'static str,
    /// `open`, `used`, `expired` or `revoked`.
    state: &'static str,
    /// `live`, `expired` or `locked`; null: it has no PIN, or none any more.
    pin_state: Option<&'static str>,
    /// When the PIN ends.
    #[schema(format = DateTime)]
    pin_expires_at: Option<String>,
    /// Who invited.
    created_by: String,
    /// When.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its address was given out last.
    #[schema(format = DateTime)]
    issued_at: String,
    /// When it ends.
    #[schema(format = DateTime)]
    expires_at: String,
    /// When it was used or withdrawn.
    #[schema(format = DateTime)]
    closed_at: Option<String>,
    /// Why it was withdrawn.
    closed_reason: Option<String>,
    /// What it led to.
    enrollment_id: Option<String>,
    /// The mail with its newest address; null where none was written.
    mail: Option<MailDocument>,
}

/// What became of a mail.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailDocument {
    /// The address.
    to: String,
    /// `queued`, `sent`, `failed` or `cancelled`.
    state: &'static str,
    /// Tries so far.
    tries: u32,
    /// When it is tried next.
    #[schema(format = DateTime)]
    next_try_at: Option<String>,
    /// When a server took it.
    #[schema(format = DateTime)]
    sent_at: Option<String>,
    /// Why the last try failed, or why it was taken back.
    error: Option<String>,
    /// Its `Message-ID`.
    message_id: String,
}

impl From<Mail> for MailDocument {
    fn from(mail: Mail) -> Self {
        Self {
            to: mail.to,
            state: mail.state.as_str(),
            tries: mail.tries,
            next_try_at: (mail.state == MailState::Queued).then(|| stamp(mail.due_at)),
            sent_at: mail.sent_at.map(stamp),
            error: mail.error,
            message_id: mail.message_id,
        }
    }
}

impl InvitationDocument {
    fn new(view: InvitationView, now: OffsetDateTime) -> Self {
        let InvitationView { invitation, user, mail } = view;
        let pin = invitation.pin.as_ref();
        Self {
            id: invitation.id.to_string(),
            user,
            user_id: invitation.user_id.to_string(),
            language: invitation.language.tag(),
            state: invitation.standing(now).as_str(),
            pin_state: pin.map(|pin| pin.state(now).as_str()),
            pin_expires_at: pin.map(|pin| stamp(pin.expires_at)),
            created_by: invitation.created_by,
            created_at: stamp(invitation.created_at),
            issued_at: stamp(invitation.issued_at),
            expires_at: stamp(invitation.expires_at),
            closed_at: invitation.closed_at.map(stamp),
            closed_reason: invitation.closed_reason,
            enrollment_id: invitation.enrollment_id.map(|id| id.to_string()),
            email: invitation.email,
            mail: mail.map(MailDocument::from),
        }
    }
}

/// An invitation that was just made or sent again, with what is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedDocument {
    /// The invitation.
    #[serde(flatten)]
    document: InvitationDocument,
    /// The personal address; null where an earlier request with the same `Idempotency-Key` gave it out.
    url: Option<String>,
    /// The PIN, if there is one.
    pin: Option<String>,
    /// The text with both, to be passed on where no mail is sent.
    text: Option<TextDocument>,
    /// Why no mail is sent: `no_mail_server` or `no_address`; null where one is, or an earlier request gave the address out.
    no_mail: Option<&'static str>,
}

impl IssuedDocument {
    fn new(issued: Issued, now: OffsetDateTime) -> Self {
        let document = InvitationDocument::new(issued.view, now);
        match issued.secrets {
            None => Self { document, url: None, pin: None, text: None, no_mail: None },
            Some(secrets) => Self {
                document,
                url: Some(secrets.url.expose_secret().to_owned()),
                pin: secrets.pin.map(|pin| pin.expose_secret().to_owned()),
                text: Some(secrets.content.into()),
                no_mail: secrets.no_mail.map(NoMail::as_str),
            },
        }
    }
}

/// Subject and body.
#[derive(Debug, Serialize, ToSchema)]
pub struct TextDocument {
    /// One line.
    pub(super) subject: String,
    /// Plain text.
    pub(super) body: String,
}

impl From<Content> for TextDocument {
    fn from(content: Content) -> Self {
        Self { subject: content.subject, body: content.body }
    }
}

/// Somebody to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitePerson {
    /// Where the invitation goes; also the name to sign in with, unless `user` names another. Somebody who is not there
    /// yet is added, without a password. It has to be an e-mail address where mails are sent, in CSV and beside `user`; who
    /// has none is named by `user` alone.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// The name to sign in with, where that is another one.
    user: Option<String>,
    /// Display name of a user who is added.
    name: Option<String>,
    /// Whether it has a PIN; default: where the user cannot enroll without.
    pin: Option<bool>,
    /// How long it works; default: as configured.
    expires_in: Option<Period>,
    /// Language of the mail; default: as configured.
    #[schema(value_type = Option<String>, example = "fr")]
    language: Option<Language>,
}

/// Several people to be invited: all, or none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InvitePeople {
    /// At most 500.
    invitations: Vec<InvitePerson>,
}

impl InvitePerson {
    fn at(self, place: String) -> NewInvitation {
        NewInvitation {
            place,
            email: self.email,
            user: self.user,
            name: self.name,
            pin: self.pin,
            expires_in: self.expires_in.map(|period| period.0),
            language: self.language,
        }
    }
}

/// Which invitations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InvitationQuery {
    /// Part of the name with which the user signs in.
    query: Option<String>,
    /// How the newest mail stands: `queued`, `sent`, `failed` or `cancelled`; default: all, also those without a mail.
    mail: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists invitations, newest first.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "invitations", params(InvitationQuery),
    responses((status = 200, body = List<InvitationDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<InvitationQuery>,
) -> Result<Json<List<InvitationDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let mail = word("mail", query.mail.as_deref(), MailState::parse)?;
    let filter = InvitationFilter { query: query.query.filter(|words| !words.is_empty()), mail };
    let now = app.now();
    Ok(Json(List::of(app.invitations(&filter, &page).await?, |view| InvitationDocument::new(view, now))))
}

/// Shows an invitation and what became of its mail.
#[utoipa::path(get, path = "/api/v1/invitations/{id}", tag = "invitations", params(("id" = String, Path)),
    responses((status = 200, body = InvitationDocument)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<InvitationDocument>, Problem> {
    let id = app.resolve(Table::Invitations, "invitation", &id).await?;
    Ok(Json(InvitationDocument::new(app.invitation(id).await?, app.now())))
}

/// Several invitations that were just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedDocuments {
    /// In the order of the request.
    items: Vec<IssuedDocument>,
}

/// Invites one person, several (`{"invitations": […]}`), or those of a CSV file with the columns email, user, name, pin,
/// expires_in and language. Address and PIN are shown this once. An open invitation of the same user ends.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "invitations",
    request_body(content((InvitePerson = "application/json"), (String = "text/csv"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition harmless")),
    responses((status = 201, description = "The invitation; of several `{items}`", body = IssuedDocument)))]
pub async fn invite(
    State(app): State<App>,
    By(by): By,
    NoParams: NoParams,
    key: IdempotencyKey,
    request: Request,
) -> Result<Response, Problem> {
    expect_media_type(request.headers(), &["application/json", "text/csv"])?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_csv = kind.trim_start().to_ascii_lowercase().starts_with("text/csv");
    let bytes = read_body(request).await?;
    let (invite, is_one) = if is_csv { (csv::read(&bytes)?, false) } else { read_invite(&bytes)? };
    let issued = app.invite(&by, &invite, key.as_deref()).await?;
    let now = app.now();
    let mut items: Vec<IssuedDocument> = issued.into_iter().map(|one| IssuedDocument::new(one, now)).collect();
    match items.pop() {
        Some(one) if is_one => {
            let headers = [super::location("invitations", &one.document.id)];
            Ok((StatusCode::CREATED, headers, Json(one)).into_response())
        }
        last => {
            items.extend(last);
            Ok((StatusCode::CREATED, Json(IssuedDocuments { items })).into_response())
        }
    }
}

/// One or several, by the field that only several have.
fn read_invite(bytes: &[u8]) -> Result<(Invite, bool), Problem> {
    let value: Value = from_json(bytes)?;
    if value.get("invitations").is_none() {
        let one: InvitePerson = from_value(value)?;
        return Ok((Invite { new: vec![one.at(String::new())], ..Invite::default() }, true));
    }
    let people: InvitePeople = from_value(value)?;
    let place = |(number, one): (usize, InvitePerson)| one.at(format!("/invitations/{number}"));
    let new = people.invitations.into_iter().enumerate().map(place).collect();
    Ok((Invite { new, ..Invite::default() }, false))
}

/// How to send again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendInvitation {
    /// How long it works from now on; default: as configured.
    expires_in: Option<Period>,
    /// Whether it has a PIN; default: as before.
    pin: Option<bool>,
}

/// Sends an invitation again, with a new address and a new PIN; those before stop working.
#[utoipa::path(post, path = "/api/v1/invitations/{id}/resend", tag = "invitations",
    request_body = Option<ResendInvitation>,
    params(
        ("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition harmless"),
    ),
    responses((status = 200, body = IssuedDocument)))]
pub async fn resend(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<ResendInvitation>,
) -> Result<Json<IssuedDocument>, Problem> {
    let id = app.resolve(Table::Invitations, "invitation", &id).await?;
    let reissue = Reissue { expires_in: body.expires_in.map(|period| period.0), pin: body.pin };
    let issued = app.resend_invitation(&by, id, reissue, key.as_deref()).await?;
    Ok(Json(IssuedDocument::new(issued, app.now())))
}

/// Withdraws an invitation: address and PIN stop working at once.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", tag = "invitations", params(("id" = String, Path)),
    responses((status = 204)))]
pub async fn revoke(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<StatusCode, Problem> {
    let id = app.resolve(Table::Invitations, "invitation", &id).await?;
    app.revoke_invitation(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
