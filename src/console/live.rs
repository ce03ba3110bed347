//! Which parts of pages show what changed.

use crate::store::Marks;

/// The parts whose contents may differ between two readings: `now`, `i` (an incident), `m` (deliveries), `silences`,
/// `state`.
pub fn changed(before: &Marks, after: &Marks) -> Vec<&'static str> {
    let news = (before.transition, before.act, before.open_acts) != (after.transition, after.act, after.open_acts);
    let sent = (before.message, before.live, before.settled) != (after.message, after.live, after.settled);
    let silences = before.silenced != after.silenced;
    let paused = before.paused != after.paused;
    [
        ("now", news || silences),
        ("i", news || silences || sent),
        ("m", sent),
        ("silences", news || silences),
        ("state", sent || paused),
    ]
    .into_iter()
    .filter_map(|(part, differs)| differs.then_some(part))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_again_only_if_it_may_differ() {
        let before = Marks::default();
        for (after, parts) in [
            (before, &[][..]),
            (Marks { transition: 1, ..before }, &["now", "i", "silences"]),
            (Marks { act: 1, ..before }, &["now", "i", "silences"]),
            (Marks { open_acts: 1, ..before }, &["now", "i", "silences"]),
            (Marks { settled: 1, ..before }, &["i", "m", "state"]),
            (Marks { live: 1, message: 1, ..before }, &["i", "m", "state"]),
            (Marks { silenced: 1, ..before }, &["now", "i", "silences"]),
            (Marks { paused: 1, ..before }, &["state"]),
        ] {
            assert_eq!(changed(&before, &after), parts, "{after:?}");
        }
    }
}
