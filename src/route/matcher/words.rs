//! The texts that a pattern stands for, where they can be counted.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

/// All texts that `pattern` matches as a whole, if they are at most `most`; `None` for a pattern without an end.
pub(super) fn of(pattern: &str, most: usize) -> Option<BTreeSet<String>> {
    texts(&regex_syntax::parse(pattern).ok()?, most)
}

fn texts(hir: &Hir, most: usize) -> Option<BTreeSet<String>> {
    let found = match hir.kind() {
        HirKind::Empty => [String::new()].into(),
        HirKind::Literal(literal) => [String::from_utf8(literal.0.to_vec()).ok()?].into(),
        HirKind::Class(Class::Unicode(class)) => {
            let count: u64 =
                class.iter().map(|range| u64::from(u32::from(range.end()) - u32::from(range.start())) + 1).sum();
            if count > most as u64 {
                return None;
            }
            class.iter().flat_map(|range| range.start()..=range.end()).map(String::from).collect()
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) => return None,
        HirKind::Capture(capture) => texts(&capture.sub, most)?,
        HirKind::Repetition(repetition) => {
            let once = texts(&repetition.sub, most)?;
            let last = usize::try_from(repetition.max?).ok().filter(|&last| last <= most)?;
            let first = usize::try_from(repetition.min).ok()?;
            let mut so_far: BTreeSet<String> = [String::new()].into();
            let mut all = BTreeSet::new();
            for times in 0..=last {
                if times >= first {
                    all.extend(so_far.iter().cloned());
                }
                if times < last {
                    so_far = joined(&so_far, &once, most)?;
                }
            }
            all
        }
        HirKind::Concat(parts) => parts
            .iter()
            .try_fold(BTreeSet::from([String::new()]), |so_far, part| joined(&so_far, &texts(part, most)?, most))?,
        HirKind::Alternation(parts) => {
            let mut all = BTreeSet::new();
            for part in parts {
                all.extend(texts(part, most)?);
            }
            all
        }
    };
    (found.len() <= most).then_some(found)
}

/// Each of `first` with each of `second` behind it.
fn joined(first: &BTreeSet<String>, second: &BTreeSet<String>, most: usize) -> Option<BTreeSet<String>> {
    if first.len() * second.len() > most {
        return None;
    }
    Some(first.iter().flat_map(|first| second.iter().map(move |second| format!("{first}{second}"))).collect())
}
