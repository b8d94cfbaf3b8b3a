//! Builds of Windows, and which of them a list of first builds covers.

use std::fmt;

/// A build of Windows: `10.0.22621.3374` is build 22621, revision 3374.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Build {
    /// The build.
    pub build: u32,
    /// The revision within it, where that is known.
    pub revision: Option<u32>,
}

impl Build {
    /// Reads `10.0.22621.3374`, `10.0.22621`, `22621.3374` or `22621`; a leading `11.` counts as `10.`. The numbers that
    /// descriptions give where no released build is meant (`99.9.99999` and the like) are none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts = Parts::of(text.trim())?;
        match *parts.as_slice() {
            [10 | 11, 0, build, revision] => Some(Self { build, revision: Some(revision) }),
            [10 | 11, 0, build] if build >= LEAST_BUILD => Some(Self { build, revision: None }),
            // Written so in one description: the zero is left out.
            [10 | 11, build, revision] | [build, revision] if build >= LEAST_BUILD => {
                Some(Self { build, revision: Some(revision) })
            }
            [build] if build >= LEAST_BUILD => Some(Self { build, revision: None }),
            _ => None,
        }
    }

    /// Whether a list of first builds covers this one.
    ///
    /// An entry without a revision covers its build and all later ones. One with a revision covers its build from that
    /// revision on, and likewise the builds of the same servicing branch; where every entry has one, whatever comes
    /// behind the branch of the highest is covered too. Entries of no released build count for nothing. A revision that
    /// is not known is taken for the newest.
    #[must_use]
    pub fn is_covered_by<T: AsRef<str>>(self, first_builds: &[T]) -> bool {
        let first_builds = || first_builds.iter().filter_map(|entry| Self::parse(entry.as_ref()));
        if first_builds().any(|first| self.is_covered_by_entry(first)) {
            return true;
        }
        let every_one_has_a_revision = first_builds().all(|first| first.revision.is_some());
        let highest = first_builds().map(|first| first.build).max();
        every_one_has_a_revision && highest.is_some_and(|highest| self.build > last_of_branch(highest))
    }

    fn is_covered_by_entry(self, first: Self) -> bool {
        match first.revision {
            None => self.build >= first.build,
            Some(least) => {
                same_branch(self.build, first.build) && self.revision.is_none_or(|revision| revision >= least)
            }
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "10.0.{}.{revision}", self.build),
            None => write!(f, "10.0.{}", self.build),
        }
    }
}

/// The builds that are serviced together: a revision means the same in each.
const BRANCHES: [(u32, u32); 4] = [(18_362, 18_363), (19_041, 19_045), (22_621, 22_631), (26_100, 26_200)];

/// Below it no build of Windows 10 lies; what is lower is something else.
const LEAST_BUILD: u32 = 10_000;

fn branch(build: u32) -> (u32, u32) {
    BRANCHES.into_iter().find(|(first, last)| (*first..=*last).contains(&build)).unwrap_or((build, build))
}

fn same_branch(a: u32, b: u32) -> bool {
    branch(a) == branch(b)
}

fn last_of_branch(build: u32) -> u32 {
    branch(build).1
}

/// Up to four decimal numbers between dots.
struct Parts {
    numbers: [u32; 4],
    count: usize,
}

impl Parts {
    fn of(text: &str) -> Option<Self> {
        let mut parts = Self { numbers: [0; 4], count: 0 };
        for part in text.split('.') {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            *parts.numbers.get_mut(parts.count)? = part.parse().ok()?;
            parts.count += 1;
        }
        Some(parts)
    }

    fn as_slice(&self) -> &[u32] {
        &self.numbers[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(text: &str) -> Build {
        Build::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn builds_are_read_in_the_forms_in_which_they_are_written() {
        for text in ["10.0.22621.3374", "22621.3374", " 10.0.22621.3374 ", "11.0.22621.3374", "10.22621.3374"] {
            assert_eq!(build(text), Build { build: 22_621, revision: Some(3374) }, "{text}");
        }
        for text in ["10.0.22621", "22621", "11.0.22621"] {
            assert_eq!(build(text), Build { build: 22_621, revision: None }, "{text}");
        }
        for text in
            ["", "10", "10.0", "6.1.7601", "99.9.99999", "88.8.88888", "10.0.22621.1.2", "a", "10.0.x", "+22621"]
        {
            assert_eq!(Build::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_list_of_first_builds_covers_what_the_rules_say() {
        let cases: [(&[&str], &str, bool); 24] = [
            (&["10.0.22621"], "10.0.22621.1", true),
            (&["10.0.22621"], "10.0.26100.1", true),
            (&["10.0.22621"], "10.0.22000.9999", false),
            (&["10.0.22621.3374"], "10.0.22621.3374", true),
            (&["10.0.22621.3374"], "10.0.22621.3373", false),
            (&["10.0.22621.3374"], "10.0.22631.3374", true),
            (&["10.0.22621.3374"], "10.0.22631.3373", false),
            (&["10.0.22621.3374"], "10.0.26100.1", true),
            (&["10.0.22621.3374"], "10.0.22000.5000", false),
            (&["10.0.26100", "10.0.22621.3374"], "10.0.22631.4000", true),
            (&["10.0.26100", "10.0.22621.3374"], "10.0.25398.4000", false),
            (&["10.0.22000", "10.0.19041.1202"], "10.0.19045.4780", true),
            (&["10.0.22000", "10.0.19041.1202"], "10.0.20348.4780", false),
            (&["10.0.18362.387", "10.0.17763.832"], "10.0.18363.386", false),
            (&["10.0.18362.387", "10.0.17763.832"], "10.0.18363.387", true),
            (&["10.0.18362.387", "10.0.17763.832"], "10.0.19041.1", true),
            (&["99.9.99999", "10.0.26100.3915"], "10.0.26100.3915", true),
            (&["99.9.99999", "10.0.26100.3915"], "10.0.26200.3915", true),
            (&["99.9.99999", "10.0.26100.3915"], "10.0.26100.1742", false),
            (&["99.9.99999"], "10.0.26100.3915", false),
            (&["88.8.88888", "99.9.9999"], "10.0.28000.1", false),
            (&["11.0.26200.7019", "11.0.26100.7019"], "10.0.26100.7019", true),
            (&["10.0.22621.3374"], "22621", true),
            (&["10.0.22621.3374"], "22000", false),
        ];
        for (first, device, covered) in cases {
            assert_eq!(build(device).is_covered_by(first), covered, "{first:?} and {device}");
        }
    }
}
