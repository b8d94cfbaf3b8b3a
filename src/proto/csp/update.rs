//! Update CSP and the policies of the area Update (Pro and better; HoloLens has most; management reference 7.17).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policies::{set_int, set_text, unset};
use super::value::{Guid, Line, Within};
use crate::proto::syncml::{Command, LocUri};

/// Updates that are approved, by id.
pub const APPROVED: &str = "./Vendor/MSFT/Update/ApprovedUpdates";
/// Updates that failed, with `HResult` and `Status`.
pub const FAILED: &str = "./Vendor/MSFT/Update/FailedUpdates";
/// Updates that are installed.
pub const INSTALLED: &str = "./Vendor/MSFT/Update/InstalledUpdates";
/// Updates that could be installed, with `Type`.
pub const INSTALLABLE: &str = "./Vendor/MSFT/Update/InstallableUpdates";
/// Updates that wait for a restart, with `InstalledTime`.
pub const PENDING_REBOOT: &str = "./Vendor/MSFT/Update/PendingRebootUpdates";
/// When the device last looked for updates.
pub const LAST_SCAN: &str = "./Vendor/MSFT/Update/LastSuccessfulScanTime";

/// What of Windows is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateKind {
    /// The last quality update.
    Quality,
    /// The last feature update.
    Feature,
}

impl UpdateKind {
    /// The node that takes it back (10.0.17134).
    #[must_use]
    pub fn rollback(self) -> LocUri {
        LocUri::fixed(match self {
            Self::Quality => "./Vendor/MSFT/Update/Rollback/QualityUpdate",
            Self::Feature => "./Vendor/MSFT/Update/Rollback/FeatureUpdate",
        })
    }

    /// What came of it (`chr`).
    #[must_use]
    pub fn rollback_status(self) -> LocUri {
        LocUri::fixed(match self {
            Self::Quality => "./Vendor/MSFT/Update/Rollback/QualityUpdateStatus",
            Self::Feature => "./Vendor/MSFT/Update/Rollback/FeatureUpdateStatus",
        })
    }
}

/// The node of an approval.
#[must_use]
pub fn approval(update: Guid) -> LocUri {
    LocUri::fixed(APPROVED).join(&update.to_string())
}

/// `Add` of an approval; 418 says that it was given before.
#[must_use]
pub fn approve(update: Guid) -> Command {
    Command::add_node(approval(update), "node")
}

/// `Delete` of an approval; 404 says that there is none.
#[must_use]
pub fn revoke_approval(update: Guid) -> Command {
    Command::delete(approval(update))
}

/// One `Get` for each list, and one for the time of the last scan.
#[must_use]
pub fn lists() -> Vec<Command> {
    [FAILED, INSTALLED, INSTALLABLE, PENDING_REBOOT, LAST_SCAN].map(|node| Command::get(LocUri::fixed(node))).into()
}

/// How updates come to a device. What is left out is not configured by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRing {
    /// Days by which quality updates are put off.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 30)]
    pub quality_deferral_days: Option<Within<0, 30>>,
    /// Days by which feature updates are put off.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 365)]
    pub feature_deferral_days: Option<Within<0, 365>>,
    /// Whether quality updates pause, for at most 35 days.
    #[serde(default)]
    pub pause_quality: Option<bool>,
    /// Whether feature updates pause, for at most 35 days.
    #[serde(default)]
    pub pause_feature: Option<bool>,
    /// Days after which a quality update is installed whatever the user says.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 30)]
    pub quality_deadline_days: Option<Within<0, 30>>,
    /// Likewise for a feature update.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 30)]
    pub feature_deadline_days: Option<Within<0, 30>>,
    /// Days after a deadline until the device restarts on its own.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 7)]
    pub grace_days: Option<Within<0, 7>>,
    /// When updates are downloaded and installed.
    #[serde(default)]
    pub installation: Option<Installation>,
    /// The hour at which active hours begin; the device does not restart in them.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 23)]
    pub active_hours_start: Option<Within<0, 23>>,
    /// The hour at which active hours end.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 23)]
    pub active_hours_end: Option<Within<0, 23>>,
    /// The day for updates that are installed by schedule: 0 every day, 1 Sunday to 7 Saturday.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 7)]
    pub scheduled_day: Option<Within<0, 7>>,
    /// The hour for them.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 23)]
    pub scheduled_hour: Option<Within<0, 23>>,
    /// The product to stay on, e.g. `Windows 11`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub target_product: Option<Line<64>>,
    /// The release to stay on, e.g. `24H2`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub target_release: Option<Line<16>>,
    /// Whether drivers come with quality updates.
    #[serde(default)]
    pub drivers: Option<bool>,
    /// Whether other products of Microsoft are updated, too.
    #[serde(default)]
    pub microsoft_products: Option<bool>,
    /// Whether only approved updates are installed.
    #[serde(default)]
    pub require_approval: Option<bool>,
}

/// When updates are downloaded and installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Installation {
    /// The user is told and decides about the download.
    Notify,
    /// Automatically; the user is told of a restart.
    Automatic,
    /// Automatically, with a restart outside of active hours.
    AutomaticAndRestart,
    /// At the scheduled day and hour, with a restart.
    Scheduled,
    /// Automatically, and the user cannot change it.
    AutomaticForced,
    /// Not at all.
    Off,
}

impl Installation {
    fn number(self) -> u32 {
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

impl UpdateRing {
    /// Each policy by itself: one that is refused leaves the others alone.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let numbers = self.numbers().into_iter().filter_map(|(path, value)| Some(set_int(path, value?)));
        let texts = [
            ("Update/ProductVersion", self.target_product.as_ref().map(Line::as_str)),
            ("Update/TargetReleaseVersion", self.target_release.as_ref().map(Line::as_str)),
        ];
        numbers.chain(texts.into_iter().filter_map(|(path, value)| Some(set_text(path, value?)))).collect()
    }

    fn numbers(&self) -> [(&'static str, Option<u32>); 15] {
        [
            ("Update/DeferQualityUpdatesPeriodInDays", self.quality_deferral_days.map(Within::get)),
            ("Update/DeferFeatureUpdatesPeriodInDays", self.feature_deferral_days.map(Within::get)),
            ("Update/PauseQualityUpdates", self.pause_quality.map(u32::from)),
            ("Update/PauseFeatureUpdates", self.pause_feature.map(u32::from)),
            ("Update/ConfigureDeadlineForQualityUpdates", self.quality_deadline_days.map(Within::get)),
            ("Update/ConfigureDeadlineForFeatureUpdates", self.feature_deadline_days.map(Within::get)),
            ("Update/ConfigureDeadlineGracePeriod", self.grace_days.map(Within::get)),
            ("Update/AllowAutoUpdate", self.installation.map(Installation::number)),
            ("Update/ActiveHoursStart", self.active_hours_start.map(Within::get)),
            ("Update/ActiveHoursEnd", self.active_hours_end.map(Within::get)),
            ("Update/ScheduledInstallDay", self.scheduled_day.map(Within::get)),
            ("Update/ScheduledInstallTime", self.scheduled_hour.map(Within::get)),
            ("Update/ExcludeWUDriversInQualityUpdate", self.drivers.map(|wanted| u32::from(!wanted))),
            ("Update/AllowMUUpdateService", self.microsoft_products.map(u32::from)),
            ("Update/RequireUpdateApproval", self.require_approval.map(u32::from)),
        ]
    }

    /// Takes every policy of a ring back.
    #[must_use]
    pub fn removal() -> Vec<Command> {
        let numbers = Self::default().numbers().into_iter().map(|(path, _)| path);
        numbers.chain(["Update/ProductVersion", "Update/TargetReleaseVersion"]).map(unset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_sets_what_it_names_and_nothing_else() {
        let ring: UpdateRing = serde_json::from_str(
            r#"{"quality_deferral_days": 7, "drivers": false, "installation": "scheduled", "target_release": "24H2"}"#,
        )
        .unwrap();
        let sent: Vec<(String, String)> = ring
            .commands()
            .iter()
            .map(|c| (c.items[0].target.as_ref().unwrap().last_segment().to_owned(), c.items[0].text().to_owned()))
            .collect();
        let expected = [
            ("DeferQualityUpdatesPeriodInDays", "7"),
            ("AllowAutoUpdate", "3"),
            ("ExcludeWUDriversInQualityUpdate", "1"),
            ("TargetReleaseVersion", "24H2"),
        ];
        assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(UpdateRing::removal().len(), 17);
    }
}
