//! The grammar of the document: characteristics that hold parms and further characteristics.

use crate::proto::xml::{Document, Element, Limits, XmlError, XmlWriter};

/// A `characteristic`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Characteristic {
    /// Its `type`.
    pub kind: String,
    /// Its parms in order.
    pub parms: Vec<Parm>,
    /// The characteristics inside, in order.
    pub children: Vec<Self>,
}

/// A `parm`.
#[derive(Clone, PartialEq, Eq)]
pub struct Parm {
    /// Its `name`; letter case counts.
    pub name: String,
    /// Its `value`; some parms are only present.
    pub value: Option<String>,
    /// Its `datatype`.
    pub datatype: Option<String>,
}

impl std::fmt::Debug for Parm {
    /// Values can be secrets; only the name is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parm").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why bytes are not a provisioning document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProvisioning {
    /// Not readable as XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Another root element.
    #[error("the root element is not wap-provisioningdoc")]
    Root,
    /// A characteristic without `type` or a parm without `name`.
    #[error("a characteristic or parm lacks its name")]
    Name,
}

impl Characteristic {
    /// An empty characteristic.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    /// With one more parm.
    #[must_use]
    pub fn parm(mut self, parm: Parm) -> Self {
        self.parms.push(parm);
        self
    }

    /// With one more characteristic inside.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The value of the first parm of that name; `None` when it is absent or only present.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.parms.iter().find(|parm| parm.name == name)?.value.as_deref()
    }

    /// The first characteristic down this path of types.
    #[must_use]
    pub fn find(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |at, kind| at.children.iter().find(|child| child.kind == *kind))
    }

    fn write(&self, w: &mut XmlWriter) {
        let attributes = [("type", self.kind.as_str())];
        if self.parms.is_empty() && self.children.is_empty() {
            return w.empty("characteristic", &attributes);
        }
        w.element("characteristic", &attributes, |w| {
            for parm in &self.parms {
                parm.write(w);
            }
            for child in &self.children {
                child.write(w);
            }
        });
    }

    fn read(element: &Element) -> Result<Self, NotProvisioning> {
        let mut this = Self::new(element.attribute("type").ok_or(NotProvisioning::Name)?);
        for inner in element.elements() {
            match inner.local.as_str() {
                "characteristic" => this.children.push(Self::read(inner)?),
                "parm" => this.parms.push(Parm::read(inner)?),
                _ => {}
            }
        }
        Ok(this)
    }
}

impl Parm {
    /// A value without a datatype.
    #[must_use]
    pub fn plain(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: Some(value.to_owned()), datatype: None }
    }

    /// A name without a value.
    #[must_use]
    pub fn present(name: &str) -> Self {
        Self { name: name.to_owned(), value: None, datatype: None }
    }

    /// A value of datatype `string`.
    #[must_use]
    pub fn string(name: &str, value: &str) -> Self {
        Self { datatype: Some("string".to_owned()), ..Self::plain(name, value) }
    }

    /// A value of datatype `integer`.
    #[must_use]
    pub fn integer(name: &str, value: u32) -> Self {
        Self { datatype: Some("integer".to_owned()), ..Self::plain(name, &value.to_string()) }
    }

    /// A value of datatype `boolean`.
    #[must_use]
    pub fn boolean(name: &str, value: bool) -> Self {
        Self { datatype: Some("boolean".to_owned()), ..Self::plain(name, if value { "true" } else { "false" }) }
    }

    fn write(&self, w: &mut XmlWriter) {
        let mut attributes = vec![("name", self.name.as_str())];
        attributes.extend(self.value.as_deref().map(|value| ("value", value)));
        attributes.extend(self.datatype.as_deref().map(|datatype| ("datatype", datatype)));
        w.empty("parm", &attributes);
    }

    fn read(element: &Element) -> Result<Self, NotProvisioning> {
        let text = |name| element.attribute(name).map(str::to_owned);
        Ok(Self { name: text("name").ok_or(NotProvisioning::Name)?, value: text("value"), datatype: text("datatype") })
    }
}

/// Writes a document of these characteristics.
#[must_use]
pub fn encode(top: &[Characteristic]) -> Vec<u8> {
    let mut w = XmlWriter::new();
    w.element("wap-provisioningdoc", &[("version", "1.1")], |w| {
        for characteristic in top {
            characteristic.write(w);
        }
    });
    w.into_bytes()
}

/// Reads a document; the answer is a characteristic without a type that holds the top ones. Elements of other names are
/// skipped, as Windows does: a server that misspells one does not notice.
///
/// # Errors
///
/// [`NotProvisioning`] for another document, and for a characteristic or parm without its name.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Characteristic, NotProvisioning> {
    let document = Document::parse(bytes, limits)?;
    let root = document.root();
    if !root.is("", "wap-provisioningdoc") {
        return Err(NotProvisioning::Root);
    }
    let mut top = Characteristic::default();
    for element in root.elements().filter(|e| e.local == "characteristic") {
        top.children.push(Characteristic::read(element)?);
    }
    Ok(top)
}
