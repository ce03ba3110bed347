//! Headless Chromium, driven by the `DevTools` protocol over its pipe.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::harness::PATIENCE;
use crate::programs::find;

/// What Chromium answers if the page was left while it evaluated an expression.
const GONE: &str = "Inspected target navigated or closed";

/// A page in a browser of its own.
pub struct Browser {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    calls: u64,
    session: Option<String>,
    /// Exceptions and messages of the console's error level.
    pub complaints: Vec<String>,
    // Dropped in this order: the browser ends before its folder is removed.
    _child: Child,
    _profile: TempDir,
}

impl Browser {
    /// Opens an empty page of this size. Only the names in `hosts` can be resolved: `("a.example.com",
    /// "127.0.0.1:80")`.
    pub async fn open(width: u32, height: u32, hosts: &[(&str, &str)]) -> Option<Self> {
        let chromium = find("chromium")?;
        let profile = TempDir::new().unwrap();
        let mut names: Vec<_> = hosts.iter().map(|(name, address)| format!("MAP {name} {address}")).collect();
        names.extend(["MAP * ~NOTFOUND".to_owned(), "EXCLUDE 127.0.0.1".to_owned()]);
        // The protocol uses descriptors 3 and 4; the shell connects them to its own input and output.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null"])
            .arg(chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args([
                "--accept-lang=zh-CN,zh",
                "--no-first-run",
                "--no-proxy-server",
                "--disable-background-networking",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--host-resolver-rules={}", names.join(", ")))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let mut browser =
            Self { to, from, calls: 0, session: None, complaints: Vec::new(), _child: child, _profile: profile };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser.resize(width, height).await;
        Some(browser)
    }

    /// Calls a method and returns its result; events meanwhile are searched for complaints.
    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{call}\0").as_bytes()).await.unwrap();
        loop {
            let mut frame = Vec::new();
            let read = tokio::time::timeout(PATIENCE, self.from.read_until(0, &mut frame)).await;
            assert!(read.expect("the browser answers in time").unwrap() > 0, "the browser ended: {method}");
            let mut said: Value = serde_json::from_slice(frame.strip_suffix(b"\0").unwrap_or(&frame)).unwrap();
            if said["id"] == self.calls {
                if said["error"]["message"] == GONE {
                    // As an exception in the page: what waits for an expression asks the next page.
                    return json!({ "exceptionDetails": GONE });
                }
                assert!(said.get("error").is_none(), "{method}: {said}");
                return said["result"].take();
            }
            let wrong = match said["method"].as_str() {
                Some("Runtime.exceptionThrown") => true,
                Some("Runtime.consoleAPICalled") => said["params"]["type"] == "error",
                Some("Log.entryAdded") => said["params"]["entry"]["level"] == "error",
                _ => false,
            };
            if wrong {
                self.complaints.push(said["params"].to_string());
            }
        }
    }

    /// Gives the page this size, with the dots of a phone.
    pub async fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Shows pages in a dark colour scheme.
    pub async fn dark(&mut self) {
        self.scheme(true).await;
    }

    /// Shows pages in a dark or in a light colour scheme.
    pub async fn scheme(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.call("Emulation.setEmulatedMedia", features).await;
    }

    /// What axe-core finds wrong with the page: each rule, and where. It is brought in past the page's policy.
    pub async fn axe(&mut self) -> Vec<String> {
        let path = find("target/witnesses/node/node_modules/axe-core/axe.min.js").expect("the test asked for it");
        let source = std::fs::read_to_string(path).unwrap();
        self.evaluate(&format!("{source}\n;0")).await;
        let run = "axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }).then(found => \
                   found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`)))";
        serde_json::from_value(self.evaluate(run).await).unwrap()
    }

    /// What the frames of the page show; a page that may not be framed is an error of the browser's own there.
    pub async fn frames(&mut self) -> Vec<String> {
        let tree = self.call("Page.getFrameTree", json!({})).await;
        let frames = tree["frameTree"]["childFrames"].as_array().cloned().unwrap_or_default();
        frames.iter().map(|frame| frame["frame"]["url"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Loads `url`, also if only the part behind `#` is new.
    pub async fn visit(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": "about:blank" })).await;
        self.until("location.href === 'about:blank'").await;
        self.call("Page.navigate", json!({ "url": url })).await;
        self.until("location.href !== 'about:blank' && document.readyState === 'complete'").await;
    }

    /// The value of a JavaScript expression; null if the page was left meanwhile, as a press of a button may do.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        match self.tried(expression).await {
            Ok(value) => value,
            Err(answer) if answer["exceptionDetails"] == GONE => Value::Null,
            Err(answer) => panic!("{expression}: {answer}"),
        }
    }

    /// The same; the error is the exception.
    async fn tried(&mut self, expression: &str) -> Result<Value, Value> {
        let ask = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", ask).await;
        if answer.get("exceptionDetails").is_some() { Err(answer) } else { Ok(answer["result"]["value"].take()) }
    }

    /// Waits until an expression is true. An exception is not the end: a page that is being loaded has no document.
    pub async fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        loop {
            let answer = self.tried(expression).await;
            if answer == Ok(json!(true)) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never true: {expression}: {answer:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Writes the page to a PNG, for people to look at.
    pub async fn screenshot(&mut self, path: &Path) {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" })).await;
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
