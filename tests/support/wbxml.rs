//! WBXML as libwbxml reads and writes it (Debian: libwbxml2-utils).
//!
//! It drops attributes, for which SyncML has no tokens. What it writes of its own accord is undone here: the declaration of
//! a document type, and the CDATA sections around values.

use std::io::Write;
use std::process::{Command, Stdio};

use super::http::Response;

/// The media type of SyncML in WBXML.
pub const MEDIA_TYPE: &str = "application/vnd.syncml.dm+wbxml";

fn run(program: &str, options: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(options)
        .args(["-o", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} (Debian: libwbxml2-utils): {error}"));
    child.stdin.take().expect("its input is ours").write_all(input).expect("it reads its input");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{program} refuses {}", input.escape_ascii());
    output.stdout
}

/// A message in WBXML.
#[track_caller]
pub fn write(xml: &[u8]) -> Vec<u8> {
    run("xml2wbxml", &["-k", "-v", "1.2"], xml)
}

/// The XML of a message in WBXML.
#[track_caller]
pub fn read(wbxml: &[u8]) -> String {
    let xml = String::from_utf8(run("wbxml2xml", &["-k", "-m", "0"], wbxml)).expect("XML in UTF-8");
    let (_, declared) = xml.split_once("<!DOCTYPE").expect("libwbxml declares the type");
    without_sections(declared.split_once('>').expect("the declaration ends").1)
}

fn without_sections(xml: &str) -> String {
    let mut parts = xml.split("<![CDATA[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (value, rest) = part.split_once("]]>").expect("the section ends");
        out.push_str(&super::escape(value));
        out.push_str(rest);
    }
    out
}

/// An answer in kind, as if it had come in XML.
#[track_caller]
pub fn in_xml(response: Response, media_type: &str) -> Response {
    if response.status != 200 {
        return response;
    }
    assert_eq!(response.header("content-type"), Some(media_type), "M-03: answered in kind");
    let body = read(&response.body).into_bytes();
    let mut headers = response.headers;
    for (name, value) in &mut headers {
        match name.to_ascii_lowercase().as_str() {
            "content-type" => *value = super::device::MEDIA_TYPE.to_owned(),
            "content-length" => *value = body.len().to_string(),
            _ => {}
        }
    }
    Response { body, headers, ..response }
}
