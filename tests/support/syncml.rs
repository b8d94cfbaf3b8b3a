//! SyncML messages as a Windows device writes them, built from strings.

use super::escape;

/// One message of a device. All parts are public: tests bend them.
#[derive(Clone, Debug)]
pub struct Message {
    /// None: no namespace at all, as some tools write.
    pub namespace: Option<&'static str>,
    pub ver_dtd: String,
    pub ver_proto: String,
    pub session_id: String,
    pub msg_id: String,
    pub target: String,
    pub source: String,
    /// `LocName` of Source; empty: none.
    pub source_name: String,
    /// What follows Source in the header: Cred, Meta.
    pub more_header: String,
    /// Attributes of SyncBody, with a leading blank.
    pub body_attributes: String,
    pub body: String,
    pub next_cmd_id: u32,
    pub is_final: bool,
}

/// The reference part of a Status.
#[derive(Clone, Debug)]
pub struct StatusOf {
    pub msg_ref: String,
    pub cmd_ref: String,
    pub cmd: String,
    pub target_ref: Option<String>,
}

impl Message {
    /// An empty message; its first command gets CmdID 1.
    pub fn new(session_id: &str, msg_id: u32, target: &str, source: &str) -> Self {
        Self {
            namespace: Some("SYNCML:SYNCML1.2"),
            ver_dtd: "1.2".to_owned(),
            ver_proto: "DM/1.2".to_owned(),
            session_id: session_id.to_owned(),
            msg_id: msg_id.to_string(),
            target: target.to_owned(),
            source: source.to_owned(),
            source_name: String::new(),
            more_header: String::new(),
            body_attributes: String::new(),
            body: String::new(),
            next_cmd_id: 1,
            is_final: true,
        }
    }

    fn cmd_id(&mut self) -> u32 {
        self.next_cmd_id += 1;
        self.next_cmd_id - 1
    }

    /// A command whose content follows its CmdID; returns the CmdID.
    pub fn command(&mut self, name: &str, content: &str) -> u32 {
        let id = self.cmd_id();
        self.body.push_str(&format!("<{name}><CmdID>{id}</CmdID>{content}</{name}>"));
        id
    }

    pub fn alert(&mut self, code: u32) -> u32 {
        self.command("Alert", &format!("<Data>{code}</Data>"))
    }

    /// An Alert with a typed item; `format` is left out when empty.
    pub fn typed_alert(&mut self, code: u32, kind: &str, format: &str, data: &str) -> u32 {
        let format = match format {
            "" => String::new(),
            name => format!(r#"<Format xmlns="syncml:metinf">{name}</Format>"#),
        };
        self.command(
            "Alert",
            &format!(
                r#"<Data>{code}</Data><Item><Meta><Type xmlns="syncml:metinf">{}</Type>{format}</Meta><Data>{}</Data></Item>"#,
                escape(kind),
                escape(data)
            ),
        )
    }

    /// An Alert with a typed item that is about a node.
    pub fn sourced_alert(&mut self, code: u32, kind: &str, source: &str, data: &str) -> u32 {
        self.command(
            "Alert",
            &format!(
                r#"<Data>{code}</Data><Item><Source><LocURI>{}</LocURI></Source><Meta><Type xmlns="syncml:metinf">{}</Type><Format xmlns="syncml:metinf">int</Format><Mark xmlns="syncml:metinf">informational</Mark></Meta><Data>{}</Data></Item>"#,
                escape(source),
                escape(kind),
                escape(data)
            ),
        )
    }

    pub fn login_status(&mut self, status: &str) -> u32 {
        self.typed_alert(1224, "com.microsoft/MDM/LoginStatus", "", status)
    }

    /// The Replace with DevInfo items.
    pub fn dev_info(&mut self, items: &[(&str, &str)]) -> u32 {
        let items: String = items
            .iter()
            .map(|(uri, data)| {
                format!("<Item><Source><LocURI>{}</LocURI></Source><Data>{}</Data></Item>", escape(uri), escape(data))
            })
            .collect();
        self.command("Replace", &items)
    }

    pub fn status(&mut self, of: &StatusOf, code: u16) -> u32 {
        self.status_with(of, &format!("<Data>{code}</Data>"))
    }

    /// A Status whose `Data` element (with its attributes) is given.
    pub fn status_with(&mut self, of: &StatusOf, data: &str) -> u32 {
        let target = match &of.target_ref {
            Some(uri) => format!("<TargetRef>{}</TargetRef>", escape(uri)),
            None => String::new(),
        };
        self.command(
            "Status",
            &format!(
                "<MsgRef>{}</MsgRef><CmdRef>{}</CmdRef><Cmd>{}</Cmd>{target}{data}",
                of.msg_ref, of.cmd_ref, of.cmd
            ),
        )
    }

    /// The Status for the header of the server's message.
    pub fn header_status(&mut self, msg_ref: &str, code: u16) -> u32 {
        let of = StatusOf {
            msg_ref: msg_ref.to_owned(),
            cmd_ref: "0".to_owned(),
            cmd: "SyncHdr".to_owned(),
            target_ref: None,
        };
        self.status(&of, code)
    }

    /// A Results element; `references` is everything between CmdID and Item.
    pub fn results(&mut self, references: &str, uri: &str, meta: &str, data: &str) -> u32 {
        self.command(
            "Results",
            &format!("{references}<Item><Source><LocURI>{}</LocURI></Source>{meta}{data}</Item>", escape(uri)),
        )
    }

    pub fn without_final(mut self) -> Self {
        self.is_final = false;
        self
    }

    /// The message on the wire, compact and without declaration.
    pub fn xml(&self) -> String {
        let root = match self.namespace {
            Some(namespace) => format!(r#"<SyncML xmlns="{namespace}">"#),
            None => "<SyncML>".to_owned(),
        };
        let name = match self.source_name.as_str() {
            "" => String::new(),
            name => format!("<LocName>{}</LocName>", escape(name)),
        };
        let end = if self.is_final { "<Final/>" } else { "" };
        format!(
            "{root}<SyncHdr><VerDTD>{}</VerDTD><VerProto>{}</VerProto><SessionID>{}</SessionID><MsgID>{}</MsgID>\
             <Target><LocURI>{}</LocURI></Target><Source><LocURI>{}</LocURI>{name}</Source>{}</SyncHdr>\
             <SyncBody{}>{}{end}</SyncBody></SyncML>",
            self.ver_dtd,
            self.ver_proto,
            self.session_id,
            self.msg_id,
            escape(&self.target),
            escape(&self.source),
            self.more_header,
            self.body_attributes,
            self.body
        )
    }
}
