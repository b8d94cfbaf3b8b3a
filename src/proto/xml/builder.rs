//! Builds a document out of something that was not XML, together with the XML text that it amounts to: what was read from
//! WBXML is judged, kept and shown by the same rules.

use super::ns;
use super::reader::{Attribute, Document, Element, Limits, Tree, XmlError};
use super::writer::escape;

/// A document under construction.
pub struct DocumentBuilder {
    tree: Tree,
    text: String,
    limits: Limits,
}

impl DocumentBuilder {
    /// Nothing yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { tree: Tree::default(), text: String::new(), limits: *limits }
    }

    /// Opens an element of that namespace and name. Names must be names in XML, and values must hold its characters only.
    ///
    /// # Errors
    ///
    /// [`XmlError::TooMuch`] where the nesting becomes too deep, [`XmlError::Malformed`] for a second root.
    pub fn open(&mut self, ns: &str, local: &str, attributes: Vec<Attribute>) -> Result<(), XmlError> {
        if self.tree.has_root() {
            return Err(XmlError::Malformed(self.text.len()));
        }
        self.text.push('<');
        self.text.push_str(local);
        if self.tree.enclosing(0).map_or("", |parent| parent.ns.as_str()) != ns {
            self.attribute("xmlns", ns);
        }
        for (index, attribute) in attributes.iter().enumerate() {
            self.qualified(index, attribute);
        }
        self.text.push('>');
        let element = Element { ns: ns.to_owned(), local: local.to_owned(), attributes, ..Element::default() };
        if self.tree.open(element, self.text.len()) > self.limits.depth {
            return Err(XmlError::TooMuch { what: "levels of elements", limit: self.limits.depth });
        }
        Ok(())
    }

    /// An attribute, with the declaration of the prefix that it needs.
    fn qualified(&mut self, index: usize, attribute: &Attribute) {
        if attribute.ns.is_empty() {
            return self.attribute(&attribute.local, &attribute.value);
        }
        let prefix = if attribute.ns == ns::MSFT_MDM { "msft".to_owned() } else { format!("p{index}") };
        self.attribute(&format!("xmlns:{prefix}"), &attribute.ns);
        self.attribute(&format!("{prefix}:{}", attribute.local), &attribute.value);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        for part in [" ", name, "=\"", &escape(value, true), "\""] {
            self.text.push_str(part);
        }
    }

    /// Character data of the element opened last. It must hold characters of XML only.
    ///
    /// # Errors
    ///
    /// [`XmlError::Malformed`] for text outside the root.
    pub fn text(&mut self, text: &str) -> Result<(), XmlError> {
        self.tree.text(text).ok_or(XmlError::Malformed(self.text.len()))?;
        self.text.push_str(&escape(text, false));
        Ok(())
    }

    /// Closes the element opened last.
    ///
    /// # Errors
    ///
    /// [`XmlError::Malformed`] where none is open.
    pub fn close(&mut self) -> Result<(), XmlError> {
        let inner = self.text.len();
        let open = self.tree.enclosing(0).ok_or(XmlError::Malformed(inner))?;
        for part in ["</", &open.local, ">"] {
            self.text.push_str(part);
        }
        self.tree.close(inner).ok_or(XmlError::Malformed(inner))
    }

    /// The local name of the open element that lies that many levels outside the one opened last.
    #[must_use]
    pub fn enclosing(&self, levels: usize) -> Option<&str> {
        self.tree.enclosing(levels).map(|element| element.local.as_str())
    }

    /// The namespace of the element opened last.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.tree.enclosing(0).map(|element| element.ns.as_str())
    }

    /// Whether the root is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.tree.has_root()
    }

    /// The document, if its root is complete.
    #[must_use]
    pub fn finish(self) -> Option<Document> {
        let text = self.text;
        self.tree.finish().map(|root| Document::new(root, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_reads_as_the_same_document() {
        let mut builder = DocumentBuilder::new(&Limits::default());
        let error = |ns: &str| Attribute { ns: ns.into(), local: "e".into(), value: "\"&\r".into() };
        builder.open(ns::SYNCML12, "A", vec![error(""), error("urn:x"), error(ns::MSFT_MDM)]).unwrap();
        builder.text("a<\u{F000}\r").unwrap();
        builder.open(ns::METINF, "B", Vec::new()).unwrap();
        builder.open(ns::METINF, "C", Vec::new()).unwrap();
        builder.close().unwrap();
        builder.close().unwrap();
        builder.text("z").unwrap();
        assert!(!builder.is_complete());
        builder.close().unwrap();
        let built = builder.finish().unwrap();
        let read = Document::parse(built.text().as_bytes(), &Limits::default()).unwrap();
        assert_same(&built, built.root(), &read, read.root());
        assert_eq!(built.inner_xml(built.root()), "a&lt;&#xF000;&#13;<B xmlns=\"syncml:metinf\"><C></C></B>z");
    }

    fn assert_same(one: &Document, a: &Element, other: &Document, b: &Element) {
        assert_eq!((&a.ns, &a.local, a.text()), (&b.ns, &b.local, b.text()));
        assert_eq!(one.inner_range(a), other.inner_range(b), "{}", a.local);
        let attributes = |element: &Element| -> Vec<(String, String, String)> {
            element.attributes.iter().map(|a| (a.ns.clone(), a.local.clone(), a.value.clone())).collect()
        };
        assert_eq!(attributes(a), attributes(b));
        assert_eq!(a.elements().count(), b.elements().count());
        a.elements().zip(b.elements()).for_each(|(a, b)| assert_same(one, a, other, b));
    }

    #[test]
    fn what_is_no_document_is_none() {
        let mut builder = DocumentBuilder::new(&Limits { depth: 1, ..Limits::default() });
        assert!(builder.text("x").is_err() && builder.close().is_err());
        builder.open("", "a", Vec::new()).unwrap();
        assert!(matches!(builder.open("", "b", Vec::new()), Err(XmlError::TooMuch { limit: 1, .. })));
        assert!(builder.finish().is_none());
    }
}
