//! Commands and what they carry: Item, Meta, Data.

use super::loc_uri::LocUri;

/// The verbs of OMA-DM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Creates a node.
    Add,
    /// Sets a node.
    Replace,
    /// Removes a node and what is below it.
    Delete,
    /// Reads a node.
    Get,
    /// Runs a node.
    Exec,
    /// Not supported by Windows; read, never sent.
    Copy,
    /// All children or none.
    Atomic,
    /// Children strictly one after the other.
    Sequence,
}

impl Verb {
    /// The element name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Replace => "Replace",
            Self::Delete => "Delete",
            Self::Get => "Get",
            Self::Exec => "Exec",
            Self::Copy => "Copy",
            Self::Atomic => "Atomic",
            Self::Sequence => "Sequence",
        }
    }

    /// The verb of an element name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Add, Self::Replace, Self::Delete, Self::Get, Self::Exec, Self::Copy, Self::Atomic, Self::Sequence]
            .into_iter()
            .find(|verb| verb.name() == name)
    }

    /// Whether the verb holds other commands.
    #[must_use]
    pub fn is_container(self) -> bool {
        matches!(self, Self::Atomic | Self::Sequence)
    }
}

/// One command; containers hold children, all others Items.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The verb.
    pub verb: Verb,
    /// `CmdID`; empty where the sender left it out, and in fragments that were not numbered yet.
    pub cmd_id: String,
    /// Whether `NoResp` asks for no Status.
    pub no_resp: bool,
    /// `Meta` of the command itself.
    pub meta: Meta,
    /// `Item`s.
    pub items: Vec<Item>,
    /// Children of an Atomic or Sequence.
    pub children: Vec<Self>,
}

impl Command {
    /// A command with one Item and no CmdID yet.
    #[must_use]
    pub fn new(verb: Verb, item: Item) -> Self {
        Self {
            verb,
            cmd_id: String::new(),
            no_resp: false,
            meta: Meta::default(),
            items: vec![item],
            children: Vec::new(),
        }
    }

    /// An Atomic or Sequence.
    #[must_use]
    pub fn container(verb: Verb, children: Vec<Self>) -> Self {
        Self { verb, cmd_id: String::new(), no_resp: false, meta: Meta::default(), items: Vec::new(), children }
    }

    /// Reads a node.
    #[must_use]
    pub fn get(uri: LocUri) -> Self {
        Self::new(Verb::Get, Item { target: Some(uri), ..Item::default() })
    }

    /// Sets a node to a value of a format, as `text/plain`.
    #[must_use]
    pub fn replace(uri: LocUri, format: &str, value: &str) -> Self {
        Self::new(Verb::Replace, Item::value(uri, format, value))
    }

    /// Makes a node with a value of a format, as `text/plain`.
    #[must_use]
    pub fn add(uri: LocUri, format: &str, value: &str) -> Self {
        Self::new(Verb::Add, Item::value(uri, format, value))
    }

    /// Makes an interior node, or a leaf without a value.
    #[must_use]
    pub fn add_node(uri: LocUri, format: &str) -> Self {
        let meta = Meta { format: Some(format.to_owned()), ..Meta::default() };
        Self::new(Verb::Add, Item { target: Some(uri), meta, ..Item::default() })
    }

    /// Removes a node and what is below it.
    #[must_use]
    pub fn delete(uri: LocUri) -> Self {
        Self::new(Verb::Delete, Item { target: Some(uri), ..Item::default() })
    }

    /// Runs a node with data of a format, as `text/plain`.
    #[must_use]
    pub fn exec_with(uri: LocUri, format: &str, data: &str) -> Self {
        Self::new(Verb::Exec, Item::value(uri, format, data))
    }

    /// The same command with that CmdID.
    #[must_use]
    pub fn named(self, cmd_id: &str) -> Self {
        Self { cmd_id: cmd_id.to_owned(), ..self }
    }

    /// Runs a node without data.
    #[must_use]
    pub fn exec(uri: LocUri) -> Self {
        Self::new(Verb::Exec, Item { target: Some(uri), ..Item::default() })
    }

    /// This command and all below it, depth first.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            let next = stack.pop()?;
            stack.extend(next.children.iter().rev());
            Some(next)
        })
    }
}

/// `Item`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// `Target/LocURI`.
    pub target: Option<LocUri>,
    /// `Source/LocURI`.
    pub source: Option<LocUri>,
    /// `Meta`.
    pub meta: Meta,
    /// `Data`; an empty element is an empty value, a missing one is none.
    pub data: Option<Data>,
    /// Whether `MoreData` says that this is a chunk.
    pub more_data: bool,
}

impl Item {
    /// An Item that carries a value of a format, as `text/plain`.
    #[must_use]
    pub fn value(uri: LocUri, format: &str, value: &str) -> Self {
        Self {
            target: Some(uri),
            meta: Meta { format: Some(format.to_owned()), kind: Some("text/plain".to_owned()), ..Meta::default() },
            data: Some(Data::new(value)),
            ..Self::default()
        }
    }

    /// Whether it carries a value: not where it makes an interior node, or a leaf without one. `outer` is the Meta of its
    /// command, which counts where the Item has none of its own.
    #[must_use]
    pub fn has_value(&self, outer: &Meta) -> bool {
        let format = self.meta.format.as_deref().or(outer.format.as_deref());
        (self.data.is_some() || self.more_data) && format != Some("node")
    }

    /// The text of `Data`, empty where there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.data.as_ref().map_or("", Data::text)
    }
}

/// The children of `Meta` that Windows uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// `Format`: `chr`, `int`, `bool`, `b64`, `bin`, `xml`, `node`, `null`, ...
    pub format: Option<String>,
    /// `Type`: a MIME type, or the type of an alert.
    pub kind: Option<String>,
    /// `Mark`: severity of a generic alert.
    pub mark: Option<String>,
    /// `Size` in bytes, in the first chunk of a large object.
    pub size: Option<u64>,
    /// `NextNonce`, base64.
    pub next_nonce: Option<String>,
    /// `MaxMsgSize` in bytes.
    pub max_msg_size: Option<u64>,
    /// `MaxObjSize` in bytes.
    pub max_obj_size: Option<u64>,
}

impl Meta {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The content of `Data`.
///
/// Its `Debug` shows the length only: values can be passwords, PINs and tokens.
#[derive(Clone, Default, PartialEq)]
pub struct Data(String);

impl Data {
    /// Character data, escaped when written.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text; markup inside `Data` is kept as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Data({} bytes)", self.0.len())
    }
}
