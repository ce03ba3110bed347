//! Who a person is that WeCom's authorize page sent back with a code (page 98177).

use serde::Deserialize;

use crate::http::Request;
use crate::outcome::CallError;
use crate::{Api, App, Client};

/// WeCom's answer about a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A member, by userid; of a linked corporation it is `CorpId/userid`. The app's visible scope does not matter.
    Member(String),
    /// Not a member of the corporation.
    Outsider,
}

impl Client {
    /// Who the code was given to. It is valid once and for five minutes (else 40029), for the app whose trusted domain the
    /// browser came back to (else 50001).
    pub async fn identify(&self, app: &App, code: &str) -> Result<Identity, CallError> {
        #[derive(Deserialize)]
        struct Reply {
            #[serde(default, alias = "UserId")]
            userid: String,
        }
        let reply: Reply = self.call_app(app, &Request::get(Api::UserInfo, [("code", code.to_owned())])).await?;
        Ok(if reply.userid.is_empty() { Identity::Outsider } else { Identity::Member(reply.userid) })
    }
}
