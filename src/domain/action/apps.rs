//! Packaged apps: installed, listed, removed (management reference 7.15).

use serde_json::{Map, Value, json};
use time::Duration;

use super::judge::{accepted_exec, answer, conclude_all, decide, error_at, explained, failed, over, succeeded};
use super::recipe::{Order, Recipe};
use super::{Conclusion, DeviceAlert, Heard, Impossible, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::packaged_apps::{self, AppProgress, InstallApp, InstallStoreApp, ListApps, Origin, RemoveApp};
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::scope::Scope;
use crate::proto::syncml::{AlertType, Command, LocUri, Verb, escape_segment, split_children};

/// Repeating an installation has no further effect.
const OFFERS: Repeat = Repeat::Offers { most: 3, pause: Duration::ZERO };
/// How long a device may take for an app: it waits for its user and for the network.
const PATIENCE: Duration = Duration::days(3);

/// HoloLens has apps of its user only.
fn check(parameters: Result<(), Unfit>, scope: Scope, enrollment: &Enrollment) -> Result<(), Impossible> {
    parameters.map_err(Impossible::Parameter)?;
    if enrollment.is_hololens() && scope == Scope::Device {
        return Err(Impossible::AppsOfUserOnly);
    }
    Ok(())
}

impl Recipe for InstallApp {
    fn name(&self) -> &'static str {
        "install_app"
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn check(&self, enrollment: &Enrollment) -> Result<(), Impossible> {
        check(self.check(), self.scope, enrollment)
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.node()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        OFFERS
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        conclude_installation(self.scope, &self.package_family_name, items)
    }

    fn hear(&self, _: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        let is_over = alert.is(&AlertType::AppInstall, &self.node());
        is_over.then(|| alert.told("the app is installed", "the installation failed"))
    }
}

impl Recipe for InstallStoreApp {
    fn name(&self) -> &'static str {
        "install_store_app"
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn check(&self, enrollment: &Enrollment) -> Result<(), Impossible> {
        check(self.check(), Scope::User, enrollment)
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.node()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        OFFERS
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        conclude_installation(Scope::User, &self.package_family_name, items)
    }

    /// No alert is known for the Store; one about this node says at least that there is something to look at.
    fn hear(&self, _: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        let about = alert.source.is_some_and(|source| source.same_as(&self.node()));
        let is_result = matches!(alert.subject, AlertType::AppInstall | AlertType::AppResult(_));
        let question = || question(Scope::User, &self.package_family_name, "the device tells that it is done");
        (about && is_result).then(|| Heard::Look(question()))
    }
}

/// The node of an installation vanishes when the app is there.
fn conclude_installation(scope: Scope, family: &str, items: &[ItemState]) -> Conclusion {
    let root = packaged_apps::installation(scope, family);
    let wait = |words: &str| Conclusion::Follow(question(scope, family, words));
    let Some(status) = answer(items, &root.below("Status")) else {
        let unsupported = "this device installs no packaged apps by management";
        return accepted_exec(items, unsupported, || wait("the device accepted the job"));
    };
    if matches!(status.status, Some(404 | 410)) {
        return succeeded(status, "the app is installed: the device has ended the job");
    }
    let error = error_at(items, &root.below("LastError"));
    match status.data.as_deref().and_then(AppProgress::parse) {
        Some(AppProgress::Installed) => succeeded(status, "the app is installed"),
        Some(AppProgress::Failed) => {
            failed(status, &explained("the installation failed", items, &root.below("LastErrorDesc")), error)
        }
        Some(AppProgress::Installing) => wait("the app is being installed"),
        Some(AppProgress::NotInstalled) => wait("the installation has not begun"),
        None => wait("the device accepted the job and does not tell how far it is"),
    }
}

fn question(scope: Scope, family: &str, words: &str) -> Question {
    Question { commands: packaged_apps::read(scope, family), detail: words.to_owned() }
}

impl Recipe for RemoveApp {
    fn name(&self) -> &'static str {
        "remove_app"
    }

    fn check(&self, enrollment: &Enrollment) -> Result<(), Impossible> {
        check(self.check(), self.scope, enrollment)
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        Vec::new()
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![Command::delete(self.node())]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(item) = items.first() else { return conclude_all(items) };
        let wait = |words: &str| {
            let commands = vec![Command::get(self.node())];
            Conclusion::Follow(Question { commands, detail: words.to_owned() })
        };
        match (item.verb(), item.status) {
            (Verb::Delete, Some(202)) => wait("the device accepted to remove the app"),
            (Verb::Delete, Some(404 | 410)) => succeeded(item, "the app was not there"),
            (Verb::Get, Some(404 | 410)) => succeeded(item, "the app is removed"),
            (Verb::Get, Some(200)) => wait("the app is still there"),
            _ => conclude_all(items),
        }
    }

    fn hear(&self, _: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        let about = alert.source.is_some_and(|source| {
            source.last_segment().eq_ignore_ascii_case(&escape_segment(&self.package_family_name))
        });
        (about && *alert.subject == AlertType::AppUninstall)
            .then(|| alert.told("the app is removed", "the removal failed"))
    }
}

impl Recipe for ListApps {
    fn name(&self) -> &'static str {
        "list_apps"
    }

    fn check(&self, enrollment: &Enrollment) -> Result<(), Impossible> {
        check(Ok(()), self.scope, enrollment)
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        Vec::new()
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        match items.iter().find(|item| item.status.is_some_and(|code| code >= 300 && code != 404)) {
            Some(refused) => Conclusion::Finished(decide(refused, Verb::Get)),
            None => {
                let apps = apps(items).len();
                over(items, CommandState::Succeeded, &format!("the device told of {apps} packages"))
            }
        }
    }

    fn result(&self, _: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        Some(json!({ "apps": apps(items) }))
    }
}

/// The packages of a subtree: the fields of each under `origin/family/full name`.
fn apps(items: &[ItemState]) -> Vec<Value> {
    let mut packages: Vec<(Vec<String>, Map<String, Value>)> = Vec::new();
    for item in items {
        let (Some(uri), Some(data)) = (item.uri(), item.data.as_deref()) else { continue };
        let path = split_children(uri.path());
        let Some(at) = path.iter().position(|name| name.eq_ignore_ascii_case("AppManagement")) else { continue };
        let [origin, family, full, field] = &path[at + 1..] else { continue };
        let named = |known: &Origin| known.name().eq_ignore_ascii_case(origin);
        let origin = Origin::ALL.into_iter().find(named);
        let (Some(origin), Some(field)) = (origin, field_name(field)) else { continue };
        let key = vec![family.clone(), full.clone()];
        let place = packages.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let head = json!({ "origin": origin, "package_family_name": family, "package_full_name": full });
            packages.push((key, head.as_object().cloned().unwrap_or_default()));
            packages.len() - 1
        });
        packages[place].1.insert(field.to_owned(), data.into());
    }
    packages.into_iter().map(|(_, fields)| fields.into()).collect()
}

/// The fields that are shown, by their names in the tree.
fn field_name(name: &str) -> Option<&'static str> {
    const FIELDS: &[(&str, &str)] = &[
        ("Name", "name"),
        ("Version", "version"),
        ("Publisher", "publisher"),
        ("Architecture", "architecture"),
        ("InstallDate", "installed_at"),
        ("IsBundle", "is_bundle"),
        ("IsProvisioned", "is_provisioned"),
        ("IsFramework", "is_framework"),
        ("PackageStatus", "package_status"),
        ("Users", "users"),
    ];
    FIELDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, field)| *field)
}
