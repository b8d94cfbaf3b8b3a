//! Discovery: which kind of sign-in, and where (enrollment reference 2.4 to 2.6).

use super::ledger::Entry;
use super::{App, Caller, Refusal};
use crate::domain::attempt::Phase;
use crate::proto::mde2::{AuthPolicy, Discover, DiscoverResponse, negotiate};

impl App {
    /// Answers a Discover; the same for users that exist and users that do not. The services are those of the generation
    /// of the address by which it came.
    pub async fn discover(
        &self,
        request: &Discover,
        generation: Option<&str>,
        caller: &Caller,
    ) -> Result<DiscoverResponse, Refusal> {
        let answer = self.choose(request, generation);
        match &answer {
            Ok(_) if caller.says_doctor => {}
            Ok(_) => {
                let mut entry = Entry::open(Phase::Discover, &request.email, "discovery answered");
                entry.os_version = request.application_version.as_deref();
                self.record(caller, entry).await;
            }
            Err(refusal) => self.refused(caller, Phase::Discover, &request.email, refusal).await,
        }
        answer
    }

    fn choose(&self, request: &Discover, generation: Option<&str>) -> Result<DiscoverResponse, Refusal> {
        let settings = &self.settings;
        if !settings.serves(&request.email) {
            return Err(Refusal::DomainNotServed);
        }
        let offered = &request.auth_policies;
        if !offered.is_empty() && !offered.contains(&settings.auth_policy) {
            return Err(Refusal::PolicyNotOffered(in_words(offered)));
        }
        Ok(DiscoverResponse {
            auth_policy: settings.auth_policy.clone(),
            enrollment_version: negotiate(settings.max_enrollment_version, request.request_version),
            policy_url: self.service_url(generation, "Policy.svc"),
            enrollment_url: self.service_url(generation, "Enrollment.svc"),
            authentication_url: None,
        })
    }
}

/// The known ones by name; of what else a stranger wrote only how much it was.
fn in_words(policies: &[AuthPolicy]) -> String {
    let known = [AuthPolicy::OnPremise, AuthPolicy::Federated, AuthPolicy::Certificate];
    let mut words: Vec<String> =
        known.iter().filter(|policy| policies.contains(policy)).map(|policy| policy.as_str().to_owned()).collect();
    match policies.iter().filter(|policy| matches!(policy, AuthPolicy::Unknown(_))).count() {
        0 => {}
        1 => words.push("one policy that is not known".to_owned()),
        count => words.push(format!("{count} policies that are not known")),
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_policies_are_counted_and_not_repeated() {
        let policies = |names: &[&str]| names.iter().map(|name| AuthPolicy::from(*name)).collect::<Vec<_>>();
        let words = |names: &[&str]| in_words(&policies(names));
        assert_eq!(words(&["federated", "Certificate", "Federated"]), "Federated, Certificate");
        assert_eq!(words(&["Federated", "a\u{1b}[2J"]), "Federated, one policy that is not known");
        assert_eq!(words(&["x"; 40_000]), "40000 policies that are not known");
    }
}
