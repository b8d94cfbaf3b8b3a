//! What a device makes of its key beside TLS: signatures over its messages and digests of its secret, made by OpenSSL's
//! program.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::certificate::pem_file;
use super::device::{FakeDevice, Seal};
use super::openssl;

/// A detached CMS signature of a device over a body, base64; `options` beside the usual ones.
pub fn signature(device: &FakeDevice, body: &[u8], options: &[&str]) -> String {
    let certificate = pem_file(&device.chain().leaf);
    let (certificate, key) = (certificate.to_string_lossy(), device.key.file.to_string_lossy());
    let mut arguments = vec!["cms", "-sign", "-binary", "-outform", "DER", "-signer", &*certificate, "-inkey", &*key];
    arguments.extend(options);
    STANDARD.encode(openssl::run(&arguments, body))
}

/// Lets a device sign each of its messages, in a header of that name.
pub fn sign_all(device: &mut FakeDevice, header: &'static str) {
    device.seal = Some(seal(device, header));
}

fn seal(device: &FakeDevice, header: &'static str) -> Seal {
    let signer = device.clone();
    Arc::new(move |body: &[u8]| vec![(header.to_owned(), signature(&signer, body, &["-md", "sha256"]))])
}

/// `Cred/Data` of the scheme `syncml:auth-md5`: B64(MD5(B64(MD5(name:secret)):nonce)).
pub fn digest(name: &str, secret: &str, nonce: &[u8]) -> String {
    let inner = STANDARD.encode(md5(format!("{name}:{secret}").as_bytes()));
    STANDARD.encode(md5(&[inner.as_bytes(), b":", nonce].concat()))
}

fn md5(bytes: &[u8]) -> Vec<u8> {
    openssl::run(&["dgst", "-md5", "-binary"], bytes)
}

/// The name of a device's account (`AAUTHNAME` of the APPSRV block).
pub fn account_name(device: &FakeDevice) -> String {
    let all = device.provisioned.document.walk();
    let name = all.into_iter().find(|parm| parm.attribute("name") == Some("AAUTHNAME"));
    name.and_then(|parm| parm.attribute("value")).expect("E-85: the device has a name").to_owned()
}

/// Name and credential in the header of a message, as Windows writes them; the nonce is the decoded one.
pub fn cred(device: &FakeDevice, nonce: &[u8]) -> (String, String) {
    let name = account_name(device);
    let data = digest(&name, &device.provisioned.secrets[1], nonce);
    let cred = format!(
        "<Cred><Meta><Format xmlns=\"syncml:metinf\">b64</Format><Type xmlns=\"syncml:metinf\">syncml:auth-md5</Type></Meta>\
         <Data>{data}</Data></Cred>"
    );
    (name, cred)
}
