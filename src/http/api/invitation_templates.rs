//! `/invitation-templates`: the texts of invitations, one for each language.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::invitations::TextDocument;
use super::{List, stamp};
use crate::app::App;
use crate::app::mail::TemplateView;
use crate::domain::language::Language;
use crate::domain::mail_template::{Text, Variable};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, NoParams, OptionalBody};

/// The text of invitations in a language.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateDocument {
    /// `en` or `fr`.
    language: &'static str,
    /// One line; may hold `{organization}` and `{name}`.
    subject: String,
    /// Plain text with variables. A paragraph that names a variable without a value is left out.
    body: String,
    /// Whether it is the one that is built in.
    is_built_in: bool,
    /// Who wrote it.
    changed_by: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    changed_at: Option<String>,
    /// The variables that there are.
    variables: Vec<&'static str>,
}

impl From<TemplateView> for TemplateDocument {
    fn from(view: TemplateView) -> Self {
        let (changed_by, changed_at) = view.changed.map(|(by, at)| (by, stamp(at))).unzip();
        Self {
            language: view.language.tag(),
            subject: view.text.subject,
            body: view.text.body,
            is_built_in: changed_by.is_none(),
            changed_by,
            changed_at,
            variables: Variable::ALL.map(Variable::as_str).to_vec(),
        }
    }
}

/// Another text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteTemplate {
    /// One line.
    subject: String,
    /// Plain text; must hold `{url}`.
    body: String,
}

impl From<WriteTemplate> for Text {
    fn from(text: WriteTemplate) -> Self {
        Self { subject: text.subject, body: text.body }
    }
}

fn language(tag: &str) -> Result<Language, Problem> {
    let known = Language::ALL.into_iter().find(|language| language.tag() == tag);
    known.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", "no such language; there are en and fr"))
}

/// Lists the texts that are in use.
#[utoipa::path(get, path = "/api/v1/invitation-templates", tag = "invitation-templates",
    responses((status = 200, body = List<TemplateDocument>)))]
pub async fn list(State(app): State<App>, NoParams: NoParams) -> Result<Json<List<TemplateDocument>>, Problem> {
    let mut items = Vec::new();
    for language in Language::ALL {
        items.push(app.mail_template(language).await?.into());
    }
    Ok(Json(List { items, next_cursor: None }))
}

/// Puts another text in the place of the one in use.
#[utoipa::path(put, path = "/api/v1/invitation-templates/{language}", tag = "invitation-templates",
    request_body = WriteTemplate, params(("language" = String, Path)),
    responses((status = 200, body = TemplateDocument)))]
pub async fn write(
    State(app): State<App>,
    By(by): By,
    Path(tag): Path<String>,
    NoParams: NoParams,
    Body(body): Body<WriteTemplate>,
) -> Result<Json<TemplateDocument>, Problem> {
    Ok(Json(app.save_mail_template(&by, language(&tag)?, body.into()).await?.into()))
}

/// Goes back to the text that is built in.
#[utoipa::path(delete, path = "/api/v1/invitation-templates/{language}", tag = "invitation-templates",
    params(("language" = String, Path)), responses((status = 204)))]
pub async fn reset(
    State(app): State<App>,
    By(by): By,
    Path(tag): Path<String>,
    NoParams: NoParams,
) -> Result<StatusCode, Problem> {
    app.reset_mail_template(&by, language(&tag)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What to preview.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewTemplate {
    /// A text that is not saved; default: the one in use.
    text: Option<WriteTemplate>,
    /// Whether the example has a PIN; default true.
    pin: Option<bool>,
}

/// Shows how a text reads, with example values.
#[utoipa::path(post, path = "/api/v1/invitation-templates/{language}/preview", tag = "invitation-templates",
    request_body = Option<PreviewTemplate>, params(("language" = String, Path)),
    responses((status = 200, body = TextDocument)))]
pub async fn preview(
    State(app): State<App>,
    Path(tag): Path<String>,
    NoParams: NoParams,
    OptionalBody(body): OptionalBody<PreviewTemplate>,
) -> Result<Json<TextDocument>, Problem> {
    let text = body.text.map(Text::from);
    Ok(Json(app.preview_mail(language(&tag)?, text, body.pin.unwrap_or(true)).await?.into()))
}
