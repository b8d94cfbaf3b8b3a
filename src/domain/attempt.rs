//! The enrollment ledger: every attempt from Discover on, failed ones too.

use time::{Duration, OffsetDateTime};

use super::Id;
use super::enrollment::Enrollment;
use super::hresult::{Advice, Explanation, explain};
use super::refused::Refused;
use super::registration::RegisteredBy;

/// One attempt to enroll. The messages of an attempt carry no common key, so one is joined to an open attempt of the same
/// name and address that stands at the phase before; a fault closes it, and what follows is a new attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Identifier.
    pub id: Id<Self>,
    /// First message.
    pub started_at: OffsetDateTime,
    /// Last message.
    pub updated_at: OffsetDateTime,
    /// User name or address as typed; empty where none was sent.
    pub email: String,
    /// Where it came from, without port.
    pub address: String,
    /// By which road it came, as far as that is known.
    pub road: Option<Road>,
    /// How far it came.
    pub phase: Phase,
    /// How it stands.
    pub outcome: Outcome,
    /// What happened, in words.
    pub cause: String,
    /// The HRESULT that the person at the device sees, where there is one.
    pub hresult: Option<u32>,
    /// `ActivityId` of the last answer, which the device logs.
    pub trace_id: String,
    /// Name of the device, where it was told.
    pub device_name: Option<String>,
    /// Version of the operating system, where it was told.
    pub os_version: Option<String>,
    /// What it led to.
    pub enrollment_id: Option<Id<Enrollment>>,
    /// What kind of refusal it was, where more is known than its code says.
    pub refused: Option<Refused>,
    /// What the device told of itself by which it can be registered, where that would let it in.
    pub claims: Vec<(RegisteredBy, String)>,
    /// How often the same came: a refusal again and again.
    pub times: u32,
    /// Whether what it led to was never seen. Told by lists alone.
    pub never_seen: bool,
}

/// Messages of one attempt lie closer together than this.
pub const ONE_ATTEMPT: Duration = Duration::minutes(30);

impl Attempt {
    /// Whether the device said no more, though nothing was refused.
    #[must_use]
    pub fn has_stopped(&self, now: OffsetDateTime) -> bool {
        let is_over = now - self.updated_at >= ONE_ATTEMPT;
        is_over && (self.outcome == Outcome::Open || self.lacks_session())
    }

    /// How far it came, as far as that can be said at that moment: one that ended in a certificate stops at its first
    /// session where there is none.
    #[must_use]
    pub fn reached(&self, now: OffsetDateTime) -> Phase {
        if self.lacks_session() && self.has_stopped(now) { Phase::Session } else { self.phase }
    }

    fn lacks_session(&self) -> bool {
        self.never_seen && self.outcome == Outcome::Succeeded && self.phase == Phase::Enroll
    }

    /// What to make of an attempt that did not come to its end: by what was refused, by the code that the person saw, or by
    /// where it stopped.
    #[must_use]
    pub fn explanation(&self, now: OffsetDateTime) -> Option<Explanation> {
        match (self.hresult, self.refused) {
            (Some(code), Some(refused)) => refused.explanation(code),
            (Some(code), None) => explain(code),
            (None, _) if self.has_stopped(now) => stopped_after(self.reached(now)),
            (None, _) => None,
        }
    }
}

/// What is likely where a device did not go on after the answer to this phase.
fn stopped_after(phase: Phase) -> Option<Explanation> {
    let advice = |(cause, fix): (&'static str, &'static str)| Advice { cause: cause.into(), fix: fix.into() };
    let (english, french) = match phase {
        Phase::Discover => (
            (
                "The PC found the server and did not go on: nobody signed in, or it does not reach the next address that it was \
                 given.",
                "Ask whether the window for the password was closed; run `muster doctor` from the network of the PC.",
            ),
            (
                "Le PC a trouvé le serveur mais n'a pas continué : personne ne s'est connecté, ou il n'atteint pas l'adresse \
                 suivante.",
                "Demandez si la fenêtre du mot de passe a été fermée ; lancez « muster doctor » depuis le réseau du PC.",
            ),
        ),
        Phase::Policy => (
            (
                "The PC signed in and did not ask for its certificate: often it could not make its key, and shows 0x80180027.",
                "Update the firmware or clear the TPM; for virtual machines and broken TPMs set `software_keys_only` in [ca].",
            ),
            (
                "Le PC s'est connecté mais n'a pas demandé son certificat : souvent il n'a pas pu créer sa clé et affiche \
                 0x80180027.",
                "Mettez à jour le micrologiciel ou effacez la puce TPM ; pour les machines virtuelles et les TPM défectueux, activez \
                 « software_keys_only » dans [ca].",
            ),
        ),
        Phase::Session => (
            (
                "The PC got its certificate and never called `device_url`: a firewall stops it on the way, or Windows did not carry \
                 out what it was given (0x8018001E to 0x80180025).",
                "Open the address and port of `device_url` for the PC. If they are, see event 56 in its log \
                 DeviceManagement-Enterprise-Diagnostics-Provider/Admin, then enroll it again.",
            ),
            (
                "Le PC a reçu son certificat mais n'a jamais appelé « device_url » : un pare-feu l'arrête, ou Windows n'a pas \
                 appliqué ce qu'il a reçu (0x8018001E à 0x80180025).",
                "Ouvrez l'adresse et le port de « device_url » pour le PC. S'ils le sont, voyez l'événement 56 de son journal \
                 DeviceManagement-Enterprise-Diagnostics-Provider/Admin, puis recommencez l'inscription.",
            ),
        ),
        // These are one message with its answer.
        Phase::Enroll | Phase::Renew => return None,
    };
    Some(Explanation { name: "no further message".into(), english: advice(english), french: advice(french) })
}

/// By which road a device comes: what proves who enrolls it. Of an attempt that was refused it is the one that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// The password of a person.
    Password,
    /// The PIN of an invitation.
    Pin,
    /// Both, one behind the other.
    PasswordAndPin,
    /// The secret of a bulk package.
    Package,
    /// The PIN of a bulk package.
    PackagePin,
    /// A token of a sign-in by web page.
    WebToken,
    /// The certificate that is renewed.
    Certificate,
}

impl Road {
    const ALL: [Self; 7] = [
        Self::Password,
        Self::Pin,
        Self::PasswordAndPin,
        Self::Package,
        Self::PackagePin,
        Self::WebToken,
        Self::Certificate,
    ];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Pin => "pin",
            Self::PasswordAndPin => "password_and_pin",
            Self::Package => "package",
            Self::PackagePin => "package_pin",
            Self::WebToken => "web_token",
            Self::Certificate => "certificate",
        }
    }

    /// The road of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|road| road.as_str() == text)
    }
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Discover.
    Discover,
    /// GetPolicies.
    Policy,
    /// RequestSecurityToken.
    Enroll,
    /// The first session: never stored, but told where it did not come.
    Session,
    /// RequestSecurityToken of an enrolled device, for its next certificate.
    Renew,
}

impl Phase {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Policy => "policy",
            Self::Enroll => "enroll",
            Self::Session => "session",
            Self::Renew => "renew",
        }
    }

    /// The phase of the message before, whose attempt goes on with this one. Several PCs may share a name and an address, so
    /// the same phase again is another attempt: whichever PC is meant, as many stand at each phase as there are.
    #[must_use]
    pub fn goes_on_from(self) -> Option<Self> {
        match self {
            Self::Policy => Some(Self::Discover),
            Self::Enroll => Some(Self::Policy),
            // A renewal is one message; somebody may enroll another machine from the same place.
            Self::Discover | Self::Session | Self::Renew => None,
        }
    }

    /// The phase of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Discover, Self::Policy, Self::Enroll, Self::Renew].into_iter().find(|phase| phase.as_str() == text)
    }
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next message is awaited.
    Open,
    /// A certificate was issued.
    Succeeded,
    /// A fault was answered.
    Failed,
}

impl Outcome {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The outcome of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Succeeded, Self::Failed].into_iter().find(|outcome| outcome.as_str() == text)
    }
}
