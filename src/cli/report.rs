//! `wegraf report`: how much alerts asked of people, and which rules are worth changing.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::Misused;
use super::deliveries::When;
use super::deliveries::export::create;
use super::record::{Place, Record};
use super::screen::Screen;
use crate::alert::Timestamp;
use crate::stats::{Advice, Report, Rule, Sums};
use crate::store::{LONGEST_MS, TallyFilter};
use crate::time::Clock;
use crate::words::{told, words};

/// Rules and sums of a kind that are printed.
const ROWS: usize = 20;
const WEEK_MS: i64 = 7 * 24 * 3_600_000;

/// `wegraf report`
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Where to look.
    #[command(flatten)]
    pub place: Place,
    /// 从何时起：7d、30d 之前，“11-23 08:00”或 RFC 3339；默认 7 天，最长 92 天。 Since when: 7d or 30d ago, "11-23 08:00" or RFC 3339; default 7 days, at most 92.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    pub since: Option<When>,
    /// 到何时为止（不含），默认现在。 Until when (not included); default: now.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    pub until: Option<When>,
    /// 只看这个接收者。 Only of this receiver.
    #[arg(long, value_name = "NAME")]
    pub receiver: Option<String>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
    /// 把规则写进这个 CSV 文件，一条一行，用表格软件打开；已有文件不会被覆盖。 Write the rules into this CSV file for spreadsheets, a line for each, never over a file that exists.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub csv: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(arguments: ReportArguments) -> anyhow::Result<ExitCode> {
    let record = Record::open(&arguments.place).await?;
    let now = Clock::System.now();
    let until = arguments.until.map_or(now, |until| until.resolve_near(now, record.zone()));
    let since = arguments.since.map_or(until.plus_millis(-WEEK_MS), |since| since.resolve(now, record.zone()));
    if !(1..=LONGEST_MS).contains(&until.millis_since(since)) {
        return Err(Misused(
            words("--since 到 --until 是 1 毫秒到 92 天", "from --since to --until are 1 ms to 92 days").to_string(),
        )
        .into());
    }
    let filter = TallyFilter { since, until, receiver: arguments.receiver, receivers: None, now };
    let report = record.report(filter).await?;
    if let Some(path) = &arguments.csv {
        let written = create(path).and_then(|mut file| file.write_all(report.csv().as_bytes()));
        written.with_context(|| {
            told!(
                "写不了 {0}：已有文件不会被覆盖，请换个名字或先移走",
                "{0} cannot be written: a file that exists is never overwritten, choose another name or move it away",
                path.display()
            )
            .to_string()
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let screen =
        if arguments.json { Screen::json(&serde_json::to_value(&report)?) } else { told(&report, since, until) };
    screen.show()?;
    Ok(ExitCode::SUCCESS)
}

fn told(report: &Report, since: Timestamp, until: Timestamp) -> Screen {
    let mut screen = Screen::new();
    let days = until.millis_since(since) / (24 * 3_600_000);
    let Sums { fired, night, sent, dead, folded, .. } = &report.all;
    screen.line(told!(
        "{days} 天：告警 {fired}（夜里 {night}），消息 {sent}，没送到 {dead}，并入摘要 {folded}",
        "{days} days: {fired} alerts ({night} at night), {sent} messages, {dead} not delivered, {folded} in digests"
    ));
    let span = |seconds: Option<u64>| {
        seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{} min", seconds.div_ceil(60)))
    };
    screen.line(told!(
        "从送达到认领：中位 {}，九成在 {} 内；持续：中位 {}；晚于一分钟送达 {}",
        "from delivery until taken: median {}, nine of ten within {}; on for: median {}; delivered later than a minute {}",
        span(report.median_seconds),
        span(report.p90_seconds),
        span(report.median_length_seconds),
        report.all.late
    ));
    if report.needless > 0 {
        screen.line(told!("说不该叫醒人的：{} 次", "called needless by those it woke: {} times", report.needless));
    }
    if report.unanswered > 0 {
        screen.line(told!(
            "严重、超过 15 分钟没人认领或静默的：{}",
            "critical, for more than 15 min neither taken nor silenced: {}",
            report.unanswered
        ));
    }
    if report.cut {
        screen.line(words("太多，没有数全；请缩短时间", "too many, not all are counted: take a shorter span"));
    }
    screen.gap();
    screen.line(words("    次数    夜里      认领      中位  规则", "   fired   night     taken    median  rule"));
    for rule in report.rules.iter().take(ROWS) {
        screen.line(format_args!("  {}", line(rule)));
    }
    for (title, sums) in [
        (words("接收者", "receivers"), &report.receivers),
        (words("来源", "sources"), &report.sources),
        (words("每天", "days"), &report.days),
    ] {
        screen.gap();
        screen.line(title);
        for sum in sums.iter().take(LIMIT) {
            screen.line(told!(
                "  {:>6} 告警  {:>6} 消息  {:>4} 没送到  {}",
                "  {:>6} alerts  {:>6} messages  {:>4} not delivered  {}",
                sum.fired,
                sum.sent,
                sum.dead,
                sum.name
            ));
        }
    }
    screen
}

/// Days of the longest span.
const LIMIT: usize = 93;

fn line(rule: &Rule) -> String {
    let percent = rule.taken_percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"));
    let median = rule.median_seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{} min", seconds.div_ceil(60)));
    let advice = match rule.advice {
        None => words("", ""),
        Some(Advice::Needless) => {
            words("  ← 有人说不该叫醒他，值得改", "  ← people say it should not have woken them: worth changing")
        }
        Some(Advice::Untaken) => words("  ← 很少有人认领，值得改", "  ← hardly ever taken: worth changing"),
        Some(Advice::Flapping) => words("  ← 反复，值得加长 for", "  ← goes on and off: a longer `for`"),
    };
    format!("{:>6}  {:>6}  {percent:>8}  {median:>8}  {}{advice}", rule.fired, rule.night, rule.name)
}
