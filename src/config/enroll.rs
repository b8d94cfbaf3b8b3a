//! The rules of `[enroll]` on which devices may enroll.

use serde::{Deserialize, Serialize};

use super::Enroll;
use crate::domain::admission::{self, EditionRule, Rules, WindowsBuild};

/// Which devices are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Every device.
    Anyone,
    /// Those that were registered before.
    Registered,
    /// Every device, once an administrator approves it.
    Approval,
}

/// Whose devices may enroll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// Everybody's.
    Any,
    /// The organisation's.
    Corporate,
}

impl Enroll {
    /// The rules that a device has to meet.
    ///
    /// # Errors
    /// The key with a value that does not do, and what is expected.
    pub fn rules(&self) -> Result<Rules, (&'static str, String)> {
        let build = |key: &'static str, text: &str| match text {
            "" => Ok(None),
            text => WindowsBuild::parse(text)
                .map(Some)
                .ok_or_else(|| (key, format!("`{text}` is no build of Windows such as `22631` or `22631.3155`"))),
        };
        let edition = |text: &String| {
            EditionRule::parse(text).ok_or_else(|| {
                let words: Vec<&str> = EditionRule::words().collect();
                ("enroll.editions", format!("`{text}` is none of {}, and no product number", words.join(", ")))
            })
        };
        let (min_build, max_build) =
            (build("enroll.min_build", &self.min_build)?, build("enroll.max_build", &self.max_build)?);
        if let (Some(least), Some(most)) = (min_build, max_build)
            && least.is_beyond(most)
        {
            return Err(("enroll.max_build", "expected a build that is not below min_build".to_owned()));
        }
        Ok(Rules {
            admission: match self.admission {
                Admission::Anyone => admission::Admission::Anyone,
                Admission::Registered => admission::Admission::Registered,
                Admission::Approval => admission::Admission::Approval,
            },
            min_build,
            max_build,
            editions: self.editions.iter().map(edition).collect::<Result<_, _>>()?,
            only_corporate: self.ownership == Ownership::Corporate,
            networks: self.networks.clone(),
            max_devices: self.max_devices,
        })
    }
}
