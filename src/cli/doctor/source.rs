//! `wegraf doctor --source NAME`: when a source last called, what of it was refused and why, and whether a given
//! request would be admitted.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::json;

use super::Doctor;
use crate::alert::Timestamp;
use crate::cli::Misused;
use crate::cli::gateway::Gateway;
use crate::cli::screen::Screen;
use crate::config::{Config, Proof, Source, Vendor};
use crate::http::{Record, RefusedCall};
use crate::links::LinkKey;
use crate::names::SourceId;
use crate::proof::{Certificates, Presented, prove};
use crate::store::Store;
use crate::time::Clock;
use crate::words::{Words, told, words};

/// The findings about a source.
struct Found {
    /// When the source last sent something that was recorded.
    stored: Option<Timestamp>,
    /// The running gateway's record of it; or why the gateway could not be asked.
    record: Result<Record, String>,
    /// The gateway's record of calls that could be of any source.
    unknown: Record,
    /// Whether the given request would be admitted; `None` if none was given.
    tried: Option<Result<String, String>>,
}

/// Prints the findings. Exit code 1 if the newest request was refused, or the given one would be.
pub(super) async fn run(name: &str, arguments: &Doctor) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load()?;
    let Some(source) = config.sources.iter().find(|source| source.name == name) else {
        let names: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
        let names = names.join(", ");
        return Err(Misused(
            told!("没有来源 `{name}`；有：{names}", "there is no source `{name}`; there are: {names}").to_string(),
        )
        .into());
    };
    let mut found = ask(&config, name).await;
    if arguments.payload.is_some() || !arguments.headers.is_empty() || arguments.address.is_some() {
        found.tried = Some(would_prove(source, arguments)?);
    }
    let last_taken = found.record.as_ref().ok().and_then(|record| Some(record.last.as_ref()?.at)).max(found.stored);
    let last_refused = found.record.as_ref().ok().and_then(|record| Some(record.refusals.back()?.at));
    let healthy = last_refused <= last_taken && found.tried.as_ref().is_none_or(Result::is_ok);
    let screen = if arguments.json { as_json(source, &found, healthy) } else { told(&config, source, &found) };
    screen.show()?;
    Ok(ExitCode::from(u8::from(!healthy)))
}

/// Asks the database, and the gateway with the key that is stored there.
async fn ask(config: &Config, name: &str) -> Found {
    let nothing = |why: String| Found { stored: None, record: Err(why), unknown: Record::default(), tried: None };
    let store = match Store::open_reading(&config.database).await {
        Ok(store) => store,
        Err(error) => return nothing(format!("{error:#}")),
    };
    let stored = store.last_from(&SourceId::Configured(name.to_owned())).await.unwrap_or_default();
    let records = records(config, &store).await;
    store.close().await.ok();
    match records {
        Ok(mut records) => {
            let unknown = records.remove("").unwrap_or_default();
            let record = records.remove(name).unwrap_or_default();
            Found { stored, record: Ok(record), unknown, tried: None }
        }
        Err(error) => Found { stored, ..nothing(format!("{error:#}")) },
    }
}

async fn records(config: &Config, store: &Store) -> anyhow::Result<std::collections::BTreeMap<String, Record>> {
    let gateway = Gateway::new(config, None, None, LinkKey::from(store.link_secrets().await?))?;
    let (_, said) = gateway.order("/api/v1/sources", Vec::new()).await?;
    Ok(serde_json::from_value(said)?)
}

/// Would this request be admitted? A signature with a time is checked as of now.
fn would_prove(source: &Source, arguments: &Doctor) -> anyhow::Result<Result<String, String>> {
    let body = match &arguments.payload {
        Some(path) if path == Path::new("-") => {
            let mut body = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut body)?;
            body
        }
        Some(path) => {
            std::fs::read(path).with_context(|| told!("读不到 {}", "{} cannot be read", path.display()).to_string())?
        }
        None => Vec::new(),
    };
    let mut headers = HeaderMap::new();
    for header in &arguments.headers {
        let parsed = header.split_once(':').and_then(|(name, value)| {
            Some((HeaderName::try_from(name.trim()).ok()?, HeaderValue::from_bytes(value.trim().as_bytes()).ok()?))
        });
        let wrong = words("请求头写成 '名字: 值'", "write a header as 'NAME: VALUE'");
        let (name, value) = parsed.ok_or_else(|| Misused(wrong.to_string()))?;
        headers.append(name, value);
    }
    let address = arguments.address.as_deref().unwrap_or("/webhook");
    let uri: Uri = address.parse().map_err(|_| {
        Misused(words("--address 写成 /webhook/ops?token=…", "write --address as /webhook/ops?token=…").to_string())
    })?;
    let request = Presented { method: &Method::POST, uri: &uri, headers: &headers, peer: arguments.from, shown: None };
    let now = Clock::System.now();
    Ok(match prove(std::slice::from_ref(source), &request, &body, &Certificates::new(), now) {
        Ok(proven) => Ok(proven.kind.as_str().to_owned()),
        Err(unproven) => {
            let kind = unproven.kind.map(|kind| format!("{}: ", kind.as_str())).unwrap_or_default();
            Err(format!("{kind}{unproven}"))
        }
    })
}

/// The kinds of its proofs, with the names of headers and parameters and no secret.
fn proofs(source: &Source) -> Vec<String> {
    fn shown(proof: &Proof) -> String {
        match proof {
            Proof::Bearer { scheme, .. } => format!("bearer (Authorization: {scheme} …)"),
            Proof::Basic { username, .. } => format!("basic ({username})"),
            Proof::Header { name, .. } => format!("header ({name})"),
            Proof::Query { name, .. } => format!("query (?{name}=…)"),
            Proof::Path(_) => "path (/webhook/t/…)".to_owned(),
            Proof::Hmac(_) => "hmac".to_owned(),
            Proof::Envelope(envelope) => {
                let vendor = if envelope.vendor == Vendor::Sns { "sns" } else { "smn" };
                format!("{vendor} ({})", envelope.topics.join(", "))
            }
            Proof::ClientCert(authority) => match &authority.name {
                Some(name) => format!("client_cert ({name})"),
                None => "client_cert".to_owned(),
            },
            Proof::Addresses(_) => "addresses".to_owned(),
            Proof::All(proofs) => proofs.iter().map(shown).collect::<Vec<_>>().join(" + "),
        }
    }
    source.proofs.iter().map(shown).collect()
}

fn as_json(source: &Source, found: &Found, healthy: bool) -> Screen {
    let (record, error) = match &found.record {
        Ok(record) => (Some(record), None),
        Err(error) => (None, Some(error)),
    };
    let tried = found.tried.as_ref().map(|tried| match tried {
        Ok(kind) => json!({ "proven": true, "credential": kind }),
        Err(why) => json!({ "proven": false, "why": why }),
    });
    Screen::json(&json!({
        "source": source.name, "healthy": healthy, "proofs": proofs(source), "receivers": source.receivers,
        "stored": found.stored, "record": record, "error": error, "unknown": found.unknown, "tried": tried,
    }))
}

fn told(config: &Config, source: &Source, found: &Found) -> Screen {
    let time = |at: Timestamp| {
        let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
        at.to_zoned(config.timezone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let mut screen = Screen::new();
    screen.line(told!("来源 {}", "source {}", source.name));
    screen.line(told!("  证明：{}", "  proofs: {}", proofs(source).join(", ")));
    if let Some(receivers) = &source.receivers {
        screen.line(told!("  只能投递给：{}", "  may post to: {}", receivers.join(", ")));
    }
    if let Some(at) = found.stored {
        screen.line(told!("  最近一次有新内容：{}", "  last news: {}", time(at)));
    }
    match &found.record {
        Err(why) => {
            screen.line(words("  ! 没有问到运行中的网关：", "  ! the running gateway could not be asked:"));
            screen.line(format_args!("    {why}"));
        }
        Ok(record) => {
            match &record.last {
                Some(last) => screen.line(told!(
                    "✓ 最近收到：{} {} {}（启动以来：{}）",
                    "✓ last heard: {} {} {} (since the start: {})",
                    time(last.at),
                    last.credential,
                    last.peer.as_deref().unwrap_or_default(),
                    record.taken
                )),
                None => screen.line(words("! 网关启动以来没有收到过", "! nothing was heard since the gateway started")),
            }
            refusals(&mut screen, &words("被拒", "refused"), record, &time);
        }
    }
    refusals(&mut screen, &words("说不清是哪个来源的被拒", "refused, of any source"), &found.unknown, &time);
    match &found.tried {
        Some(Ok(kind)) => screen.line(told!("✓ 这个请求会放行（{kind}）", "✓ this request would be let in ({kind})")),
        Some(Err(why)) => {
            screen.line(words("✗ 这个请求会被拒绝：", "✗ this request would be refused:"));
            screen.line(format_args!("    {why}"));
        }
        None => {}
    }
    screen
}

fn refusals(screen: &mut Screen, title: &Words, record: &Record, time: &impl Fn(Timestamp) -> String) {
    if record.refused == 0 {
        return;
    }
    screen.line(format_args!("✗ {title}: {}", record.refused));
    for RefusedCall { at, peer, path, credential, status, why } in record.refusals.iter().rev() {
        let peer = peer.as_deref().unwrap_or("-");
        let credential = credential.as_deref().unwrap_or("-");
        let why = Words::of_record(why);
        screen.line(format_args!("    {}  {status}  {peer}  {path}  {credential}  {why}", time(*at)));
    }
}
