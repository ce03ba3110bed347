//! What comes next, with the values filled in: how to start, and what to paste at the senders.

use std::io::Write;

use super::draft::{Draft, variable};
use super::write::Written;
use crate::cli::source::{Sender, pasted};
use crate::cli::{Init, SecretsIn};
use crate::config::Area;
use crate::words::{told, words};

pub(super) fn tell(draft: &Draft, written: &Written, arguments: &Init, screen: &mut dyn Write) -> std::io::Result<()> {
    let file = arguments.output.display();
    let names: Vec<String> = written.files.iter().map(|file| file.display().to_string()).collect();
    let names = names.join("  ");
    let (account, receiver) = (&draft.account, &draft.receiver);
    if written.added {
        writeln!(
            screen,
            "✓ {}",
            told!(
                "已加进 {file}：账号 {account}，接收者 {receiver}",
                "added to {file}: account {account}, receiver {receiver}"
            )
        )?;
        let next = told!(
            "把告警分给它：在 route 里写 receiver: {receiver}",
            "to send it alerts, name it in `route`: receiver: {receiver}"
        );
        writeln!(screen, "  {next}")?;
    } else {
        writeln!(screen, "✓ {}", told!("已写好 {names}", "written: {names}"))?;
    }
    if arguments.secrets == SecretsIn::Env {
        for secret in &draft.secrets {
            let (name, value) = (variable(&secret.name), &secret.value);
            writeln!(
                screen,
                "  {}",
                told!("启动前设置环境变量 {name}={value}", "before starting, set {name}={value}")
            )?;
        }
    }
    writeln!(screen, "\n{}", words("启动", "Start"))?;
    if arguments.output.starts_with("/etc/wegraf") {
        writeln!(screen, "  sudo systemctl enable --now wegraf")?;
    } else {
        writeln!(screen, "  wegraf serve -c {file}")?;
    }
    let Some(token) = &draft.token else { return Ok(()) };
    let base = draft.config.door(Area::Webhook).url();
    writeln!(
        screen,
        "\n{}",
        words(
            "Grafana：Alerting → Contact points → Add，Integration 选 Webhook",
            "Grafana: Alerting → Contact points → Add, integration Webhook"
        )
    )?;
    for (name, value) in pasted(Sender::Grafana, &base, "", token).1 {
        writeln!(screen, "  {name}: {value}")?;
    }
    let whole = words(
        "整个文件；已经有了，就只加 receivers 里的这一项，并在 route 里写 receiver: wegraf",
        "the whole file; to one that exists add the entry of receivers only, and name it in route: receiver: wegraf",
    );
    writeln!(screen, "\nAlertmanager (alertmanager.yml): {whole}")?;
    writeln!(screen, "route:\n  receiver: wegraf\n  group_by: [alertname]\nreceivers:\n  - name: wegraf")?;
    for (_, value) in pasted(Sender::Alertmanager, &base, "", token).1 {
        writeln!(screen, "    webhook_configs:{value}")?;
    }
    writeln!(screen, "\n{}", words("试一下（先启动）", "Try it (once it runs)"))?;
    writeln!(screen, "  curl -H 'Authorization: Bearer {token}' -d 'hello' '{base}/webhook'")?;
    if draft.config.wecom.bots.contains_key(account) {
        // The running gateway has the bot's one connection, which `wegraf send` does not take from it.
        Ok(())
    } else if arguments.output.starts_with("/etc/wegraf") {
        writeln!(screen, "  sudo wegraf send {receiver} --sample grafana-firing -c {file}")
    } else {
        writeln!(screen, "  wegraf send {receiver} --sample grafana-firing -c {file}")
    }
}
