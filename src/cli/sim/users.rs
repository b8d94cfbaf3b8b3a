//! Who enrolls the simulated devices.

use anyhow::{Context, Result};
use secrecy::SecretString;
use serde_json::json;

use crate::adapters::system::SystemRng;
use crate::cli::client::{Client, Refusal};
use crate::cli::names;
use crate::cli::output::field;

/// A user of that run, made through the API with a password that nobody else knows; one that a run before has made gets a
/// new one.
pub(super) async fn make(client: &Client, seed: &str) -> Result<(String, SecretString)> {
    let me = client.get("/me", &[]).await?;
    // Where only some domains may enroll, the administrator's is likely one of them.
    let own = me["user"]["email"].as_str().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
    let email = format!("sim-{}@{}", seed.to_lowercase(), own.unwrap_or("sim.example"));
    let password: String = SystemRng.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    let made = client.post("/users", &[], &json!({"email": email, "name": "Simulated", "password": password})).await;
    if let Err(error) = made {
        let exists = error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status.as_u16() == 409);
        if !exists {
            return Err(error).context("the user of the simulated devices cannot be made; name one with --user");
        }
        let id = field(&names::user(client, &email).await?, "id");
        client.patch(&format!("/users/{id}"), &json!({ "password": password })).await?;
    }
    Ok((email, SecretString::from(password)))
}
