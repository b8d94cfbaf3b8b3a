//! The Policy CSP, as far as the simulation goes: which areas exist, and which values some policies take.

/// Whether a key is a policy that a source sets, of the device or the user.
pub(super) fn is_config(key: &str) -> bool {
    config(key).is_some()
}

/// The key of the configured value that a key of the merged result shows.
pub(super) fn config_of_result(key: &str) -> Option<String> {
    key.contains("/msft/policy/result/").then(|| key.replacen("/policy/result/", "/policy/config/", 1))
}

/// Checks a value that is written; keys of other CSPs pass. The error is the status to answer with.
pub(super) fn check(key: &str, format: &str, value: &str) -> Result<(), u16> {
    let Some(name) = config(key) else { return Ok(()) };
    let area = name.split('/').next().unwrap_or_default();
    // Areas of ingested ADMX files have tildes in their names.
    if !AREAS.contains(&area) && !area.contains('~') && !area.starts_with("admx_") {
        return Err(404);
    }
    match INTEGERS.iter().find(|(known, ..)| *known == name) {
        Some(_) if format != "int" => Err(415),
        Some((_, least, most)) => match value.trim().parse::<i64>() {
            Ok(number) if (*least..=*most).contains(&number) => Ok(()),
            _ => Err(500),
        },
        None => Ok(()),
    }
}

/// `area/policy` of a key below `Policy/Config`.
fn config(key: &str) -> Option<&str> {
    let rest = key.strip_prefix("./user/").or_else(|| key.strip_prefix("./"))?;
    rest.strip_prefix("vendor/msft/policy/config/").filter(|name| name.matches('/').count() == 1)
}

const AREAS: &[&str] = &[
    "abovelock",
    "accounts",
    "applicationmanagement",
    "appvirtualization",
    "authentication",
    "autoplay",
    "bitlocker",
    "bluetooth",
    "browser",
    "camera",
    "connectivity",
    "credentialproviders",
    "cryptography",
    "defender",
    "deliveryoptimization",
    "desktop",
    "deviceguard",
    "devicelock",
    "display",
    "education",
    "experience",
    "internetexplorer",
    "kioskbrowser",
    "localpoliciessecurityoptions",
    "mixedreality",
    "networkisolation",
    "notifications",
    "power",
    "privacy",
    "remotedesktopservices",
    "search",
    "security",
    "settings",
    "smartscreen",
    "speech",
    "start",
    "storage",
    "system",
    "textinput",
    "timelanguagesettings",
    "update",
    "userrights",
    "wifi",
    "windowsdefendersecuritycenter",
    "windowslogon",
    "wirelessdisplay",
];

/// Integer policies with their ranges.
const INTEGERS: &[(&str, i64, i64)] = &[
    ("camera/allowcamera", 0, 1),
    ("connectivity/allowbluetooth", 0, 2),
    ("connectivity/allowusbconnection", 0, 1),
    ("devicelock/allowsimpledevicepassword", 0, 1),
    ("devicelock/alphanumericdevicepasswordrequired", 0, 2),
    ("devicelock/devicepasswordenabled", 0, 1),
    ("devicelock/devicepasswordexpiration", 0, 730),
    ("devicelock/devicepasswordhistory", 0, 50),
    ("devicelock/maxdevicepasswordfailedattempts", 0, 999),
    ("devicelock/maxinactivitytimedevicelock", 0, 999),
    ("devicelock/mindevicepasswordcomplexcharacters", 1, 4),
    ("devicelock/mindevicepasswordlength", 4, 16),
    ("experience/allowcortana", 0, 1),
    ("mixedreality/fallbackdiagnostics", 0, 2),
    ("mixedreality/microphonedisabled", 0, 1),
    ("system/allowlocation", 0, 2),
    ("system/allowtelemetry", 0, 3),
    ("update/allowautoupdate", 0, 5),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_where_they_are_known() {
        let cases = [
            ("./vendor/msft/policy/config/camera/allowcamera", "int", "0", Ok(())),
            ("./vendor/msft/policy/config/camera/allowcamera", "chr", "0", Err(415)),
            ("./vendor/msft/policy/config/devicelock/mindevicepasswordlength", "int", "99", Err(500)),
            ("./user/vendor/msft/policy/config/start/hideapplist", "int", "1", Ok(())),
            ("./vendor/msft/policy/config/weather/rain", "int", "1", Err(404)),
            ("./vendor/msft/policy/config/app~policy~ring/name", "chr", "<enabled/>", Ok(())),
            ("./vendor/msft/wifi/profile/x", "chr", "y", Ok(())),
        ];
        for (key, format, value, expected) in cases {
            assert_eq!(check(key, format, value), expected, "{key} {value}");
        }
        let result = config_of_result("./vendor/msft/policy/result/camera/allowcamera");
        assert_eq!(result.as_deref(), Some("./vendor/msft/policy/config/camera/allowcamera"));
    }
}
