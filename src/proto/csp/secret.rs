//! A value that is neither shown nor logged: a password, a key, a profile that holds one.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use zeroize::Zeroizing;

/// A secret, as long as it is needed.
///
/// It is read from a string. What it is written as is an object with the one field [`FIELD`], so that everything that
/// shows documents to people can leave it out.
#[derive(Clone, Default)]
pub struct Secret(Option<Zeroizing<String>>);

/// The field under which a secret is written.
pub const FIELD: &str = "secret";

impl Secret {
    /// A secret of that text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Some(Zeroizing::new(text.into())))
    }

    /// The text; nothing once it was forgotten.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.as_deref().map_or("", String::as_str)
    }
}

/// A secret that was forgotten is equal to any: nobody knows better.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        }
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(FIELD, &self.0.as_deref())?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let text = match map.next_entry::<String, Option<String>>()? {
            Some((name, text)) if name == FIELD => text,
            _ => return Err(A::Error::custom("is a string")),
        };
        match map.next_key::<String>()? {
            None => Ok(Secret(text.map(Zeroizing::new))),
            Some(_) => Err(A::Error::custom("is a string")),
        }
    }
}

impl PartialSchema for Secret {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .write_only(true)
            .into()
    }
}

impl ToSchema for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_a_string_and_written_so_that_it_can_be_left_out() {
        let read: Secret = serde_json::from_str("\"hush\"").unwrap();
        assert_eq!(read.reveal(), "hush");
        assert_eq!(format!("{read:?}"), "Secret");
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(written, r#"{"secret":"hush"}"#);
        assert_eq!(serde_json::from_str::<Secret>(&written).unwrap().reveal(), "hush");
        for wrong in ["7", "null", "[]", "{}", r#"{"other":"x"}"#, r#"{"secret":"x","more":1}"#] {
            assert!(serde_json::from_str::<Secret>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_forgotten_secret_is_equal_to_any() {
        let forgotten: Secret = serde_json::from_str(r#"{"secret":null}"#).unwrap();
        assert_eq!(forgotten, Secret::new("a"));
        assert_eq!(forgotten.reveal(), "");
        assert_ne!(Secret::new("a"), Secret::new("b"));
    }
}
