//! The rows: constant, cause and fix in English and in French.

use super::{Advice, Explanation};

/// One code.
pub(super) struct Row {
    pub(super) code: u32,
    pub(super) name: &'static str,
    /// Cause and fix.
    pub(super) english: (&'static str, &'static str),
    /// Cause and fix.
    pub(super) french: (&'static str, &'static str),
}

const fn one(
    code: u32,
    name: &'static str,
    english: (&'static str, &'static str),
    french: (&'static str, &'static str),
) -> Row {
    Row { code, name, english, french }
}

pub(super) const TABLE: &[Row] = &[
    one(
        0x8018_0001,
        "MENROLL_E_DEVICE_MESSAGE_FORMAT_ERROR",
        (
            "The server could not read what the PC sent.",
            "Look whether a proxy or a filter changes messages on the way; the attempt in the ledger says what was wrong with it.",
        ),
        (
            "Le serveur n'a pas pu lire le message du PC.",
            "Vérifiez si un proxy ou un filtre modifie les messages en route ; la tentative au journal dit ce qui n'allait pas.",
        ),
    ),
    one(
        0x8018_0002,
        "MENROLL_E_DEVICE_AUTHENTICATION_ERROR",
        (
            "The user name, the password or the PIN is wrong or over, or it was tried too often.",
            "Try again with the right one, after a pause where it was tried often; the ledger tells which of them it was.",
        ),
        (
            "Le nom d'utilisateur, le mot de passe ou le code PIN est faux ou périmé, ou il y a eu trop d'essais.",
            "Réessayez avec les bons identifiants, après une pause s'il y a eu beaucoup d'essais ; le journal en dit la raison.",
        ),
    ),
    one(
        0x8018_0003,
        "MENROLL_E_DEVICE_AUTHORIZATION_ERROR",
        (
            "The person is known, but may not enroll this device.",
            "Look whether the account is disabled, and which of the rules on enrollment the ledger names.",
        ),
        (
            "La personne est connue, mais ne peut pas inscrire cet appareil.",
            "Vérifiez si le compte est désactivé et quelle règle d'inscription le journal indique.",
        ),
    ),
    one(
        0x8018_0004,
        "MENROLL_E_DEVICE_CERTIFICATEREQUEST_ERROR",
        (
            "The certificate request of the PC was refused, or no certificate could be issued.",
            "The ledger says why. A key that is too short or in use already: start the enrollment again, so that a new key is made.",
        ),
        (
            "La demande de certificat du PC a été refusée, ou aucun certificat n'a pu être émis.",
            "Le journal dit pourquoi. Si la clé est trop courte ou déjà utilisée, recommencez : une nouvelle clé sera créée.",
        ),
    ),
    one(
        0x8018_0005,
        "MENROLL_E_DEVICE_CONFIGMGRSERVER_ERROR",
        (
            "The server could not reach its database or the key of its CA.",
            "Look into the server's log for the reference of the attempt; then try again.",
        ),
        (
            "Le serveur n'a pas pu joindre sa base de données ou la clé de son autorité de certification.",
            "Cherchez la référence de la tentative dans le journal du serveur, puis réessayez.",
        ),
    ),
    one(
        0x8018_0006,
        "MENROLL_E_DEVICE_INTERNALSERVICE_ERROR",
        (
            "The server had an unexpected problem, or its answer was one that Windows does not take.",
            "Look into the server's log for the reference of the attempt, and run `muster doctor` against the address.",
        ),
        (
            "Le serveur a rencontré un problème inattendu, ou sa réponse n'est pas acceptée par Windows.",
            "Cherchez la référence de la tentative dans le journal du serveur, et lancez « muster doctor » sur l'adresse.",
        ),
    ),
    one(
        0x8018_0007,
        "MENROLL_E_DEVICE_INVALIDSECURITY_ERROR",
        (
            "The PC sent no credential, or one that cannot be read.",
            "Start the enrollment again. If it stays so, a proxy removes parts of messages.",
        ),
        (
            "Le PC n'a pas envoyé d'identifiants, ou ils sont illisibles.",
            "Recommencez l'inscription. Si cela persiste, un proxy retire des parties des messages.",
        ),
    ),
    one(
        0x8018_0008,
        "MENROLL_E_DEVICE_UNKNOWN_ERROR",
        (
            "Windows does not say what was wrong.",
            "Restart the PC and try again; look into its event log (DeviceManagement-Enterprise-Diagnostics-Provider, Admin).",
        ),
        (
            "Windows n'indique pas la raison.",
            "Redémarrez le PC et réessayez ; consultez son journal d'événements (DeviceManagement-Enterprise-Diagnostics-Provider, Admin).",
        ),
    ),
    one(
        0x8018_0009,
        "MENROLL_E_ENROLLMENT_IN_PROGRESS",
        ("Another enrollment of this PC is under way.", "Wait until it is over, or restart the PC, and try again."),
        (
            "Une autre inscription de ce PC est en cours.",
            "Attendez qu'elle se termine, ou redémarrez le PC, puis réessayez.",
        ),
    ),
    one(
        0x8018_000A,
        "MENROLL_E_DEVICE_ALREADY_ENROLLED",
        (
            "The PC is enrolled already, here or with another server.",
            "Disconnect the account under Settings, Accounts, Access work or school. What an older management left behind may have \
             to be removed first.",
        ),
        (
            "Le PC est déjà inscrit, ici ou auprès d'un autre serveur.",
            "Déconnectez le compte sous Paramètres, Comptes, Accès Professionnel ou Scolaire. Il faut peut-être retirer d'abord les \
             restes d'une ancienne gestion.",
        ),
    ),
    one(
        0x8018_000D,
        "MENROLL_E_DISCOVERY_SEC_CERT_DATE_INVALID",
        (
            "The server's certificate is over or has not begun, by the clock of the PC.",
            "Look at the date of the PC first; then at that of the certificate, with `muster doctor`.",
        ),
        (
            "D'après l'horloge du PC, le certificat du serveur est expiré ou pas encore valide.",
            "Vérifiez d'abord la date du PC, puis celle du certificat, avec « muster doctor ».",
        ),
    ),
    one(
        0x8018_000E,
        "MENROLL_E_PASSWORD_NEEDED",
        ("Windows needs the password to go on.", "Enter the password, and start the enrollment again."),
        ("Windows a besoin du mot de passe pour continuer.", "Saisissez le mot de passe et recommencez l'inscription."),
    ),
    one(
        0x8018_000F,
        "MENROLL_E_WAB_ERROR",
        (
            "The sign-in page could not be shown, or did not come to its end.",
            "Try again. If it stays so, look whether the PC reaches the address of the page and trusts its certificate.",
        ),
        (
            "La page de connexion n'a pas pu s'afficher, ou n'est pas arrivée à son terme.",
            "Réessayez. Si cela persiste, vérifiez que le PC atteint l'adresse de la page et fait confiance à son certificat.",
        ),
    ),
    one(
        0x8018_0010,
        "MENROLL_E_CONNECTIVITY",
        (
            "The PC reached no server.",
            "Look whether the PC is online, whether the address is written right, and, with `muster doctor` from the same network, \
             at DNS and firewalls.",
        ),
        (
            "Le PC n'a joint aucun serveur.",
            "Vérifiez que le PC est en ligne et l'adresse bien écrite, puis le DNS et les pare-feu avec « muster doctor » depuis le \
             même réseau.",
        ),
    ),
    one(
        0x8018_0012,
        "MENROLL_E_INVALIDSSLCERT",
        (
            "The PC does not trust the server's certificate, or it is for another name.",
            "Run `muster doctor` against the address. With a private CA its root has to be on the PC before the enrollment.",
        ),
        (
            "Le PC ne fait pas confiance au certificat du serveur, ou celui-ci est établi pour un autre nom.",
            "Lancez « muster doctor » sur l'adresse. Avec une autorité privée, sa racine doit être sur le PC avant l'inscription.",
        ),
    ),
    one(
        0x8018_0013,
        "MENROLL_E_DEVICECAPREACHED",
        (
            "The person, the package, or the whole installation has as many devices as allowed; the ledger says which.",
            "Retire a device that is not used any more, or raise `max_devices_per_user`, `max_devices` or that of the package.",
        ),
        (
            "La personne, le package ou toute l'installation a atteint son nombre d'appareils ; le journal dit lequel.",
            "Retirez un appareil qui ne sert plus, ou relevez « max_devices_per_user », « max_devices » ou celui du package.",
        ),
    ),
    one(
        0x8018_0014,
        "MENROLL_E_DEVICENOTSUPPORTED",
        (
            "This edition or version of Windows, or a device of this kind, may not enroll.",
            "Windows Home has no management: change to Pro. Otherwise update Windows, or see the rule that the ledger names.",
        ),
        (
            "Cette édition ou version de Windows, ou ce type d'appareil, ne peut pas être inscrit.",
            "Windows Famille ne permet pas la gestion : passez à Pro. Sinon mettez Windows à jour, ou voyez la règle indiquée au \
             journal.",
        ),
    ),
    one(
        0x8018_0015,
        "MENROLL_E_NOTSUPPORTED",
        (
            "Enrollment is not offered for this address, not in this way, or not any more by this enrollment URL.",
            "Check the spelling of the address and whether the URL is the present one; see `domains` and `auth_policy` in [enroll].",
        ),
        (
            "L'inscription n'est pas proposée pour cette adresse, pas de cette manière, ou plus par cette URL.",
            "Vérifiez l'adresse et si l'URL est bien l'actuelle ; voyez « domains » et « auth_policy » dans [enroll].",
        ),
    ),
    one(
        0x8018_0016,
        "MENROLL_E_NOTELIGIBLETORENEW",
        (
            "The server does not renew the certificate of the device.",
            "The ledger says why. A device that is over, or whose certificate was revoked, has to enroll again.",
        ),
        (
            "Le serveur ne renouvelle pas le certificat de l'appareil.",
            "Le journal dit pourquoi. Un appareil retiré, ou dont le certificat est révoqué, doit être inscrit à nouveau.",
        ),
    ),
    one(
        0x8018_0017,
        "MENROLL_E_INMAINTENANCE",
        ("The server is in maintenance.", "Try again later."),
        ("Le serveur est en maintenance.", "Réessayez plus tard."),
    ),
    one(
        0x8018_0018,
        "MENROLL_E_USERLICENSE",
        ("The person has no licence.", "Give the person a licence, and try again."),
        ("La personne n'a pas de licence.", "Attribuez une licence à la personne, puis réessayez."),
    ),
    one(
        0x8018_0019,
        "MENROLL_E_ENROLLMENTDATAINVALID",
        (
            "The terms of use were not accepted, or too long ago.",
            "Start the enrollment again, and accept the terms of use.",
        ),
        (
            "Les conditions d'utilisation n'ont pas été acceptées, ou il y a trop longtemps.",
            "Recommencez l'inscription et acceptez les conditions d'utilisation.",
        ),
    ),
    one(
        0x8018_001A,
        "MENROLL_E_INSECUREREDIRECT",
        (
            "The server led the PC to an address that is not https.",
            "Correct the redirect: it has to lead to https. `muster doctor` names it.",
        ),
        (
            "Le serveur a renvoyé le PC vers une adresse qui n'est pas en https.",
            "Corrigez la redirection : elle doit mener à https. « muster doctor » l'indique.",
        ),
    ),
    one(
        0x8018_001B,
        "MENROLL_E_PLATFORM_WRONG_STATE",
        (
            "Windows is in a state in which it cannot enroll.",
            "Restart the PC, install updates that wait, and try again.",
        ),
        (
            "Windows est dans un état qui ne permet pas l'inscription.",
            "Redémarrez le PC, installez les mises à jour en attente, puis réessayez.",
        ),
    ),
    one(
        0x8018_001C,
        "MENROLL_E_PLATFORM_LICENSE_ERROR",
        (
            "The licence of Windows does not allow management.",
            "Look whether Windows is activated, and which edition it is.",
        ),
        ("La licence de Windows n'autorise pas la gestion.", "Vérifiez que Windows est activé, et son édition."),
    ),
    one(
        0x8018_001D,
        "MENROLL_E_PLATFORM_UNKNOWN_ERROR",
        (
            "Windows had a problem of its own that it does not name.",
            "Restart the PC and try again; look into its event log (DeviceManagement-Enterprise-Diagnostics-Provider, Admin).",
        ),
        (
            "Windows a rencontré un problème interne non précisé.",
            "Redémarrez le PC et réessayez ; consultez son journal d'événements (DeviceManagement-Enterprise-Diagnostics-Provider, Admin).",
        ),
    ),
    one(0x8018_001E, "MENROLL_E_PROV_CSP_CERTSTORE", PROVISIONING.0, PROVISIONING.1),
    one(0x8018_001F, "MENROLL_E_PROV_CSP_W7", PROVISIONING.0, PROVISIONING.1),
    one(0x8018_0020, "MENROLL_E_PROV_CSP_DMCLIENT", PROVISIONING.0, PROVISIONING.1),
    one(0x8018_0021, "MENROLL_E_PROV_CSP_PFW", PROVISIONING.0, PROVISIONING.1),
    one(0x8018_0022, "MENROLL_E_PROV_CSP_MISC", PROVISIONING.0, PROVISIONING.1),
    one(0x8018_0023, "MENROLL_E_PROV_UNKNOWN", PROVISIONING.0, PROVISIONING.1),
    one(
        0x8018_0024,
        "MENROLL_E_PROV_SSLCERTNOTFOUND",
        (
            "Windows did not find the certificate that it was just given.",
            "Restart the PC and try again; look whether a policy of the domain changes its certificate stores.",
        ),
        (
            "Windows n'a pas trouvé le certificat qu'il venait de recevoir.",
            "Redémarrez le PC et réessayez ; vérifiez si une stratégie du domaine modifie ses magasins de certificats.",
        ),
    ),
    one(0x8018_0025, "MENROLL_E_PROV_CSP_APPMGMT", PROVISIONING.0, PROVISIONING.1),
    one(
        0x8018_0026,
        "MENROLL_E_DEVICE_MANAGEMENT_BLOCKED",
        (
            "A policy of this PC forbids enrollment, or another agent manages it already.",
            "Look for the group policy \"Disable MDM enrollment\" and for a Configuration Manager client.",
        ),
        (
            "Une stratégie de ce PC interdit l'inscription, ou un autre agent le gère déjà.",
            "Cherchez la stratégie de groupe « Désactiver l'inscription MDM » et un client Configuration Manager.",
        ),
    ),
    one(
        0x8018_0027,
        "MENROLL_E_CERTPOLICY_PRIVATEKEYCREATION_FAILED",
        (
            "The PC could not make its private key; often the TPM is the reason.",
            "Update the firmware, or clear the TPM. For virtual machines and broken TPMs set `software_keys_only` in [ca].",
        ),
        (
            "Le PC n'a pas pu créer sa clé privée ; la puce TPM en est souvent la cause.",
            "Mettez à jour le micrologiciel ou effacez la puce TPM. Pour les machines virtuelles et les TPM défectueux, activez \
             « software_keys_only » dans [ca].",
        ),
    ),
    one(
        0x8018_0028,
        "MENROLL_E_CERTAUTH_FAILED_TO_FIND_CERT",
        (
            "The certificate with which the PC was to sign in is not there.",
            "Look whether the provisioning package installs it, and whether the thumbprint is the right one.",
        ),
        (
            "Le certificat avec lequel le PC devait se connecter est introuvable.",
            "Vérifiez que le package de provisionnement l'installe et que l'empreinte est la bonne.",
        ),
    ),
    one(
        0x8018_0029,
        "MENROLL_E_EMPTY_MESSAGE",
        (
            "The server's answer came without content.",
            "Look at the proxy before the server; `muster doctor` shows which answer it is.",
        ),
        (
            "La réponse du serveur est arrivée vide.",
            "Vérifiez le proxy devant le serveur ; « muster doctor » montre de quelle réponse il s'agit.",
        ),
    ),
    one(
        0x8018_002A,
        "user cancelled (help pages)",
        ("The person cancelled the enrollment.", "Start it again, and leave its windows open until it is done."),
        ("La personne a annulé l'inscription.", "Recommencez, et laissez les fenêtres ouvertes jusqu'à la fin."),
    ),
    one(
        0x8018_002B,
        "user name not of a verified domain (help pages)",
        (
            "The domain of the user name is not one that the tenant has verified.",
            "Sign in with an address of a verified domain of the organisation.",
        ),
        (
            "Le domaine du nom d'utilisateur n'est pas vérifié par l'organisation.",
            "Connectez-vous avec une adresse d'un domaine vérifié de l'organisation.",
        ),
    ),
    one(
        0x8018_0030,
        "MENROLL_E_USER_CANCELLED",
        ("The person cancelled the enrollment.", "Start it again, and leave its windows open until it is done."),
        ("La personne a annulé l'inscription.", "Recommencez, et laissez les fenêtres ouvertes jusqu'à la fin."),
    ),
    one(
        0x8018_0031,
        "MENROLL_E_MDM_NOT_CONFIGURED",
        (
            "The organisation's tenant names no MDM server for this person.",
            "Set the MDM addresses and the user scope in the tenant (Mobility), or enroll with \"Enroll only in device management\".",
        ),
        (
            "Le locataire de l'organisation n'indique aucun serveur MDM pour cette personne.",
            "Renseignez les adresses MDM et l'étendue dans le locataire (Mobilité), ou choisissez « S'inscrire uniquement à la gestion \
             des appareils ».",
        ),
    ),
    one(
        0x8018_0032,
        "MENROLL_E_CUSTOMSERVERERROR",
        (
            "A rule of the server does not let this device in; Windows shows the words of the rule.",
            "The ledger names the rule: a registration, the ownership, the network, or a password that has to be changed first.",
        ),
        (
            "Une règle du serveur n'accepte pas cet appareil ; Windows affiche son texte.",
            "Le journal indique la règle : enregistrement, propriété, réseau, ou mot de passe à changer d'abord.",
        ),
    ),
    one(
        0x8019_00C8,
        "HTTP 200",
        (
            "The server answered, but with nothing that Windows could use.",
            "Look whether something else than the MDM server answers at this address; `muster doctor` shows it.",
        ),
        (
            "Le serveur a répondu, mais rien que Windows puisse utiliser.",
            "Vérifiez si autre chose que le serveur MDM répond à cette adresse ; « muster doctor » le montre.",
        ),
    ),
];

/// English and French of what is said where the provisioning document was not carried out.
const PROVISIONING: ((&str, &str), (&str, &str)) = (
    (
        "Windows did not carry out what the server sent at the end of the enrollment.",
        "What an earlier management left behind is often in the way: remove it and try again. Event 56 in the PC's event log \
         (DeviceManagement-Enterprise-Diagnostics-Provider, Admin) names the part.",
    ),
    (
        "Windows n'a pas appliqué ce que le serveur a envoyé à la fin de l'inscription.",
        "Les restes d'une ancienne gestion gênent souvent : retirez-les et réessayez. L'événement 56 du journal du PC \
         (DeviceManagement-Enterprise-Diagnostics-Provider, Admin) indique la partie concernée.",
    ),
);

/// A status without a row of its own.
pub(super) fn http_status(status: u16) -> Explanation {
    let proxy = "Look at the proxy before the server and at the address; `muster doctor` shows where it comes from.";
    let mandataire =
        "Vérifiez le proxy devant le serveur et l'adresse ; « muster doctor » montre d'où vient cette réponse.";
    Explanation {
        name: format!("HTTP {status}").into(),
        english: Advice { cause: format!("The PC was answered with HTTP status {status}.").into(), fix: proxy.into() },
        french: Advice { cause: format!("Le PC a reçu le statut HTTP {status}.").into(), fix: mandataire.into() },
    }
}
