//! The calls of WeCom that are used, and their paths.

use std::fmt;

/// A call; shown as its path below `/cgi-bin/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// Corp id and secret to token (page 91039).
    GetToken,
    /// A message of an app (90236).
    MessageSend,
    /// A message into a group chat of an app (90248).
    AppchatSend,
    /// A new group chat (90245).
    AppchatCreate,
    /// A change of a group chat (98913).
    AppchatUpdate,
    /// What a group chat is (90247).
    AppchatGet,
    /// A message of a webhook (99110).
    WebhookSend,
    /// A file for a webhook (99110).
    WebhookUpload,
    /// A picture or file for three days (90253).
    MediaUpload,
    /// A picture for ever (90256).
    UploadImage,
    /// What an app is, and whom it reaches (90227).
    AgentGet,
    /// What a member is (96255).
    UserGet,
    /// Mobile to userid (95402).
    UserByMobile,
    /// E-mail to userid (95895).
    UserByEmail,
    /// The members of one department (wecom-api §9.4).
    UserSimplelist,
    /// A department and those below it (wecom-api §9.4).
    DepartmentSimplelist,
    /// Who carries a tag (90352).
    TagGet,
    /// The addresses of the API itself (92520).
    ApiDomainIp,
}

impl Api {
    /// Path below `/cgi-bin/`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::GetToken => "gettoken",
            Self::MessageSend => "message/send",
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
            Self::UserByMobile => "user/getuserid",
            Self::UserByEmail => "user/get_userid_by_email",
            Self::UserSimplelist => "user/simplelist",
            Self::DepartmentSimplelist => "department/simplelist",
            Self::TagGet => "tag/get",
            Self::ApiDomainIp => "get_api_domain_ip",
        }
    }

    /// The longest answer that is read. An app may reach thousands of members and a chat may hold 2000, with userids
    /// of 64 bytes. A department or a tag may have all members of the corp, 200 bytes each with name and departments.
    /// The answer to anything else is short.
    pub(crate) const fn answer_bytes(self) -> usize {
        match self {
            Self::AgentGet | Self::AppchatGet | Self::DepartmentSimplelist => 1024 * 1024,
            Self::UserSimplelist | Self::TagGet => 4 * 1024 * 1024,
            _ => 64 * 1024,
        }
    }

    /// Whether an access token proves the caller; at the others a stale one cannot be the reason.
    pub(crate) const fn takes_token(self) -> bool {
        !matches!(self, Self::GetToken | Self::WebhookSend | Self::WebhookUpload)
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}
