//! Whatever is asked, the catalogue answers, and its answers agree with each other.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::proto::syncml::Verb;

/// Pieces of addresses: what real ones consist of, and what breaks them.
fn pieces() -> impl Strategy<Value = String> {
    let segments: HashSet<&str> = embedded().records().iter().flat_map(|record| record.path.split('/')).collect();
    let mut segments: Vec<&str> = segments.into_iter().collect();
    segments.sort_unstable();
    let odd = [
        "",
        ".",
        "..",
        "./",
        "%",
        "%2",
        "%2F",
        "%00",
        "%FF%FE",
        "%zz",
        "~",
        "?",
        "?list=",
        "?prop=Type",
        "{",
        "}",
        "{x}",
        "*",
        "\0",
        "\u{202e}",
        "\u{10ffff}",
        "Device",
        "device",
        "Vendor",
        "VENDOR",
        "User",
        "MSFT",
        " ",
        "+",
        "\\",
    ];
    prop_oneof![
        6 => prop::sample::select(segments).prop_map(str::to_owned),
        2 => prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
        1 => ".{0,20}",
    ]
}

/// Real addresses with a piece changed, addresses made of pieces, and text that is none.
fn addresses() -> impl Strategy<Value = String> {
    let real = 0..embedded().records().len();
    let changed = (real, any::<prop::sample::Index>(), pieces(), 0..4_u8).prop_map(|(index, place, piece, how)| {
        let path = embedded().records()[index].path.to_string();
        let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        let place = place.index(segments.len());
        match how {
            0 => segments[place] = piece,
            1 => segments.insert(place, piece),
            2 => drop(segments.remove(place)),
            _ => segments[place] = segments[place].to_uppercase(),
        }
        segments.join("/")
    });
    let made = prop::collection::vec(pieces(), 0..12).prop_map(|pieces| format!("./{}", pieces.join("/")));
    prop_oneof![4 => changed, 2 => made, 1 => ".{0,200}"]
}

fn verbs() -> impl Strategy<Value = Verb> {
    prop::sample::select(Access::VERBS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What is found is not unknown, what is not found is, and what is suggested is found.
    #[test]
    fn answers_about_any_address_agree(uri in addresses(), verb in verbs()) {
        let catalogue = embedded();
        let answer = catalogue.check(&Check::new(&uri, verb));
        let is_unknown = matches!(&answer, Err(refusal) if refusal.kind == ErrorKind::UnknownNode);
        let has_query = catalogue.find(&uri).is_some() && uri.contains('?');
        match verb {
            Verb::Get => prop_assert_eq!(catalogue.find(&uri).is_none(), is_unknown),
            _ => prop_assert!(is_unknown || catalogue.find(&uri).is_some()),
        }
        prop_assert!(!is_unknown || catalogue.find(&uri).is_none() || has_query);
        if let Err(refusal) = answer {
            prop_assert!(refusal.suggestions.len() <= 3);
            prop_assert!(is_unknown || refusal.suggestions.is_empty());
            for suggestion in &refusal.suggestions {
                prop_assert!(catalogue.find(suggestion).is_some(), "{suggestion} for {uri:?}");
                prop_assert!(*suggestion != uri);
            }
        }
        prop_assert!(catalogue.search(&uri, None, 5).len() <= 5);
    }

    /// Nothing that is written as a value, a format, a build or an edition makes a check fail other than by its rules, and what
    /// it says never holds the value.
    #[test]
    fn any_value_is_judged(
        index in 0..embedded().records().len(), value in prop_oneof![".{0,60}", "-?[0-9]{1,60}", "0[xX][0-9a-fA-F]{0,40}"],
        format in prop::option::of("[a-z0-9]{0,8}"), build in ".{0,20}", edition in any::<Option<u32>>(), verb in verbs(),
    ) {
        let record = &embedded().records()[index];
        let uri = record.path.replace("{AreaName}", "App~Policy~Category");
        let own = Some(record.format.name());
        let marked = format!("{value}\u{2603}{value}");
        for (format, value) in [(format.as_deref(), &value), (own, &value), (own, &marked)] {
            let check =
                Check { uri: &uri, verb, format, value: Some(value), build: Build::parse(&build), edition };
            if let Err(refusal) = embedded().check(&check) {
                prop_assert!(refusal.kind != ErrorKind::UnknownNode, "{uri}: {refusal}");
                prop_assert!(!refusal.message.contains('\u{2603}'), "{uri}: {refusal}");
            }
        }
    }
}

/// Addresses and values of sizes that no request brings are answered all the same.
#[test]
fn size_alone_breaks_nothing() {
    let catalogue = embedded();
    let long = "x".repeat(1 << 20);
    let rule = "./Vendor/MSFT/Firewall/MdmStore/FirewallRules";
    let addresses = [
        format!("./{long}"),
        "./a".repeat(1 << 18),
        format!("{rule}/{long}/Protocl"),
        format!("{rule}/{}", "%41".repeat(1 << 18)),
    ];
    for uri in &addresses {
        let answer = catalogue.check(&Check::new(uri, Verb::Replace));
        assert_eq!(catalogue.find(uri).is_none(), answer.is_err_and(|refusal| refusal.kind == ErrorKind::UnknownNode));
    }
    for record in catalogue.records().iter().filter(|record| record.allowed.is_some()) {
        let uri = record.path.replace("{AreaName}", "App~Policy~Category");
        let value = Some(&long[..1 << 14]);
        let _ = catalogue.check(&Check { value, ..Check::new(&uri, Verb::Replace) });
    }
}
