//! Carries commands out on the tree, with the statuses that Windows gives.

use std::collections::BTreeMap;

use super::device::{Device, Profile};
use super::nodes::{has_csp, is_open};
use super::policy;
use super::tree::{Access, Tree, key};
use crate::proto::syncml::{Data, Item, LocUri, Meta, Verb};

/// Who is signed in, as the device tells at the start of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// The user who enrolled.
    User,
    /// Somebody else.
    Others,
    /// Nobody.
    Nobody,
}

impl Login {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Others => "others",
            Self::Nobody => "none",
        }
    }
}

/// How the device behaves where devices differ.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Whether a PIN is set: without one RemoteLock answers 405.
    pub pin_set: bool,
    /// Whether RemoteLock can reset the PIN; PCs cannot.
    pub resets_pin: bool,
    /// Who is signed in.
    pub login: Login,
    /// Answers these addresses with these statuses and does nothing: for devices that differ from the profile.
    pub statuses: BTreeMap<LocUri, u16>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { pin_set: true, resets_pin: false, login: Login::User, statuses: BTreeMap::new() }
    }
}

/// Something the device did, beside changing its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The screen is locked.
    Locked,
    /// The PIN is a new one.
    PinReset,
    /// The password of the local administrator is a new one.
    PasswordRotated,
    /// It restarts after the session.
    Reboot,
    /// It resets itself after the session; the node that was run.
    Wipe(String),
    /// It renews its certificate after the session.
    RenewNow,
    /// It leaves management at once.
    Unenroll,
}

/// The answer to one Item.
pub(super) struct Outcome {
    pub status: u16,
    pub result: Option<Item>,
    pub effect: Option<Effect>,
}

impl Outcome {
    fn status(status: u16) -> Self {
        Self { status, result: None, effect: None }
    }

    fn effect(effect: Effect) -> Self {
        Self { effect: Some(effect), ..Self::status(200) }
    }
}

/// The tree with its rules.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub tree: Tree,
    pub behaviour: Behaviour,
    profile: Profile,
    new_pin: String,
    pin_to_tell: bool,
}

impl Machine {
    pub(super) fn new(device: &Device, tree: Tree) -> Self {
        let digits = device.hardware_id.bytes().map(|byte| char::from(b'0' + byte % 10));
        Self {
            tree,
            behaviour: Behaviour::default(),
            profile: device.profile,
            new_pin: digits.take(6).collect(),
            pin_to_tell: false,
        }
    }

    /// Carries out one Item of a command that is no container.
    pub(super) fn run(&mut self, verb: Verb, item: &Item) -> Outcome {
        let Some(uri) = item.target.as_ref() else { return Outcome::status(400) };
        let fixed = self.behaviour.statuses.iter().find(|(known, _)| known.same_as(uri));
        if let Some((_, status)) = fixed {
            return Outcome::status(*status);
        }
        if uri.is_user_scope() && self.behaviour.login != Login::User {
            return Outcome::status(405);
        }
        if !has_csp(self.profile, uri.as_str()) {
            return Outcome::status(404);
        }
        match verb {
            Verb::Get => self.get(uri),
            Verb::Add => self.add(uri, item),
            Verb::Replace => self.replace(uri, item),
            Verb::Delete => self.delete(uri),
            Verb::Exec => self.exec(uri),
            Verb::Copy | Verb::Atomic | Verb::Sequence => Outcome::status(400),
        }
    }

    fn get(&mut self, uri: &LocUri) -> Outcome {
        let key = key(uri.as_str());
        if key == NEW_PIN && std::mem::take(&mut self.pin_to_tell) {
            return found(uri, None, &self.new_pin);
        }
        let looked_up = policy::config_of_result(&key).unwrap_or(key);
        match self.tree.node(&looked_up) {
            Some(node) if node.format != "node" => {
                let format = Some(node.format.as_str()).filter(|format| *format != "chr");
                found(uri, format, &node.value)
            }
            _ if self.tree.has(&looked_up) => found(uri, Some("node"), &self.tree.children(&looked_up).join("/")),
            _ => Outcome::status(404),
        }
    }

    fn add(&mut self, uri: &LocUri, item: &Item) -> Outcome {
        if self.tree.has(uri.as_str()) {
            return Outcome::status(418);
        }
        if !is_open(uri.as_str()) {
            return Outcome::status(405);
        }
        self.write(uri, item, Access::Dynamic)
    }

    /// Replace makes policies and leaves of what is there, but no interior node of a CSP.
    fn replace(&mut self, uri: &LocUri, item: &Item) -> Outcome {
        match self.tree.node(uri.as_str()).map(|node| node.access) {
            Some(Access::Read) => return Outcome::status(405),
            Some(access) => return self.write(uri, item, access),
            None if self.tree.has(uri.as_str()) => return Outcome::status(405),
            None => {}
        }
        let parent = uri.path().rsplit_once('/').map_or("", |(parent, _)| parent);
        if !is_open(uri.as_str()) || !(policy::is_config(&key(uri.as_str())) || self.tree.has(parent)) {
            return Outcome::status(404);
        }
        self.write(uri, item, Access::Dynamic)
    }

    fn write(&mut self, uri: &LocUri, item: &Item, access: Access) -> Outcome {
        let known = self.tree.node(uri.as_str()).map(|node| node.format.clone());
        let format = item.meta.format.clone().or_else(|| known.clone()).unwrap_or_else(|| "chr".to_owned());
        if known.as_ref().is_some_and(|known| access == Access::Write && *known != format) {
            return Outcome::status(415);
        }
        let value = item.text();
        let valid = match format.as_str() {
            "int" => value.trim().parse::<i64>().is_ok(),
            "bool" => ["true", "false", "1", "0"].iter().any(|word| value.trim().eq_ignore_ascii_case(word)),
            _ => true,
        };
        if !valid {
            return Outcome::status(415);
        }
        match policy::check(&key(uri.as_str()), &format, value) {
            Ok(()) => self.tree.set(uri.as_str(), &format, value, access),
            Err(status) => return Outcome::status(status),
        }
        Outcome::status(200)
    }

    fn delete(&mut self, uri: &LocUri) -> Outcome {
        if self.tree.is_fixed(uri.as_str()) {
            return Outcome::status(405);
        }
        Outcome::status(if self.tree.remove(uri.as_str()) { 200 } else { 404 })
    }

    fn exec(&mut self, uri: &LocUri) -> Outcome {
        let key = key(uri.as_str());
        let name = uri.last_segment();
        let csp = key.strip_prefix("./vendor/msft/").unwrap_or(&key);
        match csp {
            "remotelock/lock" if self.behaviour.pin_set => Outcome::effect(Effect::Locked),
            "remotelock/lock" => Outcome::status(405),
            "remotelock/lockandresetpin" | "remotelock/lockandrecoverpin" => self.reset_pin(),
            "reboot/rebootnow" => Outcome::effect(Effect::Reboot),
            "laps/actions/resetpassword" => Outcome::effect(Effect::PasswordRotated),
            "certificatestore/my/wstep/renew/renewnow" => Outcome::effect(Effect::RenewNow),
            _ if is_unenroll(csp) => Outcome::effect(Effect::Unenroll),
            _ if csp.starts_with("remotewipe/") && self.has_wipe(name) => {
                Outcome::effect(Effect::Wipe(name.to_owned()))
            }
            _ if self.tree.has(uri.as_str()) => Outcome::status(405),
            _ => Outcome::status(404),
        }
    }

    fn reset_pin(&mut self) -> Outcome {
        if !self.behaviour.resets_pin {
            return Outcome::status(500);
        }
        self.pin_to_tell = true;
        Outcome::effect(Effect::PinReset)
    }

    fn has_wipe(&self, name: &str) -> bool {
        let everywhere = ["doWipe", "doWipePersistProvisionedData"];
        let on_pcs = ["doWipeProtected", "doWipePersistUserData", "doAutomaticRedeployment"];
        let on_windows_11 = ["doWipeCloud", "doWipeCloudPersistUserData", "doWipeCloudPersistProvisionedData"];
        let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        is(&everywhere)
            || self.profile != Profile::HoloLens2 && is(&on_pcs)
            || self.profile == Profile::Windows11 && is(&on_windows_11)
    }
}

fn is_unenroll(csp: &str) -> bool {
    csp == "dmclient/unenroll" || csp.starts_with("dmclient/provider/") && csp.ends_with("/unenroll")
}

/// A Results Item as Windows writes it: no Meta where the format is `chr`.
fn found(uri: &LocUri, format: Option<&str>, value: &str) -> Outcome {
    let result = Item {
        source: Some(uri.clone()),
        meta: Meta { format: format.map(str::to_owned), ..Meta::default() },
        data: Some(Data::new(value)),
        ..Item::default()
    };
    Outcome { status: 200, result: Some(result), effect: None }
}

const NEW_PIN: &str = "./vendor/msft/remotelock/newpinvalue";
