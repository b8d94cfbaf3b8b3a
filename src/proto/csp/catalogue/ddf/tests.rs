use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;

use serde_json::{Map, Value};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::archive::{MOST_ENTRIES, MOST_FILE};
use super::*;
use crate::proto::csp::catalogue::tests::collection;
use crate::proto::csp::catalogue::{Domain, Format, embedded};
use crate::proto::syncml::Verb;

/// A description of our own, with what is odd in Microsoft's.
const SAMPLE: &str = include_str!("../../../../../protocol-fixtures/csp/Contoso.xml");

fn read(text: &str) -> Result<DdfSet, DdfError> {
    DdfSet::from_files([("Contoso.xml", text.as_bytes())], None)
}

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_description_becomes_records() {
    let set = read(&format!("\u{feff}{}", SAMPLE.replace('\n', "\r\n"))).unwrap();
    let by_path: BTreeMap<&str, &Record> = set.records.iter().map(|record| (record.path.as_str(), record)).collect();
    let at = |path: &str| by_path.get(path).unwrap_or_else(|| panic!("{path} in {:?}", by_path.keys()));
    assert_eq!((set.files, set.records.len(), set.oddities.len()), (1, 9, 0), "{:?}", set.oddities);
    let root = at("./Vendor/MSFT/Contoso");
    assert!(root.is_interior() && root.access.allows(Verb::Get) && !root.access.allows(Verb::Add));
    let level = at("./Vendor/MSFT/Contoso/Level");
    assert_eq!(level.allowed.as_ref().unwrap().domain, Domain::Range { min: -1, max: 10 });
    assert_eq!((level.os.len(), level.inherited.len()), (1, 2), "the build is its own, the rest is not");
    assert_eq!(level.editions.as_ref().unwrap().as_slice(), [4, 0x88]);
    assert_eq!(at("./Vendor/MSFT/Contoso/Blank").format, Format::Chr, "a blank behind the name");
    let bits = at("./Vendor/MSFT/Contoso/Bits");
    assert!(matches!(bits.allowed.as_ref().unwrap().domain, Domain::Flag { mask: 7, .. }));
    assert_eq!(at("./Vendor/MSFT/Contoso/Sites").allowed.as_ref().unwrap().list.as_deref(), Some("\u{f000}"));
    let item = at("./Vendor/MSFT/Contoso/Items/{Item}");
    assert_eq!(item.dynamic.as_ref().unwrap().pattern.as_deref(), Some("[a-z]+"));
    assert_eq!(item.allowed.as_ref().unwrap().domain.kind(), "RegEx");
    let port = at("./Vendor/MSFT/Contoso/Items/{Item}/Port");
    assert!(matches!(&port.depends[0].on[0].allowed.domain, Domain::Set(values) if values.len() == 2));
    assert_eq!(&*port.depends[0].on[0].uri, "./Vendor/MSFT/Contoso/Level");
    let schema = at("./Vendor/MSFT/Contoso/Document");
    assert!(matches!(&schema.allowed.as_ref().unwrap().domain, Domain::Xsd(digest) if digest.len() == 12));
}

#[test]
fn what_is_no_description_is_refused_by_name() {
    let node = |inner: &str| format!("<MgmtTree><Node><NodeName>A</NodeName>{inner}</Node></MgmtTree>");
    let properties = |inner: &str| node(&format!("<DFProperties>{inner}</DFProperties>"));
    let format = "<DFFormat><int/></DFFormat>";
    let msft = "xmlns='http://schemas.microsoft.com/MobileDevice/DM'";
    let cases = [
        (String::new(), "not well-formed"),
        ("<html/>".to_owned(), "not a device description"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><MgmtTree/>".to_owned(), "document type declaration"),
        ("<!DOCTYPE a [<?pi ?><!ENTITY b 'c'>]><MgmtTree/>".to_owned(), "document type declaration"),
        ("<!DOCTYPE a [".to_owned(), "document type declaration"),
        (node(""), "no format"),
        (properties("<DFFormat><decimal/></DFFormat>"), "unknown format"),
        (properties(&format!("{format}<AccessType><Sing/></AccessType>")), "unknown command"),
        (properties(&format!("{format}<Occurrence><Twice/></Occurrence>")), "unknown occurrence"),
        (properties(&format!("{format}<AllowedValues {msft} ValueType='Taste'/>")), "unknown kind"),
        (
            properties(&format!(
                "{format}<Applicability {msft}><EditionAllowList>0x4;Home;</EditionAllowList></Applicability>"
            )),
            "no number",
        ),
        (format!("<MgmtTree>{}{}</MgmtTree>", "<Node>".repeat(100), "</Node>".repeat(100)), "levels of elements"),
    ];
    for (text, words) in cases {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with("Contoso.xml: ") && error.contains(words), "{text}: {error}");
    }
    assert!(matches!(DdfSet::from_files([], None), Err(DdfError::Empty)));
    assert!(read(&properties(format)).is_ok());
}

#[test]
fn an_archive_is_read() {
    let readme: &[u8] = b"hello";
    let set =
        DdfSet::from_zip(&packed(&[("Drop2031/Contoso.xml", SAMPLE.as_bytes()), ("Drop2031/readme.txt", readme)]))
            .unwrap();
    assert_eq!((set.name.as_deref(), set.files, set.records.len()), (Some("Drop2031"), 1, 9));
}

fn refusal(bytes: &[u8]) -> String {
    let refused = DdfSet::from_zip(bytes).expect_err("it is refused");
    assert!(matches!(refused, DdfError::Archive(_)), "{refused:?}");
    refused.to_string()
}

#[test]
fn an_archive_that_is_a_bomb_is_refused() {
    let zeros = vec![b' '; usize::try_from(MOST_FILE).unwrap()];
    assert!(refusal(&packed(&[("a.xml", &zeros)])).contains("100 times its size"));
    let mut large = zeros.clone();
    large.push(b' ');
    assert!(refusal(&packed(&[("a.xml", &large)])).contains("more than 8 MiB"));
    let names: Vec<String> = (0..=MOST_ENTRIES).map(|number| format!("{number}.xml")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"<a/>"[..])).collect();
    assert!(refusal(&packed(&many)).contains("more than 2000 entries"));
    assert!(refusal(&vec![0; MOST_ARCHIVE_BYTES + 1]).contains("more than 16 MiB"));
}

#[test]
fn many_files_that_are_large_together_are_refused() {
    // Compressible like text, so that only the sum is too much.
    let mut state = 1_u64;
    let mut line = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("<a>{:08x}{}</a>\n", state >> 32, " ".repeat(120))
    };
    let file: String = std::iter::repeat_with(&mut line).take(30_000).collect();
    let one = packed(&[("0.xml", file.as_bytes())]);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..26 {
        let mut one = zip::ZipArchive::new(Cursor::new(&one)).unwrap();
        writer.raw_copy_file_rename(one.by_index(0).unwrap(), format!("{number}.xml")).unwrap();
    }
    assert!(refusal(&writer.finish().unwrap().into_inner()).contains("more than 96 MiB"));
}

#[test]
fn names_that_lead_out_and_archives_inside_are_refused() {
    for name in ["../a.xml", "a/../../b.xml", "/etc/a.xml", "C:/a.xml", "a\\..\\b.xml"] {
        assert!(refusal(&packed(&[(name, b"<a/>")])).contains("leads out"), "{name}");
    }
    let inner = packed(&[("a.xml", b"<a/>")]);
    assert!(refusal(&packed(&[("b.zip", &inner)])).contains("archive itself"));
    assert!(refusal(&packed(&[("b.xml", &inner)])).contains("archive itself"));
}

/// The place of a number in the directory of an archive with one file: in the local header and in the directory.
fn with_size(mut bytes: Vec<u8>, size: u32) -> Vec<u8> {
    let directory = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    for at in [22, directory + 24] {
        bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }
    bytes
}

#[test]
fn a_directory_that_lies_is_found_out() {
    let whole = packed(&[("a.xml", SAMPLE.as_bytes())]);
    let size = u32::try_from(SAMPLE.len()).unwrap();
    assert!(DdfSet::from_zip(&with_size(whole.clone(), size)).is_ok());
    for lie in [0, 10, size - 1, size + 1, size * 2] {
        let error = DdfSet::from_zip(&with_size(whole.clone(), lie)).unwrap_err().to_string();
        assert!(error.contains("not the size") || error.contains("not a zip archive"), "{lie}: {error}");
    }
    let bomb = with_size(packed(&[("a.xml", &vec![b' '; 7 << 20])]), 1000);
    assert!(refusal(&bomb).contains("not the size"));
}

#[test]
fn bytes_that_are_no_archive_are_refused() {
    let whole = packed(&[("a.xml", SAMPLE.as_bytes())]);
    for bytes in [&b""[..], b"PK", &whole[..whole.len() / 2], &whole[10..], b"PK\x05\x06"] {
        assert!(refusal(bytes).contains("not a zip archive"), "{} bytes", bytes.len());
    }
    let mut damaged = whole.clone();
    damaged[60] ^= 0xff;
    assert!(DdfSet::from_zip(&damaged).is_err(), "the checksum is wrong");
    let mut many = b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff".to_vec();
    many.extend([0; 10]);
    assert!(refusal(&many).contains("entries"));
}

/// The facts of a file, with edition sets resolved.
fn facts(folder: &Path, file: &str) -> Vec<Record> {
    let sets: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("facts/editions.json")).unwrap()).unwrap();
    let text = std::fs::read_to_string(folder.join("facts").join(file)).unwrap();
    text.lines().map(|line| fact(serde_json::from_str(line).unwrap(), &sets["sets"])).collect()
}

fn fact(mut fields: Map<String, Value>, sets: &Value) -> Record {
    if let Some(set) = fields.get_mut("editions") {
        let ids = sets[set.as_str().unwrap()].as_array().unwrap();
        let ids = ids.iter().map(|id| id.as_str().unwrap().trim_start_matches("0x").trim_end_matches('*').to_owned());
        *set = ids.collect::<Vec<_>>().join(" ").into();
    }
    serde_json::from_value(Value::Object(fields)).unwrap()
}

fn folder(folder: &Path, source: Option<&str>) -> Vec<Record> {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let files: Vec<(String, Vec<u8>)> = names
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xml")))
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    let set = DdfSet::from_files(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), source).unwrap();
    assert_eq!(set.oddities, Vec::<String>::new());
    set.records
}

/// Differences, path by path.
fn compare(ours: Vec<Record>, theirs: Vec<Record>) -> usize {
    let by_path = |records: Vec<Record>| -> BTreeMap<String, Record> {
        let count = records.len();
        let map: BTreeMap<_, _> = records.into_iter().map(|record| (record.path.to_string(), record)).collect();
        assert_eq!(map.len(), count, "a path twice");
        map
    };
    let (ours, theirs) = (by_path(ours), by_path(theirs));
    let different: Vec<_> = theirs.iter().filter(|(path, fact)| ours.get(*path) != Some(fact)).take(5).collect();
    let shown: Vec<_> = different.iter().map(|(path, fact)| (fact, ours.get(*path))).collect();
    assert!(different.is_empty(), "{shown:#?}");
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    theirs.len()
}

#[test]
fn the_whole_collection_is_read_as_its_facts_say() {
    let Some(at) = collection() else { return };
    let newest = compare(folder(&at.join("ddf/v2-2026-02"), None), facts(&at, "csp.jsonl"));
    let mut older = folder(&at.join("ddf/v2-older"), Some("v2-older"));
    older.extend(folder(&at.join("ddf/v1-older"), Some("v1-older")));
    let older = compare(older, facts(&at, "csp_older.jsonl"));
    assert_eq!((newest, older), (5955, 596));
    assert_eq!(embedded().records().len(), newest + older);
}

#[test]
fn the_embedded_catalogue_holds_the_facts_of_the_collection() {
    let Some(at) = collection() else { return };
    let mut facts = [facts(&at, "csp.jsonl"), facts(&at, "csp_older.jsonl")].concat();
    for record in &mut facts {
        // An example is prose.
        if let Some(Domain::Json(example)) = record.allowed.as_mut().map(|allowed| &mut allowed.domain) {
            *example = None;
        }
    }
    compare(embedded().records().to_vec(), facts);
}
