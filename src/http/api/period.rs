//! A span of time in a request: `"90d"`, `"12h"`, `"30m"`, `"45s"`, or seconds as a number.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use time::Duration;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A span of at least a second and at most ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(pub Duration);

const LONGEST: i64 = 10 * 366 * 86_400;

impl Period {
    /// Reads a number with its unit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        let number: u32 = number.parse().ok()?;
        Self::of(i64::from(number) * seconds)
    }

    fn of(seconds: i64) -> Option<Self> {
        (1..=LONGEST).contains(&seconds).then(|| Self(Duration::seconds(seconds)))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeriodVisitor)
    }
}

struct PeriodVisitor;

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"90d\", \"12h\" or \"30m\", or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
        Period::parse(text)
            .ok_or_else(|| E::custom("must be a time such as \"90d\", \"12h\" or \"30m\", at most 10 years"))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Period, E> {
        let period = i64::try_from(seconds).ok().and_then(Period::of);
        period.ok_or_else(|| E::custom("must be 1 second to 10 years"))
    }
}

impl PartialSchema for Period {
    fn schema() -> RefOr<Schema> {
        let types = SchemaType::from_iter([Type::String, Type::Integer]);
        let words = "A time such as `90d`, `12h`, `30m` or `45s`, or a number of seconds";
        ObjectBuilder::new().schema_type(types).description(Some(words)).examples(["90d"]).into()
    }
}

impl ToSchema for Period {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_both_forms() {
        let cases = [
            ("\"90d\"", Some(Duration::days(90))),
            ("\"12h\"", Some(Duration::hours(12))),
            ("\"1s\"", Some(Duration::SECOND)),
            ("\"2w\"", Some(Duration::weeks(2))),
            ("60", Some(Duration::MINUTE)),
            ("0", None),
            ("-1", None),
            ("\"\"", None),
            ("\"d\"", None),
            ("\"1.5d\"", None),
            ("\"5 d\"", None),
            ("\"4000d\"", None),
            ("\"4294967295w\"", None),
            ("\"9\u{fc}\"", None),
            ("1e20", None),
        ];
        for (json, expected) in cases {
            let read = serde_json::from_str::<Period>(json).ok().map(|period| period.0);
            assert_eq!(read, expected, "{json}");
        }
    }
}
