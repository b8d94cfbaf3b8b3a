//! Just enough DER writing for a certificate request.

/// One value with its tag and length.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let significant = &bytes[bytes.iter().position(|b| *b != 0).expect("the length is not zero")..];
            out.push(0x80 | significant.len() as u8);
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

fn joined(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    joined(0x30, parts)
}

pub fn set(parts: &[&[u8]]) -> Vec<u8> {
    joined(0x31, parts)
}

/// A context tag, constructed.
pub fn context(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    joined(0xa0 | number, parts)
}

pub fn octet_string(content: &[u8]) -> Vec<u8> {
    tlv(0x04, content)
}

pub fn bit_string(content: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], content].concat())
}

/// An INTEGER from big-endian bytes of a positive number.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let digits = &bytes[bytes.iter().position(|b| *b != 0).unwrap_or_else(|| bytes.len().saturating_sub(1))..];
    let sign: &[u8] = if digits.first().is_some_and(|b| b & 0x80 != 0) { &[0] } else { &[] };
    tlv(0x02, &[sign, digits].concat())
}

pub fn null() -> Vec<u8> {
    tlv(0x05, &[])
}

pub fn boolean(value: bool) -> Vec<u8> {
    tlv(0x01, &[if value { 0xff } else { 0 }])
}

pub fn utf8_string(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

/// A PrintableString with whatever bytes; Windows puts characters into it that the type forbids.
pub fn printable_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x13, bytes)
}

/// An OBJECT IDENTIFIER from its dotted form.
pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().expect("arcs are numbers")).collect();
    let mut content = base128(arcs[0] * 40 + arcs[1]);
    content.extend(arcs[2..].iter().flat_map(|arc| base128(*arc)));
    tlv(0x06, &content)
}

fn base128(mut number: u64) -> Vec<u8> {
    let mut out = vec![(number & 0x7f) as u8];
    while number > 0x7f {
        number >>= 7;
        out.insert(0, (number & 0x7f) as u8 | 0x80);
    }
    out
}
