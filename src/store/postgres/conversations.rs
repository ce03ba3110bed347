//! Conversations of bots, and single notifications.

use tokio_postgres::Row;

use super::Db;
use super::lanes::kept;
use super::tx::{Kind, transaction};
use super::values::{moment, values};
use crate::store::text::text;
use crate::store::{Conversation, Kept, StoreError};

impl Db {
    pub(in crate::store) async fn learn(&self, conversation: Conversation) -> Result<(), StoreError> {
        let Conversation { bot, chat, group, user, heard_at } = conversation;
        let (bot, chat, user) = (text(&bot).into_owned(), text(&chat).into_owned(), text(&user).into_owned());
        let sql = "INSERT INTO conversation (bot, chat, is_group, speaker, heard_at) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (bot, chat) DO UPDATE SET is_group = excluded.is_group, speaker = excluded.speaker,
                       heard_at = excluded.heard_at
                   WHERE excluded.heard_at >= conversation.heard_at";
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![bot, chat, group, user, heard_at.0]).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn conversations(&self) -> Result<Vec<Conversation>, StoreError> {
        let sql = "SELECT bot, chat, is_group, speaker, heard_at FROM conversation ORDER BY bot, chat";
        let conversation = |row: &Row| {
            Ok(Conversation {
                bot: row.try_get(0)?,
                chat: row.try_get(1)?,
                group: row.try_get(2)?,
                user: row.try_get(3)?,
                heard_at: moment(row, 4)?,
            })
        };
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(sql, values![]).await?.iter().map(conversation).collect()
        })
    }

    pub(in crate::store) async fn notification(&self, id: i64) -> Result<Option<Kept>, StoreError> {
        let sql = "SELECT id, source, format, content_type, path_receiver, received_at, raw, codec
                   FROM notification WHERE id = $1";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.row(sql, values![id]).await?.map(|row| kept(&row, 0)).transpose()
        })
    }
}
