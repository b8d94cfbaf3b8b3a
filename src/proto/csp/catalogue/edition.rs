//! Editions of Windows, by the numbers of `GetProductInfo` (constants `PRODUCT_…` of winnt.h).

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of editions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Editions(Arc<[u32]>);

impl Editions {
    /// Whether the set holds an edition.
    #[must_use]
    pub fn contains(&self, edition: u32) -> bool {
        self.0.binary_search(&edition).is_ok()
    }

    /// The editions, lowest number first.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }
}

impl FromIterator<u32> for Editions {
    fn from_iter<I: IntoIterator<Item = u32>>(editions: I) -> Self {
        let mut editions: Vec<u32> = editions.into_iter().collect();
        editions.sort_unstable();
        editions.dedup();
        Self(editions.into())
    }
}

impl Serialize for Editions {
    /// The numbers in hexadecimal, between blanks.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let numbers: Vec<String> = self.0.iter().map(|edition| format!("{edition:X}")).collect();
        serializer.serialize_str(&numbers.join(" "))
    }
}

impl<'de> Deserialize<'de> for Editions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        let numbers = text.split_ascii_whitespace().map(|number| u32::from_str_radix(number, 16));
        numbers.collect::<Result<Self, _>>().map_err(serde::de::Error::custom)
    }
}

/// The edition that text names: `72`, `0x48`, or a name such as `ENTERPRISE_EVALUATION`, without regard to case.
#[must_use]
pub fn parse_edition(text: &str) -> Option<u32> {
    let text = text.trim();
    let text = text.strip_suffix('*').unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    let bare = text.get(..8).filter(|start| start.eq_ignore_ascii_case("PRODUCT_")).map_or(text, |_| &text[8..]);
    let named = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(bare)).map(|(edition, _)| *edition);
    named.or_else(|| text.parse().ok())
}

/// The name of an edition.
#[must_use]
pub fn edition_name(edition: u32) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == edition).map(|(_, name)| *name)
}

/// An edition for people: number and name.
#[must_use]
pub fn describe_edition(edition: u32) -> String {
    match edition_name(edition) {
        Some(name) => format!("0x{edition:X} ({name})"),
        None => format!("0x{edition:X}"),
    }
}

/// Windows Holographic and Windows Holographic for Business, which HoloLens 2 reports.
pub const HOLOGRAPHIC: [u32; 2] = [0x87, 0x88];

/// The editions that occur in Microsoft's descriptions.
const NAMES: &[(u32, &str)] = &[
    (0x04, "ENTERPRISE"),
    (0x1B, "ENTERPRISE_N"),
    (0x30, "PROFESSIONAL"),
    (0x31, "PROFESSIONAL_N"),
    (0x48, "ENTERPRISE_EVALUATION"),
    (0x54, "ENTERPRISE_N_EVALUATION"),
    (0x62, "CORE_N"),
    (0x63, "CORE_COUNTRYSPECIFIC"),
    (0x64, "CORE_SINGLELANGUAGE"),
    (0x65, "CORE"),
    (0x77, "PPI_PRO"),
    (0x79, "EDUCATION"),
    (0x7A, "EDUCATION_N"),
    (0x7D, "ENTERPRISE_S"),
    (0x7E, "ENTERPRISE_S_N"),
    (0x81, "ENTERPRISE_S_EVALUATION"),
    (0x82, "ENTERPRISE_S_N_EVALUATION"),
    (0x87, "HOLOGRAPHIC"),
    (0x88, "HOLOGRAPHIC_BUSINESS"),
    (0x8A, "PRO_SINGLE_LANGUAGE"),
    (0x8B, "PRO_CHINA"),
    (0xA1, "PRO_WORKSTATION"),
    (0xA2, "PRO_WORKSTATION_N"),
    (0xA4, "PRO_FOR_EDUCATION"),
    (0xA5, "PRO_FOR_EDUCATION_N"),
    (0xAB, "ENTERPRISEG"),
    (0xAC, "ENTERPRISEGN"),
    (0xAF, "SERVERRDSH"),
    (0xB4, "HUBOS"),
    (0xBC, "IOTENTERPRISE"),
    (0xBD, "LITE"),
    (0xBF, "IOTENTERPRISES"),
    (0xCA, "CLOUDEDITIONN"),
    (0xCB, "CLOUDEDITION"),
    (0xCD, "IOTENTERPRISESK"),
    (0xCF, "IOTENTERPRISESEVAL"),
    (0xD2, "WNC"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_is_a_number_or_a_name() {
        for text in ["72", "0x48", "0X48", "enterprise_evaluation", "PRODUCT_ENTERPRISE_EVALUATION", " 0x48* "] {
            assert_eq!(parse_edition(text), Some(0x48), "{text}");
        }
        for text in ["", "0x", "x", "-1", "4294967296", "PRODUCT_", "é0x"] {
            assert_eq!(parse_edition(text), None, "{text}");
        }
        assert_eq!(describe_edition(0x88), "0x88 (HOLOGRAPHIC_BUSINESS)");
        assert_eq!(describe_edition(0x999), "0x999");
    }

    #[test]
    fn a_set_is_sorted_and_holds_each_once() {
        let set: Editions = [0x88, 4, 0x88].into_iter().collect();
        assert_eq!(set.as_slice(), [4, 0x88]);
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, "\"4 88\"");
        assert_eq!(serde_json::from_str::<Editions>(&text).unwrap(), set);
        assert!(!serde_json::from_str::<Editions>("\"\"").unwrap().contains(4));
    }
}
