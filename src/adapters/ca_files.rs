//! The data folder: where the configuration, the keys, the CA and the server certificate of an installation lie.
//!
//! ```text
//! muster.toml           the configuration
//! keys                  the sealing keys (0600); may lie elsewhere, better on another disk
//! admin.token           the token of the local command line (0600)
//! ca/root.pem           the root certificate
//! ca/root.key           its private key, sealed (0600)
//! ca/issuing.pem        the device issuing CA's certificate
//! ca/issuing.key        its private key, sealed (0600)
//! ca/previous.pem       the root before, once another one has taken its place
//! ca/before-…/          the same four files of a CA that was replaced
//! tls/server.pem        the server certificate, then the root
//! tls/server.key        its private key (0600)
//! ```

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::private_file::{FileError, create_folder, move_new, read_private, read_public, replace, write_new};
use super::sealer::{Sealer, SealerError};
use super::system::SystemRng;
use crate::app::ports::CaFiles;
use crate::domain::ca::{CaRecord, CaRole};
use crate::pki::create::Certified;
use crate::pki::{Authority, PkiError, pem, thumbprint};

/// Mode of files with secrets.
const PRIVATE: u32 = 0o600;
/// Mode of certificates.
const PUBLIC: u32 = 0o644;
/// PEM label of a private key that is sealed; its purpose is the file's name inside the data folder.
const SEALED_KEY: &str = "MUSTER SEALED KEY";

/// Why the files of an installation were not made or not taken.
#[derive(Debug, thiserror::Error)]
pub enum CaFilesError {
    /// One of the files itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key file, or something sealed with it.
    #[error("{path}: {source}", path = path.display())]
    Sealed {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: SealerError,
    },
    /// A file that should hold PEM of some kind does not.
    #[error("{path} holds no {what} in PEM form", path = path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The parts of the CA do not fit together.
    #[error("the CA in {path} is unusable: {source}", path = path.display())]
    Pki {
        /// The data folder.
        path: PathBuf,
        /// Why.
        source: PkiError,
    },
    /// The folder has an installation already.
    #[error("{path} holds an installation already; give another folder or remove that one", path = path.display())]
    Installed {
        /// The data folder.
        path: PathBuf,
    },
}

/// A server certificate with its chain and key, as TLS wants them.
pub struct TlsFiles {
    /// The leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key.
    pub key: PrivateKeyDer<'static>,
}

/// The files of one installation.
#[derive(Clone, Debug)]
pub struct DataFolder {
    folder: PathBuf,
    key_file: PathBuf,
}

impl DataFolder {
    /// The installation in `folder`, with its sealing keys in `key_file` or, by default, in the folder itself.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, key_file: Option<PathBuf>) -> Self {
        let folder = folder.into();
        let key_file = key_file.unwrap_or_else(|| folder.join("keys"));
        Self { folder, key_file }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A path of the configuration, which counts from the folder unless it is absolute.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// `muster.toml`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("muster.toml")
    }

    /// The key file.
    #[must_use]
    pub fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// `admin.token`.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.folder.join("admin.token")
    }

    /// Makes the folder for a new installation.
    ///
    /// # Errors
    /// [`CaFilesError::Installed`] if there is one, or [`CaFilesError::File`].
    pub fn create(&self) -> Result<(), CaFilesError> {
        let taken = [self.config(), self.folder.join(ROOT_PEM), self.folder.join(ISSUING_PEM)];
        if taken.iter().any(|path| path.exists()) {
            return Err(CaFilesError::Installed { path: self.folder.clone() });
        }
        for folder in ["", "ca", "tls"] {
            create_folder(&self.folder.join(folder))?;
        }
        Ok(())
    }

    /// Loads the sealing keys, after making the key file if it is not there yet.
    ///
    /// # Errors
    /// [`CaFilesError::File`] or [`CaFilesError::Sealed`].
    pub fn create_sealer(&self, rng: SystemRng) -> Result<Sealer, CaFilesError> {
        match write_new(&self.key_file, Sealer::new_key_file(&rng).as_bytes(), PRIVATE) {
            Ok(()) | Err(FileError::Exists { .. }) => self.sealer(rng),
            Err(e) => Err(e.into()),
        }
    }

    /// Loads the sealing keys.
    ///
    /// # Errors
    /// [`CaFilesError::Sealed`].
    pub fn sealer(&self, rng: SystemRng) -> Result<Sealer, CaFilesError> {
        Sealer::load(&self.key_file, rng).map_err(|source| self.sealed(&self.key_file, source))
    }

    /// Writes a new `muster.toml`.
    ///
    /// # Errors
    /// [`CaFilesError::File`], also if there is one.
    pub fn write_config(&self, text: &str) -> Result<(), CaFilesError> {
        Ok(write_new(&self.config(), text.as_bytes(), PRIVATE)?)
    }

    /// Writes the token of the local command line, replacing an older one.
    ///
    /// # Errors
    /// [`CaFilesError::File`].
    pub fn write_admin_token(&self, token: &SecretString) -> Result<(), CaFilesError> {
        let line = Zeroizing::new(format!("{}\n", token.expose_secret()));
        Ok(replace(&self.admin_token(), line.as_bytes(), PRIVATE)?)
    }

    /// Reads the token of the local command line.
    ///
    /// # Errors
    /// [`CaFilesError::File`].
    pub fn read_admin_token(&self) -> Result<SecretString, CaFilesError> {
        let contents = read_private(&self.admin_token())?;
        Ok(SecretString::from(String::from_utf8_lossy(&contents).trim()))
    }

    /// Writes both CAs of a new installation, their keys sealed.
    ///
    /// # Errors
    /// [`CaFilesError::File`], also if one of the files exists.
    pub fn write_ca(&self, root: &Certified, issuing: &Certified, sealer: &Sealer) -> Result<(), CaFilesError> {
        for (ca, certificate, key) in [(root, ROOT_PEM, ROOT_KEY), (issuing, ISSUING_PEM, ISSUING_KEY)] {
            let sealed = pem::encode(SEALED_KEY, &sealer.seal(key, &ca.key));
            write_new(&self.folder.join(key), sealed.as_bytes(), PRIVATE)?;
            let text = pem::encode(pem::CERTIFICATE, &ca.certificate);
            write_new(&self.folder.join(certificate), text.as_bytes(), PUBLIC)?;
        }
        Ok(())
    }

    /// The root and the issuing CA's certificate, DER; needs no key.
    ///
    /// # Errors
    /// [`CaFilesError::File`] or [`CaFilesError::Pem`].
    pub fn ca_certificates(&self) -> Result<(Vec<u8>, Vec<u8>), CaFilesError> {
        Ok((self.certificate(ROOT_PEM)?, self.certificate(ISSUING_PEM)?))
    }

    /// Loads what signs device certificates. A private key that is missing, or cannot be used, leaves an authority that knows
    /// enrolled devices and signs nothing; one that others may read is refused.
    ///
    /// # Errors
    /// Any [`CaFilesError`] but `Installed`.
    pub fn authority(&self, sealer: &Sealer) -> Result<Authority, CaFilesError> {
        let (root, issuing) = self.ca_certificates()?;
        let unusable = |source| CaFilesError::Pki { path: self.folder.clone(), source };
        let why = match self.sealed_key(ISSUING_KEY, sealer) {
            Err(error @ CaFilesError::File(FileError::Exposed { .. })) => return Err(error),
            Err(error) => error.to_string(),
            Ok(key) => match Authority::new(root.clone(), issuing.clone(), &key) {
                Err(error @ PkiError::Key(_)) => unusable(error).to_string(),
                made => return made.map_err(unusable),
            },
        };
        Authority::without_key(root, issuing, why).map_err(unusable)
    }

    /// Why the issuing CA's private key cannot be used, as far as that shows without the sealing key; `None`: nothing shows.
    #[must_use]
    pub fn ca_key_problem(&self) -> Option<String> {
        self.sealed_key_file(ISSUING_KEY).err().map(|error| error.to_string())
    }

    /// The roots under which a server certificate of ours may stand: the current one, and the one before.
    ///
    /// # Errors
    /// [`CaFilesError::File`] or [`CaFilesError::Pem`].
    pub fn roots(&self) -> Result<Vec<Vec<u8>>, CaFilesError> {
        let mut roots = vec![self.certificate(ROOT_PEM)?];
        roots.extend(self.certificate(PREVIOUS_PEM).ok());
        Ok(roots)
    }

    /// The roots of all CAs that this node ever had, the current one first.
    ///
    /// # Errors
    /// [`CaFilesError::File`] or [`CaFilesError::Pem`] of the current one; what cannot be read of the others is left out.
    pub fn all_roots(&self) -> Result<Vec<Vec<u8>>, CaFilesError> {
        let mut roots = self.roots()?;
        let folders = std::fs::read_dir(self.folder.join(CA_FOLDER)).into_iter().flatten().flatten();
        let is_before = |name: &str| name.starts_with(BEFORE);
        let names = folders.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_before(name));
        roots.extend(names.filter_map(|name| self.certificate(&format!("{CA_FOLDER}/{name}/root.pem")).ok()));
        Ok(roots)
    }

    /// Copies the files of the CA that is about to be replaced into a folder of its own: a database that is restored from
    /// before the roll-over needs them.
    fn keep_before(&self) -> Result<(), CaFilesError> {
        let Ok(issuing) = self.certificate(ISSUING_PEM) else { return Ok(()) };
        let folder = format!("{CA_FOLDER}/{BEFORE}{}", thumbprint(&issuing));
        create_folder(&self.folder.join(&folder))?;
        for (name, mode) in [(ROOT_KEY, PRIVATE), (ISSUING_KEY, PRIVATE), (ROOT_PEM, PUBLIC), (ISSUING_PEM, PUBLIC)] {
            let path = self.folder.join(name);
            let contents = match mode {
                PRIVATE => read_private(&path).map(|contents| contents.to_vec()),
                _ => read_public(&path).map(Into::into),
            };
            // A node may lack a key.
            let Ok(contents) = contents else { continue };
            let copy = self.folder.join(name.replacen(CA_FOLDER, &folder, 1));
            replace(&copy, &contents, mode)?;
        }
        Ok(())
    }

    /// The file that tells which CA is the current one.
    #[must_use]
    pub fn root_pem(&self) -> PathBuf {
        self.folder.join(ROOT_PEM)
    }

    /// Loads the root with its key, which signs server certificates.
    ///
    /// # Errors
    /// [`CaFilesError::File`], [`CaFilesError::Pem`] or [`CaFilesError::Sealed`].
    pub fn root(&self, sealer: &Sealer) -> Result<Certified, CaFilesError> {
        Ok(Certified { certificate: self.certificate(ROOT_PEM)?, key: self.sealed_key(ROOT_KEY, sealer)? })
    }

    /// Writes the server certificate and its key, replacing older ones. The root follows the leaf in the file, so that
    /// the chain is whole for whoever looks at it.
    ///
    /// # Errors
    /// [`CaFilesError::File`].
    pub fn write_tls(&self, server: &Certified, root: &[u8]) -> Result<(), CaFilesError> {
        let key = Zeroizing::new(pem::encode(pem::PRIVATE_KEY, &server.key));
        replace(&self.folder.join(TLS_KEY), key.as_bytes(), PRIVATE)?;
        let chain = [&server.certificate, root].map(|der| pem::encode(pem::CERTIFICATE, der)).concat();
        Ok(replace(&self.folder.join(TLS_PEM), chain.as_bytes(), PUBLIC)?)
    }

    /// Gives the server certificate's key another name, `server.key.` and the second since 1970, so that it is kept.
    ///
    /// # Errors
    /// [`CaFilesError::File`].
    pub fn keep_tls_key(&self, now: OffsetDateTime) -> Result<(), CaFilesError> {
        let path = self.folder.join(TLS_KEY);
        Ok(move_new(&path, &path.with_extension(format!("key.{}", now.unix_timestamp())))?)
    }

    /// Loads a server certificate and its key from the two paths of the configuration.
    ///
    /// # Errors
    /// [`CaFilesError::File`] or [`CaFilesError::Pem`].
    pub fn tls(&self, certificate: &Path, key: &Path) -> Result<TlsFiles, CaFilesError> {
        let (certificate, key) = (self.resolve(certificate), self.resolve(key));
        let text = read_public(&certificate)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).filter_map(Result::ok).collect();
        if chain.is_empty() {
            return Err(CaFilesError::Pem { path: certificate, what: "certificate" });
        }
        let contents = read_private(&key)?;
        match PrivateKeyDer::from_pem_slice(&contents) {
            Ok(key) => Ok(TlsFiles { chain, key }),
            Err(_) => Err(CaFilesError::Pem { path: key, what: "private key" }),
        }
    }

    fn certificate(&self, name: &str) -> Result<Vec<u8>, CaFilesError> {
        let path = self.folder.join(name);
        let text = read_public(&path)?;
        pem::decode(pem::CERTIFICATE, &text).ok_or(CaFilesError::Pem { path, what: "certificate" })
    }

    fn sealed_key(&self, name: &str, sealer: &Sealer) -> Result<Zeroizing<Vec<u8>>, CaFilesError> {
        let sealed = self.sealed_key_file(name)?;
        sealer.open(name, &sealed).map_err(|source| self.sealed(&self.folder.join(name), source))
    }

    fn sealed_key_file(&self, name: &str) -> Result<Vec<u8>, CaFilesError> {
        let path = self.folder.join(name);
        let contents = read_private(&path)?;
        let text = String::from_utf8_lossy(&contents);
        pem::decode(SEALED_KEY, &text).ok_or(CaFilesError::Pem { path, what: "sealed key" })
    }

    fn sealed(&self, path: &Path, source: SealerError) -> CaFilesError {
        match source {
            SealerError::File(e) => e.into(),
            source => CaFilesError::Sealed { path: path.to_owned(), source },
        }
    }
}

impl CaFiles for DataFolder {
    fn read(&self) -> Result<CaRecord, String> {
        let (root, issuing) = self.ca_certificates().map_err(|error| error.to_string())?;
        let key = |name| self.sealed_key_file(name).unwrap_or_default();
        let (root_key, issuing_key) = (key(ROOT_KEY), key(ISSUING_KEY));
        let since = OffsetDateTime::UNIX_EPOCH;
        Ok(CaRecord { id: String::new(), role: CaRole::Current, root, issuing, root_key, issuing_key, since })
    }

    fn replace(&self, ca: &CaRecord, previous_root: Option<&[u8]>) -> Result<(), String> {
        let write = || -> Result<(), CaFilesError> {
            let file = |name: &str| self.folder.join(name);
            let certificate = |der: &[u8]| pem::encode(pem::CERTIFICATE, der);
            match previous_root {
                Some(root) => replace(&file(PREVIOUS_PEM), certificate(root).as_bytes(), PUBLIC)?,
                // Nothing stands under it any more.
                None => drop(std::fs::remove_file(file(PREVIOUS_PEM))),
            }
            if self.ca_certificates().is_ok_and(|(root, issuing)| root == ca.root && issuing == ca.issuing) {
                return Ok(());
            }
            self.keep_before()?;
            for (name, sealed) in [(ROOT_KEY, &ca.root_key), (ISSUING_KEY, &ca.issuing_key)] {
                if !sealed.is_empty() {
                    replace(&file(name), pem::encode(SEALED_KEY, sealed).as_bytes(), PRIVATE)?;
                }
            }
            replace(&file(ISSUING_PEM), certificate(&ca.issuing).as_bytes(), PUBLIC)?;
            // Last: whoever sees it finds the rest.
            replace(&file(ROOT_PEM), certificate(&ca.root).as_bytes(), PUBLIC)?;
            Ok(())
        };
        write().map_err(|error| error.to_string())
    }
}

const CA_FOLDER: &str = "ca";
/// What the name of a folder begins with that holds the files of a CA before.
const BEFORE: &str = "before-";
const ROOT_PEM: &str = "ca/root.pem";
const ROOT_KEY: &str = "ca/root.key";
const ISSUING_PEM: &str = "ca/issuing.pem";
const ISSUING_KEY: &str = "ca/issuing.key";
/// The root before the current one, while that is trusted.
const PREVIOUS_PEM: &str = "ca/previous.pem";
/// The server certificate that `init` makes, relative to the data folder.
pub const TLS_PEM: &str = "tls/server.pem";
/// The key of [`TLS_PEM`], relative to the data folder.
pub const TLS_KEY: &str = "tls/server.key";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use time::macros::datetime;

    use super::*;
    use crate::pki::Serial;
    use crate::pki::create::{self, CaNames};

    // covers: R-17
    #[test]
    fn an_installation_is_written_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::new(folder.path().join("data"), Some(folder.path().join("elsewhere")));
        data.create().unwrap();
        let sealer = data.create_sealer(SystemRng).unwrap();
        let (now, serial) = (datetime!(2026-11-20 12:00 UTC), Serial::from_random([1; 16]));
        let names = CaNames::new(None, [1, 2, 3]);
        let root = create::root(&names, serial, now).unwrap();
        let issuing = create::issuing(&root, &names, serial, now).unwrap();
        let server = create::server(&root, &["a.example".to_owned()], serial, now).unwrap();
        data.write_ca(&root, &issuing, &sealer).unwrap();
        data.write_tls(&server, &root.certificate).unwrap();
        data.write_admin_token(&SecretString::from("token")).unwrap();
        data.write_config("[server]\n").unwrap();

        let sealer = data.create_sealer(SystemRng).unwrap();
        let authority = data.authority(&sealer).unwrap();
        assert_eq!((authority.issuing(), authority.alarm()), (issuing.certificate.as_slice(), None));
        assert_eq!(data.root(&sealer).unwrap().key, root.key);
        assert_eq!(data.read_admin_token().unwrap().expose_secret(), "token");
        let tls = data.tls(Path::new(TLS_PEM), Path::new(TLS_KEY)).unwrap();
        assert_eq!(
            tls.chain.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>(),
            [&server.certificate, &root.certificate]
        );
        assert_eq!(tls.key.secret_der(), server.key.as_slice());

        refuses_a_second_time(&data, &root, &issuing, &sealer);
        refuses_what_is_exposed_or_foreign(&data, &sealer);
        holds_no_plain_ca_key(&data, [&root.key, &issuing.key]);
        does_without_its_key(&data, &sealer);
    }

    fn does_without_its_key(data: &DataFolder, sealer: &Sealer) {
        let path = data.path().join(ISSUING_KEY);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(data.ca_key_problem(), None);
        for damage in ["no PEM", "gone"] {
            if damage == "gone" {
                fs::remove_file(&path).unwrap()
            } else {
                fs::write(&path, damage).unwrap()
            }
            let authority = data.authority(sealer).unwrap();
            let alarm = authority.alarm().unwrap();
            assert!(alarm.contains("ca/issuing.key"), "{damage}: {alarm}");
            assert_eq!(data.ca_key_problem().as_deref(), Some(alarm));
        }
    }

    fn refuses_a_second_time(data: &DataFolder, root: &Certified, issuing: &Certified, sealer: &Sealer) {
        assert!(matches!(data.create(), Err(CaFilesError::Installed { .. })));
        assert!(matches!(data.write_ca(root, issuing, sealer), Err(CaFilesError::File(FileError::Exists { .. }))));
        assert!(matches!(data.write_config(""), Err(CaFilesError::File(FileError::Exists { .. }))));
    }

    fn refuses_what_is_exposed_or_foreign(data: &DataFolder, sealer: &Sealer) {
        let foreign = Sealer::from_text(&Sealer::new_key_file(&SystemRng), SystemRng).unwrap();
        let alarm = data.authority(&foreign).unwrap().alarm().unwrap().to_owned();
        assert!(alarm.ends_with("ca/issuing.key: the key that sealed this is not in the key file"), "{alarm}");
        assert!(data.root(&foreign).is_err());
        for (path, mode) in [(ISSUING_KEY, 0o640), (TLS_KEY, 0o644)] {
            fs::set_permissions(data.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        assert!(data.authority(sealer).unwrap_err().to_string().contains("run: chmod 600 "));
        assert!(data.tls(Path::new(TLS_PEM), Path::new(TLS_KEY)).is_err());
    }

    fn holds_no_plain_ca_key(data: &DataFolder, keys: [&[u8]; 2]) {
        for entry in fs::read_dir(data.path().join("ca")).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            for key in keys {
                let plain = pem::encode("X", key);
                let line = plain.lines().nth(5).unwrap();
                assert!(!text.contains(line));
            }
        }
    }
}
