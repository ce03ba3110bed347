//! The arguments of `wegraf silences`.

use clap::{Args, Subcommand};
use jiff::civil::Time;

use crate::cli::ConfigFile;
use crate::cli::record::Elsewhere;
use crate::config::ListenAt;
use crate::upstream::{Matcher, Span, parse_time};
use crate::words::words;

fn span(text: &str) -> Result<Span, String> {
    Span::parse(text).map_err(|how| how.to_string())
}

/// `wegraf silences`
#[derive(Debug, Args)]
pub struct Silences {
    /// What to do.
    #[command(subcommand)]
    pub command: SilencesCommand,
}

/// In which upstream of which configuration.
#[derive(Debug, Args)]
pub struct SilencesOf {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 上游名，见 upstreams；只有一个时可不写，找编号时会都找。 Name of the upstream; may be left out if there is one; an id is looked for in all.
    #[arg(long, value_name = "NAME")]
    pub upstream: Option<String>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Who does it, for the upstream and for the record.
#[derive(Debug, Args)]
pub struct ByWhom {
    /// 谁做的，默认是系统用户名；也记入操作记录。 Who does it, also for the record; default: the user of this system.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "wegraf")]
    pub author: String,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
}

/// How long.
#[derive(Debug, Args)]
pub struct Until {
    /// 多久，从现在算起：30m、1h、4h（1m 到 30d），或 morning（到早上）。 How long from now: 30m, 1h, 4h (1m to 30d), or morning.
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    pub span: Span,
    /// 早上是几点，按配置的时区。 When the morning is, in the configured time zone.
    #[arg(long, value_name = "HH:MM", default_value = "09:00", value_parser = morning)]
    pub morning: Time,
}

/// What to do with silences.
#[derive(Debug, Subcommand)]
pub enum SilencesCommand {
    /// 现有的静默，先结束的在前。 Silences in force, those that end first in front.
    List {
        /// Where.
        #[command(flatten)]
        of: SilencesOf,
        /// A gateway elsewhere.
        #[command(flatten)]
        elsewhere: Elsewhere,
        /// 已经结束的也列。 Also those that have ended.
        #[arg(long)]
        all: bool,
        /// 只列含这些条件的。 Only those with these matchers.
        #[arg(value_name = "LABEL=VALUE", value_parser = matcher)]
        matchers: Vec<Matcher>,
    },
    /// 先说出条件和现在会挡住几条告警，确认后做一条静默。 Show the matchers and how many alerts they hide now, then make a silence.
    Create {
        /// Where.
        #[command(flatten)]
        of: SilencesOf,
        /// How long.
        #[command(flatten)]
        until: Until,
        /// Who.
        #[command(flatten)]
        by: ByWhom,
        /// 不问，直接做；不在终端里运行时本来就不问。 Do not ask; without a terminal nothing is asked anyway.
        #[arg(long, short = 'y')]
        yes: bool,
        /// 为什么。 Why.
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
        /// 条件，全部满足才挡：标签=值，也可以 != =~ !~。 Matchers, all of which must hold: LABEL=VALUE, also != =~ !~.
        #[arg(value_name = "LABEL=VALUE", required = true, value_parser = matcher)]
        matchers: Vec<Matcher>,
    },
    /// 延长一条静默；已结束的会重新做一条。 Extend a silence; one that has ended is made anew.
    Extend {
        /// Where.
        #[command(flatten)]
        of: SilencesOf,
        /// How long.
        #[command(flatten)]
        until: Until,
        /// Who.
        #[command(flatten)]
        by: ByWhom,
        /// 编号，见 list。 Its id, see list.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// 马上结束静默。 End silences now.
    Expire {
        /// Where.
        #[command(flatten)]
        of: SilencesOf,
        /// Who.
        #[command(flatten)]
        by: ByWhom,
        /// 编号，见 list。 Their ids, see list.
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

fn matcher(text: &str) -> Result<Matcher, String> {
    Matcher::parse(text).map_err(|how| how.to_string())
}

fn morning(text: &str) -> Result<Time, String> {
    parse_time(text).ok_or_else(|| words("写成 9:00、08:30 这样", "write it like 9:00 or 08:30").to_string())
}
