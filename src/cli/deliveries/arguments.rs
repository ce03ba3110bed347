//! The arguments of `wegraf deliveries`, and the messages that a selection means.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::when::When;
use crate::alert::{ThreadId, Timestamp};
use crate::cli::record::Place;
use crate::cli::{ConfigFile, Misused, label};
use crate::config::ListenAt;
use crate::names::LaneKey;
use crate::store::{DeliveryFilter, State};
use crate::words::words;
use jiff::tz::TimeZone;

/// `wegraf deliveries`
#[derive(Debug, Args)]
pub struct Deliveries {
    /// What to do.
    #[command(subcommand)]
    pub command: DeliveriesCommand,
}

/// What to do with the record.
#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// 最近的消息，新的在前。 Recent messages, newest first.
    List {
        /// Where to look.
        #[command(flatten)]
        place: Place,
        /// Which messages.
        #[command(flatten)]
        selection: Selection,
        /// 最多几条，1 到 1000。 At most so many, 1 to 1000.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// 输出 JSON。 Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// 一条消息的全部经过。 Everything about one message.
    Show {
        /// Where to look.
        #[command(flatten)]
        place: Place,
        /// 消息末尾的短号（#7K2Q）或列表里的编号。 The short id at the end of a message (#7K2Q), or its number in the list.
        #[arg(value_name = "ID")]
        id: String,
        /// 输出 JSON。 Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// 导出全部记录，不限条数，新的在前。 Export the record, however long, newest first.
    Export {
        /// Where to look.
        #[command(flatten)]
        place: Place,
        /// Which messages.
        #[command(flatten)]
        selection: Selection,
        /// csv 用表格软件打开，时间按配置的时区；jsonl 每行一个 JSON。 csv for spreadsheets, times in the configured zone; jsonl: one JSON a line.
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
        /// 写到哪个文件，已有文件不会被覆盖；默认标准输出。 Where to write, never over a file that exists; default: standard output.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// 再发一次，收到的人会看到“重发”。 Send once more; who gets it sees that it is a resend.
    Resend {
        /// Which configuration.
        #[command(flatten)]
        file: ConfigFile,
        /// 列表里的编号；短号（#7K2Q）指这件事的所有消息，不含重发过的。 Numbers in the list; a short id (#7K2Q) is all messages of one incident but resends.
        #[arg(value_name = "NUMBER|#ID", required = true)]
        ids: Vec<String>,
        /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
        #[arg(long, value_name = "ADDR")]
        listen: Option<ListenAt>,
        /// 输出 JSON。 Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// 撤回 24 小时内由应用发给成员的消息（群机器人、群聊的撤不回）。 Take back what an app sent to members within 24 h (not what went to webhooks or group chats).
    Recall {
        /// Which configuration.
        #[command(flatten)]
        file: ConfigFile,
        /// 列表里的编号；短号（#7K2Q）指这件事的所有消息。 Numbers in the list; a short id (#7K2Q) is all messages of one incident.
        #[arg(value_name = "NUMBER|#ID", required = true)]
        ids: Vec<String>,
        /// 谁撤回的，默认是系统用户名；记入操作记录。 Who recalls, for the record; default: the user of this system.
        #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "wegraf")]
        by: String,
        /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
        #[arg(long, value_name = "ADDR")]
        listen: Option<ListenAt>,
        /// 输出 JSON。 Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// 对账：每条变化有且只有一个去向；对不上则退出码为 1。 The audit: every change has exactly one fate; exit code 1 if not.
    Audit {
        /// Where to look.
        #[command(flatten)]
        place: Place,
        /// 输出 JSON。 Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Which messages.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "筛选 | Filters")]
pub struct Selection {
    /// 从何时起：2h、30m、7d 之前，“11-23 08:00”或 RFC 3339。 Since when: 2h, 30m or 7d ago, "11-23 08:00" in the configured zone, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    since: Option<When>,
    /// 到何时为止（不含），写法相同。 Until when (not included), written the same way.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    until: Option<When>,
    /// 这个接收者的。 Of this receiver.
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// 这个目标的，写法同列表：webhook/ops-group。 To this target, written as in the list: webhook/ops-group.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// 直接写明发给此人（userid），或企业微信说此人没收到的。 Addressed to this userid by name, or missed by them as WeCom said.
    #[arg(long, value_name = "USERID")]
    person: Option<String>,
    /// 这个状态的。 In this state.
    #[arg(long, value_enum)]
    state: Option<DeliveryState>,
    /// 某次尝试得到这个 errcode 的。 With an attempt that was answered with this errcode.
    #[arg(long, value_name = "CODE", allow_negative_numbers = true)]
    errcode: Option<i64>,
    /// 含有带此标签的告警的；可重复，须全部符合。 Telling of an alert with this label; repeat it for an alert with all of them.
    #[arg(long = "label", value_name = "LABEL=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// 消息末尾的短号。 The short id at the end of a message.
    #[arg(long, value_name = "#ID", value_parser = short_id)]
    id: Option<ThreadId>,
}

impl Selection {
    /// What the store is asked for, with the times read at `now` in `zone`.
    pub fn filter(self, now: Timestamp, zone: &TimeZone) -> Result<DeliveryFilter, Misused> {
        let since = self.since.map(|since| since.resolve(now, zone));
        let until = self.until.map(|until| until.resolve_near(now, zone));
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(Misused(
                words("--since 不早于 --until，什么也选不到", "--since is not before --until: nothing is selected")
                    .to_string(),
            ));
        }
        Ok(DeliveryFilter {
            since,
            until,
            receiver: self.receiver,
            lane: self.target.map(LaneKey::stored),
            state: self.state.map(State::from),
            thread: self.id,
            person: self.person,
            errcode: self.errcode,
            labels: self.labels,
            ..DeliveryFilter::default()
        })
    }
}

/// A short id as it stands in messages.
pub fn short_id(text: &str) -> Result<ThreadId, String> {
    ThreadId::parse(text)
        .ok_or_else(|| words("不是短号，短号像 #7K2Q", "this is no short id, which looks like #7K2Q").to_string())
}

/// How to write an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// 逗号分隔。 Comma-separated.
    Csv,
    /// 每行一个 JSON。 One JSON a line.
    Jsonl,
}

/// Where a message is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeliveryState {
    /// 等待发送。 Waits.
    Queued,
    /// 正在发送。 Being sent.
    Sending,
    /// 结果未知，将再试。 The outcome is unknown; will be tried again.
    Unsure,
    /// 已送达企业微信。 Accepted by WeCom.
    Sent,
    /// 被拒绝。 Refused for good.
    Dead,
    /// 由摘要代为通知。 Told by a digest instead.
    Folded,
}

impl From<DeliveryState> for State {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Queued => Self::Queued,
            DeliveryState::Sending => Self::Sending,
            DeliveryState::Unsure => Self::Unsure,
            DeliveryState::Sent => Self::Sent,
            DeliveryState::Dead => Self::Dead,
            DeliveryState::Folded => Self::Folded,
        }
    }
}
