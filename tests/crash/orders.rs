//! What is ordered in a trial, and the clerks who order it through the API while the server dies under them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::chance::Chance;
use super::site::{Site, Tally};
use crate::support::api::Api;
use crate::support::http::{Request, Response, Tls};

/// One wipe in so many orders, as long as devices may be wiped.
const WIPE_ONE_IN: u64 = 400;

/// Kinds of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Replace,
    Add,
    Atomic,
    Get,
    /// An Exec of an administrator: never repeated by itself.
    Exec,
    /// An action that is a setting.
    Rename,
    /// An action that must not be doubled.
    Reboot,
    /// An action that may be offered three times.
    Lock,
    /// The end of a device.
    Wipe,
}

/// What the caller of the API knows about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Answered with 202.
    Accepted,
    /// The server died before it answered, and nobody asked again.
    Unanswered,
    /// Refused, because the device is wiped.
    Refused,
}

/// Whether an order was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withdrawal {
    No,
    /// The server died before it answered.
    Unanswered,
    /// Answered with 200 at that moment.
    At(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) serial: u64,
    /// Which device.
    pub(crate) device: usize,
    pub(crate) kind: Kind,
    pub(crate) fate: Fate,
    pub(crate) withdrawal: Withdrawal,
}

impl Kind {
    /// Whether it may be carried out again as long as the server did not hear of it.
    pub(crate) fn is_setting(self) -> bool {
        matches!(self, Self::Replace | Self::Add | Self::Atomic | Self::Get | Self::Rename)
    }

    /// Whether it is an action of the API; the others are raw commands.
    pub(crate) fn is_action(self) -> bool {
        matches!(self, Self::Rename | Self::Reboot | Self::Lock | Self::Wipe)
    }

    fn any(chance: &mut Chance) -> Self {
        match chance.below(10) {
            0 | 1 => Self::Replace,
            2 => Self::Add,
            3 => Self::Atomic,
            4 => Self::Get,
            5 | 6 => Self::Exec,
            7 => Self::Rename,
            8 => Self::Reboot,
            _ => Self::Lock,
        }
    }
}

impl Order {
    /// The nodes of a raw order; no other order has them.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let names: &[&str] = match self.kind {
            Kind::Replace => &["Value"],
            Kind::Add => &["Added"],
            Kind::Atomic => &["First", "Second"],
            Kind::Get => &["Probe"],
            Kind::Exec => &["Run"],
            Kind::Rename | Kind::Reboot | Kind::Lock | Kind::Wipe => &[],
        };
        names.iter().map(|name| format!("{}{}/{name}", FOLDER, self.serial)).collect()
    }

    /// The computer name that a rename asks for; no other order has it.
    pub(crate) fn new_name(&self) -> String {
        format!("PC{}", self.serial)
    }

    /// The reason given with an action.
    pub(crate) fn reason(&self) -> String {
        format!("order {}", self.serial)
    }

    fn request(&self, device: &str, seed: u64) -> Request {
        let request = if self.kind.is_action() {
            let mut body = json!({"reason": self.reason()});
            body["type"] = match self.kind {
                Kind::Rename => "rename",
                Kind::Reboot => "reboot",
                Kind::Lock => "lock",
                _ => "wipe",
            }
            .into();
            if self.kind == Kind::Rename {
                body["name"] = self.new_name().into();
            }
            Request::post(&format!("/devices/{device}/actions"), body.to_string())
                .header("Content-Type", "application/json")
        } else {
            Request::post(&format!("/devices/{device}/commands?unchecked=true"), self.syncml())
                .header("Content-Type", "application/vnd.syncml.dm+xml")
        };
        request.header("Idempotency-Key", &format!("trial-{seed}-{}", self.serial))
    }

    fn syncml(&self) -> String {
        let item = |node: &String, data: &str| format!("<Item><Target><LocURI>{node}</LocURI></Target>{data}</Item>");
        let data = format!(r#"<Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>{}</Data>"#, self.serial);
        let nodes = self.nodes();
        match self.kind {
            Kind::Add => format!("<Add><CmdID>1</CmdID>{}</Add>", item(&nodes[0], &data)),
            Kind::Atomic => {
                let each = |(n, node)| format!("<Replace><CmdID>{}</CmdID>{}</Replace>", n + 2, item(node, &data));
                format!("<Atomic><CmdID>1</CmdID>{}</Atomic>", nodes.iter().enumerate().map(each).collect::<String>())
            }
            Kind::Get => format!("<Get><CmdID>1</CmdID>{}</Get>", item(&nodes[0], "")),
            Kind::Exec => format!("<Exec><CmdID>1</CmdID>{}</Exec>", item(&nodes[0], "")),
            _ => format!("<Replace><CmdID>1</CmdID>{}</Replace>", item(&nodes[0], &data)),
        }
    }
}

/// The folder of the nodes of raw orders; the serial number follows.
pub(crate) const FOLDER: &str = "./Vendor/MSFT/Example/Order";

/// All orders of a trial, in the order of their serial numbers.
#[derive(Default)]
pub(crate) struct Book(Mutex<Vec<Order>>);

impl Book {
    fn open(&self, device: usize, kind: Kind) -> Order {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let serial = orders.len() as u64;
        let order = Order { serial, device, kind, fate: Fate::Unanswered, withdrawal: Withdrawal::No };
        orders.push(order.clone());
        order
    }

    fn close(&self, order: Order) {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(order.serial).expect("serial numbers are places in the book");
        orders[place] = order;
    }

    pub(crate) fn into_orders(self) -> Vec<Order> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all clerks of a trial share.
pub(crate) struct Office<'a> {
    pub(crate) site: &'a Site,
    pub(crate) book: &'a Book,
    /// The ids of the devices.
    pub(crate) devices: Vec<String>,
    pub(crate) wishes: Mutex<Receiver<usize>>,
    pub(crate) seed: u64,
    /// How many devices may still be wiped.
    pub(crate) wipes_left: AtomicU64,
    pub(crate) tls: Tls,
    pub(crate) token: String,
}

/// Gives one order after the other.
pub(crate) struct Clerk<'a> {
    office: &'a Office<'a>,
    chance: Chance,
    generation: u64,
    api: Api,
}

impl<'a> Clerk<'a> {
    pub(crate) fn new(office: &'a Office<'a>, chance: Chance) -> Self {
        let place = office.site.place();
        let api = Api::new(&place.url, &office.tls, Some(&office.token));
        Self { office, chance, generation: place.generation, api }
    }

    /// Works until no device wishes for anything any more.
    pub(crate) fn work(mut self) {
        while let Some(device) = self.next_wish() {
            let kind = self.any_kind();
            let mut order = self.office.book.open(device, kind);
            self.give(&mut order);
            self.office.book.close(order);
        }
    }

    fn any_kind(&mut self) -> Kind {
        let wipes_left = &self.office.wipes_left;
        let less = |left: u64| left.checked_sub(1);
        if self.chance.below(WIPE_ONE_IN) == 0
            && wipes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
        {
            return Kind::Wipe;
        }
        Kind::any(&mut self.chance)
    }

    fn next_wish(&self) -> Option<usize> {
        self.office.wishes.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    fn give(&mut self, order: &mut Order) {
        let request = order.request(&self.office.devices[order.device], self.office.seed);
        let Some(made) = self.insist(&request, order) else { return };
        if made.status == 409 {
            assert!(is_of_wiped_device(&made), "refused: {} for {order:?}", made.text());
            order.fate = Fate::Refused;
            return;
        }
        made.expect_status(&format!("{order:?}"), 202);
        order.fate = Fate::Accepted;
        let id = id_of(&made);
        if self.chance.percent(5) {
            // As if the answer had been lost on its way.
            Tally::count(&self.office.site.tally.repeated_orders);
            if let Some(again) = self.insist(&request, order) {
                again.expect_status("a repeated order", 202);
                assert_eq!(id_of(&again), id, "R-11: the same Idempotency-Key makes another command");
            }
        }
        if self.chance.percent(5) && order.kind != Kind::Wipe {
            self.withdraw(order, &id);
        }
    }

    /// Sends a request until it is answered; None: the server died and nobody asked again.
    fn insist(&mut self, request: &Request, order: &Order) -> Option<Response> {
        loop {
            match self.ask(request) {
                Ok(response) if response.status == 503 => Tally::count(&self.office.site.tally.busy),
                Ok(response) => return Some(response),
                Err(_) => {
                    self.follow();
                    if order.fate == Fate::Unanswered && self.chance.percent(30) {
                        return None;
                    }
                    Tally::count(&self.office.site.tally.repeated_orders);
                }
            }
        }
    }

    fn withdraw(&mut self, order: &mut Order, id: &str) {
        let kind = if order.kind.is_action() { "actions" } else { "commands" };
        match self.ask(&Request::new("DELETE", &format!("/{kind}/{id}"))) {
            Ok(response) if response.status == 200 => {
                order.withdrawal = Withdrawal::At(self.office.site.moment());
            }
            // Sent just now, or over already.
            Ok(response) if response.status == 409 => {}
            Ok(response) if response.status == 503 => order.withdrawal = Withdrawal::Unanswered,
            Ok(response) => panic!("withdrawing {order:?}: {} {}", response.status, response.text()),
            Err(_) => {
                order.withdrawal = Withdrawal::Unanswered;
                self.follow();
            }
        }
    }

    fn ask(&self, request: &Request) -> io::Result<Response> {
        self.api.try_send(request.clone())
    }

    /// The server is gone: on to the next one.
    fn follow(&mut self) {
        let place = self.office.site.place_after(self.generation);
        self.generation = place.generation;
        self.api = Api::new(&place.url, &self.office.tls, Some(&self.office.token));
    }
}

fn id_of(response: &Response) -> String {
    let made: serde_json::Value = serde_json::from_slice(&response.body).expect("the API answers with JSON");
    made["id"].as_str().expect("what was made has an id").to_owned()
}

fn is_of_wiped_device(response: &Response) -> bool {
    ["device_wiping", "device_not_managed"].iter().any(|code| response.text().contains(code))
}
