//! The calls of WeCom's API in use, their paths, and the commands of a bot's socket.

use std::fmt;

/// A call, displayed as its path below `/cgi-bin/`; or a command of a bot's socket, displayed as its name (page
/// 101463).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// Corp id and secret to token (page 91039).
    GetToken,
    /// A message of an app (90236).
    MessageSend,
    /// A change of a card that was sent (94888).
    CardUpdate,
    /// A recall of a message (94867).
    Recall,
    /// A message into a group chat of an app (90248).
    AppchatSend,
    /// A new group chat (90245).
    AppchatCreate,
    /// A change of a group chat (98913).
    AppchatUpdate,
    /// The data of a group chat (90247).
    AppchatGet,
    /// A message of a webhook (99110).
    WebhookSend,
    /// A file for a webhook (99110).
    WebhookUpload,
    /// A picture or file for three days (90253).
    MediaUpload,
    /// A picture for ever (90256).
    UploadImage,
    /// The data of an app and its visible scope (90227).
    AgentGet,
    /// The data of a member (96255).
    UserGet,
    /// Who signs in to a web page (98177).
    UserInfo,
    /// Mobile to userid (95402).
    UserByMobile,
    /// E-mail to userid (95895).
    UserByEmail,
    /// The members of one department (docs/reference/wecom.md#departments-and-tags).
    UserSimplelist,
    /// A department and those below it (docs/reference/wecom.md#departments-and-tags).
    DepartmentSimplelist,
    /// The members and departments of a tag (90352).
    TagGet,
    /// The addresses of the API itself (92520).
    ApiDomainIp,
    /// Authentication of a bot's socket.
    BotSubscribe,
    /// A message of a bot that answers nothing.
    BotSend,
    /// A bot answers a message.
    BotRespond,
    /// A bot's greeting in an opened conversation.
    BotWelcome,
    /// A bot changes the card that was clicked.
    BotUpdate,
    /// A bot begins to upload a file.
    BotUploadInit,
    /// A piece of the file.
    BotUploadChunk,
    /// The end of the file.
    BotUploadFinish,
}

impl Api {
    /// Path below `/cgi-bin/`, or `cmd` of a frame.
    pub const fn path(self) -> &'static str {
        match self {
            Self::GetToken => "gettoken",
            Self::MessageSend => "message/send",
            Self::CardUpdate => "message/update_template_card",
            Self::Recall => "message/recall",
            Self::AppchatSend => "appchat/send",
            Self::AppchatCreate => "appchat/create",
            Self::AppchatUpdate => "appchat/update",
            Self::AppchatGet => "appchat/get",
            Self::WebhookSend => "webhook/send",
            Self::WebhookUpload => "webhook/upload_media",
            Self::MediaUpload => "media/upload",
            Self::UploadImage => "media/uploadimg",
            Self::AgentGet => "agent/get",
            Self::UserGet => "user/get",
            Self::UserInfo => "auth/getuserinfo",
            Self::UserByMobile => "user/getuserid",
            Self::UserByEmail => "user/get_userid_by_email",
            Self::UserSimplelist => "user/simplelist",
            Self::DepartmentSimplelist => "department/simplelist",
            Self::TagGet => "tag/get",
            Self::ApiDomainIp => "get_api_domain_ip",
            Self::BotSubscribe => "aibot_subscribe",
            Self::BotSend => "aibot_send_msg",
            Self::BotRespond => "aibot_respond_msg",
            Self::BotWelcome => "aibot_respond_welcome_msg",
            Self::BotUpdate => "aibot_respond_update_msg",
            Self::BotUploadInit => "aibot_upload_media_init",
            Self::BotUploadChunk => "aibot_upload_media_chunk",
            Self::BotUploadFinish => "aibot_upload_media_finish",
        }
    }

    /// Longest answer that is read. An app may reach thousands of members and a chat may have 2000, with userids of 64
    /// bytes. A department or a tag may have all members of the corp, 200 bytes each with name and departments. All
    /// other answers are short.
    pub(crate) const fn answer_bytes(self) -> usize {
        match self {
            Self::AgentGet | Self::AppchatGet | Self::DepartmentSimplelist => 1024 * 1024,
            Self::UserSimplelist | Self::TagGet => 4 * 1024 * 1024,
            _ => 64 * 1024,
        }
    }

    /// Whether it is a command of a bot's socket, which is authenticated once at its start.
    const fn is_bot(self) -> bool {
        matches!(
            self,
            Self::BotSubscribe
                | Self::BotSend
                | Self::BotRespond
                | Self::BotWelcome
                | Self::BotUpdate
                | Self::BotUploadInit
                | Self::BotUploadChunk
                | Self::BotUploadFinish
        )
    }

    /// Whether an access token authenticates it; otherwise a stale token cannot be the reason of a failure.
    pub(crate) const fn takes_token(self) -> bool {
        !matches!(self, Self::GetToken | Self::WebhookSend | Self::WebhookUpload) && !self.is_bot()
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}
