//! The built program: as a gateway that can be killed, and as commands with an exit code and an output.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{PATIENCE, World};

/// The program, as `./test` and `cargo test` build it.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_wegraf");

/// A command without the environment of the test.
fn command(world: &World) -> Command {
    let mut command = Command::new(PROGRAM);
    // The texts that tests look for are in either language.
    command.env_clear().env("WEGRAF_LANG", "both").current_dir(world.folder.path()).kill_on_drop(true);
    command
}

/// `wegraf serve`, with the configuration of a world.
pub struct Wegraf {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Wegraf {
    /// Starts it, waits until it is ready and connects the world to it.
    pub async fn serve(world: &mut World) -> Self {
        Self::serve_with(world, &[]).await
    }

    /// The same with further arguments.
    pub async fn serve_with(world: &mut World, arguments: &[&str]) -> Self {
        Self::start(world, &[&["--listen", "127.0.0.1:0"], arguments].concat()).await
    }

    /// The same at the addresses that the configuration names.
    pub async fn serve_as_written(world: &mut World) -> Self {
        Self::start(world, &[]).await
    }

    /// The same at an address that stays the same over a restart.
    pub async fn serve_at(world: &mut World, address: SocketAddr) -> Self {
        Self::start(world, &["--listen", &address.to_string()]).await
    }

    /// The same where only the locale says in which language, as under a service manager.
    pub async fn serve_in_locale(world: &mut World, locale: &str) -> Self {
        let mut command = command(world);
        command.env_remove("WEGRAF_LANG").env("LANG", locale);
        Self::start_by(command, world, &["--listen", "127.0.0.1:0"]).await
    }

    async fn start(world: &mut World, arguments: &[&str]) -> Self {
        Self::start_by(command(world), world, arguments).await
    }

    async fn start_by(mut command: Command, world: &mut World, arguments: &[&str]) -> Self {
        let command = command.args(["serve", "-c", "wegraf.yaml"]).args(arguments).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it starts in time").unwrap();
            let Some(line) = line else { panic!("it ended instead of starting: {}", log.lock().unwrap()) };
            log.lock().unwrap().extend([&line, "\n"]);
            if line.contains("wegraf is ready") {
                let event: Value = serde_json::from_str(&line).unwrap();
                world.url = format!("http://{}", event["fields"]["listen"].as_str().unwrap());
                break;
            }
        }
        let kept = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().extend([&line, "\n"]);
            }
        });
        Self { child, log }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged `text`.
    pub async fn logged(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "it never logged {text:?}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends it a signal: `TERM`, `HUP`.
    pub async fn signal(&self, name: &str) {
        let status = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status().await;
        assert!(status.unwrap().success());
    }

    /// kill -9: it cannot do anything before it ends.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time").unwrap()
    }

    /// A line of `/proc/PID/status` in KiB: `VmRSS` is its memory now, `VmHWM` the most it ever had.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process lives");
        let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        value.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// How many files and connections it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the process lives").count()
    }
}

/// What a command answered.
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// The output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// Itself, if its exit code is `code`.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Itself, if its output holds every one of `texts`.
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.out.contains(text), "{text:?} is not in the output: {}\nerr: {}", self.out, self.err);
        }
        self
    }
}

/// Runs `wegraf` with `arguments` in the folder of a world, where the configuration is `wegraf.yaml`.
pub async fn run(world: &World, arguments: &[&str]) -> Answer {
    run_on(world, arguments, b"").await
}

/// The same with something on standard input.
pub async fn run_on(world: &World, arguments: &[&str], input: &[u8]) -> Answer {
    let mut child = command(world)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read its input closes it early.
    stdin.write_all(input).await.ok();
    drop(stdin);
    let output = tokio::time::timeout(3 * PATIENCE, child.wait_with_output()).await.expect("it ends in time").unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
