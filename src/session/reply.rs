//! The answer to a message: header, statuses in order, then alerts and commands.

use super::exchange::Limits;
use super::work::Work;
use crate::proto::syncml::{Alert, Command, Element, Header, Message, MsgId, Status};

impl Work<'_> {
    /// Header, statuses in order, then our alerts and commands or the request for the next message.
    pub(super) fn reply(
        &mut self,
        message: &Message,
        commands: Vec<Command>,
        next: Option<Alert>,
        is_final: bool,
    ) -> Message {
        let our_id = match &mut self.session {
            Some(session) => {
                session.our_msg_id += 1;
                session.our_msg_id
            }
            None => message.header.msg_id.0,
        };
        let mut statuses = std::mem::take(&mut self.statuses);
        let ends = self.session.as_ref().is_some_and(|session| !session.is_open());
        if let Some(header) = statuses.first_mut().filter(|status| status.code.0 == 200) {
            self.admission.answer(header, ends);
        }
        let mut alerts = std::mem::take(&mut self.alerts);
        alerts.extend(next);
        let mut body: Vec<Element> = Vec::with_capacity(statuses.len() + alerts.len() + commands.len());
        let mut numbers = (1_usize..).map(|number| number.to_string());
        for (status, number) in statuses.into_iter().zip(&mut numbers) {
            body.push(Element::Status(Status { cmd_id: number, ..status }));
        }
        body.extend(
            alerts.into_iter().zip(numbers).map(|(alert, id)| Element::Alert(Alert { cmd_id: Some(id), ..alert })),
        );
        body.extend(commands.into_iter().map(Element::Command));
        Message { header: reply_header(message, our_id, self.limits), body, is_final }
    }

    /// The answer without commands, for what it takes.
    pub(super) fn envelope(&self, message: &Message) -> Message {
        let statuses = self.statuses.iter().cloned().map(Element::Status);
        let alerts = self.alerts.iter().cloned().map(Element::Alert);
        Message {
            header: reply_header(message, message.header.msg_id.0, self.limits),
            body: statuses.chain(alerts).collect(),
            is_final: true,
        }
    }
}

/// The header of our answer to a message.
pub(super) fn reply_header(message: &Message, our_id: u64, limits: &Limits) -> Header {
    Header {
        ver_dtd: "1.2".to_owned(),
        ver_proto: "DM/1.2".to_owned(),
        session_id: message.header.session_id.clone(),
        msg_id: MsgId(our_id),
        target: message.header.source.clone(),
        source: limits.management_url.clone(),
        source_name: None,
        cred: None,
        max_msg_size: Some(MAX_MSG_SIZE),
        max_obj_size: None,
    }
}

/// What we announce; small values make 25H2 abort instead of cutting a large result into chunks.
const MAX_MSG_SIZE: u64 = 524_288;
