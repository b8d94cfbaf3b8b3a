//! Autopilot reset: RemoteWipe/AutomaticRedeployment (10.0.17763; not on Home, not on HoloLens; management reference 7.6).

use crate::proto::syncml::{Command, LocUri};

/// The node that begins it (`chr`).
pub const START: &str = "./Device/Vendor/MSFT/RemoteWipe/AutomaticRedeployment/doAutomaticRedeployment";
/// Where it stands (`int`).
pub const STATUS: &str = "./Device/Vendor/MSFT/RemoteWipe/AutomaticRedeployment/Status";
/// Why it failed (`int`, an HRESULT).
pub const LAST_ERROR: &str = "./Device/Vendor/MSFT/RemoteWipe/AutomaticRedeployment/LastError";

/// What the status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// 0: never asked for, as far as the device remembers.
    Never,
    /// 1: done.
    Complete,
    /// 10: planned.
    Scheduled,
    /// 20: waits for a restart.
    WaitsForReboot,
    /// 30: failed when it was asked for.
    FailedToStart,
    /// 40: not enough power.
    NeedsPower,
    /// 50: the reset failed.
    ResetFailed,
    /// Something else.
    Other(i64),
}

impl Stage {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().parse().ok()? {
            0 => Self::Never,
            1 => Self::Complete,
            10 => Self::Scheduled,
            20 => Self::WaitsForReboot,
            30 => Self::FailedToStart,
            40 => Self::NeedsPower,
            50 => Self::ResetFailed,
            other => Self::Other(other),
        })
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Never => "the device does not remember that it was asked to reset".to_owned(),
            Self::Complete => "the reset is complete".to_owned(),
            Self::Scheduled => "the reset is planned".to_owned(),
            Self::WaitsForReboot => "the reset waits for a restart".to_owned(),
            Self::FailedToStart => "the reset failed to start".to_owned(),
            Self::NeedsPower => "the reset needs the device to be connected to power".to_owned(),
            Self::ResetFailed => "the reset failed".to_owned(),
            Self::Other(code) => format!("the reset is at stage {code}"),
        }
    }
}

/// `Exec` with empty data in format `chr`.
#[must_use]
pub fn start() -> Command {
    Command::exec_with(LocUri::fixed(START), "chr", "")
}

/// `Get` of status and error.
#[must_use]
pub fn read() -> Vec<Command> {
    [STATUS, LAST_ERROR].map(|node| Command::get(LocUri::fixed(node))).into()
}
