//! Charts: which alerts have one, how it looks, and where its series come from.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::{self, File};
use super::resolve::{Resolver, placed, value};
use super::{Upstream, UpstreamKind};

/// Bytes of the largest font.
const FONT_BYTES: u64 = 64 << 20;

/// How charts are made.
#[derive(Debug, Default)]
pub struct Charts {
    /// Which alerts have one.
    pub of: ChartsOf,
    /// Its colours.
    pub theme: ChartTheme,
    /// Do texts show the course as bars, too?
    pub bars: bool,
    /// A font for characters that the shipped one lacks.
    pub font: Option<PathBuf>,
    /// Whose expressions are asked.
    pub expression: ChartExpression,
    /// Where series come from: the upstreams of the kind `prometheus`.
    pub from: Vec<Upstream>,
}

/// 哪些告警带图。Which alerts have a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChartsOf {
    /// Critical ones.
    #[default]
    Critical,
    /// All.
    All,
    /// None.
    Off,
}

/// 图表的配色。Colours of charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChartTheme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on dark.
    Dark,
}

/// 信任哪里的表达式。Whose expressions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChartExpression {
    /// Only those in the upstream's own list of rules: what an alert says is not trusted, since its sender could have any
    /// query run and its picture posted.
    #[default]
    Rules,
    /// Those in alerts, too.
    Body,
}

impl Resolver<'_> {
    /// The charts, and the upstreams where silences are made.
    pub(super) fn charts(&mut self, file: &File, upstreams: Vec<Upstream>) -> (Charts, Vec<Upstream>) {
        let (from, silencing) = upstreams.into_iter().partition(|known| known.kind == UpstreamKind::Prometheus);
        let usual = file::Charts::default();
        let said = value(file.charts.as_ref()).unwrap_or(&usual);
        let font = placed(said.font.as_ref()).map(|(place, path)| (place, self.folder.join(path)));
        if let Some((place, path)) = &font {
            let fits = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= FONT_BYTES);
            if !fits {
                let shown = path.display();
                self.found.mistake(
                    *place,
                    (
                        format!("`charts.font` 读不到或太大：{shown}"),
                        format!("`charts.font` cannot be read or is too large: {shown}"),
                    ),
                    ("写一个 TTF 或 OTF 文件的路径", "name a TTF or OTF file"),
                );
            }
        }
        let charts = Charts {
            of: value(said.of.as_ref()).copied().unwrap_or_default(),
            theme: value(said.theme.as_ref()).copied().unwrap_or_default(),
            bars: value(said.bars.as_ref()).copied().unwrap_or_default(),
            font: font.map(|(_, path)| path),
            expression: value(said.expression.as_ref()).copied().unwrap_or_default(),
            from,
        };
        (charts, silencing)
    }
}
