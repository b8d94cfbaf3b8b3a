//! One of each kind of action, to see which of them would work on a device.

use super::{Action, Rename, ResetMethod, ResetPasscode, TenantLockdown, Wipe};
use crate::proto::csp::accounts::CreateLocalAccount;
use crate::proto::csp::assigned_access::AssignedAccess;
use crate::proto::csp::bitlocker_policy::BitLockerPolicy;
use crate::proto::csp::client_certificate::KeyLocation;
use crate::proto::csp::client_certificate::pfx::PfxCertificate;
use crate::proto::csp::client_certificate::scep::ScepCertificate;
use crate::proto::csp::config_refresh::ConfigRefresh;
use crate::proto::csp::device_encryption::DeviceEncryption;
use crate::proto::csp::device_lock::DeviceLock;
use crate::proto::csp::diagnostics::Collection;
use crate::proto::csp::health_attestation::{AttestHealth, Service};
use crate::proto::csp::laps_policy::LapsPolicy;
use crate::proto::csp::lost_contact::LostContact;
use crate::proto::csp::msi::{InstallMsi, UninstallMsi};
use crate::proto::csp::node_cache::WatchNodes;
use crate::proto::csp::packaged_apps::{InstallApp, InstallStoreApp, ListApps, Origin, RemoveApp};
use crate::proto::csp::pin_recovery::PinRecovery;
use crate::proto::csp::reboot_schedule::RebootSchedule;
use crate::proto::csp::remote_wipe::Variant;
use crate::proto::csp::s_mode::SModePolicy;
use crate::proto::csp::scope::Scope;
use crate::proto::csp::secret::Secret;
use crate::proto::csp::trusted_certificates::{Store, TrustedCertificate};
use crate::proto::csp::update::{ApproveUpdate, RollbackUpdate, UpdateKind};
use crate::proto::csp::update_ring::UpdateRing;
use crate::proto::csp::value::{CertificateDer, HttpUrl, Moment, ProductCode, Sha256};
use crate::proto::csp::vpn::VpnProfile;
use crate::proto::csp::wifi::WifiProfile;
use crate::proto::csp::windows_licensing::{ChangeProductKey, UpgradeEdition};

/// Once each for every choice that needs other nodes; names, values and secrets are examples or left out.
pub(super) fn all() -> Vec<Action> {
    let mut all = vec![Action::Lock, Action::Unlock, Action::Retire, Action::Reboot, Action::Sync];
    all.extend([
        Action::RotateBitlockerKeys,
        Action::RenewCertificate,
        Action::AutopilotReset,
        Action::SwitchFromSMode,
    ]);
    all.push(Action::CollectDiagnostics(Collection::default()));
    all.extend(Variant::ALL.map(|variant| Action::Wipe(Wipe { variant })));
    all.extend(ResetMethod::ALL.map(|method| Action::ResetPasscode(ResetPasscode { method })));
    all.push(Action::Rename(Rename { name: "PC-%RAND:4%".to_owned() }));
    all.push(Action::TenantLockdown(TenantLockdown { enable: true }));
    all.extend(settings());
    all.extend(certificates());
    all.extend(software());
    all.extend(upkeep());
    all
}

fn settings() -> Vec<Action> {
    let (name, scope) = ("Example".to_owned(), Scope::Device);
    let wifi = WifiProfile {
        name: name.clone(),
        scope,
        profile: Secret::default(),
        proxy: None,
        proxy_pac_url: None,
        proxy_wpad: None,
        cost: None,
    };
    vec![
        Action::WifiProfile(wifi),
        Action::VpnProfile(VpnProfile { name, scope, profile: Secret::default() }),
        Action::DeviceLock(DeviceLock::asked()),
        Action::ConfigRefresh(ConfigRefresh { enabled: true, cadence_minutes: None, pause_minutes: None }),
        Action::LostContact(LostContact { days: 90 }),
        Action::BitlockerPolicy(BitLockerPolicy { min_pin_length: Some(6), ..BitLockerPolicy::default() }),
        Action::SModePolicy(SModePolicy { allow_switch: false }),
        Action::DeviceEncryption(DeviceEncryption::default()),
        Action::UpdateRing(UpdateRing { quality_deferral_days: Some(7), ..UpdateRing::default() }),
        Action::LapsPolicy(LapsPolicy::default()),
        Action::PinRecovery(PinRecovery::default()),
        Action::AssignedAccess(AssignedAccess::default()),
        Action::RebootSchedule(RebootSchedule {
            daily: Some(Moment::fixed("2026-01-01T03:00:00")),
            ..RebootSchedule::default()
        }),
    ]
}

fn certificates() -> Vec<Action> {
    let (scope, certificate) = (Scope::Device, CertificateDer::default());
    let ca_thumbprint = certificate.thumbprint();
    let pfx = PfxCertificate {
        scope,
        certificate_id: None,
        pfx: Secret::default(),
        password: None,
        key_location: KeyLocation::default(),
        container_name: None,
        exportable: false,
    };
    let scep = ScepCertificate::usual(HttpUrl::fixed("https://ca.example.test/scep"), ca_thumbprint, "CN=PC");
    vec![
        Action::TrustedCertificate(TrustedCertificate { store: Store::Root, scope, certificate }),
        Action::PfxCertificate(pfx),
        Action::ScepCertificate(scep),
    ]
}

fn software() -> Vec<Action> {
    let (scope, product_code) = (Scope::Device, ProductCode::default());
    let url = || HttpUrl::fixed("https://files.example.test/package");
    let package_family_name = || "Example_0".to_owned();
    let app = InstallApp {
        scope: Scope::User,
        package_family_name: package_family_name(),
        package_url: url(),
        dependencies: Vec::new(),
        deployment_options: 0,
    };
    let store = InstallStoreApp {
        package_family_name: package_family_name(),
        product_id: String::new(),
        sku_id: String::new(),
    };
    let removal = RemoveApp {
        scope: Scope::User,
        origin: Origin::default(),
        package_family_name: package_family_name(),
        package_full_name: None,
    };
    vec![
        Action::InstallMsi(InstallMsi::usual(product_code, "1", url(), Sha256::default())),
        Action::UninstallMsi(UninstallMsi { scope, product_code }),
        Action::InstallApp(app),
        Action::InstallStoreApp(store),
        Action::RemoveApp(removal),
        Action::ListApps(ListApps { scope: Scope::User, origin: None }),
    ]
}

fn upkeep() -> Vec<Action> {
    let account = CreateLocalAccount { account: "example".to_owned(), ..CreateLocalAccount::default() };
    let azure = AttestHealth { service: Service::Azure, ..AttestHealth::default() };
    let mut all = vec![Action::ListUpdates, Action::ListChangedNodes, Action::CreateLocalAccount(account)];
    all.push(Action::ApproveUpdate(ApproveUpdate::default()));
    all.extend(
        [UpdateKind::Quality, UpdateKind::Feature].map(|update| Action::RollbackUpdate(RollbackUpdate { update })),
    );
    all.push(Action::UpgradeEdition(UpgradeEdition::default()));
    all.push(Action::ChangeProductKey(ChangeProductKey::default()));
    all.extend([AttestHealth::default(), azure].map(Action::AttestHealth));
    all.push(Action::WatchNodes(WatchNodes { version: String::new(), nodes: Vec::new() }));
    all
}
