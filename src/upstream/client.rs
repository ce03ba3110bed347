//! The operations of an upstream. After a change with an unknown result, its effect is looked for before it is
//! repeated.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Map, Value};

use super::error::Doing;
use super::making::{Command, Event, Making, oldest};
use super::matchers::{NAME, RULE_UID, covers};
use super::wire::{Call, Wire};
use super::{About, Firing, Look, Made, Matcher, Problem, Silence, SilenceState, UpstreamError, Wanted, body};
use crate::alert::Timestamp;
use crate::config::{Upstream, UpstreamKind};

/// Longest filter in a URL. Percent-encoding makes it up to three times as long, and proxies accept 8 KB.
const FILTER_BYTES: usize = 2048;

/// The states of alerts that are listed, as parameters of a request.
const EVERY_STATE: [&str; 4] = ["active", "silenced", "inhibited", "unprocessed"];

/// A client for the silences and alerts of one upstream. Make one for each upstream of a configuration and keep it: it
/// holds connections.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    /// Its other peers, which are only read.
    others: Vec<Wire>,
}

/// What a peer tells of itself and lets us read.
#[derive(Debug)]
pub struct Survey {
    /// Its root.
    pub url: String,
    /// What it tells of itself; nothing, if it is a Grafana.
    pub about: Result<Option<About>, UpstreamError>,
    /// May alerts be read?
    pub alerts: Result<(), UpstreamError>,
    /// May silences be read?
    pub silences: Result<(), UpstreamError>,
    /// May groups be read? `None` where they would not tell what is muted.
    pub groups: Option<Result<(), UpstreamError>>,
}

/// Silences made elsewhere that one look reads with a request each, at the same time; of more than that, all are listed
/// at once.
const SILENCES: usize = 20;

impl Client {
    /// Fails if the certificates of `upstream` cannot be read.
    pub fn new(upstream: &Upstream) -> Result<Self, UpstreamError> {
        let others = upstream.peers.iter().map(|url| Wire::new(upstream, url)).collect::<Result<_, _>>()?;
        Ok(Self { wire: Wire::new(upstream, &upstream.url)?, others })
    }

    /// Name of the upstream.
    pub fn upstream(&self) -> &str {
        &self.wire.peer.name
    }

    /// Makes a silence. It is made once even if an answer is lost: the marker is looked for before a second try. After
    /// [`Problem::Unsure`] it may exist: before a retry, and after a restart, call [`Client::made`].
    pub async fn silence(&self, wanted: &Wanted) -> Result<Made, UpstreamError> {
        let doing = Doing::Create { names_rule: names_rule(&wanted.matchers) };
        let request = body::create(wanted);
        let (mut making, mut event) = (Making::default(), Event::Started);
        loop {
            event = match making.on(event) {
                Command::Post => Event::Posted(self.post(doing, &request).await),
                Command::Look => Event::Marked(self.marked(wanted).await),
                Command::Expire(twin) => {
                    // If it stays, two silences hide the same until the same time, which does no harm.
                    if let Err(error) = self.expire(&twin).await {
                        tracing::warn!(%error, silence = %twin, "A silence was made twice, and the second one stays.");
                    }
                    Event::Expired
                }
                Command::End(result) => return result,
            };
        }
    }

    /// The silence that an earlier try with this marker made, if it has not ended.
    pub async fn made(&self, wanted: &Wanted) -> Result<Option<Made>, UpstreamError> {
        Ok(oldest(&self.marked(wanted).await?))
    }

    /// Moves the end of a silence. One that has ended is made again, with the same matchers. Keep the returned id.
    pub async fn extend(&self, id: &str, until: Timestamp) -> Result<Made, UpstreamError> {
        let (silence, stored) = self.read(id).await?;
        let doing = Doing::Extend { names_rule: names_rule(&silence.matchers) };
        let request = body::extend(&stored, until);
        let first = match self.post(doing, &request).await {
            Err(error) if error.problem == Problem::Unsure => error,
            certain => return certain,
        };
        match self.longer(&silence, until).await {
            Ok(Some(made)) => Ok(made),
            Ok(None) => self.post(doing, &request).await,
            Err(_) => Err(first),
        }
    }

    /// The silence that an earlier try to extend this one until then left, if there is one: this one, or one with its
    /// matchers and its comment.
    pub async fn extended(&self, id: &str, until: Timestamp) -> Result<Option<Made>, UpstreamError> {
        let (silence, _) = self.read(id).await?;
        self.longer(&silence, until).await
    }

    async fn longer(&self, silence: &Silence, until: Timestamp) -> Result<Option<Made>, UpstreamError> {
        let silences = self.list(&narrowed(literal(&silence.matchers))).await?;
        Ok(silences.into_iter().find(|other| silence.is_extended_by(other, until)).map(|found| Made { id: found.id }))
    }

    /// Ends a silence now; one that has ended already is fine.
    pub async fn expire(&self, id: &str) -> Result<(), UpstreamError> {
        let path = self.path_of(id)?;
        let mut ended = self.delete(&path).await;
        // Ending it is idempotent.
        if ended.as_ref().is_err_and(|error| error.problem == Problem::Unsure) {
            ended = self.delete(&path).await;
        }
        ended
    }

    /// Silences whose matchers contain all of `filter`, as upstream compares them; all silences if it is empty. Ended
    /// ones stay listed for days.
    pub async fn list(&self, filter: &[Matcher]) -> Result<Vec<Silence>, UpstreamError> {
        self.ask(Doing::List, "/silences", &filters(filter), body::silences).await
    }

    /// One silence.
    pub async fn get(&self, id: &str) -> Result<Silence, UpstreamError> {
        Ok(self.read(id).await?.0)
    }

    /// The firing alerts that fulfil `matchers`, hidden or not. An Alertmanager that has just started knows none until
    /// its senders repeat them: an empty answer proves nothing then, see [`Client::about`].
    pub async fn firing(&self, matchers: &[Matcher]) -> Result<Vec<Firing>, UpstreamError> {
        let (literal, patterns): (Vec<_>, Vec<_>) = matchers.iter().cloned().partition(is_literal);
        // Only upstream evaluates patterns: its kind of pattern may differ.
        let mut query = filters(&patterns);
        query.extend(filters(&narrowed(literal.clone())));
        query.extend(EVERY_STATE.map(|state| (state, "true".to_owned())));
        let mut firing = self.ask(Doing::Alerts, "/alerts", &query, body::alerts).await?;
        firing.retain(|alert| covers(&literal, &alert.labels));
        Ok(firing)
    }

    /// Can silences be read and made with our credential? Returns how many are in force. Nothing is made: permissions
    /// are checked before the request, and this one is invalid for both kinds (422 and 400:
    /// docs/reference/alert-sources.md#silences, #silences-of-grafana).
    pub async fn check(&self) -> Result<usize, UpstreamError> {
        let silences = self.list(&[]).await?;
        let doing = Doing::Create { names_rule: true };
        match self.post(doing, &body::nothing()).await {
            Err(error) if error.problem == Problem::Refused => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let (zh, en) = (
                    "它接受了一个不完整的静默，这不是 Alertmanager 或 Grafana，请检查 url",
                    "it took a silence that is none, so it is no Alertmanager or Grafana: check `url`",
                );
                return Err(self.wire.peer.error(Problem::Foreign, None, zh, en));
            }
        }
        Ok(silences.iter().filter(|silence| silence.state != SilenceState::Expired).count())
    }

    /// What each of its peers tells of itself; `None` for a Grafana, which does not.
    pub async fn about(&self) -> Vec<Result<Option<About>, UpstreamError>> {
        join_all(self.wires().map(about)).await
    }

    /// What each of its peers lists of the alerts with these names, or of all without names, as far as it answers within
    /// `patience`. `ours`: silences that need not be read.
    pub async fn look(
        &self,
        names: &[String],
        ours: &HashSet<String>,
        patience: Duration,
    ) -> Vec<Result<Look, UpstreamError>> {
        let each = self.wires().map(async |wire| {
            tokio::time::timeout(patience, look(wire, names, ours)).await.unwrap_or_else(|_| Err(slow(wire, patience)))
        });
        join_all(each).await
    }

    /// What each of its peers tells of itself and lets us read.
    pub async fn survey(&self) -> Vec<Survey> {
        join_all(self.wires().map(survey)).await
    }

    fn wires(&self) -> impl Iterator<Item = &Wire> {
        std::iter::once(&self.wire).chain(&self.others)
    }

    /// The silences with this marker that have not ended.
    async fn marked(&self, wanted: &Wanted) -> Result<Vec<Silence>, UpstreamError> {
        let tail = wanted.tail();
        let mut marked = self.list(&narrowed(literal(&wanted.matchers))).await?;
        marked.retain(|silence| silence.state != SilenceState::Expired && silence.comment.ends_with(&tail));
        Ok(marked)
    }

    async fn read(&self, id: &str) -> Result<(Silence, Map<String, Value>), UpstreamError> {
        self.ask(Doing::Get, &self.path_of(id)?, &[], body::silence).await
    }

    fn path_of(&self, id: &str) -> Result<String, UpstreamError> {
        if body::is_id(id) {
            return Ok(format!("/silence/{id}"));
        }
        let (zh, en) = ("这不是静默的编号，请从列表里复制", "this is not the id of a silence: copy one from the list");
        Err(self.wire.peer.error(Problem::NotFound, None, zh, en))
    }

    async fn post(&self, doing: Doing, request: &Value) -> Result<Made, UpstreamError> {
        let call = Call { doing, method: Method::POST, path: "/silences", query: &[], body: Some(request) };
        let answer = self.wire.exchange(call).await.map_err(|lost| lost.error)?;
        body::made(&answer).ok_or_else(|| {
            let (zh, en) = (
                "回答里没有静默的编号，不知道做成没有，请列出静默看看",
                "the answer holds no id, whether it was done is unknown: list the silences",
            );
            self.wire.peer.error(Problem::Unsure, None, zh, en)
        })
    }

    async fn delete(&self, path: &str) -> Result<(), UpstreamError> {
        let call = Call { doing: Doing::Expire, method: Method::DELETE, path, query: &[], body: None };
        self.wire.exchange(call).await.map(drop).map_err(|lost| lost.error)
    }

    /// Reads; twice if the connection broke, because nothing changes.
    async fn ask<T>(
        &self,
        doing: Doing,
        path: &str,
        query: &[(&str, String)],
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, UpstreamError> {
        ask(&self.wire, doing, path, query, parse).await
    }
}

/// Reads from one peer; twice if the connection broke, because nothing changes.
async fn ask<T>(
    wire: &Wire,
    doing: Doing,
    path: &str,
    query: &[(&str, String)],
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, UpstreamError> {
    let call = || Call { doing, method: Method::GET, path, query, body: None };
    let mut answer = wire.exchange(call()).await;
    if answer.as_ref().is_err_and(|lost| lost.broke) {
        answer = wire.exchange(call()).await;
    }
    parse(&answer.map_err(|lost| lost.error)?).ok_or_else(|| {
        let (zh, en) = (
            "回答看不懂：url 后面不是它，或前面有登录页，请检查 url",
            "the answer cannot be read: something else is behind `url`, or a login page is before it",
        );
        wire.peer.error(Problem::Foreign, None, zh, en)
    })
}

async fn survey(wire: &Wire) -> Survey {
    let nothing = [Matcher::equal(NAME, "wegraf-doctor")];
    let query = filters(&nothing);
    let (about, alerts, silences) = tokio::join!(
        about(wire),
        ask(wire, Doing::Alerts, "/alerts", &query, body::alerts),
        ask(wire, Doing::List, "/silences", &query, body::silences),
    );
    let groups = match &about {
        Ok(Some(known)) if known.tells_mutes() => {
            Some(ask(wire, Doing::Alerts, "/alerts/groups", &query, body::groups).await.map(drop))
        }
        _ => None,
    };
    Survey { url: wire.url.clone(), about, alerts: alerts.map(drop), silences: silences.map(drop), groups }
}

async fn about(wire: &Wire) -> Result<Option<About>, UpstreamError> {
    match wire.peer.kind {
        UpstreamKind::Alertmanager => ask(wire, Doing::Alerts, "/status", &[], body::about).await.map(Some),
        UpstreamKind::Grafana | UpstreamKind::Prometheus => Ok(None),
    }
}

/// What one peer lists.
async fn look(wire: &Wire, names: &[String], ours: &HashSet<String>) -> Result<Look, UpstreamError> {
    let listed = async {
        let lists = join_all(queries(names).into_iter().map(async |query| list(wire, &query).await)).await;
        lists.into_iter().collect::<Result<Vec<_>, _>>().map(|lists| lists.concat())
    };
    let (alerts, known) = tokio::join!(listed, about(wire));
    let alerts = alerts?;
    let known = match known {
        Ok(known) => known,
        // Whether it has just started is unknown, so what it leaves out proves nothing.
        Err(error) if error.problem.may_pass() => return Err(error),
        Err(_) => None,
    };
    let mut look = Look { up_since: known.as_ref().map(|known| known.up_since), alerts, ..Look::default() };
    if known.is_some_and(|known| known.tells_mutes()) {
        let groups = queries(names)
            .into_iter()
            .map(async |query| ask(wire, Doing::Alerts, "/alerts/groups", &query, body::groups).await);
        look.groups = join_all(groups).await.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    }
    look.silences = foreign(wire, &look.alerts, ours).await;
    look.inhibitors = inhibitors(wire, &look.alerts).await;
    Ok(look)
}

/// The silences that hide some of these alerts, but for `ours`, by id. What cannot be read now is read by a later look.
async fn foreign(wire: &Wire, alerts: &[Firing], ours: &HashSet<String>) -> HashMap<String, Silence> {
    let ids = alerts.iter().flat_map(|alert| &alert.silenced_by);
    let wanted: HashSet<&String> = ids.filter(|id| !ours.contains(*id) && body::is_id(id)).collect();
    let listed = match wanted.len() {
        0..=SILENCES => None,
        _ => ask(wire, Doing::List, "/silences", &[], body::silences).await.ok(),
    };
    let mut silences: Vec<Silence> = Vec::new();
    if let Some(listed) = listed {
        silences = listed;
    } else {
        let ids: Vec<&String> = wanted.iter().copied().collect();
        for ids in ids.chunks(SILENCES) {
            let read = ids.iter().map(async |id| {
                let path = format!("/silence/{id}");
                ask(wire, Doing::Get, &path, &[], body::silence).await.ok().map(|(silence, _)| silence)
            });
            silences.extend(join_all(read).await.into_iter().flatten());
        }
    }
    let hiding = silences.into_iter().filter(|silence| wanted.contains(&silence.id));
    hiding.map(|silence| (silence.id.clone(), silence)).collect()
}

fn slow(wire: &Wire, patience: Duration) -> UpstreamError {
    let seconds = patience.as_secs();
    let zh = format!("{seconds} 秒内没有回答完，过一会儿再试，或看它的日志");
    let en = format!("no complete answer in {seconds} s; try again in a while, or read its log");
    wire.peer.error(Problem::Broken, None, &zh, &en)
}

/// One query for each name; one without a filter where there is none.
fn queries(names: &[String]) -> Vec<Vec<(&'static str, String)>> {
    if names.is_empty() {
        return vec![Vec::new()];
    }
    names.iter().map(|name| filters(&[Matcher::equal(NAME, name)])).collect()
}

async fn list(wire: &Wire, query: &[(&'static str, String)]) -> Result<Vec<Firing>, UpstreamError> {
    let mut query = query.to_vec();
    query.extend(EVERY_STATE.map(|state| (state, "true".to_owned())));
    ask(wire, Doing::Alerts, "/alerts", &query, body::alerts).await
}

/// The names of the alerts that inhibit others, by fingerprint. They are read only if there are any; without an answer
/// they stay unnamed.
async fn inhibitors(wire: &Wire, alerts: &[Firing]) -> HashMap<String, String> {
    let wanted: HashSet<&String> = alerts.iter().flat_map(|alert| &alert.inhibited_by).collect();
    if wanted.is_empty() {
        return HashMap::new();
    }
    let all = list(wire, &[]).await.unwrap_or_default();
    let known = all.into_iter().filter(|alert| wanted.contains(&alert.fingerprint));
    known.filter_map(|mut alert| Some((alert.fingerprint, alert.labels.remove(NAME)?.into()))).collect()
}

/// Would Grafana accept this from a caller with permissions for some folders only?
fn names_rule(matchers: &[Matcher]) -> bool {
    matchers.iter().any(|matcher| matcher.name == RULE_UID)
}

fn filters(matchers: &[Matcher]) -> Vec<(&'static str, String)> {
    matchers.iter().map(|matcher| ("filter", matcher.to_string())).collect()
}

/// The matchers by which a list of silences can be narrowed: upstream compares a filter with the values of a silence's
/// matchers, patterns as plain text.
fn literal(matchers: &[Matcher]) -> Vec<Matcher> {
    matchers.iter().filter(|matcher| is_literal(matcher)).cloned().collect()
}

const fn is_literal(matcher: &Matcher) -> bool {
    matcher.is_equal && !matcher.is_regex
}

/// As many of these as fit into a URL and both kinds of upstreams can parse, of which Grafana knows no quoted names;
/// the answer is filtered by the rest.
fn narrowed(mut matchers: Vec<Matcher>) -> Vec<Matcher> {
    let mut left = FILTER_BYTES;
    matchers.retain(Matcher::has_classic_name);
    matchers.retain(|matcher| {
        let rest = left.checked_sub(matcher.to_string().len());
        left = rest.unwrap_or(left);
        rest.is_some()
    });
    matchers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_stays_short_with_long_labels() {
        let all: Vec<Matcher> =
            ["short", &"长".repeat(5000), "brief"].iter().map(|value| Matcher::equal("label", *value)).collect();
        let kept = narrowed(all);
        assert_eq!(kept, [Matcher::equal("label", "short"), Matcher::equal("label", "brief")]);
        let many = narrowed((0..1000).map(|number| Matcher::equal(format!("label{number}"), "value")).collect());
        assert!(
            !many.is_empty() && many.iter().map(|matcher| matcher.to_string().len()).sum::<usize>() <= FILTER_BYTES
        );
    }
}
