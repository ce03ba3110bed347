//! Forwarded calls of other programs: unchanged except for the credential.

use bytes::Bytes;
use secrecy::SecretString;
use serde::Deserialize;

use crate::errcode::{Class, classify};
use crate::outcome::{Failure, Secrets};
use crate::{Account, Api, CallError, Client};

/// A call made by another program.
#[derive(Debug, Clone)]
pub struct Forward {
    /// Path below `/cgi-bin/`: lower-case letters, digits, `_` and `/`.
    pub path: String,
    /// The query without the credential.
    pub query: Vec<(String, String)>,
    /// The body with its `Content-Type`; `None`: a GET.
    pub body: Option<(Option<String>, Bytes)>,
}

/// WeCom's answer, success or not.
#[derive(Debug, Clone)]
pub struct Forwarded {
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its bytes.
    pub body: Bytes,
}

impl Client {
    /// Makes the call once; once more with a fresh token, if WeCom reports a stale one. An `errcode` is an answer like
    /// any other.
    pub async fn forward(&self, account: &Account, forward: &Forward) -> Result<Forwarded, CallError> {
        let app = match account {
            Account::Webhook(webhook) => return self.forward_with(("key", &webhook.key), forward).await,
            Account::App(app) => app,
        };
        let token = self.token(app, None).await?;
        let answer = self.forward_with(("access_token", &token.token), forward).await?;
        if !is_stale(&answer.body) {
            return Ok(answer);
        }
        let fresh = self.token(app, Some(&token)).await?;
        self.forward_with(("access_token", &fresh.token), forward).await
    }

    async fn forward_with(&self, credential: (&str, &SecretString), forward: &Forward) -> Result<Forwarded, CallError> {
        self.http().forward(forward, credential).await.map_err(|lost| {
            let secrets = Secrets::new([credential.1]);
            let words = secrets.redact(&String::from_utf8_lossy(&lost.detail));
            let failure = Failure::new(Api::ApiDomainIp, Class::Transient, lost.fault, words);
            if lost.sent { CallError::Unsure(failure) } else { CallError::NotDone(failure) }
        })
    }
}

fn is_stale(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Envelope {
        errcode: i64,
    }
    let envelope = serde_json::from_slice::<Envelope>(body);
    envelope.is_ok_and(|envelope| classify(Api::MessageSend, envelope.errcode) == Class::Token)
}
