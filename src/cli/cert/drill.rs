//! `muster cert drill`: one renewal from the order to the first use of the new certificate.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::names;
use crate::cli::output::{Out, field, remark};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Certificates and attempts that are looked at.
const MOST: usize = 100;

/// How a drill stands.
enum Standing {
    /// It goes on; in words.
    Waiting(String),
    /// The new certificate was used.
    Used(Value),
    /// It failed; why.
    Failed(String),
}

/// A drill under way.
struct Drill<'c> {
    client: &'c Client,
    device: String,
    name: String,
    action: String,
    /// Serial numbers of the certificates before.
    before: BTreeSet<String>,
    /// Attempts of the ledger before.
    attempts: BTreeSet<String>,
}

pub(super) async fn run(client: &Client, out: &Out, device: &str, minutes: u64) -> Result<()> {
    let device = names::device(client, device).await?;
    let (id, name) = (field(&device, "id"), field(&device, "name"));
    let mut drill = Drill {
        client,
        before: serials(&certificates(client, &id).await?),
        attempts: BTreeSet::new(),
        device: id,
        name,
        action: String::new(),
    };
    drill.attempts = drill.refusals().await?.iter().map(|attempt| field(attempt, "id")).collect();
    let path = names::path("/devices", &drill.device)?;
    let action = client.post(&format!("{path}/actions"), &[], &json!({"type": "renew_certificate"})).await?;
    drill.action = field(&action, "id");
    remark(&format!("{}: renew_certificate is queued as {}", drill.name, drill.action));
    drill.follow(out, Duration::from_secs(minutes.saturating_mul(60))).await
}

impl Drill<'_> {
    async fn follow(&self, out: &Out, patience: Duration) -> Result<()> {
        let (begin, mut told) = (Instant::now(), String::new());
        loop {
            let words = match self.look().await? {
                Standing::Used(certificate) => return self.succeed(out, &certificate),
                Standing::Failed(cause) => return self.fail(out, &cause),
                Standing::Waiting(words) => words,
            };
            if words != told {
                remark(&format!("{}: {words}", self.name));
                told = words;
            }
            if begin.elapsed() >= patience {
                let minutes = patience.as_secs() / 60;
                return self.fail(out, &format!("after {minutes} minutes, {told}; the order stays"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The certificates and the ledger are the witnesses; what the device says of itself is asked where they are silent.
    async fn look(&self) -> Result<Standing> {
        let all = certificates(self.client, &self.device).await?;
        let new = all.into_iter().find(|one| is_renewal(one) && !self.before.contains(&field(one, "serial")));
        if let Some(certificate) = new {
            let serial = field(&certificate, "serial");
            return Ok(match certificate["first_used_at"].is_string() {
                true => Standing::Used(certificate),
                false => Standing::Waiting(format!("certificate {serial} was issued; its first session is awaited")),
            });
        }
        let action = self.client.get(&names::path("/actions", &self.action)?, &[]).await?;
        let (state, detail) = (field(&action, "state"), field(&action, "detail"));
        let refused = self.refusals().await?.into_iter().find(|each| !self.attempts.contains(&field(each, "id")));
        if let Some(attempt) = refused {
            let cause = field(&attempt, "cause");
            return Ok(Standing::Failed(format!("this server refused: {cause}")));
        }
        Ok(match state.as_str() {
            "queued" => Standing::Waiting("the device has not come yet".to_owned()),
            "sent" => Standing::Waiting(detail),
            "succeeded" => Standing::Failed(format!("{detail}, but no certificate was issued here")),
            _ => Standing::Failed(format!("{state}: {detail}")),
        })
    }

    /// Renewals of the device that were refused.
    async fn refusals(&self) -> Result<Vec<Value>> {
        let found = self.client.list("/enrollment-attempts", &[("outcome", "failed")], MOST).await?;
        let device = self.client.get(&names::path("/devices", &self.device)?, &[]).await?;
        let enrollment = field(&device, "enrollment_id");
        let is_ours = |attempt: &Value| {
            attempt["phase"] == "renew" && field(attempt, "enrollment_id") == enrollment && !enrollment.is_empty()
        };
        Ok(found.items.into_iter().filter(is_ours).collect())
    }

    fn succeed(&self, out: &Out, certificate: &Value) -> Result<()> {
        let document = json!({
            "device_id": self.device, "action_id": self.action, "outcome": "succeeded", "certificate": certificate,
        });
        out.either(&document, || {
            format!(
                "{}: renewed. Certificate {} took the place of {}, was first used at {}, and is good until {}.",
                self.name,
                field(certificate, "serial"),
                field(certificate, "renews"),
                field(certificate, "first_used_at"),
                field(certificate, "not_after"),
            )
        })
    }

    fn fail(&self, out: &Out, cause: &str) -> Result<()> {
        let document = json!({
            "device_id": self.device, "action_id": self.action, "outcome": "failed", "cause": cause,
        });
        out.either(&document, || format!("{}: not renewed.", self.name))?;
        bail!("{}: {cause}", self.name)
    }
}

async fn certificates(client: &Client, device: &str) -> Result<Vec<Value>> {
    Ok(client.list("/certificates", &[("device", device)], MOST).await?.items)
}

fn serials(certificates: &[Value]) -> BTreeSet<String> {
    certificates.iter().map(|certificate| field(certificate, "serial")).collect()
}

/// Whether it came of a renewal that still counts.
fn is_renewal(certificate: &Value) -> bool {
    certificate["renews"].is_string() && certificate["state"] != "revoked"
}
