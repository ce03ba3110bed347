//! Serves the demo corp: `cargo run -p wecom-simulator --example simulator -- 127.0.0.1:8088`.

use wecom_simulator::{Setup, Simulator};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8088".into());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let simulator = Simulator::start(listener, Setup::demo()).await;
    println!("{}", simulator.url());
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}
