//! An owned XML tree, read by roxmltree (which refuses DTDs and anything not well-formed).

/// One element with its namespace, attributes, children and the source text it was read from.
#[derive(Clone, Debug)]
pub struct Element {
    pub namespace: String,
    pub name: String,
    pub attributes: Vec<Attribute>,
    pub children: Vec<Self>,
    /// The text directly inside this element, all pieces joined.
    pub text: String,
    /// The element as it was written, from `<` to `>`.
    pub source: String,
}

#[derive(Clone, Debug)]
pub struct Attribute {
    pub namespace: String,
    pub name: String,
    pub value: String,
}

impl Element {
    /// Reads a document; `what` names it in the failure message.
    pub fn parse(what: &str, xml: &str) -> Self {
        let document = roxmltree::Document::parse(xml).unwrap_or_else(|e| panic!("{what} is not XML: {e}\n{xml}"));
        Self::from_node(document.root_element(), xml)
    }

    fn from_node(node: roxmltree::Node<'_, '_>, xml: &str) -> Self {
        Self {
            namespace: node.tag_name().namespace().unwrap_or_default().to_owned(),
            name: node.tag_name().name().to_owned(),
            attributes: node
                .attributes()
                .map(|a| Attribute {
                    namespace: a.namespace().unwrap_or_default().to_owned(),
                    name: a.name().to_owned(),
                    value: a.value().to_owned(),
                })
                .collect(),
            children: node.children().filter(|c| c.is_element()).map(|c| Self::from_node(c, xml)).collect(),
            text: node.children().filter(|c| c.is_text()).filter_map(|c| c.text()).collect(),
            source: xml[node.range()].to_owned(),
        }
    }

    /// The value of an attribute, looked up by local name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.name == name).map(|a| a.value.as_str())
    }

    /// The value of an attribute in a namespace.
    pub fn attribute_in(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.namespace == namespace && a.name == name).map(|a| a.value.as_str())
    }

    pub fn named(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The only child of that name, if there is one; two are an error.
    pub fn child(&self, name: &str) -> Option<&Self> {
        let mut all = self.named(name);
        let first = all.next();
        assert!(all.next().is_none(), "<{}> has more than one <{name}>:\n{}", self.name, self.source);
        first
    }

    /// The element at a path of names separated by `/`; each step must exist exactly once.
    pub fn at(&self, path: &str) -> &Self {
        path.split('/').fold(self, |here, name| {
            here.child(name)
                .unwrap_or_else(|| panic!("<{}> has no <{name}> (path {path}):\n{}", here.name, here.source))
        })
    }

    /// The text at a path, as written.
    pub fn text_at(&self, path: &str) -> &str {
        &self.at(path).text
    }

    /// The names of the children, in order.
    pub fn child_names(&self) -> Vec<&str> {
        self.children.iter().map(|c| c.name.as_str()).collect()
    }

    /// This element and everything below it, in document order.
    pub fn walk(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.children.iter().flat_map(Self::walk));
        all
    }
}
