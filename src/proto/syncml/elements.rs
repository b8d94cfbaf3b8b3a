//! Reads the elements of a message one after the other, each as far as its end.
//!
//! Order does not matter. Of what can be there once, the first counts; what is of another namespace, or not known, is
//! passed over.

use std::borrow::Cow;

use super::command::{Command, Data, Item, Meta, Verb};
use super::loc_uri::LocUri;
use super::message::{Alert, Chal, Element, MsgId, Results, Status, StatusCode};
use crate::proto::xml::{Part, Pull, Tag, XmlError, ns};

/// A document of elements. Every method that reads an element is called behind its beginning and reads its end.
pub(super) struct Elements<'t> {
    pull: Pull<'t>,
    /// The containers around what is read, with the place of what is read in them.
    path: Vec<(&'t str, usize)>,
    /// The first element of a container that is no command.
    stray: Option<String>,
    /// In which scope it was seen last whether names without a prefix are of SyncML, and whether they are.
    unprefixed: (usize, bool),
}

/// The text of an element that can be there once, without white space at its ends.
#[derive(Default)]
pub(super) struct Leaf<'t>(Option<Cow<'t, str>>);

impl<'t> Leaf<'t> {
    /// Reads it, unless it was there already.
    pub(super) fn read(&mut self, elements: &mut Elements<'t>) -> Result<(), XmlError> {
        match self.0 {
            Some(_) => elements.skip()?,
            None => self.0 = Some(elements.trimmed()?),
        }
        Ok(())
    }

    /// The text, empty where it is empty.
    pub(super) fn any(self) -> Option<String> {
        self.0.map(Cow::into_owned)
    }

    /// The text, if it is not empty.
    fn some(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty()).map(Cow::into_owned)
    }

    fn or_empty(self) -> String {
        self.0.map(Cow::into_owned).unwrap_or_default()
    }

    fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.0.as_ref()?.parse().ok()
    }
}

impl<'t> Elements<'t> {
    /// The elements of a document.
    pub(super) fn new(pull: Pull<'t>) -> Self {
        Self { pull, path: Vec::new(), stray: None, unprefixed: (usize::MAX, false) }
    }

    /// The root.
    pub(super) fn root(&mut self) -> Result<Tag<'t>, XmlError> {
        match self.pull.next()? {
            Some(Part::Open(tag)) => Ok(tag),
            _ => Err(XmlError::Malformed(self.pull.position())),
        }
    }

    /// Reads what stands behind the root.
    pub(super) fn end(mut self) -> Result<(), XmlError> {
        while self.pull.next()?.is_some() {}
        Ok(())
    }

    /// The next child of the element at hand, whatever its namespace; `None` at the end of that element.
    pub(super) fn any_child(&mut self) -> Result<Option<Tag<'t>>, XmlError> {
        loop {
            match self.pull.next()? {
                Some(Part::Open(tag)) => return Ok(Some(tag)),
                Some(Part::Close(_)) | None => return Ok(None),
                Some(Part::Text(_) | Part::Char(_)) => {}
            }
        }
    }

    /// The next child that is of SyncML.
    pub(super) fn child(&mut self) -> Result<Option<Tag<'t>>, XmlError> {
        while let Some(tag) = self.any_child()? {
            if self.is_syncml(&tag) {
                return Ok(Some(tag));
            }
            self.skip()?;
        }
        Ok(None)
    }

    /// SyncML 1.0, 1.1, 1.2 and no namespace at all, compared without case; asked before anything more is read.
    pub(super) fn is_syncml(&mut self, tag: &Tag<'_>) -> bool {
        if tag.is_prefixed() {
            return is_syncml(self.pull.namespace(tag));
        }
        let scope = self.pull.scope();
        if self.unprefixed.0 != scope {
            self.unprefixed = (scope, is_syncml(self.pull.namespace(tag)));
        }
        self.unprefixed.1
    }

    /// Passes over the rest of an element.
    pub(super) fn skip(&mut self) -> Result<(), XmlError> {
        let mut open = 1_usize;
        while open > 0 {
            match self.pull.next()? {
                Some(Part::Open(_)) => open += 1,
                Some(Part::Close(_)) | None => open -= 1,
                Some(Part::Text(_) | Part::Char(_)) => {}
            }
        }
        Ok(())
    }

    /// All text directly inside, CDATA and references resolved; and whether there are elements in between, with the place
    /// where the content ends.
    fn content(&mut self) -> Result<(Cow<'t, str>, bool, usize), XmlError> {
        let mut text = Cow::Borrowed("");
        let mut has_elements = false;
        loop {
            match self.pull.next()? {
                Some(Part::Text(piece)) if text.is_empty() => text = piece,
                Some(Part::Text(piece)) => text.to_mut().push_str(&piece),
                Some(Part::Char(c)) => text.to_mut().push(c),
                Some(Part::Open(_)) => {
                    has_elements = true;
                    self.skip()?;
                }
                Some(Part::Close(end)) => return Ok((text, has_elements, end)),
                None => return Ok((text, has_elements, self.pull.position())),
            }
        }
    }

    /// All text directly inside, without white space at its ends.
    pub(super) fn trimmed(&mut self) -> Result<Cow<'t, str>, XmlError> {
        Ok(match self.content()?.0 {
            // As it nearly always is.
            text if is_trimmed(&text) => text,
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }

    /// Text, CDATA flattened; markup is kept as it was written.
    fn data(&mut self) -> Result<Data, XmlError> {
        let start = self.pull.position();
        let (text, has_elements, end) = self.content()?;
        let markup = || self.pull.text().get(start..end).unwrap_or_default().trim();
        Ok(if has_elements { Data::new(markup()) } else { Data::new(text) })
    }

    /// A child of `SyncBody`.
    pub(super) fn body_element(&mut self, tag: &Tag<'t>) -> Result<Element, XmlError> {
        Ok(match tag.local {
            "Status" => Element::Status(self.status()?),
            "Results" => Element::Results(self.results()?),
            "Alert" => Element::Alert(self.alert()?),
            name => match Verb::from_name(name) {
                Some(verb) => Element::Command(self.command(verb)?),
                None => Element::Unknown { name: name.to_owned(), cmd_id: self.cmd_id()? },
            },
        })
    }

    fn cmd_id(&mut self) -> Result<Option<String>, XmlError> {
        let mut cmd_id = Leaf::default();
        while let Some(tag) = self.child()? {
            if tag.local == "CmdID" { cmd_id.read(self)? } else { self.skip()? }
        }
        Ok(cmd_id.some())
    }

    fn status(&mut self) -> Result<Status, XmlError> {
        let (mut cmd_id, mut msg_ref, mut cmd_ref) = (Leaf::default(), Leaf::default(), Leaf::default());
        let (mut cmd, mut data) = (Leaf::default(), Leaf::default());
        let (mut target_refs, mut source_refs, mut items) = (Vec::new(), Vec::new(), Vec::new());
        let (mut chal, mut original_error) = (None, None);
        while let Some(tag) = self.child()? {
            match tag.local {
                "CmdID" => cmd_id.read(self)?,
                "MsgRef" => msg_ref.read(self)?,
                "CmdRef" => cmd_ref.read(self)?,
                "Cmd" => cmd.read(self)?,
                "TargetRef" => target_refs.extend(self.reference()?),
                "SourceRef" => source_refs.extend(self.reference()?),
                "Chal" if chal.is_none() => chal = Some(self.meta_and_data()?.0),
                "Data" => {
                    if data.0.is_none() {
                        original_error = self.pull.attribute("originalerror").map(|text| text.trim().to_owned());
                    }
                    data.read(self)?;
                }
                "Item" => items.push(self.item()?),
                _ => self.skip()?,
            }
        }
        Ok(Status {
            cmd_id: cmd_id.or_empty(),
            msg_ref: msg_ref.number().map(MsgId),
            cmd_ref: cmd_ref.or_empty(),
            cmd: cmd.or_empty(),
            target_refs,
            source_refs,
            chal: chal.map(|meta| Chal { scheme: meta.kind.unwrap_or_default(), next_nonce: meta.next_nonce }),
            code: StatusCode(data.number().unwrap_or(0)),
            original_error: original_error.filter(|text| !text.is_empty()),
            items,
        })
    }

    fn results(&mut self) -> Result<Results, XmlError> {
        let (mut cmd_id, mut msg_ref, mut cmd_ref) = (Leaf::default(), Leaf::default(), Leaf::default());
        let (mut cmd, mut whole, mut items) = (Leaf::default(), None, Vec::new());
        let (mut source, mut target) = (None, None);
        while let Some(tag) = self.child()? {
            match tag.local {
                "CmdID" => cmd_id.read(self)?,
                "MsgRef" => msg_ref.read(self)?,
                "CmdRef" => cmd_ref.read(self)?,
                "Cmd" => cmd.read(self)?,
                "Meta" if whole.is_none() => whole = Some(self.meta()?),
                "SourceRef" if source.is_none() => source = self.reference()?,
                "TargetRef" if target.is_none() => target = self.reference()?,
                "Item" => items.push(self.item()?),
                _ => self.skip()?,
            }
        }
        let (whole, source) = (whole.unwrap_or_default(), source.or(target));
        for item in &mut items {
            // The node is the Item's Source; some clients name it as Target, or once for the whole element.
            item.source = item.source.take().or_else(|| item.target.clone());
            item.source = item.source.take().or_else(|| source.as_deref().map(LocUri::received));
            item.meta.format = item.meta.format.take().or_else(|| whole.format.clone());
            item.meta.kind = item.meta.kind.take().or_else(|| whole.kind.clone());
        }
        Ok(Results {
            cmd_id: cmd_id.or_empty(),
            msg_ref: MsgId(msg_ref.number().unwrap_or(1)),
            cmd_ref: cmd_ref.or_empty(),
            cmd: cmd.some(),
            meta: whole,
            items,
        })
    }

    fn alert(&mut self) -> Result<Alert, XmlError> {
        let (mut cmd_id, mut data, mut no_resp, mut items) = (Leaf::default(), Leaf::default(), false, Vec::new());
        while let Some(tag) = self.child()? {
            match tag.local {
                "CmdID" => cmd_id.read(self)?,
                "Data" => data.read(self)?,
                "Item" => items.push(self.item()?),
                name => {
                    no_resp |= name == "NoResp";
                    self.skip()?;
                }
            }
        }
        Ok(Alert { cmd_id: cmd_id.some(), no_resp, code: data.number().unwrap_or(0), items })
    }

    /// A command; what a container holds beside commands can be taken by [`Elements::take_stray`]. Recursion is bounded by
    /// the depth that the XML reader allows.
    pub(super) fn command(&mut self, verb: Verb) -> Result<Command, XmlError> {
        let mut cmd_id = Leaf::default();
        let mut command = Command { items: Vec::new(), ..Command::container(verb, Vec::new()) };
        let (mut meta, mut place) = (None, 0);
        while let Some(tag) = self.any_child()? {
            place += 1;
            let is_syncml = self.is_syncml(&tag);
            let inner = Verb::from_name(tag.local).filter(|_| verb.is_container());
            if verb.is_container() {
                self.path.push((tag.local, place));
                if inner.is_none() && !matches!(tag.local, "CmdID" | "NoResp" | "Meta") {
                    self.note_stray();
                }
            }
            match tag.local {
                "CmdID" if is_syncml => cmd_id.read(self)?,
                "Item" if is_syncml => command.items.push(self.item()?),
                "Meta" if is_syncml && meta.is_none() => meta = Some(self.meta()?),
                name => match inner {
                    // One of another namespace is read for what is in it, and does not count.
                    Some(inner) => {
                        let inner = self.command(inner)?;
                        command.children.extend(Some(inner).filter(|_| is_syncml));
                    }
                    None => {
                        command.no_resp |= is_syncml && name == "NoResp";
                        self.skip()?;
                    }
                },
            }
            if verb.is_container() {
                self.path.pop();
            }
        }
        command.cmd_id = cmd_id.or_empty();
        command.meta = meta.unwrap_or_default();
        Ok(command)
    }

    fn note_stray(&mut self) {
        let path = &self.path;
        self.stray.get_or_insert_with(|| {
            path.iter().map(|(name, place)| format!("{name}[{place}]")).collect::<Vec<_>>().join("/")
        });
    }

    /// Where below the command read last the first element of a container stands that is no command, if there is one.
    pub(super) fn take_stray(&mut self) -> Option<String> {
        self.stray.take()
    }

    fn item(&mut self) -> Result<Item, XmlError> {
        let mut item = Item::default();
        let (mut target, mut source, mut meta) = (None, None, None);
        let (mut kind, mut format) = (Leaf::default(), Leaf::default());
        while let Some(tag) = self.child()? {
            match tag.local {
                "Target" if target.is_none() => target = Some(self.uri()?),
                "Source" if source.is_none() => source = Some(self.uri()?),
                "Meta" if meta.is_none() => meta = Some(self.meta()?),
                "Data" if item.data.is_none() => item.data = Some(self.data()?),
                "Type" => kind.read(self)?,
                "Format" => format.read(self)?,
                name => {
                    item.more_data |= name == "MoreData";
                    self.skip()?;
                }
            }
        }
        item.target = target.flatten();
        item.source = source.flatten();
        item.meta = meta.unwrap_or_default();
        // Some of Microsoft's alert samples put Type beside Meta.
        item.meta.kind = item.meta.kind.or_else(|| kind.some());
        item.meta.format = item.meta.format.or_else(|| format.some());
        Ok(item)
    }

    /// `Target` or `Source` of an Item.
    fn uri(&mut self) -> Result<Option<LocUri>, XmlError> {
        Ok(self.loc_uri()?.some().map(LocUri::taken))
    }

    fn loc_uri(&mut self) -> Result<Leaf<'t>, XmlError> {
        let mut uri = Leaf::default();
        while let Some(tag) = self.child()? {
            if tag.local == "LocURI" { uri.read(self)? } else { self.skip()? }
        }
        Ok(uri)
    }

    /// Text in SyncML, a nested `LocURI` in MS-MDM.
    fn reference(&mut self) -> Result<Option<String>, XmlError> {
        let (mut text, mut uri) = (Cow::Borrowed(""), Leaf::default());
        loop {
            match self.pull.next()? {
                Some(Part::Text(piece)) if text.is_empty() => text = piece,
                Some(Part::Text(piece)) => text.to_mut().push_str(&piece),
                Some(Part::Char(c)) => text.to_mut().push(c),
                Some(Part::Open(tag)) if tag.local == "LocURI" && self.is_syncml(&tag) => uri.read(self)?,
                Some(Part::Open(_)) => self.skip()?,
                Some(Part::Close(_)) | None => break,
            }
        }
        let text = uri.any().unwrap_or_else(|| text.trim().to_owned());
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// `Meta` and `Data` of `Cred` and `Chal`.
    pub(super) fn meta_and_data(&mut self) -> Result<(Meta, String), XmlError> {
        let (mut meta, mut data) = (None, Leaf::default());
        while let Some(tag) = self.child()? {
            match tag.local {
                "Meta" if meta.is_none() => meta = Some(self.meta()?),
                "Data" => data.read(self)?,
                _ => self.skip()?,
            }
        }
        Ok((meta.unwrap_or_default(), data.or_empty()))
    }

    /// The children of `Meta` are taken from any namespace: samples leave `syncml:metinf` out or misspell it.
    pub(super) fn meta(&mut self) -> Result<Meta, XmlError> {
        let mut meta = Meta::default();
        while let Some(tag) = self.any_child()? {
            let text = Some(self.trimmed()?).filter(|text| !text.is_empty());
            let number = || text.as_ref().and_then(|text| text.parse().ok());
            match tag.local {
                "Size" => meta.size = number(),
                "MaxMsgSize" => meta.max_msg_size = number(),
                "MaxObjSize" => meta.max_obj_size = number(),
                "Format" => meta.format = text.map(Cow::into_owned),
                "Type" => meta.kind = text.map(Cow::into_owned),
                "Mark" => meta.mark = text.map(Cow::into_owned),
                "NextNonce" => meta.next_nonce = text.map(Cow::into_owned),
                _ => {}
            }
        }
        Ok(meta)
    }
}

fn is_syncml(namespace: &str) -> bool {
    let names = ["SYNCML:SYNCML1.2", "SYNCML:SYNCML1.1", "SYNCML:SYNCML1.0"];
    namespace.is_empty() || namespace == ns::SYNCML12 || names.iter().any(|name| namespace.eq_ignore_ascii_case(name))
}

/// Whether a text begins and ends with characters that are seen at once to be no white space.
fn is_trimmed(text: &str) -> bool {
    let ends = (text.as_bytes().first(), text.as_bytes().last());
    matches!(ends, (Some(first), Some(last)) if first.is_ascii_graphic() && last.is_ascii_graphic())
}
