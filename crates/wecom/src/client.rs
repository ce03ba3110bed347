//! The client: every call goes through `call`, and those of an app through `call_app`, which manages its token.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use sha2::{Digest, Sha256};

use crate::directory::Book;
use crate::errcode::Class;
use crate::http::{Http, Network, NetworkError, Request};
use crate::outcome::{CallError, Failure, Fault, Outcome, Secrets};
use crate::reply::{self, SendReply};
use crate::send::SendRequest;
use crate::text::Text;
use crate::token::{Fetched, Policy, StoredToken, TokenStore, Tokens};
use crate::{Api, Channel};

/// Deadline of a probe of a host: a person may be waiting for it.
const PROBE: Duration = Duration::from_secs(5);

/// A clock: Unix milliseconds.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The settings of a [`Client`].
pub struct Options {
    /// The network settings.
    pub network: Network,
    /// The clock.
    pub now: Now,
    /// The store of tokens; `None`: in memory only.
    pub store: Option<TokenStore>,
    /// A token is replaced this long before its end: 5 to 10 minutes, a different value in each replica.
    pub refresh_early: Duration,
    /// How long a corp id or secret that WeCom rejected is not tried again.
    pub probe_interval: Duration,
}

impl Options {
    /// With the usual times, and tokens in memory.
    pub const fn new(network: Network, now: Now) -> Self {
        Self {
            network,
            now,
            store: None,
            refresh_early: Duration::from_mins(5),
            probe_interval: Duration::from_mins(5),
        }
    }
}

/// The sender of a message.
#[derive(Debug, Clone)]
pub enum Account {
    /// An app, to people and to its group chats.
    App(App),
    /// A webhook (消息推送), to its one group.
    Webhook(Webhook),
}

/// A self-built app of a corp.
#[derive(Debug, Clone)]
pub struct App {
    /// `ww…`
    pub corp_id: String,
    /// Number of the app.
    pub agent_id: i64,
    /// Secret of the app.
    pub secret: SecretString,
}

/// A webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The key, which is the whole credential.
    pub key: SecretString,
}

/// A client for one WeCom, shared by all senders. A clone shares tokens, connections and cached look-ups.
#[derive(Clone)]
pub struct Client {
    http: Arc<Http>,
    tokens: Arc<Tokens>,
    book: Arc<Book>,
    now: Now,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Reads the extra certificates and sets the network up; nothing is sent.
    pub fn new(options: Options) -> Result<Self, NetworkError> {
        let policy = Policy { refresh_early: options.refresh_early, probe_interval: options.probe_interval };
        Ok(Self {
            http: Arc::new(Http::new(&options.network)?),
            tokens: Arc::new(Tokens::new(policy, options.store)),
            book: Arc::default(),
            now: options.now,
        })
    }

    /// The way to WeCom.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// The cached look-ups.
    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    /// The time.
    pub(crate) fn now(&self) -> i64 {
        (self.now)()
    }

    /// Whether the host answers like WeCom: makes a harmless call without a credential, whose rejection (41001) is
    /// proof enough. Anything but JSON with an integer `errcode` within 5 s is a failure.
    pub async fn reachable(&self) -> Result<(), Failure> {
        let request = Request::get(Api::ApiDomainIp, []);
        let no_secrets = Secrets::default();
        let asked = tokio::time::timeout(PROBE, self.exchange(None, &request, &no_secrets));
        let answered: Result<IgnoredAny, CallError> = asked.await.unwrap_or_else(|_| {
            Err(CallError::Unsure(Failure::new(request.api, Class::Transient, Fault::Timeout, String::new())))
        });
        match answered {
            Ok(_) => Ok(()),
            Err(error) if error.failure().errcode().is_some() => Ok(()),
            Err(CallError::NotDone(failure) | CallError::Unsure(failure)) => Err(failure),
        }
    }

    /// Sends a message once; once more with a fresh token, if WeCom reports a stale one. The bytes are the same each
    /// time.
    pub async fn send(&self, account: &Account, request: &SendRequest) -> Outcome {
        self.send_by(account, request, None).await
    }

    /// The same, but a request that carries the message starts only if it is certain to end by `end`, however long the
    /// token took: after that another process may send the message.
    pub async fn send_by(&self, account: &Account, request: &SendRequest, end: Option<Instant>) -> Outcome {
        let wire = Request { end, ..Request::post(request.api(), request.body.clone()) };
        let reply: Result<SendReply, CallError> = match (account, request.channel) {
            (Account::App(app), Channel::App | Channel::Chat | Channel::CardUpdate) => self.call_app(app, &wire).await,
            (Account::Webhook(webhook), Channel::Webhook) => self.call(("key", &webhook.key), &wire).await,
            // A bot's messages go through its socket, not through this client.
            (Account::App(_), Channel::Webhook | Channel::Bot)
            | (Account::Webhook(_), Channel::App | Channel::Chat | Channel::CardUpdate | Channel::Bot) => {
                Err(CallError::NotDone(Failure::invalid(
                    wire.api,
                    &Text::new("账号属于别的通道", "the account is of another channel"),
                )))
            }
        };
        reply.map_or_else(Outcome::from, Outcome::from)
    }

    /// One call of an app: with its token, and again with a fresh one if that was stale.
    pub(crate) async fn call_app<T: DeserializeOwned>(&self, app: &App, request: &Request) -> Result<T, CallError> {
        let token = self.token(app, None).await?;
        match self.call(("access_token", &token.token), request).await {
            Err(CallError::NotDone(failure)) if failure.class == Class::Token => {}
            other => return other,
        }
        let fresh = self.token(app, Some(&token)).await?;
        self.call(("access_token", &fresh.token), request).await.map_err(|error| match error {
            // WeCom rejects a token that it just gave: the fault is not the token's.
            CallError::NotDone(failure) if failure.class == Class::Token => {
                CallError::NotDone(Failure { class: Class::Configuration, ..failure })
            }
            other => other,
        })
    }

    /// One request and its answer. The credential goes into the URL and into nothing else.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        credential: (&str, &SecretString),
        request: &Request,
    ) -> Result<T, CallError> {
        self.exchange(Some(credential), request, &Secrets::new([credential.1])).await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        credential: Option<(&str, &SecretString)>,
        request: &Request,
        secrets: &Secrets,
    ) -> Result<T, CallError> {
        let answer = self.http.exchange(request, credential).await.map_err(|lost| {
            let words = reply::words(request.api, &lost.detail, secrets);
            let failure = Failure::new(request.api, Class::Transient, lost.fault, words);
            if lost.sent { CallError::Unsure(failure) } else { CallError::NotDone(failure) }
        })?;
        reply::read(request.api, &answer, secrets)
    }

    /// The token of `app`, a different one than `refused`. After any failure, the call that needed it was not made.
    pub(crate) async fn token(&self, app: &App, refused: Option<&StoredToken>) -> Result<StoredToken, CallError> {
        let key = self.token_key(app);
        self.tokens.get(&key, refused, &*self.now, || self.gettoken(app)).await.map_err(CallError::NotDone)
    }

    async fn gettoken(&self, app: &App) -> Result<Fetched, Failure> {
        #[derive(Deserialize)]
        struct Reply {
            access_token: SecretString,
            #[serde(default)]
            expires_in: Option<u64>,
        }
        let request = Request::get(Api::GetToken, [("corpid", app.corp_id.clone())]);
        let reply: Reply =
            self.call(("corpsecret", &app.secret), &request).await.map_err(|error| error.failure().clone())?;
        if reply.access_token.expose_secret().is_empty() {
            return Err(Failure::new(Api::GetToken, Class::Transient, Fault::Incomplete, String::new()));
        }
        // 7200 unless the answer says otherwise (page 91039); a value above one day is not plausible.
        let seconds = reply.expires_in.filter(|seconds| *seconds > 0).unwrap_or(7200).min(86_400);
        tracing::info!(app.corp_id, app.agent_id, lifetime_s = seconds, "Fetched an access token.");
        Ok(Fetched { token: reply.access_token, lifetime: Duration::from_secs(seconds) })
    }

    /// Identifies the app, its secret and its WeCom, without revealing the secret: a token is never sent to another
    /// host than the one that gave it.
    pub(crate) fn token_key(&self, app: &App) -> String {
        let mut hash = Sha256::new();
        for part in [self.http.base().as_bytes(), app.corp_id.as_bytes(), app.secret.expose_secret().as_bytes()] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        format!("{}/{}/{}", app.corp_id, app.agent_id, URL_SAFE_NO_PAD.encode(&digest[..12]))
    }
}
