//! `wegraf simulator`: a local WeCom, until Ctrl-C.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::net::TcpListener;
use wecom_simulator::{Setup, Simulator};

/// Simulates WeCom on `listen`, with the demo corp.
pub async fn run(listen: SocketAddr) -> anyhow::Result<ExitCode> {
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("无法监听 {listen} cannot listen on {listen}"))?;
    let simulator = Simulator::start(listener, Setup::demo()).await;
    let url = simulator.url();
    println!("企业微信模拟器 a local WeCom\n");
    println!("  手机页面 phone page    {url}/");
    println!("  接口地址 api_url       {url}");
    println!("  应用 app               corp_id wwsimcorp0000001, agent_id 1000002, secret sim-app-secret");
    println!("  成员 members           daixuan zhangsan lisi wangwu");
    println!("  群聊 chat              AITest");
    println!("  消息推送 webhook key   sim-ops-group  sim-dba-group  sim-backup-group");
    println!("\n按 Ctrl-C 结束 press Ctrl-C to end");
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}
