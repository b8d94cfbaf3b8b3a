//! Single enrollment requests, for tests about how one of them is answered.

use super::api::User;
use super::csr::Csr;
use super::device::{FakeDevice, Profile};
use super::http::Response;
use super::keys::Key;
use super::server::Server;
use super::soap::{self, Fault, RstBody, Soap, username_token};

/// An RST in parts, ready to be bent and sent.
#[derive(Clone)]
pub struct Attempt {
    pub credentials: String,
    pub profile: Profile,
    pub key: Key,
    /// The request, base64.
    pub csr: String,
}

impl Attempt {
    /// A good request of a new PC.
    pub fn new(server: &Server, user: &User) -> Self {
        Self::of(server, user, Profile::new())
    }

    pub fn of(server: &Server, user: &User, profile: Profile) -> Self {
        let key = server.key();
        let csr = Csr::windows(&profile.device_id).base64(&key);
        Self { credentials: username_token(&user.email, &user.password), profile, key, csr }
    }

    pub fn body(&self) -> RstBody {
        RstBody::issue(&self.csr, &self.profile.items())
    }

    pub fn soap(&self) -> Soap {
        Soap::rst(&self.credentials, self.body().xml())
    }

    pub fn send(&self, server: &Server) -> Response {
        server.web(&self.soap().request())
    }

    /// The provisioning document of an enrollment that must succeed.
    #[track_caller]
    pub fn accepted(&self, server: &Server) -> String {
        accepted(server, &self.soap())
    }

    /// The fault of an enrollment that must be refused.
    #[track_caller]
    pub fn refused(&self, server: &Server) -> Fault {
        self.soap().refused(&self.send(server))
    }

    /// Becomes the device, with all checks of the document.
    #[track_caller]
    pub fn enroll(self, server: &Server, user: Option<&str>) -> FakeDevice {
        let document = self.accepted(server);
        FakeDevice::install(server, user, self.profile, self.key, &document)
    }
}

/// Sends an RST that must succeed and returns the provisioning document.
#[track_caller]
pub fn accepted(server: &Server, soap: &Soap) -> String {
    let response = server.web(&soap.request());
    soap::provisioning_document(&response, &soap.accepted(&response))
}
