//! GetPolicies: what kind of key the device is to make (enrollment reference 3). The credential is checked, and not used up.

use super::ledger::Entry;
use super::sign_in::SignedIn;
use super::{App, Caller, Refusal};
use crate::domain::attempt::{Phase, Road};
use crate::proto::soap::envelope::Rejection;
use crate::proto::soap::security::Credential;
use crate::proto::xcep::PolicySettings;

impl App {
    /// Answers a GetPolicies.
    pub async fn policies(
        &self,
        credential: Result<Credential, Rejection>,
        caller: &Caller,
    ) -> Result<PolicySettings, Refusal> {
        let mut who = Who::of(&credential);
        let is_walk = caller.says_doctor && credential.is_err();
        match self.sign_in(credential, caller, &mut who.road).await {
            Ok(_) => {
                let entry = Entry::open(Phase::Policy, &who.name, "signed in; the policy was handed out");
                self.record(caller, entry.by(who.road)).await;
                Ok(self.policy_settings())
            }
            Err(refusal) if is_walk => Err(refusal),
            Err(refusal) => {
                let entry = Entry::failed(Phase::Policy, &who.name, &refusal).by(who.road);
                self.turned_away(caller, entry, &refusal).await;
                Err(refusal)
            }
        }
    }

    /// The user behind a credential of the Security header, and the road as soon as it is known. From where nobody may enroll
    /// none is looked at: no try is used up, and the answer tells nothing about it.
    pub(super) async fn sign_in(
        &self,
        credential: Result<Credential, Rejection>,
        caller: &Caller,
        road: &mut Option<Road>,
    ) -> Result<SignedIn, Refusal> {
        let credential = credential?;
        self.settings.rules.check_network(caller.address)?;
        match credential {
            Credential::Username { username, password } => {
                self.check_password(&username, password, caller.address, road).await
            }
            Credential::Token { .. } => {
                *road = Some(Road::WebToken);
                Err(Refusal::Credentials("a web token was sent, and sign-in by web page is not enabled"))
            }
        }
    }

    fn policy_settings(&self) -> PolicySettings {
        let days = |days: u32| u64::from(days) * 24 * 60 * 60;
        PolicySettings {
            common_name: "MusterDevice".to_owned(),
            validity_seconds: self.settings.renewal.lifetime().whole_seconds().unsigned_abs(),
            renewal_seconds: days(self.settings.renewal.window_days()),
            minimal_key_length: self.settings.min_key_bits,
            software_keys_only: self.settings.software_keys_only,
        }
    }
}

/// Who wants to enroll, for the ledger.
pub(super) struct Who {
    /// The user name as it was typed.
    pub(super) name: String,
    /// By which road, once it is known.
    pub(super) road: Option<Road>,
}

impl Who {
    /// Before the credential is looked at.
    pub(super) fn of(credential: &Result<Credential, Rejection>) -> Self {
        Self { name: user_name(credential), road: None }
    }
}

/// The user name of a credential, for the ledger.
#[must_use]
pub fn user_name(credential: &Result<Credential, Rejection>) -> String {
    match credential {
        Ok(Credential::Username { username, .. }) => username.clone(),
        _ => String::new(),
    }
}
