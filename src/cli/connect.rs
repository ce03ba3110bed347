//! `wegraf connect grafana`: a contact point of Grafana that posts here, by Grafana's provisioning API. Nothing is changed
//! without `--apply`, and the tree of policies is never touched without `--route` or `--default`.

mod grafana;
mod plan;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use self::grafana::{Api, Refused};
use self::plan::{Change, Route};
use super::gateway::Gateway;
use super::screen::Screen;
use super::{ConfigFile, Misused, backup};
use crate::config::{Config, ListenAt, Proof, Source};
use crate::http::Record;
use crate::links::LinkKey;
use crate::store::Store;
use crate::time::Clock;
use crate::words::{told, words};

/// How long Grafana's test may take to arrive.
const ARRIVES: Duration = Duration::from_secs(15);

/// `wegraf connect`
#[derive(Debug, Args)]
pub struct Connect {
    /// What to connect.
    #[command(subcommand)]
    pub sender: ConnectTo,
}

/// What to connect.
#[derive(Debug, Subcommand)]
pub enum ConnectTo {
    /// Grafana 9 及以后：联络点；要改通知策略得写明。 Grafana 9 and later: a contact point; policies only where it is said.
    Grafana(ConnectGrafana),
}

/// `wegraf connect grafana`
#[derive(Debug, Args)]
pub struct ConnectGrafana {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// Grafana 的地址。 Where Grafana is.
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// 写着 Grafana 服务账号令牌的文件。 The file with the token of a service account of Grafana.
    #[arg(long, value_name = "FILE")]
    pub token_file: PathBuf,
    /// 用哪个来源的 bearer；只有一个时可不写。 The source whose bearer is used; may be left out if there is one.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// 联络点的名字。 Name of the contact point.
    #[arg(long, value_name = "NAME", default_value = "wegraf")]
    pub name: String,
    /// 直接给这个接收者；不写则按路由。 Straight to this receiver; default: where the routes lead.
    #[arg(long, value_name = "NAME")]
    pub receiver: Option<String>,
    /// Grafana 访问 wegraf 的地址，默认 `external_url`。 Where Grafana reaches wegraf; default: `external_url`.
    #[arg(long, value_name = "URL")]
    pub address: Option<String>,
    /// 在通知策略里加一条子路由：team=dba；可以写几个，都要符合。 Add one route to the policies: team=dba; several must all match.
    #[arg(long = "route", value_name = "LABEL=VALUE", value_parser = super::label)]
    pub routes: Vec<(String, String)>,
    /// 让默认通知策略用这个联络点。 Make it the contact point of the default policy.
    #[arg(long, conflicts_with = "routes")]
    pub default: bool,
    /// 真的去改；不写则只说会改什么。 Change it; without this it is only told what would be changed.
    #[arg(long)]
    pub apply: bool,
    /// 不让 Grafana 发测试。 Have Grafana send no test.
    #[arg(long)]
    pub no_test: bool,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
}

/// Shows what would be changed, or changes it. Exit code 1 if Grafana refuses; then the steps by hand are told.
pub async fn run(arguments: Connect) -> anyhow::Result<ExitCode> {
    let ConnectTo::Grafana(arguments) = arguments.sender;
    let (config, _) = arguments.file.load()?;
    let (source, token) = credential(&config, arguments.source.as_deref())?;
    let base = arguments.address.clone().or_else(|| config.external_url.clone()).ok_or_else(|| {
        Misused(
            words(
                "没有 external_url：用 --address 写明 Grafana 怎样访问 wegraf",
                "there is no external_url: say with --address how Grafana reaches wegraf",
            )
            .to_string(),
        )
    })?;
    let receiver = arguments.receiver.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
    let url = format!("{}/webhook{receiver}", base.trim_end_matches('/'));
    let key =
        std::fs::read_to_string(&arguments.token_file).with_context(|| arguments.token_file.display().to_string())?;
    let api = Api::new(&arguments.url, key.trim().into())?;
    let mut screen = Screen::new();
    let done = connect(&arguments, &config, &api, (&source.name, token), &url, &mut screen).await;
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refused) => {
            by_hand(&mut screen, &refused, &source.name, &url, &arguments.name);
            ExitCode::from(1)
        }
    };
    screen.show()?;
    Ok(code)
}

async fn connect(
    arguments: &ConnectGrafana,
    config: &Config,
    api: &Api,
    (source, token): (&str, &SecretString),
    url: &str,
    screen: &mut Screen,
) -> Result<(), Refused> {
    let version = api.version().await?;
    screen.line(told!("Grafana {version}，{0}", "Grafana {version} at {0}", arguments.url));
    let points = api.get("/api/v1/provisioning/contact-points").await?;
    let wanted = plan::contact_point(&arguments.name, url, token.expose_secret());
    let point = plan::contact(&points, &wanted)?;
    let route = match (arguments.default, arguments.routes.is_empty()) {
        (true, _) => Some(Route::Default),
        (false, false) => Some(Route::Labels(&arguments.routes)),
        (false, true) => None,
    };
    let tree = if route.is_some() { Some(api.get("/api/v1/provisioning/policies").await?) } else { None };
    let changed = match (&tree, &route) {
        (Some(tree), Some(route)) => plan::with_route(tree, route, &arguments.name)?,
        _ => None,
    };
    let name = &arguments.name;
    screen.line(match &point {
        Change::None => told!("= 联络点 {name} 已经是这样", "= contact point {name} is as it should be"),
        Change::Make => told!(
            "+ 联络点 {name} → {url}，用来源 {source} 的 bearer",
            "+ contact point {name} → {url}, with the bearer of source {source}"
        ),
        Change::Update { from, .. } if from == plan::host(url) => told!(
            "~ 联络点 {name} → {url}，用来源 {source} 的 bearer",
            "~ contact point {name} → {url}, with the bearer of source {source}"
        ),
        Change::Update { from, .. } => told!(
            "~ 联络点 {name} → {url}（现在是 {from}），用来源 {source} 的 bearer",
            "~ contact point {name} → {url} (now {from}), with the bearer of source {source}"
        ),
    });
    screen.line(match (&tree, &changed, &route) {
        (None, ..) => words(
            "= 通知策略不动（要加：--route 标签=值，或 --default）",
            "= policies stay as they are (to add to them: --route LABEL=VALUE, or --default)",
        ),
        (Some(_), None, _) => words("= 通知策略里已经有了", "= the policies have it already"),
        (Some(_), Some(_), Some(Route::Labels(labels))) => {
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            told!(
                "+ 通知策略：{0} → {name}，放在最前，匹配后继续",
                "+ policies: {0} → {name}, first, and on to the others",
                labels.join(", ")
            )
        }
        (Some(_), Some(_), _) => told!("~ 通知策略：默认 → {name}", "~ policies: the default → {name}"),
    });
    if !arguments.apply {
        screen.line(words("什么也没有改；照此去做：加上 --apply", "nothing was changed; to do it: --apply"));
        return Ok(());
    }
    match point {
        Change::None => {}
        Change::Make => drop(api.send("POST", "/api/v1/provisioning/contact-points", &wanted).await?),
        Change::Update { uid, .. } => {
            drop(api.send("PUT", &format!("/api/v1/provisioning/contact-points/{uid}"), &wanted).await?);
        }
    }
    if let (Some(tree), Some(changed)) = (tree, changed) {
        replace(api, &tree, &changed, screen).await?;
    }
    screen.line(words("✓ 已改好", "✓ done"));
    if !arguments.no_test {
        test(arguments, config, api, (source, &wanted), &version, screen).await?;
    }
    Ok(())
}

/// Puts the tree with its one change, after the old one is in a file. Between look and change another may have changed it.
async fn replace(api: &Api, tree: &Value, changed: &Value, screen: &mut Screen) -> Result<(), Refused> {
    if api.get("/api/v1/provisioning/policies").await? != *tree {
        return Err(Refused::Other(
            words("通知策略刚刚被别人改了，没有动它", "the policies were just changed by another, and were left alone")
                .to_string(),
        ));
    }
    let name = format!("wegraf-policies-{}.json", backup::stamp(Clock::System.now(), &jiff::tz::TimeZone::system()));
    let text = format!("{tree:#}\n");
    std::fs::write(&name, text).map_err(|error| Refused::Other(format!("{name}: {error}")))?;
    screen.line(told!(
        "  原来的通知策略在 {name}；放回去：curl -X PUT -H 'X-Disable-Provenance: true' -H 'Content-Type: application/json' -H 'Authorization: Bearer …' --data @{name} {0}/api/v1/provisioning/policies",
        "  the policies as they were are in {name}; to put them back: curl -X PUT -H 'X-Disable-Provenance: true' -H 'Content-Type: application/json' -H 'Authorization: Bearer …' --data @{name} {0}/api/v1/provisioning/policies",
        api.base()
    ));
    api.send("PUT", "/api/v1/provisioning/policies", changed).await?;
    Ok(())
}

/// Has Grafana send its own test, and waits until it is in the gateway's book.
async fn test(
    arguments: &ConnectGrafana,
    config: &Config,
    api: &Api,
    (source, point): (&str, &Value),
    version: &str,
    screen: &mut Screen,
) -> Result<(), Refused> {
    let other = |error: anyhow::Error| Refused::Other(format!("{error:#}"));
    let before = taken(arguments, config, source).await.map_err(other)?;
    if grafana::major(version) >= 13 {
        screen.line(words(
            "请在 Grafana 的联络点页面按 Test：这个版本的测试接口还不稳定",
            "press Test on the contact point's page in Grafana: this version's interface for tests is not settled yet",
        ));
    } else {
        api.send("POST", "/api/alertmanager/grafana/config/api/v1/receivers/test", &plan::test(point)).await?;
    }
    let begun = Instant::now();
    while begun.elapsed() < ARRIVES {
        if taken(arguments, config, source).await.map_err(other)? > before {
            screen.line(words("✓ Grafana 的测试已收到", "✓ Grafana's test has arrived"));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let said = told!(
        "15 秒内没有收到 Grafana 的测试：wegraf doctor --source {source}",
        "Grafana's test did not arrive within 15 s: wegraf doctor --source {source}"
    );
    Err(Refused::Other(said.to_string()))
}

/// How many requests of the source were accepted.
async fn taken(arguments: &ConnectGrafana, config: &Config, source: &str) -> anyhow::Result<u64> {
    let store = Store::open_reading(&config.database).await?;
    let key = LinkKey::from(store.link_secrets().await?);
    let gateway = Gateway::new(config, arguments.listen.as_ref(), None, key)?;
    let (_, said) = gateway.order("/api/v1/sources", Vec::new()).await?;
    let record: Option<Record> = said.get(source).map(|record| serde_json::from_value(record.clone())).transpose()?;
    Ok(record.map_or(0, |record| record.taken))
}

/// The source to use, and its token.
fn credential<'c>(config: &'c Config, wanted: Option<&str>) -> anyhow::Result<(&'c Source, &'c SecretString)> {
    let bearer = |source: &'c Source| {
        let token = source.proofs.iter().find_map(|proof| match proof {
            Proof::Bearer { scheme, token } if scheme.eq_ignore_ascii_case("bearer") => Some(token),
            _ => None,
        });
        token.map(|token| (source, token))
    };
    let fitting: Vec<_> = config
        .sources
        .iter()
        .filter(|source| wanted.is_none_or(|name| source.name == name))
        .filter_map(bearer)
        .collect();
    match fitting[..] {
        [only] => Ok(only),
        [] => Err(Misused(
            words(
                "没有带 bearer 的来源：wegraf source new grafana --for grafana",
                "no source has a bearer: wegraf source new grafana --for grafana",
            )
            .to_string(),
        )
        .into()),
        _ => Err(Misused(
            words("有几个来源：用 --source 选一个", "there are several sources: choose one with --source").to_string(),
        )
        .into()),
    }
}

/// The steps by hand, with the values.
fn by_hand(screen: &mut Screen, refused: &Refused, source: &str, url: &str, name: &str) {
    screen.line(told!("✗ {refused}", "✗ {refused}"));
    screen.lines(told!(
        "手动设置：Grafana → Alerting → Contact points → Add\n  Name: {name}\n  Integration: Webhook\n  URL: {url}\n  HTTP Method: POST\n  Authorization Header - Scheme: Bearer\n  Authorization Header - Credentials: 来源 {source} 的 bearer\n然后在 Notification policies 里让需要的告警用它",
        "by hand: Grafana → Alerting → Contact points → Add\n  Name: {name}\n  Integration: Webhook\n  URL: {url}\n  HTTP Method: POST\n  Authorization Header - Scheme: Bearer\n  Authorization Header - Credentials: the bearer of source {source}\nthen have the notification policies use it"
    ));
}
