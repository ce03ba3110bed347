//! Lists of alerts and incidents.

use rusqlite::{Connection, params, params_from_iter};

use super::Db;
use super::alerts::{COLUMNS, alert, select};
use super::record::{DIALECT, values};
use crate::alert::ThreadId;
use crate::store::incidents::{AlertFilter, OF_ONE, OF_PAGE};
use crate::store::{ActAlert, StoreError, lists};

impl Db {
    pub(in crate::store) async fn alerts(&self, filter: AlertFilter) -> Result<Vec<ActAlert>, StoreError> {
        self.read(move |connection| {
            let list = lists::alerts(&format!("SELECT {COLUMNS} FROM alert a"), &filter, &DIALECT);
            let mut select = connection.prepare(&list.sql)?;
            let rows = select.query_map(params_from_iter(values(list.values)), |row| alert(row, 0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn incidents(&self, filter: AlertFilter) -> Result<Vec<ActAlert>, StoreError> {
        self.read(move |connection| {
            let threads = threads(connection, &filter)?;
            let condition = "a.thread IN (SELECT value FROM json_each(?1)) ORDER BY a.thread DESC, a.id LIMIT ?2";
            select(connection, condition, params![serde_json::to_string(&threads).expect("numbers are JSON"), OF_PAGE])
        })
        .await
    }

    pub(in crate::store) async fn alerts_of(&self, thread: ThreadId) -> Result<Vec<ActAlert>, StoreError> {
        self.read(move |connection| {
            select(connection, "a.thread = ?1 ORDER BY a.id LIMIT ?2", params![thread.0, OF_ONE])
        })
        .await
    }
}

fn threads(connection: &Connection, filter: &AlertFilter) -> Result<Vec<i64>, StoreError> {
    let list = lists::incidents(filter, &DIALECT);
    let mut select = connection.prepare(&list.sql)?;
    let rows = select.query_map(params_from_iter(values(list.values)), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Timestamp;
    use crate::search::Question;
    use crate::store::{DeliveryFilter, OnFilter, State, on};

    /// How SQLite reads what a statement asks for.
    fn plan(connection: &Connection, list: &lists::Statement) -> Vec<String> {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", list.sql)).unwrap();
        let rows = explain.query_map(params_from_iter(values(list.values.clone())), |row| row.get(3)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn no_list_reads_a_whole_table_unless_it_goes_by_its_ids() {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::store::migrate::SQLITE {
            connection.execute_batch(step).unwrap();
        }
        let all = DeliveryFilter::default;
        let times = DeliveryFilter { since: Some(Timestamp(9)), until: Some(Timestamp(99)), ..all() };
        let bounds = plan(&connection, &lists::bounds(&times));
        assert!(bounds.iter().all(|step| !step.contains("SCAN message")), "{bounds:#?}");
        let day = DeliveryFilter { from: Some(1), before: Some(9), ..times };
        let select = "SELECT m.id FROM message m JOIN notification n ON n.id = m.notification_id";
        for (filter, reads) in [
            (day.clone(), "SEARCH m USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            (DeliveryFilter { receiver: Some("ops".to_owned()), ..day.clone() }, "SEARCH m USING INTEGER PRIMARY KEY"),
            (DeliveryFilter { receivers: Some(vec![]), ..day }, "SEARCH m USING INTEGER PRIMARY KEY"),
            (DeliveryFilter { before: Some(9), ..all() }, "SEARCH m USING INTEGER PRIMARY KEY (rowid<?)"),
            (DeliveryFilter { thread: Some(ThreadId(9)), ..all() }, "INDEX message_thread"),
            (DeliveryFilter { state: Some(State::Dead), ..all() }, "INDEX message_dead"),
            (DeliveryFilter { state: Some(State::Queued), ..all() }, "INDEX message_live"),
            (DeliveryFilter { errcode: Some(45009), ..all() }, "INDEX attempt_failed"),
            (DeliveryFilter { words: Question::of("磁盘 db"), ..all() }, "SCAN message_term VIRTUAL TABLE"),
            (DeliveryFilter { person: Some("lisi".to_owned()), ..all() }, "SCAN message_term VIRTUAL TABLE"),
            (
                DeliveryFilter { labels: vec![("a".to_owned(), "b".to_owned())], ..all() },
                "SCAN message_term VIRTUAL TABLE",
            ),
        ] {
            let plan = plan(&connection, &lists::deliveries(select, &filter, &DIALECT));
            assert!(plan.iter().any(|step| step.contains(reads)), "{filter:?}: {plan:#?}");
            assert!(!plan.iter().any(|step| step == "SCAN m"), "{filter:?}: {plan:#?}");
            assert!(!plan.iter().any(|step| step == "SCAN message"), "{filter:?}: {plan:#?}");
        }
        let all = AlertFilter::default;
        for (filter, reads) in [
            (AlertFilter { firing: Some(true), ..all() }, "INDEX alert_firing"),
            (AlertFilter { since: Some(Timestamp(9)), ..all() }, "INDEX alert_thread (thread>?"),
            (AlertFilter { firing: Some(false), before: Some(9), ..all() }, "INDEX alert_thread (thread<?"),
        ] {
            let plan = plan(&connection, &lists::incidents(&filter, &DIALECT));
            assert!(plan.iter().any(|step| step.contains(reads)), "{filter:?}: {plan:#?}");
        }
        let sees =
            OnFilter { receivers: Some(vec!["ops".to_owned()]), owner: "lisi".to_owned(), ..OnFilter::default() };
        for (filter, reads) in [
            (OnFilter::default(), vec!["alert_firing"]),
            (sees.clone(), vec!["alert_firing", "alert_held"]),
            (OnFilter { acknowledged: true, ..sees }, vec!["alert_held", "alert_held"]),
        ] {
            let plans: Vec<_> = on::heads(&filter, &DIALECT).iter().map(|list| plan(&connection, list)).collect();
            assert_eq!(plans.len(), reads.len());
            for (plan, index) in plans.iter().zip(reads) {
                assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
                // The first rows of the index are the first ones of the list.
                assert_eq!(index == "alert_held", plan.iter().any(|step| step.contains("ORDER BY")), "{plan:#?}");
            }
        }
        let firing = AlertFilter { firing: Some(true), ..all() };
        let plan = plan(&connection, &lists::alerts("SELECT a.id FROM alert a", &firing, &DIALECT));
        assert!(plan.iter().any(|step| step.contains("INDEX alert_firing")), "{plan:#?}");
    }
}
