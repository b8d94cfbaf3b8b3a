use super::*;
use crate::proto::syncml::Verb;

#[test]
fn the_embedded_catalogue_is_whole() {
    let catalogue = embedded();
    assert_eq!(catalogue.records().len(), 6551);
    for record in catalogue.records() {
        let uri = sample(&record.path);
        let found = catalogue.find(&uri).unwrap_or_else(|| panic!("{}", record.path));
        assert_eq!(found.record().path, record.path);
    }
    let again = Catalogue::from_file(&catalogue.to_file().unwrap()).unwrap();
    assert_eq!(again.records(), catalogue.records());
    assert_eq!(again.head(), catalogue.head());
}

/// An address of a path: names for its dynamic segments.
fn sample(path: &str) -> String {
    path.replace("{AreaName}", "App~Policy~Category").replace('{', "%7B").replace('}', "%7D").replace(' ', "%20")
}

#[test]
fn an_address_leads_to_its_node() {
    let catalogue = embedded();
    let path = |uri: &str| catalogue.find(uri).map(|found| found.record().path.to_string());
    let cases = [
        ("./DevDetail/SwV", Some("./DevDetail/SwV")),
        ("./Vendor/MSFT/Firewall", Some("./Vendor/MSFT/Firewall")),
        ("./Device/Vendor/MSFT/Firewall", Some("./Vendor/MSFT/Firewall")),
        ("./Vendor/MSFT/Policy/Config/DeviceLock", Some("./Device/Vendor/MSFT/Policy/Config/DeviceLock")),
        ("./User/Vendor/MSFT/Firewall", None),
        ("./Device/Vendor/MSFT/Firewall/", None),
        ("./Device//Vendor/MSFT/Firewall", None),
        ("/Vendor/MSFT/Firewall", None),
        ("Vendor/MSFT/Firewall", None),
        ("./Vendor/MSFT", None),
        ("./vendor/MSFT/Firewall", None),
        ("./Device/DevDetail/SwV", None),
        ("./DevDetail/SwV?prop=Type", Some("./DevDetail/SwV")),
        ("./DevDetail/SwV?list=Struct", Some("./DevDetail/SwV")),
        ("./DevDetail/SwV?what", None),
        (
            "./Device/Vendor/MSFT/EnterpriseModernAppManagement/AppManagement/AppStore/ReleaseManagement",
            Some("./Device/Vendor/MSFT/EnterpriseModernAppManagement/AppManagement/AppStore/ReleaseManagement"),
        ),
        (
            "./Vendor/MSFT/EnterpriseModernAppManagement/AppManagement/AppStore/Contoso.App_8wekyb3d8bbwe",
            Some("./Device/Vendor/MSFT/EnterpriseModernAppManagement/AppManagement/AppStore/{PackageFamilyName}"),
        ),
        (
            "./Vendor/MSFT/DiagnosticLog/Policy/Channels/Microsoft-Windows-Shell%2FAdmin/MaximumFileSize",
            Some("./Vendor/MSFT/DiagnosticLog/Policy/Channels/{ChannelName}/MaximumFileSize"),
        ),
        (
            "./Device/Vendor/MSFT/Policy/Config/App~Policy~Category/SomePolicy",
            Some("./Device/Vendor/MSFT/Policy/Config/{AreaName}/{PolicyName}"),
        ),
        (
            "./User/Vendor/MSFT/Policy/Config/App~Policy~Category/SomePolicy",
            Some("./User/Vendor/MSFT/Policy/Config/{AreaName}/{PolicyName}"),
        ),
        ("./Device/Vendor/MSFT/Policy/Config/NoSuchArea/SomePolicy", None),
        ("./Device/Vendor/MSFT/Policy/Config/NoSuchArea", None),
        ("./Device/Vendor/MSFT/Policy/Config/DeviceLock/SomePolicy", None),
        (
            "./Device/Vendor/MSFT/Policy/Result/DeviceLock/SomePolicy",
            Some("./Device/Vendor/MSFT/Policy/Result/{AreaName}/{PolicyName}"),
        ),
        (
            "./Vendor/MSFT/Policy/ConfigOperations/ADMXInstall/MyApp/Properties",
            Some("./Device/Vendor/MSFT/Policy/ConfigOperations/ADMXInstall/{AppName}/Properties"),
        ),
    ];
    for (uri, expected) in cases {
        assert_eq!(path(uri).as_deref(), expected, "{uri}");
    }
    assert!(catalogue.is_above_all("./Vendor/MSFT?list=Struct"));
    assert!(!catalogue.is_above_all("./Vendor/MSFT/Firewall") && !catalogue.is_above_all("./Vendor/MSF"));
}

#[test]
fn names_come_with_the_node_they_stand_for() {
    let found = embedded().find("./Vendor/MSFT/Firewall/MdmStore/FirewallRules/Allow%20RDP/Protocol").unwrap();
    assert_eq!(found.names().collect::<Vec<_>>(), ["Allow RDP"]);
    assert_eq!(&*found.atomic_root().unwrap().path, "./Vendor/MSFT/Firewall/MdmStore/FirewallRules/{FirewallRuleName}");
    assert_eq!(&*found.parent().unwrap().path, "./Vendor/MSFT/Firewall/MdmStore/FirewallRules/{FirewallRuleName}");
    assert!(found.record().access.allows(Verb::Replace) && !found.record().is_interior());
}

/// A command, the device it is for, and the answer.
#[derive(Debug, serde::Deserialize)]
struct Case {
    uri: String,
    op: String,
    format: Option<String>,
    value: Option<String>,
    os_build: Option<String>,
    edition: Option<String>,
    error_kind: Option<String>,
    why: String,
}

impl Case {
    fn verdict(&self) -> Result<Vec<Warning>, Refusal> {
        embedded().check(&Check {
            uri: &self.uri,
            verb: Verb::from_name(&self.op).unwrap(),
            format: self.format.as_deref(),
            value: self.value.as_deref(),
            build: self.os_build.as_deref().map(|build| Build::parse(build).unwrap()),
            edition: self.edition.as_deref().map(|edition| parse_edition(edition).unwrap()),
        })
    }
}

/// The cases of a file that get another answer than it says.
fn wrong(text: &str) -> Vec<String> {
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    let answers = cases.iter().map(|case| (case, case.verdict()));
    let wrong = answers.filter(|(case, answer)| {
        let kind = answer.as_ref().err().map(|refusal| refusal.kind.name());
        kind != case.error_kind.as_deref()
    });
    wrong.map(|(case, answer)| format!("{} {} ({}): {answer:?}", case.op, case.uri, case.why)).collect()
}

#[test]
fn worked_cases_are_judged_as_they_say() {
    let cases = include_str!("../../../../protocol-fixtures/csp/cases.json");
    assert_eq!(wrong(cases), Vec::<String>::new());
    for kind in ErrorKind::ALL {
        assert!(cases.contains(&format!("\"{kind}\"")), "no case of {kind}");
    }
}

#[test]
fn every_expression_compiles() {
    for record in embedded().records() {
        let Some(text) = record.allowed.as_ref().and_then(|allowed| match &allowed.domain {
            Domain::RegEx(pattern) => Some(pattern),
            _ => None,
        }) else {
            continue;
        };
        assert!(is_expression(text), "{}: {text}", record.path);
    }
}

#[test]
fn a_wrong_address_gets_the_right_one() {
    let cases = [
        (
            "./device/vendor/msft/policy/config/camera/allowcamera",
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera",
        ),
        ("./Vendor/MSFT/Policy/Config/Camera/allowCamera", "./Vendor/MSFT/Policy/Config/Camera/AllowCamera"),
        (
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamra",
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera",
        ),
        (
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera/",
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera",
        ),
        (
            "./User/Vendor/MSFT/Policy/Config/Camera/AllowCamera",
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera",
        ),
        (
            "./Device/Vendor/MSFT/Policy/Config/DeviceLock/AllowCamera",
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera",
        ),
        (
            "./Vendor/MSFT/Firewall/MdmStore/FirewallRules/My%20Rule/Protocl",
            "./Vendor/MSFT/Firewall/MdmStore/FirewallRules/My%20Rule/Protocol",
        ),
        ("/DevInfo/DevID", "./DevInfo/DevId"),
    ];
    for (uri, right) in cases {
        assert_eq!(embedded().suggest(uri).first().map(String::as_str), Some(right), "{uri}");
    }
    for uri in ["", "./", "./Nothing/Of/That/Kind", &"./x".repeat(1000), &format!("./{}", "y".repeat(2000))] {
        assert_eq!(embedded().suggest(uri), Vec::<String>::new(), "{uri}");
    }
}

#[test]
fn words_find_nodes_the_best_first() {
    let paths = |query: &str| -> Vec<String> {
        embedded().search(query, None, 3).iter().map(|found| found.record.path.to_string()).collect()
    };
    assert_eq!(paths("allowcamera")[0], "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera");
    assert_eq!(paths("LAPS password length")[0], "./Device/Vendor/MSFT/LAPS/Policies/PasswordLength");
    assert_eq!(paths("nothing of that kind"), Vec::<String>::new());
    let all = embedded().search("firewall", None, usize::MAX);
    let (first, rest) = all.split_at(5);
    let end = first.last().unwrap();
    let next = embedded().search("firewall", Some((end.rank, &end.record.path)), usize::MAX);
    assert_eq!(next.len(), rest.len());
    assert_eq!(next[0].record.path, rest[0].record.path);
}

#[test]
fn what_should_be_known_is_said() {
    let warned = |uri: &str, verb, build: &str, edition| -> Vec<&'static str> {
        let check = Check { build: Build::parse(build), edition, ..Check::new(uri, verb) };
        embedded().check(&check).unwrap().iter().map(|warning| warning.kind.name()).collect()
    };
    let lock = "./Device/Vendor/MSFT/Policy/Config/DeviceLock/DevicePasswordExpiration";
    assert_eq!(warned(lock, Verb::Replace, "22631", None), ["depends"]);
    assert_eq!(warned(lock, Verb::Get, "22631", None), [""; 0]);
    let rule = "./Vendor/MSFT/Firewall/MdmStore/FirewallRules/R/Protocol";
    assert_eq!(warned(rule, Verb::Replace, "22631", None), ["atomic"]);
    let defender = "./Device/Vendor/MSFT/Policy/Config/Defender/AllowIntrusionPreventionSystem";
    assert_eq!(warned(defender, Verb::Replace, "22631", None), ["deprecated"]);
    assert_eq!(warned(defender, Verb::Replace, "19045", None), [""; 0]);
    assert_eq!(
        warned("./Device/Vendor/MSFT/RemoteWipe/doWipeProtected", Verb::Exec, "22621", Some(0x88)),
        ["hololens"]
    );
    assert_eq!(warned("./Device/Vendor/MSFT/RemoteWipe/doWipe", Verb::Exec, "22621", Some(0x88)), [""; 0]);
}

/// The folder with Microsoft's descriptions and what was made of them: named by `MUSTER_CSP`, or `shared/csp` beside the
/// working copy. It is not part of the repository.
pub(super) fn collection() -> Option<std::path::PathBuf> {
    let beside = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/csp");
    let folder = std::env::var_os("MUSTER_CSP").map_or(beside, Into::into);
    let is_there = folder.join("sample_cases.json").is_file();
    if !is_there {
        eprintln!("skipped: no CSP descriptions in {} (set MUSTER_CSP)", folder.display());
    }
    is_there.then_some(folder)
}

#[test]
fn the_cases_of_the_collection_are_judged_as_they_say() {
    let Some(folder) = collection() else { return };
    let cases = std::fs::read_to_string(folder.join("sample_cases.json")).unwrap();
    assert_eq!(wrong(&cases), Vec::<String>::new());
}
