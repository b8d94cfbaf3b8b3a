//! What is built into a package, and the files in which it is handed out.

use secrecy::{ExposeSecret, SecretString};

use super::instructions::{self, Page};
use crate::app::{App, Error, FieldError};
use crate::domain::language::Language;
use crate::domain::package::Package;
use crate::pki::is_certificate;
use crate::proto::csp::computer_name;
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::secret::Secret;
use crate::proto::ppkg::{self, ArchiveFile, Customizations, LocalAdmin, Wifi};

/// What is built into a package beside the enrollment. The server keeps none of it.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Words for people.
    pub notes: Option<String>,
    /// The pattern by which the device is named, e.g. `SITE7-%RAND:4%`.
    pub device_name: Option<String>,
    /// The network over which the device reaches the server.
    pub wifi: Option<Wifi>,
    /// Who can sign in to the device before it has a user.
    pub local_admin: Option<LocalAdmin>,
    /// The root certificates of the server.
    pub root_certificate: RootCertificate,
}

/// Which root certificate a package makes devices trust before they enroll.
#[derive(Clone, Debug, Default)]
pub enum RootCertificate {
    /// That of the certificate that the server shows, where it is known not to be a public one.
    #[default]
    Auto,
    /// None: Windows trusts the server anyway.
    None,
    /// This one, DER.
    Given(Vec<u8>),
}

/// The file with the settings.
const CUSTOMIZATIONS: &str = "customizations.xml";

impl Contents {
    /// What is wrong with it, by its place in the request.
    pub(super) fn mistakes(&self) -> Vec<FieldError> {
        let mut found: Vec<Unfit> = Vec::new();
        found.extend(self.notes.as_deref().and_then(|notes| ppkg::check_notes("/notes", notes).err()));
        if let Some(Err(error)) = self.device_name.as_deref().map(computer_name::check) {
            found.push(Unfit::new("/device_name", error.to_string()));
        }
        found.extend(self.wifi.as_ref().and_then(|wifi| below("/wifi", wifi.check())));
        found.extend(self.local_admin.as_ref().and_then(|admin| below("/local_admin", admin.check())));
        if let RootCertificate::Given(der) = &self.root_certificate
            && !is_certificate(der)
        {
            found.push(Unfit::new("/root_certificate", "is no certificate"));
        }
        found.into_iter().map(|unfit| FieldError { pointer: unfit.pointer, message: unfit.message }).collect()
    }

    /// The files of a package, for a server of that name whose discovery is at that address.
    pub(super) fn files(
        &self,
        package: &Package,
        roots: &[Vec<u8>],
        secret: &SecretString,
        (server, discovery_url): (&str, String),
    ) -> Vec<ArchiveFile> {
        let customizations = Customizations {
            id: package.id.uuid(),
            name: package.name.clone(),
            version: package.version(),
            notes: self.notes.clone(),
            upn: package.user_name.clone(),
            discovery_url,
            secret: Secret::new(secret.expose_secret()),
            root_certificates: (1..=roots.len()).map(root_file).collect(),
            device_name: self.device_name.clone(),
            wifi: self.wifi.clone(),
            local_admin: self.local_admin.clone(),
        };
        let page = Page { package, customizations: &customizations, server };
        let mut files = vec![
            ArchiveFile::new(CUSTOMIZATIONS, customizations.encode()),
            ArchiveFile::new("build.cmd", instructions::script(&package.name)),
            ArchiveFile::new("instructions.en.html", page.write(Language::English)),
            ArchiveFile::new("instructions.fr.html", page.write(Language::French)),
        ];
        files.extend((1..).zip(roots).map(|(number, root)| ArchiveFile::new(root_file(number), root.as_slice())));
        files
    }
}

impl App {
    /// The root certificates that devices have to be given, DER. While one CA takes the place of another, that of the newer
    /// one as well: the server certificate will stand under it.
    pub(super) fn roots_to_trust(&self, contents: &Contents) -> Result<Vec<Vec<u8>>, Error> {
        let served = match &contents.root_certificate {
            RootCertificate::None => return Ok(Vec::new()),
            RootCertificate::Given(der) => return Ok(vec![der.clone()]),
            RootCertificate::Auto => self.server_trust.private_root(),
        };
        let served = served.map_err(|words| Error::Unavailable(format!("the server certificate: {words}")))?;
        let Some(served) = served else { return Ok(Vec::new()) };
        let set = self.authority.now();
        let ours = [set.previous.as_ref(), Some(&set.current), set.next.as_ref()];
        let newer = ours.into_iter().flatten().map(|ca| ca.root().to_vec()).skip_while(|root| *root != served).skip(1);
        let newer: Vec<_> = newer.collect();
        Ok([vec![served], newer].concat())
    }
}

/// The file with the root certificate of that number.
fn root_file(number: usize) -> String {
    if number == 1 { "root.cer".to_owned() } else { format!("root-{number}.cer") }
}

fn below(place: &str, checked: Result<(), Unfit>) -> Option<Unfit> {
    checked.err().map(|unfit| Unfit { pointer: format!("{place}{}", unfit.pointer), ..unfit })
}
