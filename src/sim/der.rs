//! Just enough DER to write a certificate request and a signed renewal.

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
/// `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xA0;

/// The parts, one after the other, under a tag.
pub(super) fn node(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    push_length(&mut out, length);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A small non-negative INTEGER.
pub(super) fn small(value: u8) -> Vec<u8> {
    debug_assert!(value < 0x80, "larger numbers need a leading zero");
    vec![0x02, 1, value]
}

/// A BIT STRING of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    node(0x03, &[&[0], bytes])
}

/// An OBJECT IDENTIFIER; `arcs` has at least two of them.
pub(super) fn oid(arcs: &[u32]) -> Vec<u8> {
    let (first, rest) = arcs.split_at(2.min(arcs.len()));
    let first = first.iter().fold(0, |sum, arc| sum * 40 + arc);
    let mut content = Vec::new();
    for &arc in [first].iter().chain(rest) {
        let mut groups = vec![(arc & 0x7F) as u8];
        let mut left = arc >> 7;
        while left > 0 {
            groups.push((left & 0x7F) as u8 | 0x80);
            left >>= 7;
        }
        content.extend(groups.iter().rev());
    }
    node(0x06, &[&content])
}

/// An AlgorithmIdentifier with NULL parameters.
pub(super) fn algorithm(arcs: &[u32]) -> Vec<u8> {
    node(SEQUENCE, &[&oid(arcs), &[0x05, 0x00]])
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    let bytes = length.to_be_bytes();
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    match significant.as_slice() {
        [] => out.push(0),
        [one] if *one < 0x80 => out.push(*one),
        many => {
            out.push(0x80 | many.len() as u8);
            out.extend_from_slice(many);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_identifiers() {
        assert_eq!(node(OCTET_STRING, &[]), [4, 0]);
        assert_eq!(node(OCTET_STRING, &[&[7; 127]])[..2], [4, 127]);
        assert_eq!(node(OCTET_STRING, &[&[7; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(node(OCTET_STRING, &[&[7; 300]])[..4], [4, 0x82, 1, 44]);
        assert_eq!(oid(&[1, 2, 840, 113549, 1, 9, 14]), [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 14]);
        assert_eq!(oid(&[2, 5, 4, 3]), [6, 3, 0x55, 4, 3]);
        assert_eq!(algorithm(&[1, 3, 14, 3, 2, 26]), [0x30, 9, 6, 5, 0x2B, 14, 3, 2, 26, 5, 0]);
        assert_eq!(bits(&[1, 2]), [3, 3, 0, 1, 2]);
    }
}
