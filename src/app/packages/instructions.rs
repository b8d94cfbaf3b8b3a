//! What goes with a package for the people who build and apply it: the command, a script with it, and a page in their
//! language that needs nothing but itself.

use time::macros::format_description;

use crate::domain::language::Language;
use crate::domain::package::Package;
use crate::proto::ppkg::Customizations;
use crate::proto::xml::XmlWriter;

/// Where the Windows ADK puts the designer.
const DESIGNER: &str =
    r"%ProgramFiles(x86)%\Windows Kits\10\Assessment and Deployment Kit\Imaging and Configuration Designer\x86";

/// The command that builds the package, in the folder of its files. Settings of desktops are known to the designer only
/// from their own store (10.2).
pub(super) fn command(name: &str) -> String {
    format!(
        "\"{DESIGNER}\\ICD.exe\" /Build-ProvisioningPackage /CustomizationXML:\".\\customizations.xml\" \
         /PackagePath:\".\\{name}.ppkg\" /StoreFile:\"{DESIGNER}\\Microsoft-Desktop-Provisioning.dat\" +Overwrite"
    )
}

/// The same as a script that goes to its own folder first. The designer fails without administrator rights in words that
/// do not say so.
pub(super) fn script(name: &str) -> String {
    let lines = [
        "@echo off".to_owned(),
        format!("rem Builds {name}.ppkg with Windows Configuration Designer of the Windows ADK."),
        "setlocal".to_owned(),
        "cd /d \"%~dp0\"".to_owned(),
        "net session >nul 2>&1".to_owned(),
        "if errorlevel 1 (".to_owned(),
        "  echo The designer needs administrator rights. Start this file with Run as administrator. 1>&2".to_owned(),
        "  exit /b 1".to_owned(),
        ")".to_owned(),
        format!("if not exist \"{DESIGNER}\\ICD.exe\" ("),
        "  echo Windows Configuration Designer is missing. Install it with the Windows ADK. 1>&2".to_owned(),
        "  exit /b 1".to_owned(),
        ")".to_owned(),
        command(name),
    ];
    lines.map(|line| format!("{line}\r\n")).concat()
}

/// What a page tells of.
pub(super) struct Page<'p> {
    pub(super) package: &'p Package,
    pub(super) customizations: &'p Customizations,
    /// The name of the server.
    pub(super) server: &'p str,
}

impl Page<'_> {
    /// The page, HTML.
    pub(super) fn write(&self, language: Language) -> Vec<u8> {
        let words = match language {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
        };
        let mut w = XmlWriter::new();
        w.element("html", &[("lang", language.tag())], |w| {
            w.element("head", &[], |w| {
                w.empty("meta", &[("charset", "utf-8")]);
                w.empty("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
                w.leaf("title", &[], &format!("{} {}", words.title, self.package.name));
                w.leaf("style", &[], STYLE);
            });
            w.element("body", &[], |w| w.element("main", &[], |w| self.write_body(w, words)));
        });
        [b"<!doctype html>\n", w.into_bytes().as_slice()].concat()
    }

    fn write_body(&self, w: &mut XmlWriter, words: &Words) {
        let package = self.package;
        w.leaf("h1", &[], &format!("{} {}", words.title, package.name));
        w.leaf("p", &[], &format!("{} {}", words.of_server, self.server));
        w.leaf("p", &[("class", "warning"), ("role", "note")], words.warning);
        w.leaf("h2", &[], words.what);
        w.element("dl", &[], |w| {
            for (term, value) in self.facts(words) {
                w.leaf("dt", &[], term);
                w.leaf("dd", &[], &value);
            }
        });
        w.leaf("h2", &[], words.build);
        list(w, words.build_steps);
        w.element("pre", &[], |w| w.leaf("code", &[], &command(&package.name)));
        w.leaf("h2", &[], words.apply);
        list(w, words.apply_steps);
        w.element("pre", &[], |w| {
            let command = format!("Install-ProvisioningPackage -PackagePath .\\{}.ppkg -QuietInstall", package.name);
            w.leaf("code", &[], &command);
        });
        if package.sealed_pin_hash.is_some() {
            w.leaf("h2", &[], words.pin);
            w.leaf("p", &[], words.pin_text);
        }
        w.leaf("h2", &[], words.afterwards);
        list(w, words.afterwards_steps);
        w.element("pre", &[], |w| {
            let list = format!("muster device list --user {}", package.user_name);
            w.leaf("code", &[], &format!("{list}\nmuster device assign DEVICE ada@example.com"));
        });
        w.leaf("h2", &[], words.trouble);
        w.element("dl", &[], |w| {
            for (code, text) in words.trouble_rows {
                w.leaf("dt", &[], code);
                w.leaf("dd", &[], text);
            }
        });
        w.leaf("p", &[], words.trouble_text);
    }

    /// The facts of the package; none of them is a secret.
    fn facts(&self, words: &Words) -> Vec<(&'static str, String)> {
        const DAY: time::format_description::StaticFormatDescription =
            format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
        let (package, custom) = (self.package, self.customizations);
        let utc = package.expires_at.to_offset(time::UtcOffset::UTC);
        let networks: Vec<String> = package.networks.iter().map(|network| String::from(*network)).collect();
        let or_none = |text: Option<&str>| text.unwrap_or(words.none).to_owned();
        vec![
            (words.user, package.user_name.clone()),
            (words.discovery, custom.discovery_url.clone()),
            (words.version, package.version()),
            (words.expires, utc.format(DAY).unwrap_or_default()),
            (words.most, package.max_devices.to_string()),
            (words.networks, if networks.is_empty() { words.everywhere.to_owned() } else { networks.join(", ") }),
            (
                words.root,
                or_none(Some(custom.root_certificates.join(", ")).as_deref().filter(|roots| !roots.is_empty())),
            ),
            (words.device_name, or_none(custom.device_name.as_deref())),
            (words.wifi, or_none(custom.wifi.as_ref().map(|wifi| wifi.ssid.as_str()))),
            (words.local_admin, or_none(custom.local_admin.as_ref().map(|admin| admin.name.as_str()))),
            (words.notes, or_none(custom.notes.as_deref())),
        ]
    }
}

fn list(w: &mut XmlWriter, steps: &[&str]) {
    w.element("ol", &[], |w| {
        for step in steps {
            w.leaf("li", &[], step);
        }
    });
}

/// The words of a page.
struct Words {
    title: &'static str,
    of_server: &'static str,
    warning: &'static str,
    what: &'static str,
    user: &'static str,
    discovery: &'static str,
    version: &'static str,
    expires: &'static str,
    most: &'static str,
    networks: &'static str,
    everywhere: &'static str,
    root: &'static str,
    device_name: &'static str,
    wifi: &'static str,
    local_admin: &'static str,
    notes: &'static str,
    none: &'static str,
    build: &'static str,
    build_steps: &'static [&'static str],
    apply: &'static str,
    apply_steps: &'static [&'static str],
    pin: &'static str,
    pin_text: &'static str,
    afterwards: &'static str,
    afterwards_steps: &'static [&'static str],
    trouble: &'static str,
    trouble_rows: &'static [(&'static str, &'static str)],
    trouble_text: &'static str,
}

static ENGLISH: Words = Words {
    title: "Provisioning package",
    of_server: "It enrolls Windows devices with",
    warning: "These files, and the package built from them, hold a password in clear, and so whoever has them can enroll \
              devices. Keep them as you keep passwords, and delete them when the devices are enrolled.",
    what: "What it holds",
    user: "Bulk user",
    discovery: "Discovery URL",
    version: "Version",
    expires: "Works until",
    most: "Devices at most",
    networks: "Works from",
    everywhere: "everywhere",
    root: "Root certificate",
    device_name: "Device name",
    wifi: "Wireless network",
    local_admin: "Local administrator",
    notes: "Notes",
    none: "none",
    build: "Build the package",
    build_steps: &[
        "Take a Windows PC with the Windows ADK, and in it the feature Configuration Designer.",
        "Unpack the archive into a folder of its own.",
        "Right-click build.cmd there and choose Run as administrator. Or open a Command Prompt (not PowerShell) as an \
         administrator, go to that folder with cd /d, and type this command:",
    ],
    apply: "Apply it",
    apply_steps: &[
        "A new PC: copy the .ppkg file to the root of a USB stick and insert it on the first screen of setup. On Windows \
         11, press the Windows key five times if nothing happens.",
        "A PC in use: open the .ppkg file as an administrator and confirm, or add it in Settings, Accounts, Access work or \
         school, Add or remove a provisioning package.",
        "Without anybody at the screen, in PowerShell as an administrator:",
    ],
    pin: "Enroll by hand with the PIN",
    pin_text: "Where the package cannot be applied, open Settings, Accounts, Access work or school, Enroll only in device \
               management, and sign in as the bulk user with the PIN. It counts as a device of this package. After five \
               wrong tries the PIN is good for nothing; build the package anew with another one then.",
    afterwards: "Afterwards",
    afterwards_steps: &[
        "The device shows under the bulk user within a few minutes. It takes settings of the device only: it has no user \
         yet.",
        "Assign it to the person who takes it over; it does not have to be enrolled again.",
        "When all devices are there, revoke the package.",
    ],
    trouble: "If it does not work",
    trouble_rows: &[
        ("0x80180002", "The package was revoked, has expired, was built anew, or may not be used from this network."),
        ("0x80180003", "The bulk user is disabled."),
        ("0x80180013", "The package has enrolled as many devices as it may."),
        ("0x80180015", "The address of the server in the package is not in use any more: build the package anew."),
        (
            "0x80180032",
            "The server does not take this device: it is to be registered first, or to come from another network. The \
             administrator finds the reason among the attempts of the bulk user.",
        ),
        ("0x80180012", "The device does not trust the server: the root certificate is missing or another one."),
        ("0x8018000A", "The device is enrolled somewhere already."),
    ],
    trouble_text: "Windows tries three times at once, then after 15 minutes, 1 hour and 4 hours, and at the next start. Nothing \
             happens when a package of the same version was applied before.",
};

static FRENCH: Words = Words {
    title: "Package d’approvisionnement",
    of_server: "Il inscrit des appareils Windows auprès de",
    warning: "Ces fichiers, et le package construit avec eux, contiennent un mot de passe en clair\u{a0}: quiconque les possède \
              peut inscrire des appareils. Conservez-les comme des mots de passe et supprimez-les dès que les appareils \
              sont inscrits.",
    what: "Contenu",
    user: "Utilisateur générique",
    discovery: "URL de découverte",
    version: "Version",
    expires: "Valable jusqu’au",
    most: "Nombre maximal d’appareils",
    networks: "Utilisable depuis",
    everywhere: "partout",
    root: "Certificat racine",
    device_name: "Nom de l’appareil",
    wifi: "Réseau sans fil",
    local_admin: "Administrateur local",
    notes: "Notes",
    none: "aucun",
    build: "Construire le package",
    build_steps: &[
        "Prenez un PC Windows avec le kit Windows ADK et sa fonctionnalité Concepteur de configuration.",
        "Décompressez l’archive dans un dossier réservé.",
        "Dans ce dossier, cliquez avec le bouton droit sur build.cmd et choisissez Exécuter en tant qu’administrateur. Ou \
         ouvrez une invite de commandes (pas PowerShell) en tant qu’administrateur, allez dans ce dossier avec cd /d et \
         tapez cette commande\u{a0}:",
    ],
    apply: "L’appliquer",
    apply_steps: &[
        "PC neuf\u{a0}: copiez le fichier .ppkg à la racine d’une clé USB et branchez-la au premier écran de configuration. \
         Sous Windows 11, appuyez cinq fois sur la touche Windows si rien ne se passe.",
        "PC déjà utilisé\u{a0}: ouvrez le fichier .ppkg en tant qu’administrateur et confirmez, ou ajoutez-le dans Paramètres, \
         Comptes, Accès Professionnel ou Scolaire, Ajouter ou supprimer un package d’approvisionnement.",
        "Sans personne devant l’écran, dans PowerShell en tant qu’administrateur\u{a0}:",
    ],
    pin: "Inscrire à la main avec le code PIN",
    pin_text: "Si le package ne peut pas être appliqué, ouvrez Paramètres, Comptes, Accès Professionnel ou Scolaire, \
               S’inscrire uniquement à la gestion des appareils, et connectez-vous sous l’utilisateur générique avec le \
               code PIN. L’appareil compte parmi ceux du package. Après cinq essais erronés le code PIN ne sert plus à \
               rien\u{a0}; reconstruisez alors le package avec un autre.",
    afterwards: "Ensuite",
    afterwards_steps: &[
        "L’appareil apparaît sous l’utilisateur générique en quelques minutes. Il ne reçoit que les réglages de l’appareil, \
         car il n’a pas encore d’utilisateur.",
        "Affectez-le à la personne qui le reprend\u{a0}; il n’est pas nécessaire de l’inscrire à nouveau.",
        "Quand tous les appareils sont là, révoquez le package.",
    ],
    trouble: "En cas de problème",
    trouble_rows: &[
        ("0x80180002", "Le package est révoqué, expiré, reconstruit, ou inutilisable depuis ce réseau."),
        ("0x80180003", "L’utilisateur générique est désactivé."),
        ("0x80180013", "Le package a inscrit autant d’appareils que permis."),
        (
            "0x80180015",
            "L’adresse du serveur que contient le package n’est plus en service\u{a0}: reconstruisez le package.",
        ),
        (
            "0x80180032",
            "Le serveur n’accepte pas cet appareil\u{a0}: il doit d’abord être enregistré, ou venir d’un autre réseau. \
             L’administrateur trouve la raison parmi les tentatives de l’utilisateur générique.",
        ),
        (
            "0x80180012",
            "L’appareil ne fait pas confiance au serveur\u{a0}: le certificat racine manque ou est un autre.",
        ),
        ("0x8018000A", "L’appareil est déjà inscrit quelque part."),
    ],
    trouble_text: "Windows essaie trois fois de suite, puis après 15 minutes, 1 heure et 4 heures, et au prochain démarrage. \
             Rien ne se passe si un package de la même version a déjà été appliqué.",
};

const STYLE: &str = "body{margin:0;background:#fff;color:#1f2328;font:16px/1.45 system-ui,sans-serif}\
main{max-width:44rem;margin:0 auto;padding:32px 16px}\
h1{font-size:28px;margin:0 0 8px}\
h2{font-size:20px;margin:24px 0 8px}\
.warning{border-left:4px solid #b35900;background:#fff4e5;padding:8px 12px}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px}\
dt{font-weight:600}\
dd{margin:0;overflow-wrap:anywhere}\
pre{background:#f3f4f6;padding:12px;white-space:pre-wrap;overflow-wrap:anywhere}\
li{margin:4px 0}";
