//! `GET /go`: how to enroll, step by step, for each kind of Windows, with the address to copy.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use url::form_urlencoded::byte_serialize;

use super::qr::Qr;
use super::{Frame, answer};
use crate::app::App;
use crate::domain::admission::Admission;
use crate::domain::sign_in::SignInWith;
use crate::http::error::Problem;

#[derive(Template)]
#[template(path = "go.html")]
pub(super) struct Go {
    pub(super) frame: Frame,
    pub(super) guide: Guide,
}

/// What the steps of an enrollment need to know.
pub(super) struct Guide {
    /// The address that Windows asks for.
    pub(super) server: String,
    /// The link that opens the dialog of Windows.
    pub(super) link: String,
    /// The picture that opens this page elsewhere.
    pub(super) qr: Option<Qr>,
    /// What is typed where Windows asks for a password.
    pub(super) words: PasswordWords,
    /// What the rules of the installation change.
    pub(super) rules: Rules,
}

/// What a person has to know of the rules of the installation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    /// Whether nothing arrives before an administrator approves.
    pub(super) awaits_approval: bool,
    /// Whether one has to be in certain networks.
    pub(super) has_networks: bool,
    /// Whether the certificate of the server is one that Windows does not know.
    pub(super) is_private: bool,
    /// Whether people have passwords that they can change.
    pub(super) has_passwords: bool,
}

impl Rules {
    pub(super) async fn of(app: &App) -> Self {
        let rules = &app.settings.rules;
        Self {
            awaits_approval: rules.admission == Admission::Approval,
            has_networks: !rules.networks.is_empty(),
            is_private: app.has_private_root().await,
            has_passwords: app.settings.invitations.sign_in != SignInWith::Pin,
        }
    }

    /// The message about what comes last.
    pub(super) fn done(self) -> &'static str {
        if self.awaits_approval { "step-done-help-approval" } else { "step-done-help" }
    }

    /// The message about a server that is not trusted.
    pub(super) fn distrust(self) -> &'static str {
        if self.is_private { "trouble-trust-help" } else { "trouble-trust-help-public" }
    }
}

/// The messages about what people sign in with. A PIN that is typed where it does not belong may lock itself.
pub(super) struct PasswordWords {
    /// What to type.
    pub(super) sign_in: &'static str,
    /// What to do if it is refused.
    pub(super) refused: &'static str,
    /// What to do with the PIN of an invitation, until when.
    pub(super) pin: &'static str,
}

impl PasswordWords {
    fn of(sign_in: SignInWith) -> Self {
        let (pin, either) = ("invitation-pin-help", "trouble-password-help");
        match sign_in {
            SignInWith::PasswordOrPin => Self { sign_in: "step-password-help", refused: either, pin },
            SignInWith::Pin => Self { sign_in: "step-password-help-pin", refused: either, pin },
            SignInWith::Password => {
                Self { sign_in: "step-password-help-password", refused: "trouble-password-help-password", pin }
            }
            SignInWith::PasswordAndPin => Self {
                sign_in: "step-password-help-both",
                refused: "trouble-password-help-both",
                pin: "invitation-pin-help-both",
            },
        }
    }
}

impl Guide {
    /// For a server; `page` is where the steps are shown, `user` who is to enroll if that is known.
    pub(super) fn new(server: String, page: &str, user: Option<&str>, sign_in: SignInWith, rules: Rules) -> Self {
        Self { link: deep_link(&server, user), qr: Qr::of(page), words: PasswordWords::of(sign_in), server, rules }
    }

    /// The kinds of Windows in the order in which they stand on the page; the last is shown where none was chosen.
    pub(super) fn kinds(&self) -> [&'static str; 3] {
        ["windows10", "hololens2", "windows11"]
    }

    /// Their order in the choice.
    pub(super) fn choice(&self) -> [&'static str; 3] {
        ["windows11", "windows10", "hololens2"]
    }
}

/// Opens the enrollment dialog of Windows (MS-MDE2 appendix; enrollment reference 2.1).
fn deep_link(server: &str, user: Option<&str>) -> String {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let user = user.map(|user| format!("&username={}", encode(user))).unwrap_or_default();
    format!("ms-device-enrollment:?mode=mdm{user}&servername={}", encode(server))
}

pub(in crate::http) async fn page(State(app): State<App>, frame: Frame) -> Response {
    let page = format!("{}/go?lang={}", app.settings.url, frame.lang());
    let server = match app.enrollment_url().await {
        Ok(server) => server.url,
        Err(error) => return Problem::from(error).into_response(),
    };
    let guide = Guide::new(server, &page, None, app.settings.invitations.sign_in, Rules::of(&app).await);
    answer(StatusCode::OK, frame.language, &Go { frame, guide })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_names_server_and_user() {
        let server = "https://mdm.example.test/EnrollmentServer/Discovery.svc";
        assert_eq!(
            deep_link(server, None),
            "ms-device-enrollment:?mode=mdm&servername=https%3A%2F%2Fmdm.example.test%2FEnrollmentServer%2FDiscovery.svc"
        );
        let named = deep_link(server, Some("a&b c@example.test"));
        assert!(named.contains("&username=a%26b%20c%40example.test&servername="), "{named}");
    }
}
