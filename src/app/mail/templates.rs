//! The texts of invitations: as they are built in, or as an administrator wrote them.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::app::ports::{StoreError, Write};
use crate::app::{App, AuditObject, Error, FieldError, Principal};
use crate::domain::language::Language;
use crate::domain::mail::Content;
use crate::domain::mail_template::{MailTemplate, Text, Variable};

/// A text as it is used now.
#[derive(Clone, Debug)]
pub struct TemplateView {
    /// Its language.
    pub language: Language,
    /// What it says.
    pub text: Text,
    /// Who wrote it and when; `None` for the built-in one.
    pub changed: Option<(String, OffsetDateTime)>,
}

impl App {
    /// The text that is used in a language.
    ///
    /// # Errors
    /// The store's.
    pub async fn mail_template(&self, language: Language) -> Result<TemplateView, Error> {
        Ok(match self.store.mail_template(language).await? {
            Some(own) => TemplateView { language, text: own.text, changed: Some((own.changed_by, own.changed_at)) },
            None => TemplateView {
                language,
                text: Text::built_in(language, self.settings.invitations.sign_in),
                changed: None,
            },
        })
    }

    /// Puts another text in the place of the one that is used.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong and its line, or the store's.
    pub async fn save_mail_template(
        &self,
        by: &Principal,
        language: Language,
        text: Text,
    ) -> Result<TemplateView, Error> {
        check(&text)?;
        let (changed_by, changed_at) = (by.name.clone(), self.now());
        let template = MailTemplate { language, text: text.clone(), changed_by: changed_by.clone(), changed_at };
        let mut writes = vec![Write::SaveMailTemplate(Box::new(template))];
        writes.extend(self.template_writes(by, language, "mail_template.update"));
        self.commit(writes).await?;
        Ok(TemplateView { language, text, changed: Some((changed_by, changed_at)) })
    }

    /// Goes back to the built-in text.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is in use already, or the store's.
    pub async fn reset_mail_template(&self, by: &Principal, language: Language) -> Result<(), Error> {
        let mut writes = vec![Write::DeleteMailTemplate(language)];
        writes.extend(self.template_writes(by, language, "mail_template.reset"));
        match self.commit(writes).await {
            Err(StoreError::Conflict) => Err(Error::NotFound("own text in that language")),
            done => Ok(done?),
        }
    }

    /// How a text reads with example values; that in use, where none is given.
    ///
    /// # Errors
    /// [`Error::Invalid`] as for saving it, or the store's.
    pub async fn preview_mail(&self, language: Language, text: Option<Text>, with_pin: bool) -> Result<Content, Error> {
        let text = match text {
            Some(text) => text,
            None => self.mail_template(language).await?.text,
        };
        check(&text)?;
        let server = self.enrollment_url().await?.url;
        let (settings, now) = (&self.settings, self.now());
        let pin = with_pin && settings.invitations.sign_in.takes_pins();
        Ok(text.render(|variable| match variable {
            Variable::Organization => Some(settings.display_name.clone()),
            Variable::Name => Some("Ada Lovelace".to_owned()),
            Variable::User => Some("ada@example.com".to_owned()),
            Variable::Url => Some(format!("{}/i/example", settings.url)),
            Variable::Expires => Some(language.moment(now + settings.invitations.lifetime)),
            Variable::Pin => pin.then(|| example(settings.invitations.pin_digits)),
            Variable::PinExpires => {
                let lifetime: Duration = settings.invitations.pin_lifetime.min(settings.invitations.lifetime);
                pin.then(|| language.moment(now + lifetime))
            }
            Variable::Server => Some(server.clone()),
            Variable::Contact => Some(settings.contact.clone()).filter(|contact| !contact.is_empty()),
        }))
    }

    fn template_writes(&self, by: &Principal, language: Language, action: &str) -> [Write; 2] {
        let object =
            AuditObject { kind: "mail_template", id: language.tag().to_owned(), name: "invitation".to_owned() };
        let data = json!({"language": language.tag(), "by": by.name});
        [self.audit(by, action, object, "ok", ""), self.event("admin.mail_template_changed", None, data)]
    }
}

/// A PIN that is none: digits in their order.
fn example(digits: u32) -> String {
    "1234567890".chars().cycle().take(usize::try_from(digits).unwrap_or_default()).collect()
}

fn check(text: &Text) -> Result<(), Error> {
    let errors: Vec<FieldError> = text
        .errors()
        .into_iter()
        .map(|error| FieldError {
            pointer: if error.in_subject { "/subject" } else { "/body" }.to_owned(),
            message: error.message,
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}
