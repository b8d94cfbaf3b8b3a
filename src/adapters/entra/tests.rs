use std::io::Write as _;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;

use super::*;

const NOON: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);
const TENANT: Uuid = Uuid::from_u128(0x3f0a_9d52);
const AUDIENCE: &str = "https://mdm.example.test";

/// A tenant that signs, made without the library under test.
struct Signer {
    pair: RsaKeyPair,
}

impl Signer {
    fn new() -> Self {
        Self { pair: RsaKeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    fn jwk(&self, kid: &str) -> Value {
        use aws_lc_rs::signature::KeyPair;
        let (_, key) = RSAPublicKey::from_der(self.pair.public_key().as_ref()).unwrap();
        let number = |bytes: &[u8]| text(bytes.strip_prefix(&[0]).unwrap_or(bytes));
        json!({"kty": "RSA", "use": "sig", "kid": kid, "n": number(key.modulus), "e": number(key.exponent)})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", text(&signature))
    }

    fn token(&self, kid: &str, claims: &Value) -> String {
        self.sign(&json!({"typ": "JWT", "alg": "RS256", "kid": kid}), claims)
    }
}

fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({
        "aud": AUDIENCE, "iss": format!("https://sts.windows.net/{TENANT}/"), "tid": TENANT,
        "oid": Uuid::from_u128(9), "upn": "ada@example.test", "deviceid": Uuid::from_u128(8), "ver": "1.0",
        "nbf": NOON.unix_timestamp() - 60, "exp": NOON.unix_timestamp() + 3600,
    })
}

/// The claims with some changed; null takes one out.
fn with(changes: &Value) -> Value {
    let mut all = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => all.as_object_mut().unwrap().remove(name),
            value => all.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    all
}

/// A tenant with those keys in a file.
struct Connected {
    tokens: EntraTokens,
    file: tempfile::NamedTempFile,
}

fn connected(keys: &[Value]) -> Connected {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{}", json!({"keys": keys})).unwrap();
    let settings = TenantSettings {
        tenant_id: TENANT,
        audience: vec!["29d9ed98-a469-4536-ade2-f981bc1d605e".to_owned(), AUDIENCE.to_owned()],
        keys_file: file.path().to_owned(),
    };
    Connected { tokens: EntraTokens::open(vec![settings], NOON).unwrap(), file }
}

impl Connected {
    async fn judge(&self, token: &str) -> Result<EntraClaims, TokenRejected> {
        self.tokens.verify(&SecretString::from(token), NOON).await
    }
}

#[tokio::test]
async fn tokens_of_both_versions_are_believed() {
    let signer = Signer::new();
    let tenant = connected(&[Signer::new().jwk("other"), signer.jwk("k1")]);
    let first = tenant.judge(&signer.token("k1", &claims())).await.unwrap();
    let user = (Some(Uuid::from_u128(8)), Some(Uuid::from_u128(9)), Some("ada@example.test"));
    assert_eq!((first.device_id, first.user_id, first.upn.as_deref()), user);
    assert_eq!(first.tenant_id, TENANT);
    let second = with(&json!({
        "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"), "ver": "2.0", "upn": null,
        "aud": "29d9ed98-a469-4536-ade2-f981bc1d605e", "preferred_username": "ada@example.test",
    }));
    assert_eq!(tenant.judge(&signer.token("k1", &second)).await.unwrap(), first);
    let nameless = signer.sign(&json!({"alg": "RS256"}), &claims());
    assert_eq!(tenant.judge(&nameless).await.unwrap(), first, "without a key id the tenant's keys are tried");
    let of_device = tenant.judge(&signer.token("k1", &with(&json!({"upn": null})))).await.unwrap();
    assert_eq!((of_device.device_id, of_device.user_id), (Some(Uuid::from_u128(8)), None));
    let long = tenant.judge(&signer.token("k1", &with(&json!({"upn": "x\n".repeat(400)})))).await.unwrap();
    assert_eq!(long.upn.unwrap(), "x".repeat(LONGEST_NAME));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_it() {
    let (signer, other) = (Signer::new(), Signer::new());
    let tenant = connected(&[signer.jwk("k1")]);
    let noon = NOON.unix_timestamp();
    let cases = [
        (json!({"aud": "https://other.example.test"}), TokenRejected::Audience),
        (json!({"aud": null}), TokenRejected::Malformed),
        (json!({"iss": format!("https://sts.windows.net/{}/", Uuid::from_u128(1))}), TokenRejected::Issuer),
        (json!({"iss": format!("https://sts.windows.net/{TENANT}")}), TokenRejected::Issuer),
        (json!({"tid": Uuid::from_u128(1)}), TokenRejected::Issuer),
        (json!({"tid": null}), TokenRejected::Malformed),
        (json!({"exp": null}), TokenRejected::Malformed),
        (json!({"exp": "tomorrow"}), TokenRejected::Malformed),
        (json!({"exp": noon - 301}), TokenRejected::Expired),
        (json!({"exp": -1e300}), TokenRejected::Malformed),
        (json!({"nbf": noon + 301}), TokenRejected::NotYet),
        (json!({"deviceid": "PC-1"}), TokenRejected::Malformed),
    ];
    for (changes, expected) in cases {
        let judged = tenant.judge(&signer.token("k1", &with(&changes))).await;
        assert_eq!(judged.unwrap_err(), expected, "{changes}");
    }
    for changes in [json!({"exp": noon - 299}), json!({"nbf": noon + 299}), json!({"nbf": null})] {
        assert!(tenant.judge(&signer.token("k1", &with(&changes))).await.is_ok(), "{changes}");
    }
    assert_eq!(tenant.judge(&other.token("k1", &claims())).await.unwrap_err(), TokenRejected::Signature);
    assert_eq!(tenant.judge(&signer.token("k2", &claims())).await.unwrap_err(), TokenRejected::UnknownKey);
    let unsigned = format!("{}.{}.", text(br#"{"alg":"none"}"#), text(claims().to_string().as_bytes()));
    assert_eq!(tenant.judge(&unsigned).await.unwrap_err(), TokenRejected::Algorithm);
    for alg in ["HS256", "RS512", "PS256", "ES256"] {
        let judged = tenant.judge(&signer.sign(&json!({"alg": alg, "kid": "k1"}), &claims())).await;
        assert_eq!(judged.unwrap_err(), TokenRejected::Algorithm, "{alg}");
    }
    for junk in ["", "x", "a.b", "a.b.c", "....", "é.é.é"] {
        let refused = tenant.judge(junk).await.unwrap_err();
        assert!(matches!(refused, TokenRejected::Malformed | TokenRejected::Algorithm), "{junk}: {refused}");
    }
    assert_eq!(tenant.judge(&"x".repeat(1 << 20)).await.unwrap_err(), TokenRejected::TooLong);
    let nobody = EntraTokens::default();
    let judged = nobody.verify(&SecretString::from(signer.token("k1", &claims())), NOON).await;
    assert_eq!(judged.unwrap_err(), TokenRejected::NoTenant);
}

#[tokio::test]
async fn a_token_is_of_the_tenant_whose_issuer_it_names() {
    let signer = Signer::new();
    let second = connected(&[signer.jwk("k1")]);
    let elsewhere = TenantSettings { tenant_id: Uuid::from_u128(1), ..second.tokens.tenants[0].settings.clone() };
    let both = vec![elsewhere, second.tokens.tenants[0].settings.clone()];
    let both = EntraTokens::open(both, NOON).unwrap();
    let token = SecretString::from(signer.token("k1", &claims()));
    assert_eq!(both.verify(&token, NOON).await.unwrap().tenant_id, TENANT, "both sign with the same key");
}

#[tokio::test]
async fn new_keys_are_read_from_the_file_and_old_ones_stay_while_it_is_broken() {
    let (old, new) = (Signer::new(), Signer::new());
    let mut tenant = connected(&[old.jwk("old")]);
    let rewrite = |tenant: &mut Connected, text: &str, second: u64| {
        std::fs::write(tenant.file.path(), text).unwrap();
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
        tenant.file.as_file().set_modified(at).unwrap();
    };
    let judge = async |tenant: &Connected, signer: &Signer, kid: &str, seconds: i64| {
        let token = SecretString::from(signer.token(kid, &claims()));
        tenant.tokens.verify(&token, NOON + Duration::seconds(seconds)).await
    };
    rewrite(&mut tenant, "{", 1000);
    assert!(judge(&tenant, &old, "old", 61).await.is_ok());
    rewrite(&mut tenant, &json!({"keys": [new.jwk("new")]}).to_string(), 2000);
    assert!(judge(&tenant, &old, "old", 62).await.is_ok(), "not looked at again so soon");
    assert_eq!(judge(&tenant, &old, "old", 130).await.unwrap_err(), TokenRejected::UnknownKey);
    assert!(judge(&tenant, &new, "new", 131).await.is_ok());
}

#[test]
fn files_without_keys_are_refused_by_name() {
    let file = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{text}").unwrap();
        Keys::read(file.path(), NOON).map(|_| ()).unwrap_err().to_string()
    };
    assert!(file("{").contains("JSON Web Key Set"));
    assert!(file(r#"{"keys": []}"#).contains("no RSA key"));
    assert!(file(r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#).contains("no RSA key"));
    let mut encrypts = Signer::new().jwk("k");
    encrypts["use"] = json!("enc");
    assert!(file(&json!({"keys": [encrypts]}).to_string()).contains("no RSA key"));
    assert!(file(&" ".repeat(1024 * 1024 + 1)).contains("larger"));
    assert!(Keys::read(Path::new("/nonexistent"), NOON).is_err());
}
