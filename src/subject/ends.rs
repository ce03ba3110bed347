//! Names in lists: their common ends, their order, and runs of numbers.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use ecow::{EcoString, eco_format};

/// A name is cut only at one of these.
const SEPARATORS: [char; 4] = ['-', '.', '/', ':'];
/// Characters that a common end must have, and that must remain.
const CUT: usize = 4;
const REMAIN: usize = 3;
/// Names in succession that become a run.
const RUN: usize = 3;
/// Numbers in a name that are tried for runs, from the last.
const NUMBERS: usize = 4;

/// Bytes of the common beginning and of the common end of `names` that are cut.
pub(super) fn common(names: &[&str]) -> (usize, usize) {
    let Some(first) = names.first() else { return (0, 0) };
    let enough = |text: &str| text.chars().count() >= CUT;
    let remains = |rest: &str| rest.trim_matches(SEPARATORS).chars().count() >= REMAIN;
    // The parts of an address belong together.
    if names.iter().any(|name| !name.chars().any(char::is_alphabetic)) {
        return (0, 0);
    }
    let separators = || first.match_indices(SEPARATORS).map(|(at, _)| at).collect::<Vec<_>>().into_iter();
    let starts = separators();
    let start = starts
        .rev()
        .find(|at| {
            enough(&first[..*at]) && names.iter().all(|name| name.starts_with(&first[..=*at]) && remains(&name[*at..]))
        })
        .unwrap_or(0);
    let ends = separators().map(|at| first.len() - at);
    let end = ends
        .filter(|length| {
            let end = &first[first.len() - length..];
            enough(&end[1..])
                && names.iter().all(|name| {
                    name.len() >= start + length && name.ends_with(end) && remains(&name[start..name.len() - length])
                })
        })
        .max()
        .unwrap_or(0);
    (start, end)
}

/// The first DNS label of each host, if they have domains and the labels tell them apart.
pub(super) fn first_labels(names: &[&str]) -> Option<Vec<EcoString>> {
    let numeric = |name: &str| name.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ':'));
    if !names.iter().any(|name| name.contains('.')) || names.iter().any(|name| numeric(name) || name.contains('/')) {
        return None;
    }
    let short: Vec<EcoString> = names
        .iter()
        .map(|name| {
            let (host, port) = name.split_once(':').unwrap_or((name, ""));
            let label = host.split('.').next().unwrap_or(host);
            if port.is_empty() { label.into() } else { eco_format!("{label}:{port}") }
        })
        .collect();
    let distinct = |names: &mut dyn Iterator<Item = &str>| names.collect::<HashSet<_>>().len();
    let told = distinct(&mut short.iter().map(EcoString::as_str)) == distinct(&mut names.iter().copied());
    (told && short.iter().all(|label| !label.is_empty())).then_some(short)
}

/// The workload that made a pod: `api` of `api-7d9f6c5b8-x2k9q`, `calico-node` of `calico-node-8xk2q`.
pub(super) fn workload(pod: &str) -> &str {
    let made = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len())
            && part.chars().all(|c| c.is_ascii_digit() || c.is_ascii_lowercase())
            && part.chars().any(|c| c.is_ascii_digit())
    };
    // Kubernetes writes without vowels, so that no words arise.
    let random = |part: &str| {
        part.len() == 5 && part.chars().all(|c| c.is_ascii_digit() || (c.is_ascii_lowercase() && !"aeiou".contains(c)))
            || made(part, 5..=5)
    };
    let Some((rest, _)) = pod.rsplit_once('-').filter(|(rest, last)| random(last) && !rest.is_empty()) else {
        return pod;
    };
    match rest.rsplit_once('-') {
        Some((name, hash)) if made(hash, 6..=10) && !name.is_empty() => name,
        _ => rest,
    }
}

/// Compares names with their numbers as numbers.
pub(super) fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    loop {
        let (mine, theirs) = (digits(left), digits(right));
        if mine > 0 && theirs > 0 {
            let numbers = (left[..mine].trim_start_matches('0'), right[..theirs].trim_start_matches('0'));
            let order = numbers.0.len().cmp(&numbers.1.len()).then_with(|| numbers.0.cmp(numbers.1));
            match order.then_with(|| mine.cmp(&theirs)) {
                Ordering::Equal => (left, right) = (&left[mine..], &right[theirs..]),
                unequal => return unequal,
            }
            continue;
        }
        let (first, second) = (left.chars().next(), right.chars().next());
        let length = first.map_or(0, char::len_utf8);
        if first != second || first.is_none() {
            return first.cmp(&second);
        }
        (left, right) = (&left[length..], &right[length..]);
    }
}

/// Names in succession.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// `host-018…029`, `db-1`, or `40` where it stands behind another of the same network.
    pub text: String,
    /// Places of the names.
    pub members: Vec<usize>,
    /// Does it continue the piece before?
    pub continues: bool,
}

/// `names` with runs of numbers collapsed: the longest first, single names behind.
pub fn runs(names: &[&str]) -> Vec<Piece> {
    let mut of_shape: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        for (start, end) in numbers(name) {
            of_shape.entry((&name[..start], &name[end..])).or_default().push(at);
        }
    }
    // Each name belongs to the shape that most share; of equal ones to that of its last number.
    let shape = |name: &'_ str| -> Option<(usize, usize)> {
        let mut found: Option<((usize, usize), usize)> = None;
        for (start, end) in numbers(name) {
            let size = of_shape.get(&(&name[..start], &name[end..])).map_or(0, Vec::len);
            if found.is_none_or(|(_, most)| size > most) {
                found = Some(((start, end), size));
            }
        }
        found.map(|(shape, _)| shape)
    };
    // Leading zeros belong to the number where all have the same width.
    let padded: HashMap<(&str, &str), bool> = of_shape
        .iter()
        .map(|((before, after), members)| {
            let number = |at: &usize| &names[*at][before.len()..names[*at].len() - after.len()];
            ((*before, *after), members.iter().map(number).any(|number| number.len() > 1 && number.starts_with('0')))
        })
        .collect();
    // By what stands before and behind the number, and the digits of a padded one.
    let mut grouped: HashMap<(&str, &str, usize), Vec<Numbered>> = HashMap::new();
    let mut pieces: Vec<Piece> = Vec::new();
    let single = |at: usize| Piece { text: names[at].to_owned(), members: vec![at], continues: false };
    for (at, name) in names.iter().enumerate() {
        let Some((start, end)) = shape(name) else {
            pieces.push(single(at));
            continue;
        };
        let digits = &name[start..end];
        let padded = padded[&(&name[..start], &name[end..])];
        let key = (&name[..start], &name[end..], if padded { digits.len() } else { 0 });
        match digits.parse::<u64>() {
            Ok(number) => grouped.entry(key).or_default().push((number, at)),
            Err(_) => pieces.push(single(at)),
        }
    }
    for ((before, after, width), mut numbers) in grouped {
        numbers.sort_unstable();
        let network = after.is_empty() && names[numbers[0].1].parse::<Ipv4Addr>().is_ok();
        let mut first_of_network = true;
        for run in successions(&numbers) {
            let (from, to) = (run[0].0, run[run.len() - 1].0);
            let print = |number: u64| if width > 0 { format!("{number:0width$}") } else { number.to_string() };
            if run.len() < RUN {
                for (number, at) in run {
                    let continues = network && !first_of_network;
                    let text = if continues { print(*number) } else { names[*at].to_owned() };
                    first_of_network = false;
                    pieces.push(Piece { text, members: vec![*at], continues });
                }
                continue;
            }
            let continues = network && !first_of_network;
            first_of_network = false;
            let before = if continues { "" } else { before };
            let text = format!("{before}{}…{}{after}", print(from), print(to));
            pieces.push(Piece { text, members: run.iter().map(|(_, at)| *at).collect(), continues });
        }
    }
    arrange(pieces)
}

/// The longest runs first, names of one network together, single names in their natural order.
fn arrange(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut chains: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        match chains.last_mut().filter(|_| piece.continues) {
            Some(chain) => chain.push(piece),
            None => chains.push(vec![piece]),
        }
    }
    let size = |chain: &[Piece]| chain.iter().map(|piece| piece.members.len()).max().unwrap_or(0);
    chains.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| natural(&a[0].text, &b[0].text)));
    chains.concat()
}

/// A number in a name, and the place of the name.
type Numbered = (u64, usize);

/// Pieces of `numbers` that follow each other; equal numbers belong together.
fn successions(numbers: &[Numbered]) -> Vec<&[Numbered]> {
    let mut all = Vec::new();
    let mut start = 0;
    for at in 1..=numbers.len() {
        if at == numbers.len() || numbers[at].0 > numbers[at - 1].0.saturating_add(1) {
            all.push(&numbers[start..at]);
            start = at;
        }
    }
    all
}

/// Where the numbers of `name` are, the last first.
fn numbers(name: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = name.as_bytes();
    let mut end = bytes.len();
    std::iter::from_fn(move || {
        while end > 0 && !bytes[end - 1].is_ascii_digit() {
            end -= 1;
        }
        if end == 0 {
            return None;
        }
        let to = end;
        while end > 0 && bytes[end - 1].is_ascii_digit() {
            end -= 1;
        }
        Some((end, to))
    })
    .take(NUMBERS)
}

/// The width of `text` in columns: Han and other wide characters take two.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

const fn is_wide(c: char) -> bool {
    matches!(c as u32, 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f
        | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &[&str]) -> String {
        let pieces = runs(names);
        let mut seen: Vec<usize> = pieces.iter().flat_map(|piece| piece.members.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..names.len()).collect::<Vec<_>>(), "every name is in one piece");
        pieces.iter().map(|piece| piece.text.clone()).collect::<Vec<_>>().join("、")
    }

    #[test]
    fn runs_of_numbers_collapse() {
        let hosts: Vec<String> = (18..30).map(|number| format!("host-{number:03}")).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        assert_eq!(read(&hosts), "host-018…029");
        assert_eq!(read(&["db-1", "db-2"]), "db-1、db-2");
        assert_eq!(read(&["db-9", "db-10", "db-11", "db-13"]), "db-9…11、db-13");
        assert_eq!(read(&["n-09", "n-10", "n-11"]), "n-09…11");
        assert_eq!(read(&["n-9", "n-09", "n-10", "n-11"]), "n-09…11、n-9");
        let network: Vec<String> = (11..=25).chain([40]).map(|number| format!("10.31.4.{number}")).collect();
        let network: Vec<&str> = network.iter().map(String::as_str).collect();
        assert_eq!(read(&network), "10.31.4.11…25、40");
        assert_eq!(read(&["10.0.0.7:6379", "10.0.0.8:6379", "10.0.0.9:6379"]), "10.0.0.7…9:6379");
        assert_eq!(read(&["甲", "乙", "甲一"]), "乙、甲、甲一");
        assert_eq!(read(&["rack-1-node-7", "rack-2-node-7", "rack-3-node-7"]), "rack-1…3-node-7");
        assert_eq!(read(&["x99999999999999999999999", "x1", "x2"]).matches('x').count(), 3);
        assert_eq!(read(&[]), "");
    }

    #[test]
    fn a_common_end_is_cut_at_a_separator_only_and_leaves_enough() {
        for (names, cut) in [
            (vec!["api-7d9f6c5b8-abcde", "api-7d9f6c5b8-x2k9q"], (13, 0)),
            (vec!["db-1", "db-2"], (0, 0)),
            (vec!["10.31.4.11", "10.31.4.12"], (0, 0)),
            (vec!["payments", "payrolls"], (0, 0)),
            (vec!["web-001-prod-sh", "web-002-prod-sh"], (0, 8)),
            (vec!["订单服务-甲乙丙", "订单服务-丁戊己"], (12, 0)),
        ] {
            assert_eq!(common(&names), cut, "{names:?}");
        }
    }

    #[test]
    fn a_pod_tells_its_workload() {
        for (pod, name) in [
            ("api-7d9f6c5b8-x2k9q", "api"),
            ("calico-node-8xk2q", "calico-node"),
            ("mysql-0", "mysql-0"),
            ("settle-28311420-4kq9z", "settle"),
            ("web", "web"),
            ("order-cache", "order-cache"),
        ] {
            assert_eq!(workload(pod), name, "{pod}");
        }
    }

    #[test]
    fn hosts_of_a_domain_are_told_by_their_first_label_if_it_is_unique() {
        assert_eq!(first_labels(&["a.example.com", "b.example.com"]).unwrap(), ["a", "b"]);
        assert_eq!(first_labels(&["a.x.com", "a.y.com"]), None);
        assert_eq!(first_labels(&["10.0.0.1", "b.example.com"]), None);
    }

    #[test]
    fn numbers_in_names_are_ordered_as_numbers() {
        let mut names = ["n-10", "n-9", "n-09", "甲", "n", "n-10a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["n", "n-9", "n-09", "n-10", "n-10a", "甲"]);
    }
}
