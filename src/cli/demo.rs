//! `wegraf demo`: everything in one process, so that a person sees alerts arrive a minute after cloning.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wecom_simulator::{Setup, Simulator};

use super::sample::Sample;
use crate::app::{self, App};
use crate::config::Config;
use crate::store::{Ticket, fresh_secret, hash};
use crate::time::Clock;
use crate::words::{spoken, told};

/// Longest wait for the samples to arrive on the phone page.
const PATIENCE: Duration = Duration::from_secs(30);
/// The usual port; another one if it is taken.
const GATEWAY: &str = "127.0.0.1:8080";
const PHONE: &str = "127.0.0.1:8081";

/// Who is signed in to the console by the link that is printed.
const PERSON: &str = "zhangsan";
const PERSON_NAME: &str = "张三";

/// The conversation at which the phone page opens: the group of those on duty, who get all samples.
const OPEN: &str = "webhook/sim-ops-group";

/// The simulator's bot.
const BOT: &str = "sim-bot";
/// The sample that gets a picture, which the simulator serves in Grafana's place.
const PICTURED: &str = "grafana-firing";

/// What the demo fires, in this order.
const FIRED: &[&str] = &[
    "grafana-legacy-alerting",
    "grafana-firing",
    "grafana-nodata",
    "alertmanager-group",
    "prometheus-push",
    "grafana-mixed",
    "alertmanager-resolved",
    "generic-backup",
];

/// Starts simulator and gateway, fires the samples and, unless `once`, runs until Ctrl-C.
pub async fn run(once: bool) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("wegraf-demo-").tempdir().context("cannot make a temporary folder")?;
    let simulator = Simulator::start(bind(PHONE).await?, Setup::demo()).await;
    let listener = bind(GATEWAY).await?;
    let gateway = listener.local_addr()?;
    let path = folder.path().join("wegraf.yaml");
    std::fs::write(&path, configuration(&simulator.url(), gateway))?;
    std::fs::write(folder.path().join("Alarm_people.txt"), "daixuan\nzhangsan\n")?;
    let (config, _) = Config::load(&path).map_err(super::Misconfigured)?;
    let app = App::open(config, Clock::System).await?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(app::run(app.clone(), listener, stop.clone()));

    hello(&simulator).await?;
    println!(
        "{}",
        told!(
            "wegraf 演示：Grafana / Alertmanager → wegraf → 企业微信（模拟）\n",
            "wegraf demo: Grafana / Alertmanager → wegraf → WeCom (simulated)\n"
        )
    );
    let arrived = fire(&app, gateway, &simulator).await;
    match &arrived {
        Ok(messages) => println!("{}", told!("\n{messages} 条消息已送达", "\n{messages} messages have arrived")),
        Err(error) => println!("\n{error:#}"),
    }
    if !once {
        doors(&app, gateway, &simulator.url()).await?;
        println!("{}", told!("\n按 Ctrl-C 结束", "\npress Ctrl-C to end"));
        tokio::signal::ctrl_c().await?;
    }
    stop.cancel();
    running.await??;
    simulator.stop().await;
    arrived.map(|_| ExitCode::SUCCESS)
}

/// Prints where to look and where to post.
async fn doors(app: &App, gateway: SocketAddr, phone: &str) -> anyhow::Result<()> {
    let ticket = fresh_secret();
    let person = Ticket { person: PERSON.to_owned(), way: "command".to_owned() };
    app.store().offer(hash(&ticket), person, app.now()).await?;
    println!("{}", told!("\n  打开手机页面      {phone}/#{OPEN}", "\n  open the phone page    {phone}/#{OPEN}"));
    println!(
        "{}",
        told!(
            "  以{PERSON_NAME}（{PERSON}）打开控制台  http://{gateway}/login/link/{ticket}",
            "  the console, as {PERSON_NAME} ({PERSON})   http://{gateway}/login/link/{ticket}"
        )
    );
    println!(
        "{}",
        told!("  把告警发到这里    http://{gateway}/webhook", "  send alerts to         http://{gateway}/webhook")
    );
    let socket = phone.replacen("http", "ws", 1);
    println!(
        "{}",
        told!(
            "  模拟的企业微信    api_url {phone}  bot_url {socket}/ws",
            "  the simulated WeCom    api_url {phone}  bot_url {socket}/ws"
        )
    );
    Ok(())
}

async fn bind(wanted: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(wanted).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind("127.0.0.1:0").await.context("cannot listen on 127.0.0.1"),
    }
}

/// In the language of the person at the terminal.
fn configuration(api_url: &str, gateway: SocketAddr) -> String {
    let socket = api_url.replacen("http", "ws", 1);
    let language = spoken().unwrap_or_default().as_str();
    format!(
        "# wegraf demo\nlanguage: {language}\nlisten: {gateway}\nexternal_url: http://{gateway}\ndatabase: sqlite:demo.db\nwecom:\n  api_url: {api_url}\n  apps:\n    ops: {{ corp_id: wwsimcorp0000001, agent_id: 1000002, secret: sim-app-secret }}\n  bot_url: {socket}/ws\n  bots: {{ duty: {{ bot_id: {BOT}, secret: sim-bot-secret }} }}\n  webhooks:\n    ops-group: {{ key: sim-ops-group }}\n    dba-group: {{ key: sim-dba-group }}\n{RECEIVERS}"
    )
}

const RECEIVERS: &str = r#"
receivers:
  on-duty:
    targets:
      - { app: ops, users_file: Alarm_people.txt, face: news }
      - { app: ops, chat: AITest, face: markdown }
      - { webhook: ops-group, face: markdown_v2, image: true }
      - { bot: duty, chat: zhangsan, face: card }
  dba:
    targets:
      - { webhook: dba-group, face: markdown, mention: [wangwu] }
      - { app: ops, users: [wangwu], face: card }
  english:
    language: en
    targets:
      - { app: ops, users: [lisi], face: textcard }
images: { hosts: [127.0.0.1] }
console: { may_look: { users: [zhangsan] } }
route:
  receiver: on-duty
  routes:
    - { matchers: ['team=~"dba|database"'], receiver: dba, continue: true }
    - { matchers: ['severity="critical"'], receiver: english, continue: true }
    - { receiver: on-duty }
"#;

/// Posts the samples as their senders would and waits until all their messages have arrived; returns how many.
async fn fire(app: &App, gateway: SocketAddr, simulator: &Simulator) -> anyhow::Result<u64> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    for name in FIRED {
        let sample = super::sample::find(name)?;
        println!("  → {:<26} {}", sample.name, sample.shows);
        let mut body = sample.body(app.now());
        if sample.name == PICTURED {
            let mut value: serde_json::Value = serde_json::from_str(&body)?;
            value["alerts"][0]["imageURL"] = format!("{}/_simulator/sample.png", simulator.url()).into();
            body = value.to_string();
        }
        post(&http, gateway, sample, body).await?;
        // Each arrives before the next one is posted, so that every run shows the same: what waits together would be told
        // in a digest, and when it waits depends on the machine.
        all_arrived(app).await?;
    }
    let (audit, sent) = (app.store().audit().await?, count(&http, simulator).await?);
    ensure!(
        audit.dead == 0 && audit.imbalance == 0 && sent > 0,
        told!("有告警没有送达：{audit:?}", "some alerts did not arrive: {audit:?}")
    );
    Ok(sent)
}

/// Waits until nothing is left to be sent.
async fn all_arrived(app: &App) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let (audit, backlog) = (app.store().audit().await?, app.store().backlog().await?);
        if audit.pending == 0 && backlog.messages == 0 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            told!("等了 30 秒仍有告警没有送达：{audit:?}", "some alerts had not arrived after 30 s: {audit:?}")
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A user writes to the bot, as soon as it listens: only then may it write to that user.
async fn hello(simulator: &Simulator) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let begun = Instant::now();
    let control = format!("{}/_simulator", simulator.url());
    loop {
        let bots: serde_json::Value = http.get(format!("{control}/bots")).send().await?.json().await?;
        if !bots["bots"][0]["live"].is_null() {
            break;
        }
        ensure!(begun.elapsed() < PATIENCE, told!("机器人没有连上", "the bot did not connect"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let says = serde_json::json!({ "bot": BOT, "user": "zhangsan", "text": "你好" });
    http.post(format!("{control}/says")).json(&says).send().await?.error_for_status()?;
    Ok(())
}

async fn post(http: &reqwest::Client, gateway: SocketAddr, sample: &Sample, body: String) -> anyhow::Result<()> {
    let request = http.post(format!("http://{gateway}{}", sample.path)).header("content-type", "application/json");
    let answer = request.body(body).send().await?;
    ensure!(answer.status() == 200, "{}: HTTP {}", sample.name, answer.status());
    Ok(())
}

async fn count(http: &reqwest::Client, simulator: &Simulator) -> anyhow::Result<u64> {
    let counters: serde_json::Value =
        http.get(format!("{}/_simulator/counters", simulator.url())).send().await?.json().await?;
    counters["messages"].as_u64().context("the simulator counts no messages")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample::SAMPLES;

    #[test]
    fn everything_the_demo_fires_is_a_sample() {
        assert!(FIRED.iter().all(|name| SAMPLES.iter().any(|sample| sample.name == *name)));
    }
}
