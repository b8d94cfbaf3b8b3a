//! Entra tokens of a session: they prove tenant, device object and user, never which enrollment it is (management
//! reference 5.5). They are read, judged and forgotten; one that is not believed ends nothing but holds what concerns the
//! user.

use secrecy::SecretString;

use super::App;
use crate::domain::enrollment::Enrollment;
use crate::domain::entra::{EntraClaims, TokenEvidence, TokenRejected};
use crate::proto::syncml::{Alert, AlertType, Element, Message};

/// Tokens of one message that are judged; a device has one for itself and one for its user, in head and body.
const MOST_TOKENS: usize = 8;

impl App {
    /// What the tokens of a message are worth: those in the head of the request and those in its alerts. The first proven
    /// one binds the enrollment to its device object.
    pub(super) async fn judge_tokens(
        &self,
        in_head: &[SecretString],
        message: &Message,
        enrollment: &mut Enrollment,
    ) -> TokenEvidence {
        let tokens: Vec<SecretString> = in_head.iter().cloned().chain(in_alerts(message)).collect();
        let mut evidence = TokenEvidence::default();
        for token in tokens.iter().take(MOST_TOKENS) {
            match self.judge_token(token, enrollment).await {
                Ok(claims) => evidence.add(TokenEvidence { claims: Some(claims), rejected: None }),
                Err(rejected) => evidence.add(doubt(&rejected)),
            }
        }
        if tokens.len() > MOST_TOKENS {
            evidence.add(doubt(&"more tokens than a device has"));
        }
        if let Some(reason) = &evidence.rejected {
            tracing::info!(enrollment_id = %enrollment.id, reason, "an Entra token is not believed");
        }
        evidence
    }

    async fn judge_token(
        &self,
        token: &SecretString,
        enrollment: &mut Enrollment,
    ) -> Result<EntraClaims, TokenRejected> {
        let claims = self.entra.verify(token, self.now()).await?;
        match (enrollment.entra_device_id, claims.device_id) {
            (Some(own), Some(named)) if own != named => return Err(TokenRejected::OtherDevice),
            (None, Some(named)) => enrollment.entra_device_id = Some(named),
            _ => {}
        }
        Ok(claims)
    }
}

fn doubt(reason: &impl ToString) -> TokenEvidence {
    TokenEvidence { claims: None, rejected: Some(reason.to_string()) }
}

/// Tokens that a message carries as alerts; one without data is none.
fn in_alerts(message: &Message) -> impl Iterator<Item = SecretString> {
    let alerts = message.body.iter().filter_map(|element| match element {
        Element::Alert(alert) => Some(alert),
        _ => None,
    });
    let items = alerts.flat_map(|alert| alert.items.iter().map(|item| (alert.code, item)));
    let tokens = items.filter(|(code, item)| AlertType::of(*code, Alert::kind_of(item)).is_credential());
    tokens.map(|(_, item)| item.text().trim()).filter(|text| !text.is_empty()).map(SecretString::from)
}
