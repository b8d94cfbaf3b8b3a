//! Why a device was refused, as a word that the ledger keeps: several refusals show the same code of Windows, and each is
//! mended elsewhere.

use super::hresult::{Advice, Explanation, explain};

/// A refusal of which more can be said than its code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No way to sign in that the device offers is enabled.
    PolicyNotOffered,
    /// The domain of the address is not served.
    DomainNotServed,
    /// An older generation of the enrollment URL.
    StaleUrl,
    /// The account is switched off.
    AccountDisabled,
    /// The password has to be replaced first.
    PasswordChange,
    /// The user has as many devices as allowed.
    DeviceLimit,
    /// The package has as many devices as allowed.
    PackageUsedUp,
    /// Windows Home.
    Home,
    /// An edition that is not allowed.
    Edition,
    /// A build that is too old.
    TooOld,
    /// A build that is too new.
    TooNew,
    /// Not the organisation's own.
    Personal,
    /// From a network from which nobody enrolls.
    Network,
    /// Not registered.
    NotRegistered,
    /// The registration has let in another device.
    RegistrationInUse,
    /// There are as many devices as allowed at all.
    Full,
    /// No request for the certificate of a new device.
    RequestType,
}

/// The word of the API, with cause and fix in English and in French.
struct Row {
    refused: Refused,
    word: &'static str,
    english: (&'static str, &'static str),
    french: (&'static str, &'static str),
}

const fn row(
    refused: Refused,
    word: &'static str,
    english: (&'static str, &'static str),
    french: (&'static str, &'static str),
) -> Row {
    Row { refused, word, english, french }
}

const TABLE: [Row; 17] = [
    row(
        Refused::PolicyNotOffered,
        "policy_not_offered",
        (
            "The PC offers no way to sign in that is enabled here.",
            "See `auth_policy` in [enroll], and how the enrollment was begun on the PC.",
        ),
        (
            "Le PC ne propose aucun mode de connexion activé ici.",
            "Voyez « auth_policy » dans [enroll] et la façon dont l'inscription a été lancée sur le PC.",
        ),
    ),
    row(
        Refused::DomainNotServed,
        "domain_not_served",
        (
            "The domain of the address that was typed is not served.",
            "Check its spelling, or add the domain to `domains` in [enroll].",
        ),
        (
            "Le domaine de l'adresse saisie n'est pas pris en charge.",
            "Vérifiez l'orthographe, ou ajoutez le domaine à « domains » dans [enroll].",
        ),
    ),
    row(
        Refused::StaleUrl,
        "stale_url",
        (
            "The PC came by an enrollment URL of an older generation.",
            "Give the person the present one: `muster enroll-url`, `/go` or a new invitation.",
        ),
        (
            "Le PC est venu par une adresse d'inscription périmée.",
            "Donnez l'adresse actuelle à la personne : « muster enroll-url », « /go » ou une nouvelle invitation.",
        ),
    ),
    row(
        Refused::AccountDisabled,
        "account_disabled",
        (
            "The account of the person is disabled.",
            "If it is to enroll devices, enable it with `muster user change` and `--enable`.",
        ),
        (
            "Le compte de la personne est désactivé.",
            "S'il doit inscrire des appareils, activez-le avec « muster user change » et « --enable ».",
        ),
    ),
    row(
        Refused::PasswordChange,
        "password_change",
        (
            "The person has to choose a new password first: the account is marked `must_change_password`.",
            "The page `/password` of the server takes a new one for the present one. Or set one with `muster user password` and hand it over. Then enroll the PC again.",
        ),
        (
            "La personne doit d'abord choisir un nouveau mot de passe : le compte porte « must_change_password ».",
            "La page « /password » du serveur en prend un nouveau contre l'actuel. Ou définissez-en un avec « muster user password » et transmettez-le. Recommencez ensuite l'inscription.",
        ),
    ),
    row(
        Refused::DeviceLimit,
        "device_limit",
        (
            "The person has as many devices as allowed.",
            "Retire one that is not used any more, or raise `device_limit` of the user or `max_devices_per_user` in [enroll].",
        ),
        (
            "La personne a atteint son nombre d'appareils.",
            "Retirez un appareil inutilisé, ou relevez « device_limit » de l'utilisateur ou « max_devices_per_user » dans \
             [enroll].",
        ),
    ),
    row(
        Refused::PackageUsedUp,
        "package_used_up",
        (
            "As many devices as allowed have enrolled with the package.",
            "Make another package with `muster ppkg new` and a higher `--max-devices`; limits of users do not count here.",
        ),
        (
            "Le package a atteint son nombre d'appareils.",
            "Créez-en un autre avec « muster ppkg new » et un « --max-devices » plus élevé ; les limites des utilisateurs ne \
             comptent pas ici.",
        ),
    ),
    row(
        Refused::Home,
        "home",
        ("Windows Home has no management.", "Change to Windows Pro, then enroll the PC."),
        ("Windows Famille ne permet pas la gestion.", "Passez à Windows Pro, puis inscrivez le PC."),
    ),
    row(
        Refused::Edition,
        "edition",
        (
            "This edition of Windows is not among those allowed.",
            "Change the edition, or add it to `editions` in [enroll].",
        ),
        (
            "Cette édition de Windows n'est pas autorisée.",
            "Changez d'édition, ou ajoutez-la à « editions » dans [enroll].",
        ),
    ),
    row(
        Refused::TooOld,
        "too_old",
        ("The build of Windows is too old.", "Update Windows, or lower `min_build` in [enroll]."),
        ("La version de Windows est trop ancienne.", "Mettez Windows à jour, ou abaissez « min_build » dans [enroll]."),
    ),
    row(
        Refused::TooNew,
        "too_new",
        (
            "The build of Windows is newer than allowed.",
            "Raise `max_build` in [enroll] once that build is to be let in.",
        ),
        (
            "La version de Windows est plus récente que ce qui est admis.",
            "Relevez « max_build » dans [enroll] quand cette version doit être admise.",
        ),
    ),
    row(
        Refused::Personal,
        "personal",
        (
            "Only devices of the organization are let in (`ownership`), and this one is not known to be one.",
            "Register it with `muster device register --attempt ID`, or enroll it with a bulk package.",
        ),
        (
            "Seuls les appareils de l'organisation sont admis (« ownership »), et celui-ci n'est pas connu comme tel.",
            "Enregistrez-le avec « muster device register --attempt ID », ou inscrivez-le avec un package.",
        ),
    ),
    row(
        Refused::Network,
        "network",
        (
            "The PC called from an address that is not in `networks`; 0.0.0.0 means that a proxy did not tell it.",
            "Enroll from one of those networks, add this one to `networks` in [enroll], or see `trusted_proxies` in [server].",
        ),
        (
            "Le PC appelle depuis une adresse hors de « networks » ; 0.0.0.0 signifie qu'un proxy ne l'a pas transmise.",
            "Inscrivez depuis l'un de ces réseaux, ajoutez celui-ci à « networks » dans [enroll], ou voyez \
             « trusted_proxies » dans [server].",
        ),
    ),
    row(
        Refused::NotRegistered,
        "not_registered",
        (
            "Only registered devices are let in, and nothing that this one tells of itself was registered.",
            "If it is yours, `muster device register --attempt ID` takes what it told; then enroll it again.",
        ),
        (
            "Seuls les appareils enregistrés sont admis, et rien de ce que celui-ci annonce ne l'a été.",
            "S'il est à vous, « muster device register --attempt ID » reprend ce qu'il a annoncé ; puis recommencez \
             l'inscription.",
        ),
    ),
    row(
        Refused::RegistrationInUse,
        "registration_in_use",
        (
            "The registration of this device has let in another one, or this one for another user, and that is still managed.",
            "Retire that device, which makes way at once even if it never calls again, or remove the entry with \
             `muster device unregister` and register the device anew.",
        ),
        (
            "L'enregistrement de cet appareil en a admis un autre, ou celui-ci pour un autre utilisateur, encore géré.",
            "Retirez cet appareil-là, ce qui libère l'entrée aussitôt, même s'il n'appelle plus jamais, ou supprimez \
             l'entrée avec « muster device unregister » et enregistrez à nouveau.",
        ),
    ),
    row(
        Refused::Full,
        "full",
        (
            "There are as many devices under management as allowed.",
            "Retire devices that are not used any more, or raise `max_devices` in [enroll]; limits of users do not count here.",
        ),
        (
            "Le nombre total d'appareils gérés est atteint.",
            "Retirez des appareils inutilisés, ou relevez « max_devices » dans [enroll] ; les limites des utilisateurs ne \
             comptent pas ici.",
        ),
    ),
    row(
        Refused::RequestType,
        "request_type",
        (
            "The client did not ask for the certificate of a new device.",
            "Enroll with the settings of Windows, a link `ms-device-enrollment:` or a bulk package, not with another program.",
        ),
        (
            "Le client n'a pas demandé le certificat d'un nouvel appareil.",
            "Inscrivez le PC par les paramètres de Windows, un lien « ms-device-enrollment: » ou un package, pas par un autre \
             programme.",
        ),
    ),
];

impl Refused {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().map_or("", |row| row.word)
    }

    /// The refusal of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.word == text).map(|row| row.refused)
    }

    /// What to make of it, under the name of the code that the person saw.
    #[must_use]
    pub fn explanation(self, code: u32) -> Option<Explanation> {
        let row = self.row()?;
        let name = explain(code).map_or_else(|| row.word.into(), |by_code| by_code.name);
        let advice = |(cause, fix): (&'static str, &'static str)| Advice { cause: cause.into(), fix: fix.into() };
        Some(Explanation { name, english: advice(row.english), french: advice(row.french) })
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.refused == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_names_what_mends_it_in_both_languages() {
        let keys = [
            (Refused::PolicyNotOffered, "auth_policy"),
            (Refused::DomainNotServed, "domains"),
            (Refused::StaleUrl, "muster enroll-url"),
            (Refused::AccountDisabled, "--enable"),
            (Refused::PasswordChange, "/password"),
            (Refused::DeviceLimit, "max_devices_per_user"),
            (Refused::PackageUsedUp, "muster ppkg new"),
            (Refused::Home, "Windows Pro"),
            (Refused::Edition, "editions"),
            (Refused::TooOld, "min_build"),
            (Refused::TooNew, "max_build"),
            (Refused::Personal, "muster device register"),
            (Refused::Network, "networks"),
            (Refused::NotRegistered, "muster device register"),
            (Refused::RegistrationInUse, "muster device unregister"),
            (Refused::Full, "max_devices"),
            (Refused::RequestType, "ms-device-enrollment:"),
        ];
        assert_eq!(keys.len(), TABLE.len());
        for (refused, key) in keys {
            assert_eq!(Refused::parse(refused.as_str()), Some(refused), "the words are apart");
            let Explanation { name, english, french } = refused.explanation(0x8018_0032).unwrap();
            assert_eq!(name, "MENROLL_E_CUSTOMSERVERERROR");
            assert!(
                english.fix.contains(key) && french.fix.contains(key),
                "{refused:?}: {} {}",
                english.fix,
                french.fix
            );
        }
    }
}
