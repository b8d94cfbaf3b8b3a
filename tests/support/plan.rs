//! A device that answers by a plan, and what its answers justify. Nothing here knows the engine: what is expected is told
//! from the tables of status codes alone. Both the tests of the engine and those of the whole server use it.

use std::collections::BTreeMap;

/// What is asked of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    Get,
    Add,
    /// An Add without a value.
    AddNode,
    Replace,
    Delete,
    Exec,
}

/// One top-level command.
#[derive(Clone, Debug)]
pub enum Plan {
    One(Leaf),
    Atomic(Vec<Leaf>),
    Sequence(Vec<Leaf>),
}

/// A command as the device got it.
#[derive(Clone, Debug)]
pub struct Got {
    pub verb: String,
    pub cmd_id: String,
    pub uri: Option<String>,
    pub children: Vec<Self>,
}

/// A Status of the device.
#[derive(Clone, Debug)]
pub struct Said {
    pub cmd_ref: String,
    pub cmd: String,
    pub code: u16,
    /// The node of which there is a value too.
    pub value_of: Option<String>,
}

/// A device with a tree of its own and a mind of its own.
pub struct Device {
    seed: u64,
    /// Whether it also asks to come later, and forgets to answer.
    fickle: bool,
    exists: BTreeMap<String, bool>,
    /// Verb and code of each answer about a node, in order; no code where there was no answer.
    pub log: BTreeMap<String, Vec<(String, Option<u16>)>>,
}

/// Answers that a single command may get, whatever the tree says. `None`: no Status.
const FICKLE: [Option<u16>; 10] =
    [Some(503), Some(417), Some(420), Some(424), Some(510), Some(408), Some(506), None, None, None];
const STUBBORN: [Option<u16>; 14] = [
    Some(200),
    Some(202),
    Some(404),
    Some(404),
    Some(418),
    Some(418),
    Some(405),
    Some(500),
    Some(505),
    Some(400),
    Some(403),
    Some(406),
    Some(415),
    Some(501),
];
/// The same inside an Atomic or a Sequence.
const INSIDE: [u16; 8] = [404, 404, 418, 418, 405, 500, 415, 403];

impl Device {
    pub fn new(seed: u64, fickle: bool) -> Self {
        Self { seed, fickle, exists: BTreeMap::new(), log: BTreeMap::new() }
    }

    /// What it says to a message, in order.
    pub fn answer(&mut self, commands: &[Got]) -> Vec<Said> {
        let mut said = Vec::new();
        for command in commands {
            match command.verb.as_str() {
                "Atomic" => self.atomic(command, &mut said),
                "Sequence" => self.sequence(command, &mut said),
                _ => self.single(command, &mut said),
            }
        }
        said
    }

    fn single(&mut self, command: &Got, said: &mut Vec<Said>) {
        let uri = command.uri.clone().expect("a node");
        let roll = self.roll(&uri);
        let code = match roll % 3 {
            0 if self.fickle && roll.is_multiple_of(2) => pick(&FICKLE, roll),
            0 => pick(&STUBBORN, roll),
            _ => Some(self.natural(&command.verb, &uri)),
        };
        self.write(command, code);
        said.extend(code.map(|code| spoken(command, code)));
    }

    /// Strictly one after the other, whatever becomes of each.
    fn sequence(&mut self, command: &Got, said: &mut Vec<Said>) {
        if !self.roll(&command.cmd_id).is_multiple_of(4) {
            said.push(spoken(command, 200));
        }
        for child in &command.children {
            let uri = child.uri.clone().expect("a node");
            let roll = self.roll(&uri);
            let code = if roll.is_multiple_of(3) { pick(&INSIDE, roll) } else { self.natural(&child.verb, &uri) };
            self.write(child, Some(code));
            said.push(spoken(child, code));
        }
    }

    /// All or nothing.
    fn atomic(&mut self, command: &Got, said: &mut Vec<Said>) {
        let before = self.exists.clone();
        let mut codes = Vec::new();
        for child in &command.children {
            let uri = child.uri.clone().expect("a node");
            let roll = self.roll(&uri);
            let code = if roll.is_multiple_of(3) { pick(&INSIDE, roll) } else { self.natural(&child.verb, &uri) };
            codes.push(code);
            if code >= 300 {
                break;
            }
        }
        let failed = codes.last().is_some_and(|code| *code >= 300);
        if failed {
            self.exists = before;
            let undone = if self.roll(&command.cmd_id).is_multiple_of(6) { 516 } else { 216 };
            let culprit = codes.len() - 1;
            codes[..culprit].fill(undone);
            codes.resize(command.children.len(), 215);
        }
        if !self.roll(&command.cmd_id).is_multiple_of(4) {
            said.push(spoken(command, if failed { 507 } else { 200 }));
        }
        for (child, code) in command.children.iter().zip(codes) {
            self.write(child, Some(code));
            said.push(spoken(child, code));
        }
    }

    /// What the tree itself says, and does.
    fn natural(&mut self, verb: &str, uri: &str) -> u16 {
        let is_there = self.seed.wrapping_add(uri.bytes().map(u64::from).sum()).is_multiple_of(2);
        let exists = self.exists.entry(uri.to_owned()).or_insert(is_there);
        match (verb, *exists) {
            ("Exec", _) | ("Get" | "Replace", true) => 200,
            ("Add", true) => 418,
            ("Add", false) => {
                *exists = true;
                201
            }
            ("Delete", true) => {
                *exists = false;
                200
            }
            _ => 404,
        }
    }

    fn write(&mut self, command: &Got, code: Option<u16>) {
        let uri = command.uri.clone().expect("a node");
        self.log.entry(uri).or_default().push((command.verb.clone(), code));
    }

    /// A number for what is asked now; another one the next time.
    fn roll(&self, name: &str) -> u64 {
        let times = self.log.get(name).map_or(0, Vec::len) as u64;
        let mut hash = self.seed ^ 0xcbf2_9ce4_8422_2325;
        for byte in name.bytes().map(u64::from).chain([times, self.log.len() as u64]) {
            hash = (hash ^ byte).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash ^ (hash >> 29)
    }
}

fn pick<T: Copy>(from: &[T], roll: u64) -> T {
    let count = from.len() as u64;
    from[usize::try_from((roll >> 8) % count).expect("small")]
}

fn spoken(command: &Got, code: u16) -> Said {
    let value_of = command.uri.clone().filter(|_| command.verb == "Get" && code == 200);
    Said { cmd_ref: command.cmd_id.clone(), cmd: command.verb.clone(), code, value_of }
}

/// The node of a leaf, by its place.
pub fn uri(place: usize, inner: usize) -> String {
    format!("./Vendor/MSFT/Example/n{place}x{inner}")
}

/// The commands as an administrator writes them.
pub fn fragment(plans: &[Plan]) -> String {
    let mut out = String::new();
    for (place, plan) in plans.iter().enumerate() {
        let all = |leaves: &[Leaf]| -> String {
            leaves.iter().enumerate().map(|(inner, leaf)| written(*leaf, &uri(place, inner))).collect()
        };
        out.push_str(&match plan {
            Plan::One(leaf) => written(*leaf, &uri(place, 0)),
            Plan::Atomic(leaves) => format!("<Atomic><CmdID>1</CmdID>{}</Atomic>", all(leaves)),
            Plan::Sequence(leaves) => format!("<Sequence><CmdID>1</CmdID>{}</Sequence>", all(leaves)),
        });
    }
    out
}

fn written(leaf: Leaf, uri: &str) -> String {
    let (verb, data) = match leaf {
        Leaf::Get => ("Get", ""),
        Leaf::Add => ("Add", "<Data>v</Data>"),
        Leaf::AddNode => ("Add", ""),
        Leaf::Replace => ("Replace", "<Data>v</Data>"),
        Leaf::Delete => ("Delete", ""),
        Leaf::Exec => ("Exec", ""),
    };
    format!("<{verb}><CmdID>1</CmdID><Item><Target><LocURI>{uri}</LocURI></Target>{data}</Item></{verb}>")
}

/// What the answers about one node come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Done,
    /// It follows the Atomic around it.
    Follows,
    Unsupported,
    Failed,
    /// A one-shot command without an answer.
    Unknown,
}

/// The state that the answers justify, in the word of the API; an error where something was left undone or done twice.
pub fn justified(plans: &[Plan], device: &Device) -> Result<&'static str, String> {
    let mut fates = Vec::new();
    for (place, plan) in plans.iter().enumerate() {
        let leaves: &[Leaf] = match plan {
            Plan::One(leaf) => std::slice::from_ref(leaf),
            Plan::Atomic(leaves) | Plan::Sequence(leaves) => leaves,
        };
        let mut own = Vec::new();
        for (inner, leaf) in leaves.iter().enumerate() {
            let node = uri(place, inner);
            let answers = device.log.get(&node).ok_or_else(|| format!("{node} was never asked"))?;
            // What would run twice with it keeps a Sequence from being sent again.
            let ran_behind = matches!(plan, Plan::Sequence(_))
                && leaves.iter().enumerate().skip(inner + 1).any(|(later, leaf)| {
                    *leaf == Leaf::Exec && ran(device.log.get(&uri(place, later)).map_or(&[], Vec::as_slice)) > 0
                });
            let fate =
                fate(*leaf, answers, ran_behind).map_err(|words| format!("{node} {leaf:?} {answers:?}: {words}"))?;
            if *leaf == Leaf::Exec && ran(answers) > 1 {
                return Err(format!("{node} ran {} times: {answers:?}", ran(answers)));
            }
            if let Plan::One(_) = plan {
                decided_once(*leaf, answers).map_err(|words| format!("{node} {leaf:?} {answers:?}: {words}"))?;
            }
            own.push(fate);
        }
        if own.contains(&Fate::Follows) && !own.contains(&Fate::Failed) {
            return Err(format!("the Atomic at {place} was given up without a reason: {own:?}"));
        }
        fates.extend(own);
    }
    Ok(match fates.iter().max() {
        Some(Fate::Unknown) => "unknown",
        Some(Fate::Failed) => "failed",
        Some(Fate::Unsupported) => "unsupported",
        _ => "succeeded",
    })
}

/// The last answer about a node decides, if nothing else is left to do.
fn fate(leaf: Leaf, answers: &[(String, Option<u16>)], ran_behind: bool) -> Result<Fate, &'static str> {
    let (verb, code) = answers.last().ok_or("no answer")?;
    let tried = |verb: &str| answers.iter().any(|(each, _)| each == verb);
    // An Add whose answer was lost may itself have made what the next one finds.
    let own_work = answers.iter().rev().take_while(|(each, _)| each == "Add").any(|(_, code)| code.is_none());
    let Some(code) = code else {
        let silent = answers.iter().filter(|(each, code)| each == verb && code.is_none()).count();
        return match leaf {
            Leaf::Exec => Ok(Fate::Unknown),
            _ if silent < 2 => Err("one missing Status is forgiven"),
            _ => Ok(Fate::Failed),
        };
    };
    Ok(match (code, verb.as_str()) {
        (215 | 216 | 516, _) => Fate::Follows,
        (408 | 417 | 420 | 424 | 426 | 503 | 506 | 510, _) if answers.len() < 2 => {
            return Err("it asked to come again later");
        }
        (200..=299, _) | (404 | 410, "Get" | "Delete") => Fate::Done,
        (418, "Add") if leaf == Leaf::AddNode || own_work => Fate::Done,
        (418, "Add") if !tried("Replace") && !ran_behind => return Err("it was not tried as Replace"),
        (404 | 410, "Replace") if !tried("Add") && !ran_behind => return Err("it was not tried as Add"),
        (404 | 410, "Exec") | (406 | 501, _) => Fate::Unsupported,
        _ => Fate::Failed,
    })
}

/// A final answer to a single command is the last one.
fn decided_once(leaf: Leaf, answers: &[(String, Option<u16>)]) -> Result<(), &'static str> {
    let Some((_, before)) = answers.split_last() else { return Ok(()) };
    let is_open = |(verb, code): &(String, Option<u16>)| match (code, verb.as_str()) {
        (None, _) => leaf != Leaf::Exec,
        (Some(408 | 417 | 420 | 424 | 426 | 503 | 506 | 510), _) => true,
        (Some(418), "Add") => leaf != Leaf::AddNode,
        (Some(404 | 410), "Replace") => true,
        _ => false,
    };
    if before.iter().all(is_open) && answers.len() <= 16 { Ok(()) } else { Err("it was sent again after its answer") }
}

/// How often it was carried out.
fn ran(answers: &[(String, Option<u16>)]) -> usize {
    answers.iter().filter(|(_, code)| matches!(code, Some(200..=299)) && *code != Some(215)).count()
}
