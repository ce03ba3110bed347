//! A running gateway, asked by `/api/v1` with a token.

use std::error::Error as _;
use std::time::Duration;

use anyhow::bail;
use jiff::tz::TimeZone;
use reqwest::{StatusCode, Url, header};
use serde_json::Value;

use super::rows::{self, Row};
use super::{Next, Sums};
use crate::alert::Timestamp;
use crate::cli::Misused;
use crate::stats::Report;
use crate::store::{
    ActAlert, ActFilter, ActRow, AlertFilter, Audit, Delivery, DeliveryFilter, DeliveryRow, TallyFilter,
};
use crate::words::{Words, spoken, told, words};

/// Deadline for an answer.
const DEADLINE: Duration = Duration::from_secs(20);
/// Rows of a page.
const PAGE: usize = 200;
/// How often a question is asked again because there were too many.
const AGAIN: u32 = 10;

/// A gateway elsewhere.
pub(in crate::cli) struct Gateway {
    client: reqwest::Client,
    /// Without a slash at its end.
    url: String,
    token: String,
    zone: TimeZone,
}

impl Gateway {
    /// The gateway at `url`, which knows the token.
    pub(super) async fn open(url: &str, token: Option<&str>) -> anyhow::Result<Self> {
        let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(parsed) = parsed else {
            bail!(Misused(
                told!(
                    "--url 写成 https://wegraf.example.com，不是 `{url}`",
                    "write --url like https://wegraf.example.com, not `{url}`"
                )
                .to_string()
            ));
        };
        let Some(token) = token.map(str::trim).filter(|token| !token.is_empty()) else {
            bail!(Misused(
                words(
                    "--url 要有令牌：设好 WEGRAF_TOKEN，或写 --token @文件；用 wegraf console token create 做一个",
                    "--url needs a token: set WEGRAF_TOKEN, or give --token @FILE; make one with wegraf console token create"
                )
                .to_string()
            ));
        };
        let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(DEADLINE);
        // What runs here is reached without a proxy.
        if parsed.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]") {
            builder = builder.no_proxy();
        }
        let url = parsed.as_str().trim_end_matches('/').to_owned();
        let mut gateway = Self { client: builder.build()?, url, token: token.to_owned(), zone: TimeZone::UTC };
        let own = gateway.found("token", &[]).await?;
        let zone = own["timezone"].as_str().and_then(|name| TimeZone::get(name).ok());
        gateway.zone = zone.unwrap_or_else(TimeZone::system);
        Ok(gateway)
    }

    pub(in crate::cli) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What the gateway has below `/api/v1/`; `None`: there is no such thing.
    pub(in crate::cli) async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Option<Value>> {
        self.ask(|| self.client.get(self.at(path)).query(query)).await
    }

    /// What the gateway makes of a body.
    pub(in crate::cli) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Option<Value>> {
        self.ask(|| self.client.post(self.at(path)).json(body)).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.url)
    }

    async fn ask(&self, request: impl Fn() -> reqwest::RequestBuilder) -> anyhow::Result<Option<Value>> {
        for _ in 0..AGAIN {
            let request = request().bearer_auth(&self.token);
            let language = spoken().unwrap_or_default();
            let answer = request.header(header::ACCEPT_LANGUAGE, language.as_str()).send().await;
            let answer = answer.map_err(|error| anyhow::anyhow!(unreached(&self.url, &error)))?;
            let status = answer.status();
            if status == StatusCode::TOO_MANY_REQUESTS {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            let text = answer.text().await.map_err(|error| anyhow::anyhow!(unreached(&self.url, &error)))?;
            let said: Option<Value> = serde_json::from_str(&text).ok();
            return match (status, said) {
                (StatusCode::OK, Some(said)) => Ok(Some(said)),
                (StatusCode::NOT_FOUND, Some(said)) if said["code"] == "not_found" => Ok(None),
                (_, said) => bail!(refused(&self.url, status, said.as_ref())),
            };
        }
        bail!(told!("{} 说问得太多，稍后再试", "{} says that it is asked too often: try again later", self.url))
    }

    /// The same where it is always there.
    pub(in crate::cli) async fn found(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        match self.get(path, query).await? {
            Some(found) => Ok(found),
            None => bail!(strange(&self.url)),
        }
    }

    pub(super) async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        next: &mut Next,
    ) -> anyhow::Result<Vec<DeliveryRow>> {
        if let Some(message) = filter.message {
            *next = Next::End;
            return Ok(self.delivery(message).await?.map(|(delivery, _)| delivery.row).into_iter().collect());
        }
        let mut query = vec![("since", time(filter.since.unwrap_or_default()))];
        query.extend(filter.until.map(|until| ("until", time(until))));
        query.extend(filter.receiver.clone().map(|receiver| ("receiver", receiver)));
        query.extend(filter.lane.as_ref().map(|lane| ("target", lane.to_string())));
        query.extend(filter.state.map(|state| ("state", state.as_str().to_owned())));
        query.extend(filter.thread.map(|thread| ("short", thread.to_string())));
        query.extend(filter.person.clone().map(|person| ("person", person)));
        query.extend(filter.errcode.map(|errcode| ("errcode", errcode.to_string())));
        query.extend(filter.labels.iter().map(|(name, value)| ("label", format!("{name}:{value}"))));
        self.page("deliveries", query, filter.limit, next, rows::delivery).await
    }

    /// A page of a list.
    async fn page<T>(
        &self,
        path: &str,
        mut query: Vec<(&str, String)>,
        limit: usize,
        next: &mut Next,
        read: fn(Row<'_>) -> Option<T>,
    ) -> anyhow::Result<Vec<T>> {
        query.push(("limit", limit.clamp(1, PAGE).to_string()));
        if let Next::Cursor(cursor) = next {
            query.push(("cursor", cursor.clone()));
        }
        let found = self.found(path, &query).await?;
        *next = found["next"].as_str().map_or(Next::End, |cursor| Next::Cursor(cursor.to_owned()));
        let rows: Option<Vec<T>> = Row(&found).list("items").map(read).collect();
        rows.ok_or_else(|| anyhow::anyhow!(strange(&self.url)))
    }

    /// Everything about a message.
    pub(super) async fn delivery(&self, message: i64) -> anyhow::Result<Option<(Delivery, Option<Sums>)>> {
        let Some(found) = self.get(&format!("deliveries/{message}"), &[]).await? else { return Ok(None) };
        rows::whole(Row(&found)).map(Some).ok_or_else(|| anyhow::anyhow!(strange(&self.url)))
    }

    pub(super) async fn acts(&self, filter: ActFilter) -> anyhow::Result<Vec<ActRow>> {
        let mut query = vec![("since", time(filter.since.unwrap_or_default()))];
        query.extend(filter.thread.map(|thread| ("short", thread.to_string())));
        query.extend(filter.by.clone().map(|by| ("by", by)));
        query.extend(filter.open.then(|| ("open", "true".to_owned())));
        let (mut all, mut next, limit) = (Vec::new(), Next::Begin, filter.limit as usize);
        while next != Next::End && all.len() < limit {
            all.extend(self.page("acts", query.clone(), limit - all.len(), &mut next, rows::act).await?);
        }
        Ok(all)
    }

    pub(super) async fn alerts(&self, filter: AlertFilter) -> anyhow::Result<Vec<ActAlert>> {
        let state = match filter.firing {
            Some(true) => "firing",
            Some(false) => "resolved",
            None => "all",
        };
        let mut query = vec![("state", state.to_owned()), ("since", time(filter.since.unwrap_or_default()))];
        query.extend(filter.until.map(|until| ("until", time(until))));
        query.extend(filter.critical.map(|critical| ("severity", rows::severity(critical).to_owned())));
        query.extend(filter.receiver.clone().map(|receiver| ("receiver", receiver)));
        query.extend(filter.source.clone().map(|source| ("source", source)));
        query.extend(filter.claimed_by.clone().map(|person| ("claimed_by", person)));
        query.extend(filter.labels.iter().map(|(name, value)| ("label", format!("{name}:{value}"))));
        query.extend((!filter.words.is_empty()).then(|| ("q", filter.words.join(" "))));
        let (mut all, mut next) = (Vec::new(), Next::Begin);
        while next != Next::End && all.len() < filter.limit {
            let limit = filter.limit - all.len();
            all.extend(self.page("alerts", query.clone(), limit, &mut next, rows::alert).await?);
        }
        Ok(all)
    }

    pub(super) async fn audit(&self) -> anyhow::Result<Audit> {
        let found = self.found("audit", &[]).await?;
        rows::audit(Row(&found)).ok_or_else(|| anyhow::anyhow!(strange(&self.url)))
    }

    pub(super) async fn report(&self, filter: TallyFilter) -> anyhow::Result<Report> {
        let mut query = vec![("since", time(filter.since)), ("until", time(filter.until))];
        query.extend(filter.receiver.map(|receiver| ("receiver", receiver)));
        let found = self.found("reports/noise", &query).await?;
        serde_json::from_value(found).map_err(|_| anyhow::anyhow!(strange(&self.url)))
    }
}

/// As the API reads it.
pub(in crate::cli) fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// Why a gateway was not reached.
fn unreached(url: &str, error: &reqwest::Error) -> Words {
    let mut why = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        why.push(inner.to_string());
        cause = inner.source();
    }
    let why = why.last().cloned().unwrap_or_default();
    let secure = why.to_lowercase();
    if error.is_timeout() {
        return told!("{url} 没有在 20 秒内回答", "{url} does not answer within 20 s");
    }
    if url.starts_with("https:")
        && ["certificate", "tls", "handshake", "corrupt message"].iter().any(|word| secure.contains(word))
    {
        return told!(
            "{url} 的 TLS 不行：{why}。自己的 CA 用变量 SSL_CERT_FILE 指明",
            "TLS with {url} fails: {why}. For a CA of your own set SSL_CERT_FILE"
        );
    }
    let Words { zh, en } = crate::cli::gateway::cause(error);
    Words::from((format!("连不上 {url}：{zh}"), format!("{url} cannot be reached: {en}")))
}

/// Why a gateway does not answer what was asked.
fn refused(url: &str, status: StatusCode, said: Option<&Value>) -> Words {
    let problem = said.filter(|said| said["code"].is_string());
    let detail = |key: &str| problem.and_then(|said| said[key].as_str()).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED if problem.is_some() => told!(
            "{url} 不认这个令牌：写错了，或已到期。用 wegraf console token list 看",
            "{url} does not take this token: it is mistyped, or it has ended. See wegraf console token list"
        ),
        StatusCode::FORBIDDEN if problem.is_some() => told!(
            "这个令牌不可以：{0}。在网关那边用 wegraf console token create 另做一个",
            "this token may not: {0}. Make another one at the gateway with wegraf console token create",
            detail("detail")
        ),
        _ if problem.is_some() => {
            let (title, detail, remedy) = (detail("title"), detail("detail"), detail("remedy"));
            let said =
                [title, detail, remedy].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
            told!("{url}：{said}", "{url}: {said}")
        }
        _ => told!(
            "{url} 回答 HTTP {0}：那里不是 wegraf，或者是没有 /api/v1 的旧版，或者路径不对",
            "{url} answered HTTP {0}: it is no wegraf, or an old one without /api/v1, or its path is missing",
            status.as_u16()
        ),
    }
}

/// A gateway whose answer is not understood.
fn strange(url: &str) -> Words {
    told!("看不懂 {url} 的回答：两边版本不同？", "the answer of {url} is not understood: is it of another version?")
}
