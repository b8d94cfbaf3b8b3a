//! Two answers, element by element: order counts, and each difference gets the path of its element.

use std::collections::HashMap;

use super::fillers::Fillers;
use super::report::Difference;
use crate::proto::xml::{Element, Node};

/// What differs between two answers: the recorded one, and the one of this build.
pub(super) fn differences(recorded: &Element, now: &Element, fillers: &Fillers) -> Vec<Difference> {
    let mut comparison = Comparison { fillers, found: Vec::new() };
    if name(recorded) == name(now) {
        comparison.elements(recorded, now, "");
    } else {
        comparison.note(String::new(), Some(summary(recorded)), Some(summary(now)));
    }
    comparison.found
}

struct Comparison<'f> {
    fillers: &'f Fillers,
    found: Vec<Difference>,
}

/// Differences of one message that are kept.
const MOST: usize = 100;
/// Characters of a value that are shown.
const WIDEST: usize = 160;
/// Beyond so many pairs, children are compared by their place alone.
const MOST_PAIRS: usize = 1_000_000;

impl Comparison<'_> {
    fn note(&mut self, path: String, recorded: Option<String>, now: Option<String>) {
        if self.found.len() < MOST {
            let shown = |text: String| shorten(&self.fillers.shown(&text));
            let difference = Difference { path, recorded: recorded.map(shown), now: now.map(shown) };
            self.found.push(difference);
        }
    }

    /// Two elements of the same name. Depth is bounded by the reader.
    fn elements(&mut self, recorded: &Element, now: &Element, path: &str) {
        self.attributes(recorded, now, path);
        let [left, right] = [recorded, now].map(|element| element.elements().collect::<Vec<_>>());
        if left.is_empty() && right.is_empty() {
            let [then, now] = [recorded, now].map(|element| element.text().into_owned());
            if !self.fillers.same(&then, &now) {
                self.note(path.to_owned(), Some(then), Some(now));
            }
            return;
        }
        let [loose_then, loose_now] = [recorded, now].map(loose_text);
        if loose_then != loose_now {
            self.note(below(path, "text()"), Some(loose_then), Some(loose_now));
        }
        let [left_steps, right_steps] = [steps(&left), steps(&right)];
        for pair in align(&left, &right) {
            match pair {
                (Some(l), Some(r)) => self.elements(left[l], right[r], &below(path, &left_steps[l])),
                (Some(l), None) => self.note(below(path, &left_steps[l]), Some(summary(left[l])), None),
                (None, Some(r)) => self.note(below(path, &right_steps[r]), None, Some(summary(right[r]))),
                (None, None) => {}
            }
        }
    }

    fn attributes(&mut self, recorded: &Element, now: &Element, path: &str) {
        let of = |element: &Element| -> HashMap<String, String> {
            element.attributes.iter().map(|each| (each.local.clone(), each.value.clone())).collect()
        };
        let [then, now] = [of(recorded), of(now)];
        let mut names: Vec<&String> = then.keys().chain(now.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let [then, now] = [then.get(name), now.get(name)];
            if then != now {
                self.note(below(path, &format!("@{name}")), then.cloned(), now.cloned());
            }
        }
    }
}

fn name(element: &Element) -> (&str, &str) {
    (&element.ns, &element.local)
}

fn below(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") }
}

/// Text beside elements, white space aside.
fn loose_text(element: &Element) -> String {
    let texts = element.children.iter().filter_map(|node| match node {
        Node::Text(text) => Some(text.trim()),
        Node::Element(_) => None,
    });
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Each child as a step of a path: with its place among those of its name, where there are several.
fn steps(children: &[&Element]) -> Vec<String> {
    let mut total: HashMap<&str, usize> = HashMap::new();
    for child in children {
        *total.entry(&child.local).or_default() += 1;
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let numbered = children.iter().map(|child| {
        let place = seen.entry(&child.local).or_default();
        *place += 1;
        if total.get(child.local.as_str()) == Some(&1) {
            child.local.clone()
        } else {
            format!("{}[{place}]", child.local)
        }
    });
    numbered.collect()
}

/// What an element is about, by which it is found again where others came or went before it.
fn identity(element: &Element) -> (&str, &str, String) {
    let (ns, local) = name(element);
    let text = |names: &[&str]| {
        let found = names.iter().filter_map(|name| element.elements().find(|child| child.local == *name));
        found.map(|child| child.descendants().map(Element::trimmed).collect::<String>()).collect::<Vec<_>>().join(" ")
    };
    let about = match local {
        "Status" => text(&["MsgRef", "CmdRef", "TargetRef", "SourceRef"]),
        "Item" => text(&["Target", "Source"]),
        _ => text(&["CmdID"]),
    };
    (ns, local, about)
}

/// Pairs of children that belong together, in order; what is alone was there on one side only.
fn align(left: &[&Element], right: &[&Element]) -> Vec<(Option<usize>, Option<usize>)> {
    let [left_ids, right_ids] = [left, right].map(|side| side.iter().map(|each| identity(each)).collect::<Vec<_>>());
    let same = |l: usize, r: usize| left_ids.get(l) == right_ids.get(r);
    let shorter = left.len().min(right.len());
    let head = (0..shorter).take_while(|at| same(*at, *at)).count();
    let tail = (0..shorter - head).take_while(|back| same(left.len() - 1 - back, right.len() - 1 - back)).count();
    let (left_end, right_end) = (left.len() - tail, right.len() - tail);
    let mut pairs: Vec<_> = (0..head).map(|at| (Some(at), Some(at))).collect();
    let (mut l, mut r) = (head, head);
    for (next_l, next_r) in common(&left_ids[head..left_end], &right_ids[head..right_end])
        .into_iter()
        .map(|(l, r)| (l + head, r + head))
        .chain([(left_end, right_end)])
    {
        gap(left, right, (l, next_l), (r, next_r), &mut pairs);
        if next_l < left_end {
            pairs.push((Some(next_l), Some(next_r)));
        }
        (l, r) = (next_l + 1, next_r + 1);
    }
    pairs.extend((0..tail).map(|at| (Some(left_end + at), Some(right_end + at))));
    pairs
}

/// What lies between two pairs: those of one name go together in order.
fn gap(
    left: &[&Element],
    right: &[&Element],
    (mut l, l_end): (usize, usize),
    (mut r, r_end): (usize, usize),
    pairs: &mut Vec<(Option<usize>, Option<usize>)>,
) {
    while l < l_end || r < r_end {
        let names = (left.get(l).filter(|_| l < l_end), right.get(r).filter(|_| r < r_end));
        let go = match names {
            (Some(a), Some(b)) if name(a) == name(b) => (true, true),
            // The side on which more is left goes first.
            (Some(_), Some(_)) => (l_end - l >= r_end - r, l_end - l < r_end - r),
            (a, b) => (a.is_some(), b.is_some()),
        };
        pairs.push((go.0.then_some(l), go.1.then_some(r)));
        l += usize::from(go.0);
        r += usize::from(go.1);
    }
}

/// A longest common subsequence.
fn common<T: PartialEq>(left: &[T], right: &[T]) -> Vec<(usize, usize)> {
    if left.is_empty() || right.is_empty() || left.len().saturating_mul(right.len()) > MOST_PAIRS {
        return Vec::new();
    }
    let width = right.len() + 1;
    let mut lengths = vec![0_u32; (left.len() + 1) * width];
    for l in (0..left.len()).rev() {
        for r in (0..right.len()).rev() {
            lengths[l * width + r] = if left[l] == right[r] {
                lengths[(l + 1) * width + r + 1] + 1
            } else {
                lengths[(l + 1) * width + r].max(lengths[l * width + r + 1])
            };
        }
    }
    let (mut l, mut r, mut out) = (0, 0, Vec::new());
    while l < left.len() && r < right.len() {
        if left[l] == right[r] {
            out.push((l, r));
            (l, r) = (l + 1, r + 1);
        } else if lengths[(l + 1) * width + r] >= lengths[l * width + r + 1] {
            l += 1;
        } else {
            r += 1;
        }
    }
    out
}

/// An element in a line: its leaves by name.
fn summary(element: &Element) -> String {
    let leaves = element.descendants().filter(|each| each.elements().next().is_none());
    let told = leaves.take(20).map(|leaf| match leaf.trimmed() {
        text if text.is_empty() => leaf.local.clone(),
        text => format!("{} {text}", leaf.local),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= WIDEST {
        return text.to_owned();
    }
    let kept: String = text.chars().take(WIDEST - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::xml::{Document, Limits};

    fn found(recorded: &str, now: &str) -> Vec<String> {
        let [recorded, now] = [recorded, now].map(|text| {
            Document::parse_text(format!("<SyncML><SyncBody>{text}</SyncBody></SyncML>"), &Limits::default()).unwrap()
        });
        let told = differences(recorded.root(), now.root(), &Fillers::new()).into_iter().map(|difference| {
            let side = |text: Option<String>| text.unwrap_or_else(|| "nothing".to_owned());
            format!("{}: {} -> {}", difference.path, side(difference.recorded), side(difference.now))
        });
        told.collect()
    }

    fn status(cmd_id: u32, cmd_ref: &str, code: u16) -> String {
        format!("<Status><CmdID>{cmd_id}</CmdID><CmdRef>{cmd_ref}</CmdRef><Data>{code}</Data></Status>")
    }

    #[test]
    fn each_difference_gets_the_path_of_its_element() {
        let [one, two, three] = [(1, "0"), (2, "2"), (3, "3")].map(|(id, cmd_ref)| status(id, cmd_ref, 200));
        let all = format!("{one}{two}{three}<Final/>");
        assert!(found(&all, &all).is_empty());
        let other = format!("{one}{}{three}<Final/>", status(2, "2", 404));
        assert_eq!(found(&all, &other), ["SyncBody/Status[2]/Data: 200 -> 404"]);
        let fewer = format!("{one}{two}<Final/>");
        assert_eq!(found(&all, &fewer), ["SyncBody/Status[3]: CmdID 3, CmdRef 3, Data 200 -> nothing"]);
        assert_eq!(found(&fewer, &all), ["SyncBody/Status[3]: nothing -> CmdID 3, CmdRef 3, Data 200"]);
        assert_eq!(found(&all, &format!("{one}{two}{three}")), ["SyncBody/Final: Final -> nothing"]);
        let renamed = format!("{one}{}{three}<Final/>", status(2, "9", 200));
        assert_eq!(found(&all, &renamed), ["SyncBody/Status[2]/CmdRef: 2 -> 9"]);
        let swapped = format!("{one}{three}{two}<Final/>");
        assert_eq!(found(&all, &swapped).len(), 2, "order counts: {:?}", found(&all, &swapped));
    }

    #[test]
    fn text_attributes_and_namespaces_count_and_white_space_between_elements_does_not() {
        assert!(found("<A> <B>x</B>\n</A>", "<A><B>x</B></A>").is_empty());
        assert_eq!(found("<A><B>x</B></A>", "<A><B> x</B></A>"), ["SyncBody/A/B: x ->  x"]);
        assert_eq!(found("<A k='1'/>", "<A/>"), ["SyncBody/A/@k: 1 -> nothing"]);
        assert_eq!(found("<A><B/>x</A>", "<A><B/></A>"), ["SyncBody/A/text(): x -> "]);
        assert_eq!(
            found("<A xmlns='a'>1</A>", "<A>1</A>"),
            ["SyncBody/A: A 1 -> nothing", "SyncBody/A: nothing -> A 1"]
        );
        assert_eq!(found("<A>1</A>", "<B>1</B>"), ["SyncBody/A: A 1 -> nothing", "SyncBody/B: nothing -> B 1"]);
    }

    #[test]
    fn what_is_shown_is_bounded() {
        let many: String = (0..2000).map(|n| status(n, &n.to_string(), 200)).collect();
        let others: String = (0..2000).map(|n| status(n, &n.to_string(), 500)).collect();
        let shown = found(&many, &others);
        assert_eq!(shown.len(), MOST);
        assert_eq!(shown[99], "SyncBody/Status[100]/Data: 200 -> 500");
        let long = found(&format!("<A>{}</A>", "é".repeat(1000)), "<A>1</A>");
        assert!(long[0].chars().count() < 200, "{long:?}");
    }
}
