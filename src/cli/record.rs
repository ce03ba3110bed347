//! Where a command that only looks finds what it shows: in the database of a configuration, or by `/api/v1` at a gateway that
//! runs elsewhere (`--url`), so that no one needs the secrets of the database to look. Either gives the same plain values,
//! and each command prints them in one way.

mod gateway;
mod rows;

use anyhow::Context as _;
use clap::Args;
use jiff::tz::TimeZone;

use super::{ConfigFile, secret};
use crate::alert::{ThreadId, Timestamp};
use crate::stats::Report;
use crate::store::{
    ActAlert, ActFilter, ActRow, AlertFilter, Audit, Delivery, DeliveryFilter, DeliveryRow, DigestItem, Store,
    TallyFilter,
};
use crate::words::words;
pub(super) use gateway::{Gateway, time};

/// Alerts of a digest that are shown: a screen full. The page behind the link in the message lists all of them.
const DIGESTED: u32 = 20;

/// Rows that the store gives at once.
const PAGE: usize = 1_000;

/// Where a command looks.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// A gateway elsewhere.
    #[command(flatten)]
    pub elsewhere: Elsewhere,
}

/// A gateway that is asked instead.
#[derive(Debug, Clone, Args)]
pub struct Elsewhere {
    /// 不读数据库，而是凭令牌问这个地址上运行的网关。 Ask the gateway that runs at this address, with a token, instead of reading the database.
    #[arg(long, value_name = "URL", env = "WEGRAF_URL")]
    pub url: Option<String>,
    /// --url 用的令牌（wegraf console token create）；写在命令里别的用户看得见，请用变量或 @文件。 The token for --url, of wegraf console token create; others see it in a command: use the variable or @FILE.
    #[arg(long, value_name = "TOKEN", env = "WEGRAF_TOKEN", hide_env_values = true, value_parser = secret)]
    pub token: Option<String>,
}

impl Elsewhere {
    /// The gateway, if one is named.
    pub(super) async fn open(&self) -> anyhow::Result<Option<Gateway>> {
        match &self.url {
            Some(url) => Gateway::open(url, self.token.as_deref()).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The record, here or elsewhere.
pub(super) enum Record {
    Here(Store, TimeZone),
    There(Gateway),
}

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Next {
    #[default]
    Begin,
    /// Behind this row.
    Behind(i64),
    /// At this cursor.
    Cursor(String),
    End,
}

/// What a digest tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sums {
    pub firing: u64,
    pub resolved: u64,
    pub critical: u64,
    pub transitions: u64,
    pub from: Timestamp,
    pub to: Timestamp,
    pub alerts: Vec<DigestItem>,
}

impl Record {
    pub async fn open(place: &Place) -> anyhow::Result<Self> {
        if let Some(gateway) = place.elsewhere.open().await? {
            return Ok(Self::There(gateway));
        }
        let (config, _) = place.file.load_to_look()?;
        let store = Store::open_reading(&config.database)
            .await
            .context(words("打不开记录；网关启动过吗？", "the record cannot be opened; has the gateway ever run?"))?;
        Ok(Self::Here(store, config.timezone))
    }

    /// Whose clock times are on.
    pub fn zone(&self) -> &TimeZone {
        match self {
            Self::Here(_, zone) => zone,
            Self::There(gateway) => gateway.zone(),
        }
    }

    /// A page of messages, newest first; `filter.limit` rows at most.
    pub async fn deliveries(&self, filter: &DeliveryFilter, next: &mut Next) -> anyhow::Result<Vec<DeliveryRow>> {
        match self {
            Self::Here(store, _) => {
                let before = if let Next::Behind(last) = next { Some(*last) } else { filter.before };
                let rows = store.deliveries(DeliveryFilter { before, ..filter.clone() }).await?;
                let whole = rows.len() >= filter.limit.min(PAGE);
                *next = rows.last().filter(|_| whole).map_or(Next::End, |last| Next::Behind(last.message));
                Ok(rows)
            }
            Self::There(gateway) => gateway.deliveries(filter, next).await,
        }
    }

    /// Everything about a message; the sums if it is a digest.
    pub async fn delivery(&self, message: i64) -> anyhow::Result<Option<(Delivery, Option<Sums>)>> {
        let store = match self {
            Self::Here(store, _) => store,
            Self::There(gateway) => return gateway.delivery(message).await,
        };
        let Some(delivery) = store.delivery(message).await? else { return Ok(None) };
        if !delivery.row.digest || delivery.row.folded_into.is_some() {
            return Ok(Some((delivery, None)));
        }
        let digest = store.digest(message).await?;
        let sums = Sums {
            firing: digest.firing,
            resolved: digest.resolved,
            critical: digest.critical,
            transitions: digest.transitions,
            from: digest.from,
            to: digest.to,
            alerts: store.digest_page(message, 0, DIGESTED).await?,
        };
        Ok(Some((delivery, Some(sums))))
    }

    /// Acts, newest first.
    pub async fn acts(&self, filter: ActFilter) -> anyhow::Result<Vec<ActRow>> {
        match self {
            Self::Here(store, _) => Ok(store.acts(filter).await?),
            Self::There(gateway) => gateway.acts(filter).await,
        }
    }

    /// Alerts as each receiver knows them, the last that became known first.
    pub async fn alerts(&self, filter: AlertFilter) -> anyhow::Result<Vec<ActAlert>> {
        match self {
            Self::Here(store, _) => Ok(store.alerts(filter).await?),
            Self::There(gateway) => gateway.alerts(filter).await,
        }
    }

    /// What became of all changes.
    pub async fn audit(&self) -> anyhow::Result<Audit> {
        match self {
            Self::Here(store, _) => Ok(store.audit().await?),
            Self::There(gateway) => gateway.audit().await,
        }
    }

    /// How much alerts asked of people.
    pub async fn report(&self, filter: TallyFilter) -> anyhow::Result<Report> {
        match self {
            Self::Here(store, zone) => {
                let (since, until) = (filter.since, filter.until);
                Ok(Report::of(&store.tally(filter).await?, since, until, zone))
            }
            Self::There(gateway) => gateway.report(filter).await,
        }
    }

    /// All messages with a short id, the oldest first; at most 1,000.
    pub async fn of_incident(&self, thread: ThreadId) -> anyhow::Result<Vec<DeliveryRow>> {
        let filter = DeliveryFilter { thread: Some(thread), limit: 1_000, ..DeliveryFilter::default() };
        let mut rows = self.several(&filter).await?;
        rows.reverse();
        Ok(rows)
    }

    /// The newest messages of a selection, `filter.limit` at most, however many pages they take.
    pub async fn several(&self, filter: &DeliveryFilter) -> anyhow::Result<Vec<DeliveryRow>> {
        let (mut rows, mut next) = (Vec::new(), Next::Begin);
        while next != Next::End && rows.len() < filter.limit {
            let limit = filter.limit - rows.len();
            rows.extend(self.deliveries(&DeliveryFilter { limit, ..filter.clone() }, &mut next).await?);
        }
        rows.truncate(filter.limit);
        Ok(rows)
    }
}
