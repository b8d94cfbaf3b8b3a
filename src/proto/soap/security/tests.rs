use proptest::prelude::*;

use super::super::fixtures::{captures, decode, fixture};
use super::*;

fn credential(security: &str) -> Result<Credential, Rejection> {
    let text = format!(
        "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' xmlns:o='{WSSE}'><s:Header>\
         <Action xmlns='http://www.w3.org/2005/08/addressing'>x</Action>\
         <o:Security>{security}</o:Security></s:Header><s:Body><x/></s:Body></s:Envelope>"
    );
    decode(text.as_bytes()).credential()
}

fn password_of(credential: Credential) -> String {
    match credential {
        Credential::Username { password, .. } => password.expose_secret().to_owned(),
        Credential::Token { .. } => panic!("a token"),
    }
}

/// The type may have a prefix, none, or be absent; a digest is refused.
// covers: E-44, E-45
#[test]
fn passwords_are_text() {
    let with = |attribute: &str| {
        credential(&format!(
            "<o:UsernameToken><o:Username> nora </o:Username><o:Password {attribute}>p</o:Password></o:UsernameToken>"
        ))
    };
    for attribute in ["", &format!("Type='{PASSWORD_TEXT}'"), &format!("o:Type='\n {PASSWORD_TEXT}'")] {
        assert_eq!(password_of(with(attribute).unwrap()), "p", "{attribute}");
    }
    let digest = PASSWORD_TEXT.replace("Text", "Digest");
    for attribute in [format!("Type='{digest}'"), format!("o:Type='{digest}'"), "Type=''".to_owned()] {
        assert!(matches!(with(&attribute), Err(Rejection::InvalidSecurity(_))), "{attribute}");
    }
}

/// Blanks belong to a password, line breaks and tabs at its ends do not.
#[test]
fn passwords_keep_their_blanks() {
    let cases = [("\n\t p w \t\n", " p w "), ("p\n", "p"), ("", ""), (" ", " "), ("a\tb", "a\tb"), ("&#13;x", "x")];
    for (written, meant) in cases {
        let token =
            format!("<o:UsernameToken><o:Username>n</o:Username><o:Password>{written}</o:Password></o:UsernameToken>");
        assert_eq!(password_of(credential(&token).unwrap()), meant, "{written:?}");
    }
}

#[test]
fn what_cannot_be_read_is_invalid_security() {
    let cases = [
        ("nothing", "".to_owned()),
        ("a timestamp only", "<Timestamp/>".to_owned()),
        ("no password", "<o:UsernameToken><o:Username>n</o:Username></o:UsernameToken>".to_owned()),
        ("no name", "<o:UsernameToken><o:Password>n</o:Password></o:UsernameToken>".to_owned()),
        (
            "two passwords",
            "<o:UsernameToken><o:Username>n</o:Username><o:Password>a</o:Password><o:Password>b</o:Password>\
             </o:UsernameToken>"
                .to_owned(),
        ),
        (
            "elements in the name",
            "<o:UsernameToken><o:Username>n<x/></o:Username><o:Password>a</o:Password></o:UsernameToken>".to_owned(),
        ),
        ("no base64", "<o:BinarySecurityToken>{BinarySecurityToken}</o:BinarySecurityToken>".to_owned()),
        ("empty token", "<o:BinarySecurityToken><!-- --></o:BinarySecurityToken>".to_owned()),
        ("a certificate", "<o:BinarySecurityToken>MIID/w==</o:BinarySecurityToken>".to_owned()),
        ("a signature", format!("<o:BinarySecurityToken>TXVz</o:BinarySecurityToken><Signature xmlns='{XMLDSIG}'/>")),
    ];
    for (name, security) in cases {
        assert!(matches!(credential(&security), Err(Rejection::InvalidSecurity(_))), "{name}");
    }
}

/// Decoded once, white space and missing padding tolerated.
#[test]
fn tokens_are_decoded_once() {
    let Ok(Credential::Token { value_type, token }) = decode(&fixture("13-device-rst-unusual.xml")).credential() else {
        panic!("no token");
    };
    assert_eq!(value_type, USER_TOKEN);
    assert_eq!(token.expose_secret(), "harbor.token");
}

#[test]
fn captured_credentials_are_read_or_refused() {
    for (name, bytes) in captures(&["getpolicies"]).into_iter().chain(captures(&["-rst-"])) {
        let credential = decode(&bytes).credential();
        // Published with placeholders in place of tokens, or with a signature.
        let unreadable = name.contains("federated") || name.contains("certificate");
        let by_name = matches!(credential, Ok(Credential::Username { .. }));
        match credential {
            Ok(_) => assert!(!unreadable && by_name == name.contains("onprem"), "{name}"),
            Err(rejection) => assert!(unreadable && matches!(rejection, Rejection::InvalidSecurity(_)), "{name}"),
        }
    }
}

proptest! {
    #[test]
    fn what_we_write_we_read(username in "[^ \\pC]{0,20}", password in "[^\\pC]{0,20}", token in "\\PC{1,40}") {
        let read = |credential: &Credential| {
            let mut w = XmlWriter::new();
            let namespaces = [("xmlns:wsse", WSSE), ("xmlns:u", "urn:u")];
            w.element("wsse:Security", &namespaces, |w| credential.encode(w));
            let bytes = w.into_bytes();
            let document = crate::proto::xml::Document::parse(&bytes, &crate::proto::xml::Limits::default()).unwrap();
            Credential::decode(document.root()).unwrap()
        };
        let sent = Credential::Username { username: username.clone(), password: SecretString::from(password.clone()) };
        let Credential::Username { username: name, password: secret } = read(&sent) else { panic!("a token") };
        prop_assert_eq!(name, username.trim());
        prop_assert_eq!(secret.expose_secret(), password);
        let sent = Credential::Token { value_type: JWT.to_owned(), token: SecretString::from(token.clone()) };
        let Credential::Token { value_type, token: secret } = read(&sent) else { panic!("a user name") };
        prop_assert_eq!(value_type, JWT);
        prop_assert_eq!(secret.expose_secret(), token);
    }
}
