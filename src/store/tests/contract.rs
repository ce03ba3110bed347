//! What every half of the store guarantees.

use super::*;

#[tokio::test]
async fn the_store_keeps_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let admitted = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    assert_eq!((admitted.duplicate, admitted.transitions, admitted.messages), (false, 1, 1));
    assert_eq!(store.lanes(at(0)).await.unwrap().len(), 1);
    let sent = send(&store, "lane", 1).await;
    assert!(store.lanes(at(0)).await.unwrap().is_empty());
    let delivery = store.delivery(sent).await.unwrap().unwrap();
    assert_eq!(delivery.row.state, State::Sent);
    assert_eq!(delivery.transitions[0].fate, Fate::Named);
    assert_eq!(store.deliveries(DeliveryFilter::default()).await.unwrap().len(), 1);
    assert_eq!(store.audit().await.unwrap(), Audit { named: 1, ..Audit::default() });
    store.ping().await.unwrap();
    store.close().await.unwrap();
}
