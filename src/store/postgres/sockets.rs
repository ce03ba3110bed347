//! Leases of bots' sockets: one replica holds a socket, for a few seconds at a time, by the database's clock.

use std::time::Duration;

use super::Db;
use super::start::named;
use super::tx::{Kind, transaction};
use super::values::values;
use crate::store::StoreError;

impl Db {
    pub(in crate::store) async fn hold_socket(
        &self,
        bot: &str,
        holder: &str,
        held: Duration,
    ) -> Result<bool, StoreError> {
        let holder = named(holder);
        let millis = i64::try_from(held.as_millis()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO socket AS s (bot, holder, held_until)
                   VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
                   ON CONFLICT (bot) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
                   WHERE s.holder = excluded.holder OR s.held_until < clock_timestamp()";
        transaction!(self.writing()?, Kind::Write, tx => async {
            Ok(tx.execute(sql, values![bot, holder, millis]).await? == 1)
        })
    }

    pub(in crate::store) async fn leave_socket(&self, bot: &str, holder: &str) -> Result<(), StoreError> {
        let holder = named(holder);
        let sql = "DELETE FROM socket WHERE bot = $1 AND holder = $2";
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![bot, holder]).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn socket_holder(&self, bot: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT holder FROM socket WHERE bot = $1 AND held_until > clock_timestamp()";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let name = |name: String| name.split_once('/').map_or(name.clone(), |(_, holder)| holder.to_owned());
            tx.row(sql, values![bot]).await?.map(|row| Ok(name(row.try_get(0)?))).transpose()
        })
    }
}
