//! Who is told that an alert is over, where the people of a target change: by a rota or in a file.
//!
//! Those who were told that it is firing are told of its end, although another shift may be on duty by then. The shift that
//! never heard of it does not hear of its end.

use std::collections::BTreeSet;

use super::page::Page;
use super::{Deliver, way};
use crate::alert::TransitionKind;
use crate::config::{Target, To};
use crate::store::{DeliveryFilter, Queued, StoreError};

/// Messages of an episode in one lane that are searched for their recipients: the newest.
const SEARCHED: usize = 20;

/// The target of a message that tells `page`, if the ends in it go to others than those on duty now.
pub(super) async fn target(
    deliver: &Deliver,
    queued: &Queued,
    target: &Target,
    page: &Page,
) -> Result<Option<Target>, StoreError> {
    let To::Members { users_file, on_call, .. } = &target.to else { return Ok(None) };
    let is_end = |kind: TransitionKind| matches!(kind, TransitionKind::Resolved | TransitionKind::Lapsed);
    let ends = page.told.iter().filter(|line| is_end(line.kind)).count();
    if ends == 0 || (users_file.is_none() && on_call.is_none()) {
        return Ok(None);
    }
    let told = told(deliver, queued).await?;
    Ok(changed(target, told, ends == page.told.len()))
}

/// `target` with those who were `told` of the beginning; `only`: and no others of its rota or file, because the message
/// tells of nothing but ends.
fn changed(target: &Target, told: BTreeSet<String>, only: bool) -> Option<Target> {
    let mut target = target.clone();
    let To::Members { users, users_file, on_call, .. } = &mut target.to else { return None };
    if told.is_empty() {
        return None;
    }
    users.extend(told);
    if only {
        (*users_file, *on_call) = (None, None);
    }
    Some(target)
}

/// The people whom messages of this episode in this lane addressed by name while it was firing.
async fn told(deliver: &Deliver, queued: &Queued) -> Result<BTreeSet<String>, StoreError> {
    let filter = DeliveryFilter {
        thread: Some(queued.thread),
        lane: Some(queued.lane.clone()),
        before: Some(queued.message),
        limit: SEARCHED,
        ..DeliveryFilter::default()
    };
    let mut people = BTreeSet::new();
    for row in deliver.store.deliveries(filter).await?.into_iter().filter(|row| row.firing > 0 && row.act.is_none()) {
        let Some(message) = deliver.store.delivery(row.message).await? else { continue };
        people.extend(message.frozen.iter().flat_map(|part| way::addressed(part.body.as_bytes()).users));
    }
    // "@all" is no person.
    people.retain(|person| !person.starts_with('@'));
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Face;

    fn duty() -> Target {
        let to = To::Members {
            app: "ops".to_owned(),
            users: vec!["boss".to_owned()],
            users_file: None,
            on_call: Some("dba".to_owned()),
            parties: Vec::new(),
            tags: Vec::new(),
        };
        Target {
            to,
            face: Face::Text,
            mention: Vec::new(),
            mention_from: Vec::new(),
            mention_mobiles: Vec::new(),
            image: false,
            parts: 1,
        }
    }

    #[test]
    fn an_end_goes_to_those_who_were_told_and_a_mixed_message_to_the_shift_as_well() {
        let duty = duty();
        let told = || BTreeSet::from(["zhangsan".to_owned()]);
        let people = |target: &Target| match &target.to {
            To::Members { users, on_call, .. } => (users.clone(), on_call.is_some()),
            other => panic!("{other:?}"),
        };
        let both = vec!["boss".to_owned(), "zhangsan".to_owned()];
        assert_eq!(people(&changed(&duty, told(), true).unwrap()), (both.clone(), false));
        assert_eq!(people(&changed(&duty, told(), false).unwrap()), (both, true));
        assert!(
            changed(&duty, BTreeSet::new(), true).is_none(),
            "its first messages were pruned: those on duty are told"
        );
    }
}
