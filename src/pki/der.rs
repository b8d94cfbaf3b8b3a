//! Reads DER element by element, never past the end of what holds it (X.690 section 10). A length may be written longer
//! than it need be.

use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::der_parser::Oid;

/// First byte of an element: its class, form and number.
pub(super) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    /// `[0]`, of something that has parts.
    pub(crate) const CONTEXT_0: u8 = 0xA0;
    /// `[0]`, of something that has none.
    pub(crate) const CONTEXT_0_PLAIN: u8 = 0x80;
    /// `[1]`, of something that has parts.
    pub(crate) const CONTEXT_1: u8 = 0xA1;
}

/// What is left of the contents of an element.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    /// Its contents.
    pub(super) contents: &'a [u8],
    /// All of it, tag and length included.
    pub(super) raw: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element, if it has that tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        let (rest, any) = Any::from_der(self.0).ok()?;
        let raw = self.0.get(..self.0.len() - rest.len())?;
        self.0 = rest;
        Some(Element { contents: any.data, raw })
    }

    /// The object identifier that comes next.
    pub(super) fn oid(&mut self) -> Option<Oid<'a>> {
        self.take(tag::OID).map(|element| Oid::new(element.contents.into()))
    }
}

impl<'a> Element<'a> {
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader(self.contents)
    }

    /// Its parts, all of that tag and at most `most` of them; `None` if there is anything else.
    pub(super) fn parts(&self, tag: u8, most: usize) -> Option<Vec<Self>> {
        let (mut reader, mut parts) = (self.reader(), Vec::new());
        while !reader.is_at_end() {
            if parts.len() == most {
                return None;
            }
            parts.push(reader.take(tag)?);
        }
        Some(parts)
    }

    /// Its one part, of that tag.
    pub(super) fn only(&self, tag: u8) -> Option<Self> {
        let mut reader = self.reader();
        let part = reader.take(tag)?;
        reader.is_at_end().then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_end_where_their_holder_ends() {
        let mut reader = Reader::new(&[0x30, 0x03, 0x02, 0x01, 0x05, 0x04, 0x00]);
        let sequence = reader.take(tag::SEQUENCE).unwrap();
        assert_eq!((sequence.raw.len(), sequence.only(tag::INTEGER).unwrap().contents), (5, &[5_u8][..]));
        assert!(reader.take(tag::INTEGER).is_none(), "another tag is left where it is");
        assert!(reader.take(tag::OCTET_STRING).unwrap().contents.is_empty() && reader.is_at_end());
        let past_its_end = Reader::new(&[0x30, 0x03, 0x02, 0x02, 0x05, 0x04]).take(tag::SEQUENCE).unwrap();
        assert!(past_its_end.only(tag::INTEGER).is_none());
        for bad in [&[0x30, 0x80, 0, 0][..], &[0x30, 0x02, 0], &[0x30]] {
            assert!(Reader::new(bad).take(tag::SEQUENCE).is_none(), "{bad:02x?}");
        }
        let three = Reader::new(&[0x31, 0x06, 2, 0, 2, 0, 2, 0]).take(tag::SET).unwrap();
        assert_eq!(three.parts(tag::INTEGER, 3).unwrap().len(), 3);
        assert!(three.parts(tag::INTEGER, 2).is_none() && three.parts(tag::OID, 3).is_none());
    }
}
