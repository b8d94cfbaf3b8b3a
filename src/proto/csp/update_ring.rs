//! Policy CSP, area Update: how updates come to a device (management reference 7.17; HoloLens 2 has most of them).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri};

const AREA: &str = "./Device/Vendor/MSFT/Policy/Config/Update";
/// The policies that are numbers, in the order of [`UpdateRing::numbers`].
const NUMBERS: [&str; 15] = [
    "DeferQualityUpdatesPeriodInDays",
    "DeferFeatureUpdatesPeriodInDays",
    "PauseQualityUpdates",
    "PauseFeatureUpdates",
    "ConfigureDeadlineForQualityUpdates",
    "ConfigureDeadlineForFeatureUpdates",
    "ConfigureDeadlineGracePeriod",
    "AllowAutoUpdate",
    "ActiveHoursStart",
    "ActiveHoursEnd",
    "ScheduledInstallDay",
    "ScheduledInstallTime",
    "ExcludeWUDriversInQualityUpdate",
    "AllowMUUpdateService",
    "RequireUpdateApproval",
];
/// The policies that are texts.
const TEXTS: [&str; 2] = ["ProductVersion", "TargetReleaseVersion"];

/// How updates come to a device. What is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRing {
    /// Days by which quality updates are put off, 0 to 30.
    pub quality_deferral_days: Option<u16>,
    /// Days by which feature updates are put off, 0 to 365.
    pub feature_deferral_days: Option<u16>,
    /// Whether quality updates pause; Windows ends it after 35 days.
    pub pause_quality: Option<bool>,
    /// Whether feature updates pause; Windows ends it after 35 days.
    pub pause_feature: Option<bool>,
    /// Days, 0 to 30, after which a quality update is installed whatever the user says (10.0.18362).
    pub quality_deadline_days: Option<u16>,
    /// Likewise for a feature update (10.0.18362).
    pub feature_deadline_days: Option<u16>,
    /// Days, 0 to 7, after a deadline until the device restarts on its own (10.0.18362).
    pub grace_days: Option<u16>,
    /// When updates are downloaded and installed.
    pub installation: Option<Installation>,
    /// The hour, 0 to 23, at which active hours begin, in which the device does not restart.
    pub active_hours_start: Option<u16>,
    /// The hour, 0 to 23, at which active hours end.
    pub active_hours_end: Option<u16>,
    /// The day for updates that are installed by schedule: 0 every day, 1 Sunday to 7 Saturday.
    pub scheduled_day: Option<u16>,
    /// The hour for them, 0 to 23.
    pub scheduled_hour: Option<u16>,
    /// The product to stay on; with `target_release` only.
    #[schema(example = "Windows 11")]
    pub target_product: Option<String>,
    /// The release to stay on.
    #[schema(example = "24H2")]
    pub target_release: Option<String>,
    /// Whether drivers come with quality updates.
    pub drivers: Option<bool>,
    /// Whether other products of Microsoft are updated, too.
    pub microsoft_products: Option<bool>,
    /// Whether only approved updates are installed.
    pub require_approval: Option<bool>,
}

/// When updates are downloaded and installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Installation {
    /// The user is told, and decides about the download.
    Notify,
    /// Automatically; the user chooses when to restart.
    Automatic,
    /// Automatically, with a restart while the device is not in use.
    AutomaticAndRestart,
    /// At the scheduled day and hour, with a restart.
    Scheduled,
    /// Automatically, with a restart, and the user has no say.
    AutomaticForced,
    /// Not at all.
    Off,
}

impl Installation {
    fn value(self) -> u16 {
        match self {
            Self::Notify => 0,
            Self::Automatic => 1,
            Self::AutomaticAndRestart => 2,
            Self::Scheduled => 3,
            Self::AutomaticForced => 4,
            Self::Off => 5,
        }
    }
}

/// Takes every policy of a ring away.
#[must_use]
pub fn remove() -> Vec<Command> {
    NUMBERS.iter().chain(&TEXTS).map(|policy| Command::delete(LocUri::fixed(AREA).below(policy))).collect()
}

impl UpdateRing {
    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::within("/quality_deferral_days", self.quality_deferral_days, 0..=30)?;
        parameter::within("/feature_deferral_days", self.feature_deferral_days, 0..=365)?;
        parameter::within("/quality_deadline_days", self.quality_deadline_days, 0..=30)?;
        parameter::within("/feature_deadline_days", self.feature_deadline_days, 0..=30)?;
        parameter::within("/grace_days", self.grace_days, 0..=7)?;
        parameter::within("/active_hours_start", self.active_hours_start, 0..=23)?;
        parameter::within("/active_hours_end", self.active_hours_end, 0..=23)?;
        parameter::within("/scheduled_day", self.scheduled_day, 0..=7)?;
        parameter::within("/scheduled_hour", self.scheduled_hour, 0..=23)?;
        parameter::optional_text("/target_product", self.target_product.as_deref(), 64)?;
        parameter::optional_text("/target_release", self.target_release.as_deref(), 16)?;
        if self.target_product.is_some() && self.target_release.is_none() {
            return Err(Unfit::new("/target_release", "is needed with target_product"));
        }
        if self.commands().is_empty() {
            return Err(Unfit::new("", "nothing is set: give at least one value"));
        }
        Ok(())
    }

    /// Each policy by itself: one that is refused leaves the others alone.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let set =
            |name: &'static str, format, value: &str| Command::replace(LocUri::fixed(AREA).below(name), format, value);
        let numbers = NUMBERS.into_iter().zip(self.numbers());
        let numbers = numbers.filter_map(|(name, value)| Some(set(name, "int", &value?.to_string())));
        let texts = TEXTS.into_iter().zip([self.target_product.as_deref(), self.target_release.as_deref()]);
        numbers.chain(texts.filter_map(|(name, value)| Some(set(name, "chr", value?)))).collect()
    }

    fn numbers(&self) -> [Option<u16>; 15] {
        [
            self.quality_deferral_days,
            self.feature_deferral_days,
            self.pause_quality.map(u16::from),
            self.pause_feature.map(u16::from),
            self.quality_deadline_days,
            self.feature_deadline_days,
            self.grace_days,
            self.installation.map(Installation::value),
            self.active_hours_start,
            self.active_hours_end,
            self.scheduled_day,
            self.scheduled_hour,
            self.drivers.map(|wanted| u16::from(!wanted)),
            self.microsoft_products.map(u16::from),
            self.require_approval.map(u16::from),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn read(json: &str) -> UpdateRing {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_ring_sets_what_it_names_and_nothing_else() {
        let ring = read(
            r#"{"quality_deferral_days": 7, "drivers": false, "installation": "scheduled", "target_product": "Windows 11",
                "target_release": "24H2"}"#,
        );
        let expected = [
            "DeferQualityUpdatesPeriodInDays int 7",
            "AllowAutoUpdate int 3",
            "ExcludeWUDriversInQualityUpdate int 1",
            "ProductVersion chr Windows 11",
            "TargetReleaseVersion chr 24H2",
        ];
        assert_eq!(ring.check(), Ok(()));
        assert_eq!(told(&ring.commands()), expected.map(|value| format!("Replace {AREA}/{value}")));
        assert_eq!(remove().len(), 17);
        right(&remove());
    }

    #[test]
    fn every_policy_is_right_at_its_bounds() {
        let most = read(
            r#"{"quality_deferral_days": 30, "feature_deferral_days": 365, "pause_quality": true, "pause_feature": false,
                "quality_deadline_days": 30, "feature_deadline_days": 30, "grace_days": 7, "installation": "off",
                "active_hours_start": 23, "active_hours_end": 0, "scheduled_day": 7, "scheduled_hour": 23,
                "target_release": "24H2", "drivers": true, "microsoft_products": true, "require_approval": true}"#,
        );
        assert_eq!(most.check(), Ok(()));
        right(&most.commands());
        let bad = [
            ("", "{}"),
            ("/quality_deferral_days", r#"{"quality_deferral_days": 31}"#),
            ("/feature_deferral_days", r#"{"feature_deferral_days": 366}"#),
            ("/quality_deadline_days", r#"{"quality_deadline_days": 31}"#),
            ("/feature_deadline_days", r#"{"feature_deadline_days": 31}"#),
            ("/grace_days", r#"{"grace_days": 8}"#),
            ("/active_hours_start", r#"{"active_hours_start": 24}"#),
            ("/active_hours_end", r#"{"active_hours_end": 24}"#),
            ("/scheduled_day", r#"{"scheduled_day": 8}"#),
            ("/scheduled_hour", r#"{"scheduled_hour": 24}"#),
            ("/target_release", r#"{"target_product": "Windows 11"}"#),
            ("/target_release", r#"{"target_release": ""}"#),
        ];
        for (pointer, json) in bad {
            assert_eq!(read(json).check().unwrap_err().pointer, pointer, "{json}");
        }
    }
}
