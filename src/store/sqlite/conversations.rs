//! Conversations of bots, and single notifications.

use rusqlite::{OptionalExtension as _, params};

use super::Db;
use super::lanes::kept;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::store::text::text;
use crate::store::{Conversation, Kept, StoreError};

impl Db {
    pub(in crate::store) async fn learn(&self, conversation: Conversation) -> Result<(), StoreError> {
        self.write(move |connection| {
            let Conversation { bot, chat, group, user, heard_at } = conversation;
            connection
                .held(
                    "INSERT INTO conversation (bot, chat, is_group, speaker, heard_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET is_group = excluded.is_group, speaker = excluded.speaker,
                         heard_at = excluded.heard_at
                     WHERE excluded.heard_at >= conversation.heard_at",
                )?
                .execute(params![text(&bot), text(&chat), group, text(&user), heard_at.0])?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn conversations(&self) -> Result<Vec<Conversation>, StoreError> {
        self.read(|connection| {
            let mut select = connection
                .held("SELECT bot, chat, is_group, speaker, heard_at FROM conversation ORDER BY bot, chat")?;
            let rows = select.query_map([], |row| {
                let heard_at = Timestamp(row.get(4)?);
                Ok(Conversation {
                    bot: row.get(0)?,
                    chat: row.get(1)?,
                    group: row.get(2)?,
                    user: row.get(3)?,
                    heard_at,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn notification(&self, id: i64) -> Result<Option<Kept>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT id, source, format, content_type, path_receiver, received_at, raw, codec
                       FROM notification WHERE id = ?1";
            Ok(connection.held(sql)?.query_row([id], |row| kept(row, 0)).optional()?)
        })
        .await
    }
}
