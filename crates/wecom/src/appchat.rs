//! Group chats of an app: created, changed and read (docs/reference/wecom.md#app-chats). What WeCom would reject is
//! rejected here, with a reason.
//!
//! WeCom has no list of an app's chats: their creator must keep the chatids.

use serde::{Deserialize, Serialize};

use crate::http::Request;
use crate::outcome::{CallError, Failure};
use crate::send::{is_userid, json};
use crate::text::Text;
use crate::{Api, App, Client};

/// WeCom cuts longer names (page 90245).
const NAME_CHARS: usize = 50;
const MIN_MEMBERS: usize = 2;
const MAX_MEMBERS: usize = 2000;
const CHATID_CHARS: usize = 32;

/// A group chat to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NewChat {
    /// At most 50 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One of the members; a random one if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// 2 to 2000 userids.
    #[serde(rename = "userlist")]
    pub members: Vec<String>,
    /// 1 to 32 letters and digits, not used before; WeCom generates one if `None`. With one of our own, a call with an
    /// unknown result can be cleared up by [`Client::chat`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chatid: Option<String>,
}

/// A change of a group chat; empty fields stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChatChange {
    /// New name, at most 50 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New owner; needed if the present one is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Userids that join.
    #[serde(rename = "add_user_list", skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<String>,
    /// Userids that leave.
    #[serde(rename = "del_user_list", skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// A group chat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Chat {
    /// Its id.
    pub chatid: String,
    /// Its name; may be empty.
    #[serde(default)]
    pub name: String,
    /// Userid of the owner.
    #[serde(default)]
    pub owner: String,
    /// Userids of all members, including the owner.
    #[serde(default, rename = "userlist")]
    pub members: Vec<String>,
}

impl Client {
    /// Creates a group chat and returns its chatid. Clients show it with its first message, so send one at once.
    pub async fn create_chat(&self, app: &App, chat: &NewChat) -> Result<String, CallError> {
        #[derive(Deserialize)]
        struct Reply {
            chatid: String,
        }
        check_new(chat).map_err(|why| refused(Api::AppchatCreate, &why))?;
        let reply: Reply = self.call_app(app, &Request::post(Api::AppchatCreate, json(chat))).await?;
        Ok(reply.chatid)
    }

    /// Changes a group chat of this app.
    pub async fn change_chat(&self, app: &App, chatid: &str, change: &ChatChange) -> Result<(), CallError> {
        #[derive(Serialize)]
        struct Body<'a> {
            chatid: &'a str,
            #[serde(flatten)]
            change: &'a ChatChange,
        }
        #[derive(Deserialize)]
        struct Reply {}
        check_chatid(chatid).and_then(|()| check_change(change)).map_err(|why| refused(Api::AppchatUpdate, &why))?;
        let body = json(&Body { chatid, change });
        let _: Reply = self.call_app(app, &Request::post(Api::AppchatUpdate, body)).await?;
        Ok(())
    }

    /// The data of a group chat of this app.
    pub async fn chat(&self, app: &App, chatid: &str) -> Result<Chat, CallError> {
        #[derive(Deserialize)]
        struct Reply {
            chat_info: Chat,
        }
        check_chatid(chatid).map_err(|why| refused(Api::AppchatGet, &why))?;
        let request = Request::get(Api::AppchatGet, [("chatid", chatid.to_owned())]);
        let reply: Reply = self.call_app(app, &request).await?;
        Ok(reply.chat_info)
    }
}

fn refused(api: Api, why: &Text) -> CallError {
    CallError::NotDone(Failure::invalid(api, why))
}

fn check_new(chat: &NewChat) -> Result<(), Text> {
    let members = &chat.members;
    if !(MIN_MEMBERS..=MAX_MEMBERS).contains(&members.len()) {
        let count = members.len();
        return Err(Text::new(
            format!("群成员应为 2–2000 人，现为 {count} 人"),
            format!("a chat has 2 to 2000 members, not {count}"),
        ));
    }
    check_userids(members)?;
    check_name(chat.name.as_deref())?;
    if let Some(owner) = &chat.owner
        && !members.iter().any(|member| member.eq_ignore_ascii_case(owner))
    {
        return Err(Text::new(
            format!("群主 {owner} 不在群成员中"),
            format!("the owner {owner} is not among the members"),
        ));
    }
    chat.chatid.as_deref().map_or(Ok(()), check_chatid)
}

fn check_change(change: &ChatChange) -> Result<(), Text> {
    if *change == ChatChange::default() {
        return Err(Text::new("没有要修改的内容", "there is nothing to change"));
    }
    check_name(change.name.as_deref())?;
    for userids in [&change.add, &change.remove] {
        if userids.len() > MAX_MEMBERS {
            return Err(Text::new("一次最多 2000 人", "at most 2000 members at once"));
        }
        check_userids(userids)?;
    }
    check_userids(change.owner.as_slice())
}

fn check_chatid(chatid: &str) -> Result<(), Text> {
    let fits = (1..=CHATID_CHARS).contains(&chatid.len()) && chatid.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits {
        return Ok(());
    }
    Err(Text::new("chatid 应为 1–32 个字母或数字", "a chatid is 1 to 32 letters and digits"))
}

fn check_name(name: Option<&str>) -> Result<(), Text> {
    if name.is_some_and(|name| name.chars().count() > NAME_CHARS) {
        return Err(Text::new("群名最多 50 个字", "the name of a chat has at most 50 characters"));
    }
    Ok(())
}

fn check_userids(userids: &[String]) -> Result<(), Text> {
    match userids.iter().find(|userid| !is_userid(userid)) {
        Some(wrong) => Err(Text::new(format!("{wrong:?} 不是 userid"), format!("{wrong:?} is not a userid"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(members: usize) -> NewChat {
        NewChat { members: (0..members).map(|n| format!("user{n}")).collect(), ..NewChat::default() }
    }

    #[test]
    fn chats_that_wecom_would_reject_are_not_sent() {
        assert_eq!(check_new(&chat(2)), Ok(()));
        assert_eq!(check_new(&chat(2000)), Ok(()));
        let name = |n: usize| Some("群".repeat(n));
        let good = NewChat { name: name(50), owner: Some("USER1".into()), chatid: Some("Ops1".into()), ..chat(3) };
        assert_eq!(check_new(&good), Ok(()));
        for wrong in [
            chat(1),
            chat(2001),
            NewChat { name: name(51), ..chat(2) },
            NewChat { owner: Some("nobody".into()), ..chat(2) },
            NewChat { chatid: Some("ops-1".into()), ..chat(2) },
            NewChat { chatid: Some("x".repeat(33)), ..chat(2) },
            NewChat { members: vec!["lisi".into(), "a|b".into()], ..NewChat::default() },
        ] {
            assert!(check_new(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_change_names_something_to_change() {
        assert!(check_change(&ChatChange::default()).is_err());
        let change = ChatChange { remove: vec!["lisi".into()], owner: Some("wu".into()), ..ChatChange::default() };
        assert_eq!(check_change(&change), Ok(()));
        assert!(check_change(&ChatChange { owner: Some("吴".into()), ..change }).is_err());
    }
}
