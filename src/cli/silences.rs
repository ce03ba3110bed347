//! `wegraf silences`: silences upstream, by hand. A button in WeCom goes the same way, through [`crate::upstream`].

mod arguments;
mod list;
mod note;

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::bail;
use jiff::tz::TimeZone;
use serde_json::json;

use super::Misused;
use super::screen::{self, Screen};
use crate::alert::Timestamp;
use crate::config::Config;
use crate::standing;
use crate::store::{ActKind, Store};
use crate::time::Clock;
use crate::upstream::{Client, Made, Matcher, Problem, Silence, SilenceState, UpstreamError, Wanted, marker, until};
use crate::words::{plural, told, words};

pub use arguments::{ByWhom, Silences, SilencesCommand, SilencesOf, Until};

/// Runs the command. Exit code 1 if an upstream failed, with its error.
pub async fn run(arguments: Silences) -> anyhow::Result<ExitCode> {
    match arguments.command {
        SilencesCommand::List { of, elsewhere, all, matchers } => {
            let (answer, code) = if let Some(gateway) = elsewhere.open().await? {
                list::elsewhere(&gateway, of.upstream.as_deref(), &matchers, all, of.json).await?
            } else {
                let with = With::load(&of)?;
                list::answer(&with.clients, &matchers, all, of.json, &with.config.timezone).await
            };
            answer.show()?;
            Ok(code)
        }
        SilencesCommand::Create { of, until, by, yes, comment, matchers } => {
            let with = With::load(&of)?;
            let wanted = with.wanted(&until, by.author.clone(), comment, matchers)?;
            let client = with.only()?;
            let hides = shown(&with.config, client, &wanted.matchers).await;
            if !yes && !confirmed()? {
                screen::warn(words("没有做", "nothing was done"));
                return Ok(ExitCode::FAILURE);
            }
            let act = create(client, &wanted, hides).await?;
            with.done(&of, &by, &[act]).await
        }
        SilencesCommand::Extend { of, until, by, id } => {
            let with = With::load(&of)?;
            let act = with.extend(&id, with.ends_at(&until, Clock::System.now())).await?;
            with.done(&of, &by, &[act]).await
        }
        SilencesCommand::Expire { of, by, ids } => {
            let with = With::load(&of)?;
            let (acts, failure) = with.expire(ids).await;
            let code = with.done(&of, &by, &acts).await?;
            failure.map_or(Ok(code), Err)
        }
    }
}

/// An act that was done upstream.
struct Act<'a> {
    /// Its kind.
    kind: ActKind,
    client: &'a Client,
    made: Made,
    /// `None`: the silence has ended.
    ends_at: Option<Timestamp>,
    /// How many alerts it hides now, if known.
    hides: Option<usize>,
}

/// Prints what a silence would hide, apart from the command's answer: the matchers, and the number of firing alerts.
/// The upstream counts, else our own record, if there is one.
async fn shown(config: &Config, client: &Client, matchers: &[Matcher]) -> Option<usize> {
    let upstream = client.upstream();
    screen::warn(told!("会在 {upstream} 挡住满足全部条件的告警：", "hides in {upstream} what fulfils all of:"));
    for matcher in matchers {
        screen::warn(format_args!("  {}", crate::shown::line(&matcher.to_string())));
    }
    let counted = client.firing(matchers).await.ok().map(|alerts| alerts.len());
    if let Some(count) = counted {
        let s = plural(count);
        screen::warn(told!("{upstream} 现在有 {count} 条", "{upstream} counts {count} alert{s} now"));
    } else if let Some(count) = recorded(config, matchers).await {
        let s = plural(count);
        screen::warn(told!(
            "{upstream} 没有回答；wegraf 的记录里现在有 {count} 条",
            "{upstream} does not answer; wegraf's record has {count} alert{s} now"
        ));
    } else {
        screen::warn(told!(
            "{upstream} 没有回答，也没有 wegraf 的记录，不知道有几条",
            "{upstream} does not answer, and there is no record of wegraf's: how many is unknown"
        ));
    }
    counted
}

/// How many firing alerts of our own record these matchers hide.
async fn recorded(config: &Config, matchers: &[Matcher]) -> Option<u64> {
    let record = Store::open_reading(&config.database).await.ok()?;
    standing::recorded(&record, matchers).await.ok()
}

/// Asks for confirmation on a terminal; a script confirms by calling.
fn confirmed() -> std::io::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    screen::warn(words("做吗？[y/N]", "go on? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "是" | "好"))
}

async fn create<'a>(client: &'a Client, wanted: &Wanted, hides: Option<usize>) -> anyhow::Result<Act<'a>> {
    let made = client.silence(wanted).await.map_err(failed)?;
    Ok(Act { kind: ActKind::Silence, client, made, ends_at: Some(wanted.ends_at), hides })
}

/// The upstreams of a command.
struct With {
    config: Config,
    clients: Vec<Client>,
}

impl With {
    fn load(of: &SilencesOf) -> anyhow::Result<Self> {
        let (config, _) = of.file.load()?;
        let chosen = |name: &str| of.upstream.as_deref().is_none_or(|wanted| wanted == name);
        let upstreams = config.upstreams.iter().filter(|upstream| chosen(&upstream.name));
        let clients = upstreams.map(Client::new).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        if clients.is_empty() {
            bail!(Misused(match &of.upstream {
                Some(name) => told!("没有名为 `{name}` 的上游", "there is no upstream `{name}`").to_string(),
                None =>
                    words("配置里没有 upstreams，请先加上", "there are no `upstreams` in the configuration: add one")
                        .to_string(),
            }));
        }
        Ok(Self { config, clients })
    }

    /// The upstream in which a new silence is made.
    fn only(&self) -> anyhow::Result<&Client> {
        let [client] = &self.clients[..] else {
            let names: Vec<&str> = self.clients.iter().map(Client::upstream).collect();
            bail!(Misused(
                told!("请用 --upstream 指明上游：{}", "name the upstream with --upstream: {}", names.join(" "))
                    .to_string()
            ))
        };
        Ok(client)
    }

    async fn extend(&self, id: &str, ends_at: Timestamp) -> anyhow::Result<Act<'_>> {
        let (client, silence) = self.find(id).await?;
        if silence.state != SilenceState::Expired && silence.ends_at >= ends_at {
            let (now, then) = (clock(silence.ends_at, &self.config.timezone), clock(ends_at, &self.config.timezone));
            bail!(Misused(
                told!(
                    "它到 {now} 才结束，{then} 更早；要提前结束用 expire",
                    "it ends at {now}, and {then} is earlier: expire ends it"
                )
                .to_string()
            ));
        }
        let made = client.extend(id, ends_at).await.map_err(failed)?;
        Ok(Act { kind: ActKind::Extend, client, made, ends_at: Some(ends_at), hides: None })
    }

    /// The silences that were ended before the first failure, and that failure.
    async fn expire(&self, ids: Vec<String>) -> (Vec<Act<'_>>, Option<anyhow::Error>) {
        let mut acts = Vec::new();
        for id in ids {
            let ended = match self.find(&id).await {
                Ok((client, _)) => client.expire(&id).await.map(|()| client).map_err(failed),
                Err(error) => Err(error),
            };
            match ended {
                Ok(client) => {
                    acts.push(Act { kind: ActKind::Expire, client, made: Made { id }, ends_at: None, hides: None });
                }
                Err(error) => return (acts, Some(error)),
            }
        }
        (acts, None)
    }

    /// The upstream and the silence with this id.
    async fn find(&self, id: &str) -> anyhow::Result<(&Client, Silence)> {
        let mut worst: Option<UpstreamError> = None;
        for client in &self.clients {
            match client.get(id).await {
                Ok(silence) => return Ok((client, silence)),
                // An upstream that could not be asked may have it, which is more informative than that the others do
                // not.
                Err(error) if error.problem != Problem::NotFound || worst.is_none() => worst = Some(error),
                Err(_) => {}
            }
        }
        Err(failed(worst.expect("there is at least one upstream")))
    }

    fn wanted(&self, until: &Until, author: String, comment: String, matchers: Vec<Matcher>) -> anyhow::Result<Wanted> {
        let matchers = Matcher::checked(matchers).map_err(|why| Misused(why.to_string()))?;
        let now = Clock::System.now();
        let author = if author.trim().is_empty() { "wegraf".to_owned() } else { author };
        let marker = marker(None, &format!("cli-{:016x}", rand::random::<u64>()));
        Ok(Wanted { matchers, now, ends_at: self.ends_at(until, now), author, comment, marker })
    }

    fn ends_at(&self, choice: &Until, now: Timestamp) -> Timestamp {
        until(choice.span, now, &self.config.timezone, choice.morning)
    }

    /// Prints what was done; every change passes here.
    async fn done(&self, of: &SilencesOf, by: &ByWhom, acts: &[Act<'_>]) -> anyhow::Result<ExitCode> {
        let answer = if of.json {
            let rows: Vec<_> = acts.iter().map(Act::json).collect();
            Screen::json(&json!({ "done": rows }))
        } else {
            acts.iter().map(|act| act.told(&self.config.timezone)).collect()
        };
        answer.show()?;
        // The change was made, whether it could be recorded or not.
        if let Err(why) = note::all(&self.config, by, acts).await {
            screen::warn(told!("! 没有记入操作记录：{why:#}", "! not on record: {why:#}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Act<'_> {
    fn json(&self) -> serde_json::Value {
        json!({
            "act": note::name(self.kind), "upstream": self.client.upstream(), "id": self.made.id, "ends_at": self.ends_at,
            "hides": self.hides,
        })
    }

    fn told(&self, zone: &TimeZone) -> Screen {
        let (upstream, id) = (self.client.upstream(), &self.made.id);
        let end = match self.ends_at {
            Some(at) => told!("静默到 {}", "silenced until {}", clock(at, zone)).to_string(),
            None => words("已结束", "ended").to_string(),
        };
        let mut screen = Screen::new();
        screen.line(format_args!("✓ {upstream}  {id}  {end}"));
        match self.hides {
            Some(0) => {
                screen.line(words("  现在没有告警符合，请核对条件", "  no alert matches now: check the matchers"));
            }
            Some(count) => {
                let s = plural(count);
                screen.line(told!("  现在挡住 {count} 条告警", "  hides {count} alert{s} now"));
            }
            None => {}
        }
        screen
    }
}

fn failed(UpstreamError { what, .. }: UpstreamError) -> anyhow::Error {
    anyhow::anyhow!("✗ {what}")
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(zone.clone()).strftime("%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
