//! Charts of alerts: which message has one, what is asked for it, and the picture.
//!
//! A picture is drawn when its address is first opened, never before: a message does not wait for it. Only upstreams of the
//! configuration are asked, and only for what their own rules ask (see [`ChartExpression`]). One picture is drawn once a minute
//! at most, regardless of the number of messages and visitors.

mod kept;
mod plan;
mod trend;
mod value;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use wegraf_chart::{Canvas, Chart, Limit, Theme};

use crate::alert::{Alert, Format, Labels, Timestamp};
use crate::config::{ChartExpression, ChartTheme, ChartsOf, Config, Upstream, UpstreamKind};
use crate::measure::{self, Unit, UnitKind};
use crate::names::SourceId;
use crate::subject::Taught;
use crate::upstream::{
    FiringThere, GrafanaRule, Sampler, Series, Trouble, UpstreamError, asked_for, selected, unselected,
};
use crate::words::Language;
use kept::Kept;
use plan::Plan;

/// How long a picture is cached.
const KNOWN: Duration = Duration::from_mins(1);
/// Pictures that are kept.
const KEPT: usize = 64;
/// How long the numbers of what fires upstream are used.
const CURRENT: Duration = Duration::from_secs(15);
/// Pictures that are drawn at once.
const AT_ONCE: usize = 2;

/// The subject of a chart.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The firing alerts of a message, and when each began; the first one speaks for them.
    pub alerts: Vec<(&'a Alert, Option<Timestamp>)>,
    /// The format of their notification.
    pub format: Format,
    /// Its source.
    pub source: &'a SourceId,
    /// The end of the chart.
    pub at: Timestamp,
    /// The receiver's language.
    pub language: Language,
    /// The receiver's zone.
    pub timezone: &'a TimeZone,
    /// The configured roles of labels.
    pub taught: &'a Taught,
}

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Undrawn {
    /// The alert has no chart, or charts are off.
    Nothing,
    /// The upstream has no series of it, or too few points.
    Empty,
    /// The upstream did not answer as it should.
    Upstream(Trouble),
    /// The picture itself failed.
    Failed,
}

impl Undrawn {
    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Empty => "empty",
            Self::Upstream(trouble) => trouble.as_str(),
            Self::Failed => "failed",
        }
    }
}

type Picture = Result<Bytes, Undrawn>;

/// The canvas, or why it cannot be set up.
type Easel = OnceLock<Result<Canvas, wegraf_chart::Undrawn>>;

/// Draws charts. One for each configuration.
#[derive(Debug)]
pub struct Charts {
    config: Arc<Config>,
    samplers: Vec<OnceLock<Result<Sampler, UpstreamError>>>,
    canvas: Arc<Easel>,
    drawing: Semaphore,
    /// Pictures by what they show.
    known: Kept<Picture>,
    /// What fires upstream, by rule.
    firing: Kept<Result<Vec<FiringThere>, Undrawn>>,
}

impl Charts {
    /// Nothing is read or connected before the first picture.
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            samplers: asked(&config).map(|_| OnceLock::new()).collect(),
            config,
            canvas: Arc::default(),
            drawing: Semaphore::new(AT_ONCE),
            known: Kept::new(KNOWN, KEPT),
            firing: Kept::new(CURRENT, KEPT),
        }
    }

    /// Does a message about these alerts have a chart, as far as can be told without asking?
    pub fn wants(&self, about: &About<'_>) -> bool {
        let critical = about.alerts.iter().any(|(alert, _)| alert.is_critical());
        let wanted = match self.config.charts.of {
            ChartsOf::Off => false,
            ChartsOf::Critical => critical,
            ChartsOf::All => true,
        };
        wanted && about.alerts.first().is_some_and(|(alert, _)| self.origin(alert, about.source).is_some())
    }

    /// Where the series of `alert` are, and the uid of its rule if that is a Grafana's.
    fn origin<'a>(&'a self, alert: &'a Alert, source: &SourceId) -> Option<(&'a Upstream, Option<&'a str>)> {
        let (config, link) = (&self.config, &alert.links.rule);
        if let Some(upstream) = asked_for(&config.charts.from, link, source).filter(|_| plan::rule_of(alert).is_some())
        {
            return Some((upstream, None));
        }
        let grafana = asked_for(&config.upstreams, link, source).filter(|known| known.kind == UpstreamKind::Grafana)?;
        // In its identity the rule stands behind its organisation.
        let rule = alert.discriminator.rule_id()?;
        Some((grafana, Some(rule.rsplit('/').next().unwrap_or(rule))))
    }

    /// The plan of a chart for these alerts, and its upstream.
    async fn planned<'a>(&'a self, about: &'a About<'_>) -> Result<Planned<'a>, Undrawn> {
        let origin = about.alerts.first().filter(|_| self.wants(about));
        let (upstream, uid) = origin.and_then(|(alert, _)| self.origin(alert, about.source)).ok_or(Undrawn::Nothing)?;
        let rule = match uid {
            Some(uid) => Some(self.sampler(upstream)?.grafana_rule(uid).await.map_err(Undrawn::Upstream)?),
            None => None,
        };
        let plan = plan::plan(about, rule.as_ref().map(|rule| rule.expression.clone())).ok_or(Undrawn::Nothing)?;
        Ok(Planned { plan, upstream, rule })
    }

    fn sampler(&self, upstream: &Upstream) -> Result<&Sampler, Undrawn> {
        let index = asked(&self.config).position(|known| std::ptr::eq(known, upstream));
        let cell = index.and_then(|index| self.samplers.get(index)).ok_or(Undrawn::Nothing)?;
        cell.get_or_init(|| Sampler::new(upstream)).as_ref().map_err(|_| Undrawn::Upstream(Trouble::Unreachable))
    }

    /// No request waited for the answer about these alerts: a failure of their upstream.
    pub fn missed(&self, about: &About<'_>) {
        let origin = about.alerts.first().and_then(|(first, _)| self.origin(first, about.source));
        if let Some(sampler) = origin.and_then(|(upstream, _)| self.sampler(upstream).ok()) {
            sampler.missed();
        }
    }

    /// Names of upstreams that failed too often and are not asked for a while.
    pub fn paused(&self) -> Vec<&str> {
        let paused = |cell: &OnceLock<Result<Sampler, UpstreamError>>| {
            cell.get().and_then(|made| made.as_ref().ok()).is_some_and(Sampler::is_paused)
        };
        let all = asked(&self.config).zip(&self.samplers);
        all.filter(|(_, cell)| paused(cell)).map(|(upstream, _)| upstream.name.as_str()).collect()
    }

    /// The chart as PNG.
    pub async fn picture(&self, about: &About<'_>) -> Picture {
        let planned = self.planned(about).await?;
        let key = format!("{}\n{}\n{:?}", planned.upstream.name, about.language.as_str(), planned.plan);
        let place = self.known.place(key);
        place.get_or_init(|| self.drawn(&planned, about)).await.clone()
    }

    /// The course of the first series in words, for messages that cannot show a picture. `barred`: with bars behind them,
    /// where the configuration wants these.
    pub async fn course(&self, about: &About<'_>, barred: bool) -> Result<String, Undrawn> {
        let mut planned = self.planned(about).await?;
        (planned.plan.yesterday, planned.plan.limit) = (false, None);
        let Sampled { series, .. } = self.sampled(&planned).await?;
        let (chart, value) = chart(&planned.plan, series, None, None, self.theme(), about);
        let note = Some(chart.note).filter(|note| !note.is_empty()).ok_or(Undrawn::Empty)?;
        let first = chart.series.first().filter(|_| barred && self.config.charts.bars);
        let bars = first.and_then(|first| trend::bars(&first.points, value));
        Ok(bars.map_or_else(|| note.clone(), |bars| format!("{note} {bars}")))
    }

    /// What a plan asks, of one upstream.
    async fn sampled(&self, planned: &Planned<'_>) -> Result<Sampled, Undrawn> {
        let Planned { plan, upstream, rule } = planned;
        let sampler = self.sampler(upstream)?;
        let troubled = Undrawn::Upstream;
        if let Some(rule) = rule {
            let ask = async |back: i64| {
                sampler.grafana_series(rule, (plan.window.0 - back, plan.window.1 - back), plan.step).await
            };
            let before = async { if plan.yesterday { ask(DAY).await.ok() } else { None } };
            let (series, yesterday) = tokio::join!(ask(0), before);
            let mut series = series.map_err(troubled)?;
            series.retain(|one| is_of(&one.labels, &plan.alerts));
            worst_first(&mut series, plan.is_above());
            return Ok(Sampled { series, limit: None, yesterday });
        }
        let rule = match self.config.charts.expression {
            ChartExpression::Rules => sampler.rule(&plan.name, &plan.expression).await.map_err(troubled)?,
            ChartExpression::Body => sampler.rule(&plan.name, &plan.expression).await.unwrap_or_default(),
        };
        let only = plan.only(&rule);
        let ask = async |measure: &str, back: i64| {
            let window = (plan.window.0 - back, plan.window.1 - back);
            let query = selected(measure, &only).unwrap_or_else(|| unselected(measure));
            sampler.series(&query, window, plan.step).await
        };
        let (series, limit, yesterday) = tokio::join!(
            ask(&plan.measure, 0),
            async { Some(ask(plan.limit.as_deref()?, 0).await.ok()?.into_iter().next()?.points) },
            async { if plan.yesterday { ask(&plan.measure, DAY).await.ok() } else { None } }
        );
        let mut series = series.map_err(troubled)?;
        if series.is_empty() {
            // A label that only the alert has, such as one that is added on the way.
            series = sampler.series(&unselected(&plan.measure), plan.window, plan.step).await.map_err(troubled)?;
            series.retain(|one| is_of(&one.labels, &only));
        }
        worst_first(&mut series, plan.is_above());
        Ok(Sampled { series, limit, yesterday })
    }

    async fn drawn(&self, planned: &Planned<'_>, about: &About<'_>) -> Picture {
        let Sampled { series, limit, yesterday } = self.sampled(planned).await?;
        let plan = &planned.plan;
        let (chart, value) = chart(plan, series, limit, yesterday, self.theme(), about);
        if !wegraf_chart::is_worth_drawing(&chart) {
            return Err(Undrawn::Empty);
        }
        let clock = |at: i64| clock(at, plan, about.timezone);
        let svg = wegraf_chart::svg(&chart, value, clock);
        self.png(&svg).await.ok_or(Undrawn::Failed)
    }

    fn theme(&self) -> Theme {
        match self.config.charts.theme {
            ChartTheme::Light => Theme::Light,
            ChartTheme::Dark => Theme::Dark,
        }
    }

    /// The picture in place of one that cannot be had.
    pub async fn neutral(&self, language: Language) -> Option<Bytes> {
        let words = match language {
            Language::Zh => "图表暂不可用",
            Language::En => "No chart at the moment",
        };
        let place = self.known.place(format!("neutral {}", language.as_str()));
        let svg = wegraf_chart::notice(words, self.theme());
        let drawn = async || self.png(&svg).await.ok_or(Undrawn::Failed);
        place.get_or_init(drawn).await.clone().ok()
    }

    /// A chart of invented numbers, to be looked at.
    pub async fn sample(&self, language: Language) -> Option<Bytes> {
        let zh = language == Language::Zh;
        let word = |zh_: &str, en: &str| if zh { zh_ } else { en }.to_owned();
        let points = (0..=180).map(|minute| {
            let at = f64::from(minute);
            (i64::from(minute) * 60, 78.0 + at / 10.0 + (at / 7.0).sin())
        });
        let chart = Chart {
            title: word("样图 磁盘将满 · db-3 /data", "Sample DiskFull · db-3 /data"),
            figure: "96.2 %".to_owned(),
            under: word("阈值 > 90 %", "limit > 90%"),
            note: word("近 3 小时 78 → 96 %，仍在升", "78 → 96% in 3h, still rising"),
            series: vec![wegraf_chart::Series { name: "db-3 /data".to_owned(), points: points.collect() }],
            yesterday: Vec::new(),
            limits: vec![Limit { value: 90.0, above: true }],
            limit_series: Vec::new(),
            fired_at: Some(7200),
            window: (0, 180 * 60),
            step: 60,
            grain: 1.0,
            theme: self.theme(),
        };
        let svg = wegraf_chart::svg(
            &chart,
            |value| format!("{value:.0} %"),
            |at| format!("{:02}:{:02}", at / 3600, at / 60 % 60),
        );
        self.png(&svg).await
    }

    async fn png(&self, svg: &str) -> Option<Bytes> {
        let _permit = self.drawing.acquire().await.ok()?;
        let (canvas, font, svg) = (self.canvas.clone(), self.config.charts.font.clone(), svg.to_owned());
        // Some tens of milliseconds of work, which must not hold up others.
        let drawn = tokio::task::spawn_blocking(move || {
            let canvas = canvas.get_or_init(|| Canvas::new(font.and_then(|path| std::fs::read(path).ok())));
            canvas.as_ref().map_err(Clone::clone).and_then(|canvas| canvas.png(&svg))
        });
        match drawn.await {
            Ok(Ok(png)) => Some(png.into()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "A picture was not drawn.");
                None
            }
            Err(_) => None,
        }
    }
}

const DAY: i64 = 86_400;

/// The upstreams that are asked: those for series, and the Grafanas, for the series of their own rules.
fn asked(config: &Config) -> impl Iterator<Item = &Upstream> {
    let grafanas = config.upstreams.iter().filter(|known| known.kind == UpstreamKind::Grafana);
    config.charts.from.iter().chain(grafanas)
}

/// Are these the labels of a series of one of `alerts`?
fn is_of(labels: &Labels, alerts: &[Labels]) -> bool {
    let told = || labels.iter().filter(|(name, _)| *name != "__name__");
    alerts.iter().any(|alert| told().all(|(name, value)| alert.get(name) == Some(value)))
}

/// A plan, and where it is asked.
struct Planned<'a> {
    plan: Plan,
    upstream: &'a Upstream,
    /// The rule, if it is a Grafana's.
    rule: Option<GrafanaRule>,
}

/// The answers to a plan.
struct Sampled {
    /// Those of the alerts, the worst first.
    series: Vec<Series>,
    /// The limit, where it is a series.
    limit: Option<Vec<(i64, f64)>>,
    /// A day before.
    yesterday: Option<Vec<Series>>,
}

fn last(series: &Series) -> f64 {
    series.points.iter().rev().find(|(_, value)| value.is_finite()).map_or(f64::NAN, |(_, value)| *value)
}

fn worst_first(series: &mut [Series], above: bool) {
    series.sort_by(|a, b| {
        let order = last(b).total_cmp(&last(a));
        if above { order } else { order.reverse() }
    });
}

/// The chart of `series`, and what writes its values.
fn chart<'a>(
    plan: &'a Plan,
    series: Vec<Series>,
    limit: Option<Vec<(i64, f64)>>,
    yesterday: Option<Vec<Series>>,
    theme: Theme,
    about: &About<'a>,
) -> (Chart, impl Fn(f64) -> String + use<'a>) {
    let language = about.language;
    let unit = plan.unit.as_ref();
    let value = move |value: f64| measure::write(value, unit, &[], language);
    let now = series.first().map(last).filter(|value| value.is_finite());
    let figure = if plan.figure.is_empty() {
        now.map(|now| measure::write(now, unit, plan.rule.bounds(), language)).unwrap_or_default()
    } else {
        plan.figure.clone()
    };
    let span = span(plan.window.1 - plan.window.0, language);
    let first = series.first().map(|first| first.points.as_slice()).unwrap_or_default();
    let note = trend::told(first, &span, language, value, |at| clock(at, plan, about.timezone));
    let before =
        yesterday.into_iter().flatten().find(|before| series.first().is_some_and(|now| now.labels == before.labels));
    let largest =
        series.iter().flat_map(|one| &one.points).map(|(_, value)| value.abs()).filter(|value| value.is_finite());
    let grain = grain(unit, largest.fold(0.0, f64::max));
    let names = names(&series);
    let chart = Chart {
        title: plan.title.clone(),
        figure,
        under: plan.under.clone(),
        note: note.unwrap_or_default(),
        yesterday: before
            .map(|before| before.points.into_iter().map(|(at, value)| (at + DAY, value)).collect())
            .unwrap_or_default(),
        series: series
            .into_iter()
            .zip(names)
            .map(|(one, name)| wegraf_chart::Series { name, points: one.points })
            .collect(),
        limits: plan
            .rule
            .bounds()
            .iter()
            .map(|bound| Limit { value: bound.limit, above: matches!(bound.operator.sign(), ">" | "≥") })
            .collect(),
        limit_series: limit.unwrap_or_default(),
        fired_at: plan.fired_at,
        window: plan.window,
        step: plan.step,
        grain,
        theme,
    };
    (chart, value)
}

/// The step between labels of an axis, for values up to `largest`.
fn grain(unit: Option<&Unit>, largest: f64) -> f64 {
    let Some(unit) = unit else { return 1.0 };
    let size = largest * unit.scale;
    let steps: &[f64] = match unit.kind {
        UnitKind::Byte => &[1_099_511_627_776.0, 1_073_741_824.0, 1_048_576.0, 1024.0],
        UnitKind::Second => &[86_400.0, 3600.0, 60.0],
        _ => &[],
    };
    let step = steps.iter().copied().find(|step| size >= *step).unwrap_or(1.0);
    step / unit.scale
}

/// The names of series: the values of the labels that differ.
fn names(series: &[Series]) -> Vec<String> {
    let differs = |name: &str| series.iter().any(|one| one.labels.get(name) != series[0].labels.get(name));
    let name = |one: &Series| {
        let told = one.labels.iter().filter(|(name, _)| *name != "__name__" && differs(name));
        told.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
    };
    series.iter().map(name).collect()
}

/// A whole number of hours or days in words.
fn span(seconds: i64, language: Language) -> String {
    let hours = seconds / 3600;
    let (count, zh, en) = if hours % 24 == 0 && hours > 0 { (hours / 24, "天", "d") } else { (hours, "小时", "h") };
    match language {
        Language::Zh => format!("{count} {zh}"),
        Language::En => format!("{count}{en}"),
    }
}

fn clock(at: i64, plan: &Plan, zone: &TimeZone) -> String {
    let Ok(at) = jiff::Timestamp::from_second(at) else { return String::new() };
    let at = at.to_zoned(zone.clone());
    let format = if plan.window.1 - plan.window.0 > DAY { "%m-%d %H:%M" } else { "%H:%M" };
    at.strftime(format).to_string()
}
