//! Settings: nodes that are written with values, as often as one likes, and taken away again.
//!
//! What goes out is made in `proto::csp`; here stands what the answers mean. Who asks for a setting that the build or the
//! edition of Windows does not have is told so at once.

use super::judge::conclude_setting;
use super::recipe::{Order, Recipe};
use super::{Conclusion, Impossible, Repeat};
use crate::domain::command::ItemState;
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::parameter::Unfit;
use crate::proto::syncml::{Command, LocUri, Verb};

/// What a setting has to say about itself.
pub(super) trait Setting {
    /// The word of the API.
    fn name(&self) -> &'static str;

    /// What it is called in a sentence.
    fn subject(&self) -> String;

    /// Whether Windows would take the values.
    fn check(&self) -> Result<(), Unfit>;

    /// What writes it.
    fn commands(&self, order: &Order<'_>) -> Vec<Command>;

    /// What is so once the device took it.
    fn outcome(&self) -> String {
        format!("{} is set", self.subject())
    }
}

impl<T: Setting> Recipe for T {
    fn name(&self) -> &'static str {
        Setting::name(self)
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        Setting::check(self).map_err(Impossible::Parameter)
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        needed(&self.commands(order))
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        self.commands(order)
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        conclude_setting(items, &self.subject(), self.outcome())
    }
}

/// The nodes without which these commands cannot work; what is not there can always be taken away.
pub(super) fn needed(commands: &[Command]) -> Vec<LocUri> {
    let single = commands.iter().flat_map(Command::walk).filter(|command| command.verb != Verb::Delete);
    single.flat_map(|command| command.items.iter().filter_map(|item| item.target.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::{Action, Ending};
    use crate::domain::command::CommandState;
    use crate::proto::csp::config_refresh::ConfigRefresh;
    use crate::proto::csp::device_lock::{self, DeviceLock};

    const REFRESH: ConfigRefresh = ConfigRefresh { enabled: true, cadence_minutes: Some(60), pause_minutes: None };

    /// The answers to the commands of an action, in their order; a container comes before what is in it.
    fn answered(action: &Action, statuses: &[u16]) -> Conclusion {
        let order = Order::plain();
        let commands = action.first_step(&order);
        let each = commands.iter().flat_map(Command::walk).zip(statuses).enumerate();
        let items: Vec<ItemState> = each
            .map(|(number, (command, status))| ItemState {
                step: 0,
                // What is in the only container has its number before its own.
                cmd_id: if commands[0].verb.is_container() && number > 0 {
                    format!("c.{number}")
                } else {
                    "c".to_owned()
                },
                cmd: command.verb.name().to_owned(),
                loc_uri: command.items.first().and_then(|item| item.target.as_ref()).map(ToString::to_string),
                status: Some(*status),
                ..ItemState::default()
            })
            .collect();
        action.conclude(&order, &items)
    }

    #[track_caller]
    fn end(conclusion: Conclusion) -> Ending {
        match conclusion {
            Conclusion::Finished(ending) => ending,
            other => panic!("not over: {other:?}"),
        }
    }

    #[test]
    fn every_value_must_have_been_taken() {
        let refresh = Action::ConfigRefresh(REFRESH);
        let cases: [(&[u16], CommandState, &str); 5] = [
            (&[200, 200, 200], CommandState::Succeeded, "the device puts policies back by itself"),
            (&[200, 405, 200], CommandState::Failed, "ConfigRefresh: 1 of 3 values were not taken: Cadence "),
            (&[404, 404, 404], CommandState::Unsupported, "3 of 3 values were not taken: ConfigRefresh "),
            (&[404, 500, 404], CommandState::Failed, "; Cadence "),
            (&[501, 501, 501], CommandState::Unsupported, "3 of 3"),
        ];
        for (statuses, state, words) in cases {
            let ending = end(answered(&refresh, statuses));
            assert_eq!(ending.state, state, "{statuses:?}");
            assert!(ending.detail.contains(words), "{statuses:?}: {}", ending.detail);
        }
        assert_eq!(answered(&refresh, &[200, 503, 200]), Conclusion::Retry(503));
    }

    // covers: M-115
    #[test]
    fn an_atomic_that_failed_names_the_value() {
        let lock: DeviceLock = serde_json::from_str(r#"{"min_length": 8}"#).unwrap();
        let action = Action::DeviceLock(lock);
        assert_eq!(end(answered(&action, &[200, 200, 200])).detail, "the password policy is set");
        let failed = end(answered(&action, &[507, 216, 500]));
        assert_eq!(failed.state, CommandState::Failed);
        assert!(failed.detail.contains("nothing of it was applied"), "{}", failed.detail);
    }

    #[test]
    fn leaving_s_mode_is_followed_until_the_device_tells_how_it_ended() {
        let status = |told: &str| ItemState {
            cmd: "Get".to_owned(),
            loc_uri: Some("./Vendor/MSFT/WindowsLicensing/SMode/Status".to_owned()),
            status: Some(200),
            data: Some(told.to_owned()),
            ..ItemState::default()
        };
        let judged = |told| Action::SwitchFromSMode.conclude(&Order::plain(), &[status(told)]);
        assert!(matches!(answered(&Action::SwitchFromSMode, &[202]), Conclusion::Follow(_)));
        for pending in ["1", "", "7"] {
            assert!(matches!(judged(pending), Conclusion::Follow(_)), "{pending}");
        }
        for (told, state) in
            [("0", CommandState::Succeeded), ("3", CommandState::Succeeded), ("4", CommandState::Failed)]
        {
            assert_eq!(end(judged(told)).state, state, "{told}");
        }
    }

    #[test]
    fn what_is_taken_away_need_not_be_there() {
        assert!(needed(&device_lock::remove()).is_empty());
        assert_eq!(Action::ConfigRefresh(REFRESH).nodes(&Order::plain()).len(), 3);
    }
}
