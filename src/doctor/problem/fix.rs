//! What to do about it, for whoever runs the doctor.

use super::Problem;

impl Problem {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        match self {
            Self::NoSuchName { name } | Self::NoAddress { name } => format!(
                "Add a CNAME record for {name} that leads to the host of your MDM server, in the DNS that the PCs ask. \
                 Until it is there, people can type the server's address when they enroll."
            ),
            Self::DanglingAlias { name, alias } => format!(
                "Point the CNAME record of {name} to the host of your MDM server, or give {alias} its address back."
            ),
            Self::ForeignService { name, service, .. } => format!(
                "PCs of this domain enroll with {service}. Point the CNAME record of {name} to your MDM server if they \
                 are to enroll there."
            ),
            Self::LeadsElsewhere { name, expected, .. } => {
                format!("Point the CNAME record of {name} to {expected}.")
            }
            Self::NameServer { .. } => {
                "See whether the name server runs and is reached from here, and ask it for the name by hand.".to_owned()
            }
            Self::Unreachable { authority, .. } => format!(
                "See whether the server runs, and whether firewalls and port forwarding let {authority} through from \
                 where the PCs are."
            ),
            Self::Handshake { .. } => {
                "See what listens on this port: it has to be the server's TLS 1.2 or 1.3, directly or behind a proxy."
                    .to_owned()
            }
            Self::NameMismatch { host, .. } => format!(
                "Get a server certificate whose subject alternative names contain {host}. A CNAME does not help: Windows \
                 compares the name that it began with."
            ),
            Self::Expired { .. } => {
                "Renew the certificate and have the server, or the proxy before it, take the new one. If it is not over \
                 yet, the clock of this machine is wrong."
                    .to_owned()
            }
            Self::NotYetValid { .. } => {
                "See whether the clocks of this machine and of the one that issued the certificate are right.".to_owned()
            }
            Self::IncompleteChain { issuer, .. } => format!(
                "Put the certificate of \"{issuer}\" behind the server's own in the certificate file (leaf first). If it is \
                 the root of your own CA, name that with --ca here, and have it on the PCs before they enroll."
            ),
            Self::UntrustedRoot { .. } => {
                "Use a certificate of a public CA, or have this root on the PCs before they enroll (by a provisioning \
                 package, for example) and name it with --ca here."
                    .to_owned()
            }
            Self::Untrusted { .. } => "Have the certificate issued anew.".to_owned(),
            Self::PrivateRoot { .. } => {
                "Have this root on the PCs before they enroll, or use a certificate of a public CA.".to_owned()
            }
            Self::ExpiresSoon { .. } => "Renew it in time; see whether its renewal is automatic and works.".to_owned(),
            Self::AsksForCertificate { .. } => {
                "Ask for client certificates on the device host only, which has another name or another port: the sign-in \
                 pages of an enrollment run in a browser that would ask the person for one."
                    .to_owned()
            }
            Self::NoAnswer { .. } => {
                "See the log of the server, and of the proxy before it, for this moment.".to_owned()
            }
            Self::InsecureRedirect { .. } => {
                "Answer here, or redirect to an https address: Windows ends an enrollment that is led to plain http."
                    .to_owned()
            }
            Self::Redirected { .. } => {
                "Windows follows this, but asks the person whether it may. Answer here, if you can, and no redirect is \
                 needed."
                    .to_owned()
            }
            Self::RedirectedTooOften { .. } => "Have the first address answer, or lead straight to the server.".to_owned(),
            Self::MessageRedirected { .. } => {
                "Answer this address in place: Windows does not send its message again to another.".to_owned()
            }
            Self::WrongPath { .. } => {
                "Have the proxy pass everything below /EnrollmentServer/ to the server unchanged, and see whether this is \
                 the address of an MDM server at all."
                    .to_owned()
            }
            Self::HttpStatus { status, .. } if (500..600).contains(status) => {
                "See the log of the server, and of the proxy before it, for this moment.".to_owned()
            }
            Self::HttpStatus { .. } => {
                "See what the proxy before the server does to this address: Windows knows no sign-in here, and no answer \
                 but 200 and SOAP faults."
                    .to_owned()
            }
            Self::Chunked { .. } | Self::NoLength { .. } => {
                "Windows wants the answer in one piece with Content-Length. Muster sends it so; have the proxy buffer whole \
                 answers and leave them unchanged (no compression, no content filter)."
                    .to_owned()
            }
            Self::Encoded { .. } => {
                "Switch compression off for /EnrollmentServer/ in the proxy before the server.".to_owned()
            }
            Self::MediaType { .. } => {
                "See what answers here: a sign-in page of a proxy, or an error page, is no answer of an MDM server.".to_owned()
            }
            Self::Empty { .. } | Self::NotSoap { .. } => {
                "See whether a proxy or a filter changes answers, and whether this is the address of an MDM server at all."
                    .to_owned()
            }
            Self::Fault { hresult, .. } => fault_fix(*hresult).to_owned(),
            Self::ServiceAddress { .. } => {
                "Set `url` in [server] to the https address under which PCs reach the server.".to_owned()
            }
            Self::ServicesApart { .. } => "Give both services the same host, as Windows expects it.".to_owned(),
            Self::ForeignPolicy { .. } => {
                "Have discovery answer with one of the policies that the PC offers: OnPremise or Federated.".to_owned()
            }
            Self::ShortKey { .. } => "Ask for RSA keys of at least 2048 bits.".to_owned(),
            Self::OtherServer { .. } => {
                "See what answers on the way: a redirect, or another server behind the name, sends PCs there.".to_owned()
            }
            Self::TooSlow { .. } => "See whether name servers and server answer at once.".to_owned(),
            Self::ClockApart { .. } => {
                "Set both clocks by NTP. A server with a wrong clock issues certificates that PCs do not accept yet, or no \
                 more."
                    .to_owned()
            }
        }
    }
}

fn fault_fix(hresult: u32) -> &'static str {
    match hresult {
        0x8018_0002 => "See whether user name and password are right, and whether they were tried too often.",
        0x8018_0003 => "See whether the account is disabled, or not among those that may enroll.",
        0x8018_0015 => {
            "Three things end so. This domain is not served: see `domains` in [enroll]. Or the enrollment URL is one of an \
             older generation, or has none where `require_generation` is set: see muster enroll-url show. Or the way to sign \
             in that PCs offer is not enabled: see `auth_policy`."
        }
        0x8018_0005 | 0x8018_0006 => "See the log of the server for the reference.",
        _ => "See the enrollment attempts of the server for the reference and the cause.",
    }
}
