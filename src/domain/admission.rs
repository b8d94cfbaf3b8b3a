//! Who may enroll what, from where: the rules of an installation, and what a device claims.
//!
//! Every claim is the client's own and can be invented; only the address is seen. The rules keep honest mistakes out and
//! bound what an invented device can do (security invariant S-10).

use std::net::IpAddr;

use super::Network;

/// Which devices are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// Every device.
    #[default]
    Anyone,
    /// Those that were registered before.
    Registered,
    /// Every device, and none gets anything before an administrator approves it.
    Approval,
}

/// The rules of an installation.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Which devices are let in.
    pub admission: Admission,
    /// The least build of Windows.
    pub min_build: Option<WindowsBuild>,
    /// The highest build of Windows.
    pub max_build: Option<WindowsBuild>,
    /// The editions that may enroll; empty: all but Windows Home.
    pub editions: Vec<EditionRule>,
    /// Whether devices that nobody in the organisation vouches for are refused.
    pub only_corporate: bool,
    /// From where; empty: from everywhere.
    pub networks: Vec<Network>,
    /// Most devices under management; 0 is any number.
    pub max_devices: u32,
}

/// What a device says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// `OSVersion`, dotted.
    pub os_version: Option<&'a str>,
    /// `OSEdition`: the product number.
    pub os_edition: Option<u32>,
    /// Whether it is the organisation's: registered, or brought by a bulk user.
    pub is_corporate: bool,
}

/// The rule that keeps a device out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Windows Home, which has no management.
    #[error("Windows Home (product {0}) cannot be managed")]
    Home(u32),
    /// An edition that is not among those allowed, or none was told.
    #[error("the edition of Windows ({}) is not among those allowed", or_none(*.0))]
    Edition(Option<u32>),
    /// An older build than allowed, or none was told.
    #[error("build {told} of Windows is older than {least}", told = or_none(*.0), least = .1)]
    TooOld(Option<WindowsBuild>, WindowsBuild),
    /// A newer build than allowed, or none was told.
    #[error("build {told} of Windows is newer than {most}", told = or_none(*.0), most = .1)]
    TooNew(Option<WindowsBuild>, WindowsBuild),
    /// Not the organisation's own.
    #[error("the device is not known to be the organisation's own")]
    Personal,
    /// From another network.
    #[error("devices are not enrolled from {0}")]
    Network(IpAddr),
    /// It was not registered.
    #[error("the device was not registered before")]
    NotRegistered,
    /// Its registration let in another device, which is still under management.
    #[error("the device's registration has let in another one, which is still managed")]
    RegistrationInUse,
    /// As many devices as allowed.
    #[error("there are as many devices as allowed: {0}")]
    Full(u32),
}

fn or_none<T: std::fmt::Display>(told: Option<T>) -> String {
    told.map_or_else(|| "not told".to_owned(), |told| told.to_string())
}

impl Rules {
    /// Whether somebody may enroll from there at all; judged before any credential.
    ///
    /// # Errors
    /// [`Broken::Network`].
    pub fn check_network(&self, address: IpAddr) -> Result<(), Broken> {
        let is_near = self.networks.is_empty() || self.networks.iter().any(|network| network.contains(address));
        if is_near { Ok(()) } else { Err(Broken::Network(address)) }
    }

    /// Whether a device may enroll, as far as it says itself.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self, claims: &Claims<'_>) -> Result<(), Broken> {
        self.check_edition(claims.os_edition)?;
        let build = claims.os_version.and_then(WindowsBuild::of_version);
        if let Some(least) = self.min_build
            && build.is_none_or(|build| build < least)
        {
            return Err(Broken::TooOld(build, least));
        }
        if let Some(most) = self.max_build
            && build.is_none_or(|build| build.is_beyond(most))
        {
            return Err(Broken::TooNew(build, most));
        }
        if self.only_corporate && !claims.is_corporate { Err(Broken::Personal) } else { Ok(()) }
    }

    fn check_edition(&self, edition: Option<u32>) -> Result<(), Broken> {
        if self.editions.iter().any(|rule| edition.is_some_and(|edition| rule.matches(edition))) {
            return Ok(());
        }
        match edition {
            Some(home) if EditionRule::Home.matches(home) => Err(Broken::Home(home)),
            // Who names none does not ask.
            _ if self.editions.is_empty() => Ok(()),
            edition => Err(Broken::Edition(edition)),
        }
    }
}

/// A build of Windows with its revision, such as 22631.3155.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowsBuild {
    build: u32,
    /// `None` comes before every revision.
    revision: Option<u32>,
}

impl WindowsBuild {
    /// The build in a dotted version such as `10.0.22631.3155`.
    #[must_use]
    pub fn of_version(version: &str) -> Option<Self> {
        let mut parts = version.trim().split('.').skip(2);
        let build = parts.next()?.parse().ok()?;
        Some(Self { build, revision: parts.next().and_then(|part| part.parse().ok()) })
    }

    /// Reads `22631` or `22631.3155`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (build, revision) = match text.trim().split_once('.') {
            Some((build, revision)) => (build, Some(revision.parse().ok()?)),
            None => (text.trim(), None),
        };
        Some(Self { build: build.parse().ok()?, revision })
    }

    /// Whether it is later than what is allowed; without a revision the whole build is.
    #[must_use]
    pub fn is_beyond(self, most: Self) -> bool {
        match most.revision {
            None => self.build > most.build,
            Some(_) => self > most,
        }
    }
}

impl std::fmt::Display for WindowsBuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "{}.{revision}", self.build),
            None => write!(f, "{}", self.build),
        }
    }
}

/// Editions by a word for several, or one by its product number ([MS-MDE2] 2.2.9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditionRule {
    /// Home, Home N, Home Single Language, Home China.
    Home,
    /// Pro with its variants.
    Pro,
    /// Enterprise with its variants, LTSC and multi-session.
    Enterprise,
    /// Education.
    Education,
    /// IoT.
    Iot,
    /// HoloLens.
    HoloLens,
    /// Team (Surface Hub).
    Team,
    /// One product number.
    Number(u32),
}

impl EditionRule {
    /// Reads a word, in any case, or a number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let word = WORDS.iter().find(|(word, ..)| word.eq_ignore_ascii_case(text)).map(|(_, rule, _)| *rule);
        word.or_else(|| text.parse().ok().map(Self::Number))
    }

    /// The words that [`parse`](Self::parse) reads.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, ..)| *word)
    }

    fn matches(self, edition: u32) -> bool {
        match self {
            Self::Number(number) => number == edition,
            named => WORDS.iter().any(|(_, rule, numbers)| *rule == named && numbers.contains(&edition)),
        }
    }
}

const WORDS: &[(&str, EditionRule, &[u32])] = &[
    ("Home", EditionRule::Home, &[98, 99, 100, 101]),
    ("Pro", EditionRule::Pro, &[48, 49, 127, 161, 162, 164, 165]),
    ("Enterprise", EditionRule::Enterprise, &[4, 27, 72, 84, 125, 126, 129, 130, 175]),
    ("Education", EditionRule::Education, &[121, 122]),
    ("IoT", EditionRule::Iot, &[123, 188, 191]),
    ("HoloLens", EditionRule::HoloLens, &[135, 136]),
    ("Team", EditionRule::Team, &[119]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(os_version: &str, os_edition: u32) -> Claims<'_> {
        Claims { os_version: Some(os_version), os_edition: Some(os_edition), is_corporate: false }
    }

    const BUILD: &str = "10.0.22631.3155";

    #[test]
    fn without_rules_everybody_but_home_comes_in() {
        let rules = Rules::default();
        for edition in [4, 48, 121, 136, 188, 999] {
            assert_eq!(rules.check(&claims(BUILD, edition)), Ok(()), "{edition}");
        }
        for home in [98, 99, 100, 101] {
            assert_eq!(rules.check(&claims(BUILD, home)), Err(Broken::Home(home)));
        }
        let silent = Claims { os_version: None, os_edition: None, ..claims(BUILD, 48) };
        assert_eq!(rules.check(&silent), Ok(()));
    }

    #[test]
    fn editions_are_named_by_words_and_numbers() {
        let editions = ["enterprise", "48"].map(|text| EditionRule::parse(text).unwrap()).to_vec();
        let rules = Rules { editions, ..Rules::default() };
        for (edition, expected) in
            [(4, Ok(())), (48, Ok(())), (49, Err(Broken::Edition(Some(49)))), (101, Err(Broken::Home(101)))]
        {
            assert_eq!(rules.check(&claims(BUILD, edition)), expected, "{edition}");
        }
        let silent = Claims { os_edition: None, ..claims(BUILD, 4) };
        assert_eq!(rules.check(&silent), Err(Broken::Edition(None)));
        let home = Rules { editions: vec![EditionRule::Home], ..Rules::default() };
        assert_eq!(home.check(&claims(BUILD, 101)), Ok(()));
        assert_eq!(EditionRule::parse("Ultimate"), None);
    }

    #[test]
    fn builds_are_compared_with_their_revisions() {
        let cases = [
            ("22631", "", "10.0.22631.1", true),
            ("22631", "", "10.0.22621.9999", false),
            ("22631.3155", "", "10.0.22631.3155", true),
            ("22631.3155", "", "10.0.22631.3154", false),
            ("22631.3155", "", "10.0.22631", false),
            ("22631.3155", "", "10.0.26100.1", true),
            ("", "22631", "10.0.22631.9999", true),
            ("", "22631", "10.0.26100.1", false),
            ("", "22631.5", "10.0.22631.6", false),
            ("1", "", "no version", false),
            ("", "22631", "", false),
        ];
        for (least, most, version, fits) in cases {
            let rules = Rules {
                min_build: WindowsBuild::parse(least),
                max_build: WindowsBuild::parse(most),
                ..Rules::default()
            };
            assert_eq!(rules.check(&claims(version, 48)).is_ok(), fits, "{least} {most} {version}");
        }
        for text in ["", "x", "22631.", "1.2.3", "-5"] {
            assert_eq!(WindowsBuild::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn networks_and_ownership_count() {
        let rules = Rules {
            networks: vec![Network::try_from("192.0.2.0/24".to_owned()).unwrap()],
            only_corporate: true,
            ..Rules::default()
        };
        assert_eq!(rules.check_network([192, 0, 2, 9].into()), Ok(()));
        for far in [[198, 51, 100, 1], [0, 0, 0, 0]].map(IpAddr::from) {
            assert_eq!(rules.check_network(far), Err(Broken::Network(far)));
        }
        assert_eq!(Rules::default().check_network([0, 0, 0, 0].into()), Ok(()));
        assert_eq!(rules.check(&claims(BUILD, 48)), Err(Broken::Personal));
        assert_eq!(rules.check(&Claims { is_corporate: true, ..claims(BUILD, 48) }), Ok(()));
    }
}
