//! The languages in which people are addressed.

use serde::{Deserialize, Serialize};
use time::{Month, OffsetDateTime, UtcOffset};

/// A language that pages and mails are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// French.
    #[serde(rename = "fr")]
    French,
}

impl Language {
    /// All of them, the one that is taken where none fits first.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// The tag of the language (RFC 5646), as API, configuration and `lang` attributes write it.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The name of the language in itself.
    #[must_use]
    pub fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::French => "Français",
        }
    }

    /// The language of a tag, whatever region or script it names.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// A moment for people, to the minute, in UTC.
    #[must_use]
    pub fn moment(self, at: OffsetDateTime) -> String {
        let at = at.to_offset(UtcOffset::UTC);
        let month = self.month(at.month());
        let (day, year, hour, minute) = (at.day(), at.year(), at.hour(), at.minute());
        match self {
            Self::English => format!("{day} {month} {year}, {hour:02}:{minute:02} UTC"),
            Self::French => {
                let day = if day == 1 { "1er".to_owned() } else { day.to_string() };
                format!("{day} {month} {year} à {hour:02}:{minute:02} UTC")
            }
        }
    }

    fn month(self, month: Month) -> &'static str {
        let (english, french) = match month {
            Month::January => ("January", "janvier"),
            Month::February => ("February", "février"),
            Month::March => ("March", "mars"),
            Month::April => ("April", "avril"),
            Month::May => ("May", "mai"),
            Month::June => ("June", "juin"),
            Month::July => ("July", "juillet"),
            Month::August => ("August", "août"),
            Month::September => ("September", "septembre"),
            Month::October => ("October", "octobre"),
            Month::November => ("November", "novembre"),
            Month::December => ("December", "décembre"),
        };
        match self {
            Self::English => english,
            Self::French => french,
        }
    }

    /// The one that an `Accept-Language` header likes best (RFC 9110 section 12.5.4).
    #[must_use]
    pub fn negotiate(accepted: &str) -> Self {
        let mut best = (Self::default(), 0.0);
        for range in accepted.split(',').take(MOST_RANGES) {
            let mut parts = range.split(';');
            let Some(language) = parts.next().and_then(Self::parse) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.trim().parse::<f32>().ok());
            let weight = weight.unwrap_or(1.0).clamp(0.0, 1.0);
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }
}

/// Ranges that are looked at; no browser sends as many.
const MOST_RANGES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_is_liked_best_is_chosen() {
        let cases = [
            ("", "en"),
            ("fr", "fr"),
            ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
            ("de-DE, fr;q=0.4, en;q=0.7", "en"),
            ("de, es;q=0.5", "en"),
            ("en;q=0.1, FR-be;q=0.2", "fr"),
            ("fr;q=0", "en"),
            ("fr;q=nonsense", "fr"),
            (";;;,,,q=1", "en"),
        ];
        for (header, expected) in cases {
            assert_eq!(Language::negotiate(header).tag(), expected, "{header}");
        }
    }

    #[test]
    fn moments_are_written_as_people_write_them() {
        let at = time::macros::datetime!(2026-12-01 01:05 +2);
        assert_eq!(Language::English.moment(at), "30 November 2026, 23:05 UTC");
        assert_eq!(Language::French.moment(at + time::Duration::HOUR), "1er décembre 2026 à 00:05 UTC");
    }

    #[test]
    fn tags_are_read_as_they_are_written() {
        for language in Language::ALL {
            assert_eq!(Language::parse(language.tag()), Some(language));
        }
        assert_eq!(Language::parse("fr-CH"), Some(Language::French));
        assert_eq!(Language::parse("french"), None);
    }
}
