//! The judge of a trial: what the API says became of every order, against what the devices wrote down.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::orders::{FOLDER, Fate, Kind, Order, Withdrawal};
use super::pc::{Line, Remains};
use crate::support::api::Api;

/// What is wrong after a trial, each with its case in words; and how often orders were carried out.
#[derive(Default, Debug)]
pub(crate) struct Findings {
    /// Accepted and gone, not over after the rest, or said to be done and never done.
    pub(crate) lost: Vec<String>,
    /// Done more often than its kind allows, or kept twice.
    pub(crate) doubled: Vec<String>,
    /// Said not to have happened, and it did; or nobody ordered it.
    pub(crate) contradicted: Vec<String>,
    pub(crate) by_kind: BTreeMap<Kind, Count>,
    /// Final states, by kind and word.
    pub(crate) states: BTreeMap<(Kind, String), u64>,
}

#[derive(Default, Debug)]
pub(crate) struct Count {
    pub(crate) orders: u64,
    /// Orders that were answered with 202.
    pub(crate) accepted: u64,
    pub(crate) executions: u64,
}

/// One execution of one command: when, and when the server had its Status.
#[derive(Clone, Debug)]
struct Execution {
    at: u64,
    told: Option<u64>,
    cmd_id: String,
    uri: String,
    data: String,
}

/// A command as the API shows it.
struct Shown {
    state: String,
    offers: Option<u64>,
}

impl Findings {
    pub(crate) fn judge(api: &Api, orders: &[Order], remains: &[Remains]) -> Self {
        let mut findings = Self::default();
        for (number, device) in remains.iter().enumerate() {
            let own: Vec<&Order> = orders.iter().filter(|order| order.device == number).collect();
            findings.judge_device(&own, device, shown(api, &device.id));
        }
        findings
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.contradicted.is_empty()
    }

    fn judge_device(&mut self, orders: &[&Order], device: &Remains, mut shown: HashMap<u64, Vec<Shown>>) {
        let executions = executions(&device.log);
        let mut of_kind: BTreeMap<Kind, Vec<(&Order, Option<Shown>)>> = BTreeMap::new();
        for order in orders {
            let mut found = shown.remove(&order.serial).unwrap_or_default();
            if found.len() > 1 {
                self.doubled.push(format!("{order:?} was kept {} times", found.len()));
            }
            of_kind.entry(order.kind).or_default().push((order, found.pop()));
        }
        for serial in shown.keys() {
            self.contradicted.push(format!("order {serial} is kept for {} and was never given", device.id));
        }
        for (kind, cases) in &of_kind {
            for (order, shown) in cases {
                self.judge_state(order, shown.as_ref(), device.is_erased);
                if let Some(own) = executions_of(order, &executions) {
                    self.judge_executions(order, shown.as_ref(), &own, device.is_erased);
                }
            }
            self.judge_together(*kind, cases, &executions);
        }
    }

    /// Whether an order came to an end at all.
    fn judge_state(&mut self, order: &Order, shown: Option<&Shown>, is_erased: bool) {
        let count = self.by_kind.entry(order.kind).or_default();
        count.orders += 1;
        count.accepted += u64::from(order.fate == Fate::Accepted);
        let Some(shown) = shown else {
            if order.fate == Fate::Accepted {
                self.lost.push(format!("{order:?} was accepted and is not there"));
            }
            return;
        };
        *self.states.entry((order.kind, shown.state.clone())).or_default() += 1;
        let is_over = match shown.state.as_str() {
            "succeeded" => true,
            "cancelled" => order.withdrawal != Withdrawal::No,
            "unknown" => !order.kind.is_setting(),
            _ => false,
        };
        // What waits for a device that is no more waits for ever.
        if !is_over && !is_erased {
            self.lost.push(format!("{order:?} is {} after all came to rest", shown.state));
        }
    }

    /// Orders whose executions are known by their nodes: one list for each node.
    fn judge_executions(&mut self, order: &Order, shown: Option<&Shown>, nodes: &[Vec<&Execution>], is_erased: bool) {
        self.by_kind.entry(order.kind).or_default().executions += nodes[0].len() as u64;
        for executions in nodes {
            let case = || format!("{order:?} is {:?}: {executions:?}", shown.map(|shown| &shown.state));
            let too_often =
                if order.kind.is_setting() { is_repeated_after_word(executions) } else { executions.len() > 1 };
            if too_often {
                self.doubled.push(case());
            }
            let state = shown.map_or("absent", |shown| shown.state.as_str());
            if state == "succeeded" && executions.is_empty() {
                self.lost.push(case());
            }
            let never_sent = state == "absent" || state == "queued" && !is_erased;
            let after_withdrawal = match order.withdrawal {
                Withdrawal::At(moment) => executions.iter().any(|execution| execution.at > moment),
                Withdrawal::No | Withdrawal::Unanswered => false,
            };
            if never_sent && !executions.is_empty() || after_withdrawal {
                self.contradicted.push(case());
            }
        }
    }

    /// Actions that look all the same on the device: its CmdIDs tell how many of them were carried out, and how often each.
    fn judge_together(&mut self, kind: Kind, cases: &[(&Order, Option<Shown>)], executions: &[Execution]) {
        let (Some(node), most) = (match kind {
            Kind::Reboot => (Some("/rebootnow"), 1),
            Kind::Lock => (Some("/remotelock/lock"), 3),
            Kind::Wipe => (Some("/dowipe"), 1),
            _ => (None, 0),
        }) else {
            return;
        };
        let mut by_id: HashMap<&str, Vec<&Execution>> = HashMap::new();
        for execution in executions.iter().filter(|execution| execution.uri.to_lowercase().ends_with(node)) {
            by_id.entry(&execution.cmd_id).or_default().push(execution);
        }
        for executions in by_id.values() {
            self.by_kind.entry(kind).or_default().executions += executions.len() as u64;
            if executions.len() > most || is_repeated_after_word(executions) {
                self.doubled.push(format!("{kind:?}: {executions:?}"));
            }
        }
        let count =
            |test: fn(&Shown) -> bool| cases.iter().filter(|(_, shown)| shown.as_ref().is_some_and(test)).count();
        let (succeeded, offered) = (count(|shown| shown.state == "succeeded"), count(|shown| shown.offers != Some(0)));
        if by_id.len() < succeeded {
            self.lost.push(format!(
                "{kind:?}: {succeeded} are said to be done, {} were: {cases:?}",
                by_id.len(),
                cases = orders(cases)
            ));
        }
        if by_id.len() > offered {
            self.contradicted.push(format!(
                "{kind:?}: {offered} were sent, {} were done: {:?}",
                by_id.len(),
                orders(cases)
            ));
        }
    }
}

fn orders<'a>(cases: &[(&'a Order, Option<Shown>)]) -> Vec<&'a Order> {
    cases.iter().map(|(order, _)| *order).collect()
}

/// Whether something was done again although the server had the word that it was done. An Add whose answer was lost finds
/// its node there the next time (418): the Replace that follows is the same setting, once, under a CmdID of its own.
fn is_repeated_after_word(executions: &[&Execution]) -> bool {
    let mends = |first: &Execution, next: &Execution| next.cmd_id == format!("{}r1", first.cmd_id);
    executions.windows(2).any(|pair| pair[0].told.is_some_and(|told| told < pair[1].at) && !mends(pair[0], pair[1]))
}

/// The log of a device, the Statuses put to what they tell of.
fn executions(log: &[Line]) -> Vec<Execution> {
    let mut told = vec![None; log.len()];
    for line in log {
        if let Line::Told { at, lines } = line {
            told[lines.clone()].fill(Some(*at));
        }
    }
    let done = log.iter().zip(told).filter_map(|(line, told)| match line {
        Line::Told { .. } => None,
        Line::Done { at, cmd_id, uri, data, .. } => {
            Some(Execution { at: *at, told, cmd_id: cmd_id.clone(), uri: uri.clone(), data: data.clone() })
        }
    });
    done.collect()
}

/// The executions of an order, a list for each of its nodes; None where nothing on the device tells it from others.
fn executions_of<'a>(order: &Order, executions: &'a [Execution]) -> Option<Vec<Vec<&'a Execution>>> {
    if order.kind == Kind::Rename {
        let name = order.new_name();
        return Some(vec![executions.iter().filter(|execution| execution.data == name).collect()]);
    }
    let nodes = order.nodes();
    let of_node = |node: &String| executions.iter().filter(|execution| execution.uri == *node).collect();
    (!nodes.is_empty()).then(|| nodes.iter().map(of_node).collect())
}

/// What the API keeps for a device, by the serial number of the order.
fn shown(api: &Api, device: &str) -> HashMap<u64, Vec<Shown>> {
    let mut found: HashMap<u64, Vec<Shown>> = HashMap::new();
    for kind in ["commands", "actions"] {
        for document in api.list(&format!("/{kind}?device={device}&limit=500")) {
            let serial = serial_of(&document).unwrap_or_else(|| panic!("nobody ordered {document}"));
            let state = document["state"].as_str().expect("a command has a state").to_owned();
            found.entry(serial).or_default().push(Shown { state, offers: document["offers"].as_u64() });
        }
    }
    found
}

fn serial_of(document: &Value) -> Option<u64> {
    if let Some(reason) = document["reason"].as_str() {
        return reason.strip_prefix("order ")?.parse().ok();
    }
    let uris = document["items"].as_array()?.iter().filter_map(|item| item["loc_uri"].as_str());
    let number = uris.filter_map(|uri| uri.strip_prefix(FOLDER)?.split('/').next()).next()?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTING: &str = "./Vendor/MSFT/Example/Order0/Value";
    const EXEC: &str = "./Vendor/MSFT/Example/Order0/Run";
    const REBOOT: &str = "./Device/Vendor/MSFT/Reboot/RebootNow";

    /// Name, order, states in which the API shows it, log, and how often it is lost, doubled, contradicted.
    type Case<'a> = (&'a str, &'a Order, &'a [&'a str], &'a [&'a str], (usize, usize, usize));

    fn order(kind: Kind, fate: Fate) -> Order {
        Order { serial: 0, device: 0, kind, fate, withdrawal: Withdrawal::No }
    }

    /// A log: an execution at each LocURI; at each `!` the server has the word about all before it.
    fn log(words: &[&str]) -> Vec<Line> {
        let line = |(index, word): (usize, &&str)| match *word {
            "!" => Line::Told { at: index as u64, lines: 0..index },
            uri => Line::Done { at: index as u64, cmd_id: "c".to_owned(), uri: uri.to_owned(), data: String::new() },
        };
        words.iter().enumerate().map(line).collect()
    }

    fn verdict(order: &Order, states: &[&str], log: Vec<Line>) -> (usize, usize, usize) {
        let device = Remains { id: "d".to_owned(), log, is_erased: false };
        let each = |state: &&str| Shown { state: (*state).to_owned(), offers: order.kind.is_action().then_some(1) };
        let kept = states.iter().map(each).collect();
        let mut findings = Findings::default();
        findings.judge_device(&[order], &device, HashMap::from([(0, kept)]));
        (findings.lost.len(), findings.doubled.len(), findings.contradicted.len())
    }

    #[test]
    fn the_judge_knows_lost_doubled_and_contradicted() {
        use Fate::{Accepted, Unanswered};
        let (setting, exec) = (order(Kind::Replace, Accepted), order(Kind::Exec, Accepted));
        let (reboot, dark) = (order(Kind::Reboot, Accepted), order(Kind::Exec, Unanswered));
        let withdrawn = Order { withdrawal: Withdrawal::At(5), ..setting.clone() };
        let cases: &[Case<'_>] = &[
            ("done and told", &setting, &["succeeded"], &[SETTING, "!"], (0, 0, 0)),
            ("done again before the word", &setting, &["succeeded"], &[SETTING, SETTING, "!"], (0, 0, 0)),
            ("done again after the word", &setting, &["succeeded"], &[SETTING, "!", SETTING], (0, 1, 0)),
            ("never done", &setting, &["succeeded"], &[], (1, 0, 0)),
            ("not over", &setting, &["sent"], &[SETTING], (1, 0, 0)),
            ("a setting of unknown end", &setting, &["unknown"], &[SETTING], (1, 0, 0)),
            ("gone", &setting, &[], &[], (1, 0, 0)),
            ("kept twice", &setting, &["succeeded", "succeeded"], &[SETTING], (0, 1, 0)),
            ("an Exec done twice", &exec, &["unknown"], &[EXEC, EXEC], (0, 1, 0)),
            ("an Exec of unknown end", &exec, &["unknown"], &[], (0, 0, 0)),
            ("cancelled by nobody", &exec, &["cancelled"], &[], (1, 0, 0)),
            ("not answered, not kept", &dark, &[], &[], (0, 0, 0)),
            ("not kept, and done", &dark, &[], &[EXEC], (0, 0, 1)),
            ("withdrawn, done before", &withdrawn, &["cancelled"], &[SETTING], (0, 0, 0)),
            ("withdrawn, done after", &withdrawn, &["cancelled"], &["", "", "", "", "", "", SETTING], (0, 0, 1)),
            ("a reboot done twice", &reboot, &["succeeded"], &[REBOOT, REBOOT], (0, 1, 0)),
            ("a reboot never done", &reboot, &["succeeded"], &[], (1, 0, 0)),
        ];
        for (name, order, states, words, expected) in cases {
            assert_eq!(verdict(order, states, log(words)), *expected, "{name}: lost, doubled, contradicted");
        }
    }
}
