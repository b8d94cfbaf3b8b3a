//! Global tokens of WBXML, and the code pages of SyncML 1.2 and MetInf 1.2.

use crate::proto::xml::ns;

pub(super) const SWITCH_PAGE: u8 = 0x00;
pub(super) const END: u8 = 0x01;
pub(super) const ENTITY: u8 = 0x02;
pub(super) const STR_I: u8 = 0x03;
pub(super) const LITERAL: u8 = 0x04;
pub(super) const PI: u8 = 0x43;
pub(super) const STR_T: u8 = 0x83;
pub(super) const OPAQUE: u8 = 0xC3;
/// Extension tokens mean what the document type says, and SyncML says nothing.
pub(super) const EXTENSIONS: [u8; 9] = [0x40, 0x41, 0x42, 0x80, 0x81, 0x82, 0xC0, 0xC1, 0xC2];

/// A tag with attributes.
pub(super) const HAS_ATTRIBUTES: u8 = 0x80;
/// A tag with content.
pub(super) const HAS_CONTENT: u8 = 0x40;
/// The tag itself.
pub(super) const TAG: u8 = 0x3F;

/// MIBenum of US-ASCII.
pub(super) const US_ASCII: u32 = 3;
/// MIBenum of UTF-8.
pub(super) const UTF_8: u32 = 106;

/// WBXML 1.2, which Windows writes.
pub(super) const VERSION: u8 = 0x02;
/// SyncML 1.2.
pub(super) const PUBLIC_ID: u32 = 0x1201;

/// A document type: its public identifiers, as number and as text, and the namespace of its first page.
pub(super) struct DocumentType {
    pub(super) number: u32,
    pub(super) text: &'static str,
    pub(super) ns: &'static str,
}

/// Every document type that is read. All of them share their tags.
pub(super) const DOCUMENT_TYPES: &[DocumentType] = &[
    DocumentType { number: PUBLIC_ID, text: "-//SYNCML//DTD SyncML 1.2//EN", ns: ns::SYNCML12 },
    DocumentType { number: 0x0FD3, text: "-//SYNCML//DTD SyncML 1.1//EN", ns: "SYNCML:SYNCML1.1" },
    DocumentType { number: 0x0FD1, text: "-//SYNCML//DTD SyncML 1.0//EN", ns: "SYNCML:SYNCML1.0" },
    // "Unknown or missing": the media type has said what it is.
    DocumentType { number: 0x01, text: "", ns: ns::SYNCML12 },
];

/// The first tag of a page.
const FIRST: u8 = 0x05;

/// The names of page 0, SyncML, from the first tag on; nothing where no tag is.
const SYNCML: &[&str] = &[
    "Add",
    "Alert",
    "Archive",
    "Atomic",
    "Chal",
    "Cmd",
    "CmdID",
    "CmdRef",
    "Copy",
    "Cred",
    "Data",
    "Delete",
    "Exec",
    "Final",
    "Get",
    "Item",
    "Lang",
    "LocName",
    "LocURI",
    "Map",
    "MapItem",
    "Meta",
    "MsgID",
    "MsgRef",
    "NoResp",
    "NoResults",
    "Put",
    "Replace",
    "RespURI",
    "Results",
    "Search",
    "Sequence",
    "SessionID",
    "SftDel",
    "Source",
    "SourceRef",
    "Status",
    "Sync",
    "SyncBody",
    "SyncHdr",
    "SyncML",
    "Target",
    "TargetRef",
    "",
    "VerDTD",
    "VerProto",
    "NumberOfChanges",
    "MoreData",
    "Field",
    "Filter",
    "Record",
    "FilterType",
    "SourceParent",
    "TargetParent",
    "Move",
    "Correlator",
];

/// The names of page 1, MetInf.
const METINF: &[&str] = &[
    "Anchor",
    "EMI",
    "Format",
    "FreeID",
    "FreeMem",
    "Last",
    "Mark",
    "MaxMsgSize",
    "Mem",
    "MetInf",
    "Next",
    "NextNonce",
    "SharedMem",
    "Size",
    "Type",
    "Version",
    "MaxObjSize",
    "FieldLevel",
];

const PAGES: &[&[&str]] = &[SYNCML, METINF];

/// Whether there is such a page.
pub(super) fn is_page(page: u8) -> bool {
    usize::from(page) < PAGES.len()
}

/// The name of a tag.
pub(super) fn name_of(page: u8, tag: u8) -> Option<&'static str> {
    let index = usize::from(tag.checked_sub(FIRST)?);
    PAGES.get(usize::from(page))?.get(index).copied().filter(|name| !name.is_empty())
}

/// The tag of a name.
pub(super) fn tag_of(page: u8, name: &str) -> Option<u8> {
    let index = PAGES.get(usize::from(page))?.iter().position(|own| *own == name && !own.is_empty())?;
    u8::try_from(index).ok().map(|index| index + FIRST)
}

/// The page of a namespace, compared without case.
pub(super) fn page_of(ns: &str) -> u8 {
    u8::from(ns.eq_ignore_ascii_case(ns::METINF))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names with their tokens as the tables of SyncML Representation and MetInf 1.2 have them.
    #[test]
    fn tags_are_where_the_tables_have_them() {
        let cases = [
            (0, 0x05, "Add"),
            (0, 0x0B, "CmdID"),
            (0, 0x0F, "Data"),
            (0, 0x12, "Final"),
            (0, 0x17, "LocURI"),
            (0, 0x1A, "Meta"),
            (0, 0x20, "Replace"),
            (0, 0x24, "Sequence"),
            (0, 0x2D, "SyncML"),
            (0, 0x2F, "TargetRef"),
            (0, 0x31, "VerDTD"),
            (0, 0x34, "MoreData"),
            (0, 0x3C, "Correlator"),
            (1, 0x05, "Anchor"),
            (1, 0x07, "Format"),
            (1, 0x0C, "MaxMsgSize"),
            (1, 0x10, "NextNonce"),
            (1, 0x13, "Type"),
            (1, 0x15, "MaxObjSize"),
        ];
        for (page, tag, name) in cases {
            assert_eq!((name_of(page, tag), tag_of(page, name)), (Some(name), Some(tag)), "{name}");
        }
        for (page, tag) in [(0, 0x30), (0, 0x3D), (0, 0x04), (1, 0x17), (2, 0x05)] {
            assert_eq!(name_of(page, tag), None, "{page} {tag:x}");
        }
        assert_eq!(tag_of(0, ""), None);
    }
}
