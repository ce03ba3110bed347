//! `wegraf simulator`: a local WeCom, until Ctrl-C.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::net::TcpListener;
use wecom_simulator::{Setup, Simulator};

use crate::words::told;

/// The members of the corp that is played.
const MEMBERS: &str = "daixuan zhangsan lisi wangwu";
/// Its bot.
const BOT: &str = "sim-bot";
const BOT_SECRET: &str = "sim-bot-secret";

/// Simulates WeCom on `listen`, with the demo corp.
pub async fn run(listen: SocketAddr) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| told!("无法监听 {listen}", "cannot listen on {listen}").to_string())?;
    let simulator = Simulator::start(listener, Setup::demo()).await;
    let url = simulator.url();
    println!("{}", told!("企业微信模拟器\n", "a local WeCom\n"));
    println!("{}", told!("  手机页面    {url}/", "  phone page    {url}/"));
    println!("{}", told!("  接口地址    api_url {url}", "  api_url       {url}"));
    let socket = url.replacen("http", "ws", 1);
    println!("{}", told!("  机器人连接  bot_url {socket}/ws", "  bot_url       {socket}/ws"));
    println!(
        "{}",
        told!(
            "  应用        corp_id wwsimcorp0000001, agent_id 1000002, secret sim-app-secret",
            "  app           corp_id wwsimcorp0000001, agent_id 1000002, secret sim-app-secret"
        )
    );
    println!(
        "{}",
        told!("  机器人      bot_id {BOT}, secret {BOT_SECRET}", "  bot           bot_id {BOT}, secret {BOT_SECRET}")
    );
    println!("{}", told!("  成员        {MEMBERS}", "  members       {MEMBERS}"));
    println!("{}", told!("  群聊        AITest", "  chat          AITest"));
    println!(
        "{}",
        told!(
            "  消息推送    sim-ops-group  sim-dba-group  sim-backup-group",
            "  webhook key   sim-ops-group  sim-dba-group  sim-backup-group"
        )
    );
    println!("{}", told!("\n按 Ctrl-C 结束", "\npress Ctrl-C to end"));
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}
