//! Records acts on silences by command: through the running gateway if it holds the SQLite file.

use anyhow::Context as _;

use super::{Act, ByWhom};
use crate::cli::gateway::Gateway;
use crate::config::Config;
use crate::http::NoteOrder;
use crate::links::LinkKey;
use crate::store::{ActKind, Store, StoreError, Unopened};
use crate::time::Clock;
use crate::words::words;

/// Records each act.
pub(super) async fn all(config: &Config, by: &ByWhom, acts: &[Act<'_>]) -> anyhow::Result<()> {
    if acts.is_empty() {
        return Ok(());
    }
    // A command never creates the record: without a gateway it would not be used.
    let record = Store::open_reading(&config.database)
        .await
        .context(words("打不开记录，网关启动过吗", "the record cannot be opened; has the gateway ever run"))?;
    match Store::open(&config.database, Clock::System.now()).await {
        Ok(store) => {
            for act in acts {
                store.act(order(act, by).act(), Clock::System.now()).await?;
            }
            store.close().await?;
        }
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => {
            let key = LinkKey::from(record.link_secrets().await?);
            let gateway = Gateway::new(config, by.listen.as_ref(), Some(pid), key)?;
            for act in acts {
                gateway.order("/api/v1/acts", serde_json::to_vec(&order(act, by))?).await?;
            }
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn order(act: &Act<'_>, by: &ByWhom) -> NoteOrder {
    NoteOrder {
        kind: act.kind,
        by: by.author.clone(),
        until: act.ends_at,
        detail: format!("{} {}", act.client.upstream(), act.made.id),
    }
}

/// The command of an act.
pub(super) const fn name(kind: ActKind) -> &'static str {
    match kind {
        ActKind::Extend => "extend",
        ActKind::Expire => "expire",
        _ => "create",
    }
}
