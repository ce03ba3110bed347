//! The documentation is true: its configurations are valid, its commands exist, its links lead somewhere, and its
//! tables agree with the program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wegraf::internals::answer::{Actor, Via};
use wegraf::internals::config::Config;

use crate::harness::{EVERY_CHANNEL, World};
use crate::process::run_on;
use crate::programs;

/// Appended to a fragment of a configuration that lacks these.
const WECOM: &str = "wecom: { apps: { ops: { corp_id: ww0123456789abcdef, agent_id: 1000002, secret: abcdefghij } }, webhooks: { ops-group: { key: 11111111-2222 } } }\n";
const RECEIVERS: &str = "receivers: { ops: { targets: [ { webhook: ops-group } ] } }\n";

struct Page {
    /// Relative to the repository.
    path: PathBuf,
    text: String,
}

/// A fenced block.
struct Block {
    language: String,
    /// Page and line, for messages.
    place: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> Page {
    Page { path: path.into(), text: std::fs::read_to_string(root().join(path)).unwrap() }
}

fn pages() -> Vec<Page> {
    let mut paths: Vec<String> =
        ["README.md", "README.en.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(String::from).into();
    for folder in ["docs", "docs/reference", "deploy"] {
        let files = std::fs::read_dir(root().join(folder)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        paths.extend(
            names
                .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "md"))
                .map(|name| format!("{folder}/{name}")),
        );
    }
    paths.iter().map(|path| page(path)).collect()
}

impl Page {
    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        // A block in a list is indented like its fence.
        let mut indent = 0;
        for (number, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(language), None) => {
                    let place = format!("{}:{}", self.path.display(), number + 1);
                    indent = line.len() - line.trim_start().len();
                    open = Some(Block { language: language.trim().to_owned(), place, text: String::new() });
                }
                (None, Some(block)) => writeln!(block.text, "{}", line.get(indent..).unwrap_or_default()).unwrap(),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.path.display());
        blocks
    }

    /// The texts in backticks.
    fn quoted(&self) -> BTreeSet<&str> {
        self.text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }

    /// The rows of its tables as cells.
    fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        self.text.lines().filter_map(|line| Some(line.strip_prefix("| ")?.split(" | ").collect()))
    }
}

fn blocks(language: &str) -> Vec<Block> {
    let blocks: Vec<Block> = pages().iter().flat_map(Page::blocks).filter(|block| block.language == language).collect();
    assert!(!blocks.is_empty(), "there is no ```{language} block to look at");
    blocks
}

/// The name in the first line, for a file that is not ours: `# alertmanager.yml`.
fn file_of_others(block: &Block) -> Option<&str> {
    let first = block.text.lines().next()?.strip_prefix("# ")?;
    ["alertmanager.yml", "prometheus.yml", "Grafana"].into_iter().find(|name| first.starts_with(name))
}

/// The name in the first line, for a file that lies beside the configuration: `# rota-dba.yaml`.
fn file_beside(block: &Block) -> Option<&str> {
    let first = block.text.lines().next()?.strip_prefix("# ")?;
    ["rota-dba.yaml", "directory.yaml"].into_iter().find(|name| first == *name)
}

/// The configuration with each outside secret replaced by one inside.
fn with_secrets(text: &str, folder: &Path) -> String {
    let secrets = [
        // Valid as any kind: a token, a key, an `EncodingAESKey`.
        ("secret", "abcdefghijABCDEFGHIJabcdefghijABCDEFGHIJabc"),
        ("database", "postgres://wegraf:secret@127.0.0.1:5432/wegraf"),
        ("url", "https://example.com/secret"),
        ("hash", "$argon2id$v=19$m=19456,t=2,p=1$/+3Kd1qC2/6ncSroTJITTg$ORY8zYltDFxP1p8IxNwaFb5Tu3U6ic0czdQFzHcFPuU"),
    ];
    for (name, secret) in secrets {
        std::fs::write(folder.join(name), secret).unwrap();
    }
    let elsewhere = regex::Regex::new(r"\{ (?:env|file): ([^}]+) \}").unwrap();
    let there = |found: &regex::Captures<'_>| {
        // Not a secret, but a file beside the configuration.
        if found[1].starts_with("directory.yaml") {
            return found[0].to_owned();
        }
        let name = match &found[1] {
            "DATABASE_URL" => "database",
            name if name.ends_with("_URL") => "url",
            "/etc/wegraf/admin.hash" => "hash",
            _ => "secret",
        };
        format!("{{ file: {} }}", folder.join(name).display())
    };
    elsewhere.replace_all(text, there).into_owned()
}

fn has_key(text: &str, key: &str) -> bool {
    text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
}

#[tokio::test]
async fn every_configuration_in_the_documentation_is_taken() {
    let world = World::at_a_standstill(EVERY_CHANNEL).await;
    world.write("people.txt", "zhangsan\n");
    world.write("Alarm_people.txt", "daixuan\n");
    world.write("WW_verify_8kBKaP.txt", "8kBKaP");
    std::fs::create_dir(world.folder.path().join("templates")).unwrap();
    world.write("templates/duty.j2", "{{ title }}");
    let unit = Block {
        language: "yaml".to_owned(),
        place: "deploy/wegraf.yaml".to_owned(),
        text: std::fs::read_to_string(root().join("deploy/wegraf.yaml")).unwrap(),
    };
    let shown = blocks("yaml");
    let (beside, shown): (Vec<&Block>, Vec<&Block>) = shown.iter().partition(|block| file_beside(block).is_some());
    for block in &beside {
        // The page's own file: the following configurations are read with it.
        world.write(file_beside(block).unwrap(), &block.text);
        let rest = format!("{WECOM}{RECEIVERS}rotas: {{ dba: rota-dba.yaml }}\n");
        let directory = if world.folder.path().join("directory.yaml").exists() {
            "directory: { file: directory.yaml }\n"
        } else {
            ""
        };
        let answer = run_on(&world, &["check", "-c", "-"], format!("{rest}{directory}").as_bytes()).await;
        assert_eq!(answer.code, 0, "{}: {}{}", block.place, answer.out, answer.err);
    }
    assert_eq!(beside.len(), 4, "two pages, each with a rota and a directory");
    // The same configuration on several pages, or in both languages, is checked once: comments do not count.
    let mut checked = BTreeSet::new();
    for block in shown.into_iter().filter(|block| file_of_others(block).is_none()).chain([&unit]) {
        let value: Value =
            serde_saphyr::from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
        if !checked.insert(value.to_string()) {
            continue;
        }
        let mut text = with_secrets(&block.text, world.folder.path());
        for (key, default) in [("wecom", WECOM), ("receivers", RECEIVERS)] {
            if !has_key(&text, key) {
                text.push_str(default);
            }
        }
        // The shipped templates are the same for all of them: only those that bring their own need the command.
        if has_key(&text, "templates") {
            let answer = run_on(&world, &["check", "-c", "-"], text.as_bytes()).await;
            assert_eq!(answer.code, 0, "{}: {}{}", block.place, answer.out, answer.err);
        } else if let Err(mistakes) = Config::parse_to_check(&text, &world.folder.path().join("wegraf.yaml")) {
            panic!("{}: {mistakes:?}", block.place);
        }
    }
}

#[tokio::test]
async fn configurations_of_others_are_taken_by_their_own_checkers() {
    let folder = tempfile::tempdir().unwrap();
    // Password files must exist; any file will do.
    let file = regex::Regex::new(r"(_file: )\S+").unwrap();
    for (name, program, arguments) in
        [("alertmanager.yml", "amtool", &["check-config"][..]), ("prometheus.yml", "promtool", &["check", "config"])]
    {
        let blocks: Vec<Block> =
            blocks("yaml").into_iter().filter(|block| file_of_others(block) == Some(name)).collect();
        assert!(!blocks.is_empty(), "no page shows {name}");
        let Some(program) = programs::find(program) else { continue };
        for block in blocks {
            let path = folder.path().join(name);
            let text = file.replace_all(&block.text, format!("${{1}}{}", path.display()));
            std::fs::write(&path, text.as_bytes()).unwrap();
            let output = Command::new(&program).args(arguments).arg(&path).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {said}", block.place);
        }
    }
}

#[test]
fn every_yaml_block_can_be_read() {
    for block in blocks("yaml") {
        serde_saphyr::from_str::<Value>(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
    }
}

/// The words of a line as a shell would split it, up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    for letter in line.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (_, Some(open)) if letter == open => quote = None,
            (' ', None) => words.extend(word.take()),
            ('#' | '|' | '>' | '<' | '&', None) if word.is_none() => return words,
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_in_the_documentation_exists_with_its_arguments() {
    let mut seen = 0;
    for block in blocks("sh").into_iter().chain(blocks("console")) {
        let joined = block.text.replace("\\\n", " ");
        for line in joined.lines() {
            let line = line.trim().trim_start_matches("$ ").trim_start_matches("sudo ");
            let mut words = words(line);
            // NAME=value in front of a command.
            while words.first().is_some_and(|word| word.contains('=')) {
                words.remove(0);
            }
            let ours = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["wegraf" | "target/dist/wegraf" | "/usr/local/bin/wegraf" | "/usr/bin/wegraf", ..] => {
                    words.split_off(1)
                }
                ["cargo", "run", "--", ..] => words.split_off(3),
                _ => continue,
            };
            seen += 1;
            // Left out where the page takes it from the environment.
            let secret = ours.contains(&"--corp-id".to_owned()) && !ours.contains(&"--secret".to_owned());
            let secret = if secret { vec!["--secret".to_owned(), "s".to_owned()] } else { Vec::new() };
            let arguments = std::iter::once("wegraf".to_owned()).chain(ours).chain(secret);
            if let Err(error) = wegraf::internals::cli::command().try_get_matches_from(arguments) {
                let fine = matches!(
                    error.kind(),
                    clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
                );
                assert!(fine, "{}: {line}\n{error}", block.place);
            }
        }
    }
    assert!(seen > 20, "only {seen} commands were found");
}

#[test]
fn relative_links_lead_to_files_and_headings_that_exist() {
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)|<img[^>]* src=.([^'\x22]+)").unwrap();
    for page in pages() {
        for found in link.captures_iter(&page.text) {
            let target = found.get(1).or(found.get(2)).unwrap().as_str();
            if target.contains("://") || target.contains("…") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = match path {
                "" => root().join(&page.path),
                path => root().join(&page.path).parent().unwrap().join(path),
            };
            assert!(file.exists(), "{}: {target} leads nowhere", page.path.display());
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&file).unwrap();
                let known = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
                assert!(known, "{}: {target}: there is no such heading", page.path.display());
            }
        }
    }
}

/// The anchor that Git hosts give a heading.
fn anchor(line: &str) -> String {
    let heading = line.trim_start_matches('#').trim().to_lowercase();
    heading
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        })
        .collect()
}

#[test]
fn every_key_of_the_configuration_is_explained() {
    fn keys(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                for value in object.values() {
                    keys(value, found);
                }
            }
            Value::Array(items) => {
                for value in items {
                    keys(value, found);
                }
            }
            _ => {}
        }
    }
    let mut known = BTreeSet::new();
    keys(&wegraf::internals::config::schema(), &mut known);
    assert!(known.len() > 40, "the schema names {} keys", known.len());
    for path in ["docs/configuration.md", "docs/configuration.en.md"] {
        let page = page(path);
        let quoted = page.quoted();
        let missing: Vec<_> = known.iter().filter(|key| !quoted.contains(key.as_str())).collect();
        assert!(missing.is_empty(), "{path} does not explain {missing:?}");
    }
}

#[tokio::test]
async fn every_metric_in_the_documentation_is_exported_and_every_exported_one_is_explained() {
    let world = World::new("receivers: { gone: { targets: [ { app: ops, users: [no-such-person] } ] } }\n").await;
    world.accept("/webhook", "a text").await;
    world.settled().await;
    world.app().reload();
    // Who calls back for an app that is none, and who takes what is not there, are counted as well.
    world.http.get(format!("{}/wecom/callback/none", world.url)).send().await.unwrap();
    let actor = Actor { id: "zhangsan".to_owned(), via: Via::Page };
    world.app().acts().ask(&actor, "1", "认领 #7K2Q").await.unwrap();
    let text = world.http.get(format!("{}/metrics", world.url)).send().await.unwrap().text().await.unwrap();
    let exported: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for path in ["docs/operations.md", "docs/operations.en.md"] {
        let page = page(path);
        let explained: BTreeSet<&str> = page
            .quoted()
            .into_iter()
            .filter(|name| {
                name.starts_with("wegraf_") && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
            })
            .map(|name| name.strip_suffix("_total").unwrap_or(name))
            .collect();
        assert_eq!(exported, explained, "{path}");
    }
}

#[test]
fn the_error_codes_in_the_documentation_mean_what_the_program_says() {
    for (path, english) in [("docs/operations.md", false), ("docs/operations.en.md", true)] {
        let page = page(path);
        let mut seen = 0;
        for cells in page.rows() {
            let Ok(code) = cells[0].trim().parse::<i64>() else { continue };
            let known = wecom::errcode::meaning(code).unwrap_or_else(|| panic!("{code} is not in the table"));
            let explained = (cells[1].trim(), cells[2].trim_end_matches(" |").trim());
            let said = if english { (known.en, known.remedy_en) } else { (known.zh, known.remedy_zh) };
            assert_eq!(explained, said, "{path}: {code}");
            seen += 1;
        }
        assert!(seen > 20, "{path}: only {seen} codes are explained");
    }
}

#[test]
fn every_test_that_the_documentation_takes_for_a_proof_exists() {
    let page = page("docs/reliability.md");
    let quoted = page.quoted();
    let files = quoted.iter().filter(|name| name.contains('/') && Path::new(name).extension().is_some());
    let tests = quoted.iter().filter(|name| name.matches('_').count() >= 3 && !name.contains(['/', ' ']));
    let (files, tests): (Vec<_>, Vec<_>) = (files.collect(), tests.collect());
    assert!(files.len() > 10 && tests.len() > 5, "{files:?} {tests:?}");
    for file in files {
        assert!(root().join(file).exists(), "there is no {file}");
    }
    let sources = code(&["src", "tests"]);
    for test in tests {
        let begins = format!("fn {test}(");
        assert!(sources.iter().any(|(_, source)| source.contains(&begins)), "there is no test {test}");
    }
}

/// All Rust files below the folders, by path.
fn code(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // The build folder of the fuzz targets holds no code of ours.
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
        }
    }
}

/// What is wrong with the citations of a source file. A heading is cited by the path of its page
/// and `#` with its anchor, further ones of the same page by `, #` and theirs. Sections are cited of RFCs only.
fn wrong_citations(text: &str, headings: &BTreeSet<String>) -> Vec<String> {
    // A citation may go on in the next line of its comment.
    let text = regex::Regex::new(r"\n\s*//[/!]? ?").unwrap().replace_all(text, " ");
    let cited = regex::Regex::new(r"docs/reference/([a-z-]+\.md)(#[a-z0-9-]+(?:, #[a-z0-9-]+)*)?").unwrap();
    let mut wrong = Vec::new();
    for found in cited.captures_iter(&text) {
        let page = &found[1];
        let anchors = found.get(2).map_or("#", |anchors| anchors.as_str()).split(", ");
        let whole = anchors.map(|anchor| format!("{page}{anchor}"));
        wrong.extend(whole.filter(|whole| !headings.contains(whole)));
    }
    let section = '\u{a7}';
    let of_rfc = regex::Regex::new(&format!(r"RFC \d+ {section}[0-9.]+(?:, {section}[0-9.]+)*")).unwrap();
    let rest = of_rfc.replace_all(&text, "");
    wrong.extend(rest.match_indices(section).map(|(at, _)| rest[at..].chars().take(20).collect()));
    wrong
}

#[test]
fn citations_in_code_lead_to_headings_that_exist() {
    let mut headings = BTreeSet::new();
    for page in pages().iter().filter(|page| page.path.starts_with("docs/reference")) {
        let name = page.path.file_name().unwrap().to_str().unwrap();
        headings.insert(format!("{name}#"));
        headings.extend(
            page.text.lines().filter(|line| line.starts_with("## ")).map(|line| format!("{name}#{}", anchor(line))),
        );
    }
    // Controls. The texts are put together here, since this file is looked at, too.
    let begin = ["docs", "reference"].join("/");
    let section = '\u{a7}';
    let wrong = |text: String| wrong_citations(&text, &headings);
    assert_eq!(
        wrong(format!("/// See ({begin}/wecom.md#webhook-limit,\n    /// #no-such-heading).")),
        ["wecom.md#no-such-heading"]
    );
    assert_eq!(wrong(format!("// {begin}/wecom.md#no-such-heading")), ["wecom.md#no-such-heading"]);
    assert_eq!(wrong(format!("// {begin}/no-such-page.md")), ["no-such-page.md#"]);
    assert_eq!(
        wrong(format!("// RFC 9110 {section}15.5.9, {section}15.6.4, but some-study {section}4.3")),
        [format!("{section}4.3")]
    );
    assert_eq!(wrong(format!("// {begin}/wecom.md, RFC 5321 {section}4.5.3")), [""; 0]);

    let mut all = Vec::new();
    let mut cited = 0;
    for (path, text) in code(&["src", "crates", "xtask", "fuzz", "tests"]) {
        cited += text.matches(&format!("{begin}/")).count();
        let wrong = wrong_citations(&text, &headings);
        all.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", path.display())));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    assert!(cited > 100, "only {cited} citations were found");
}

#[test]
fn the_proxy_in_the_documentation_passes_only_the_paths_that_others_call() {
    let shown = blocks("nginx");
    assert_eq!(shown.len(), 2, "one in each language");
    let location = regex::Regex::new(r"(?m)^\s*location ~ (\S+) \{\s*\n\s*proxy_pass ").unwrap();
    for Block { text: configuration, .. } in shown {
        let passed: Vec<regex::Regex> =
            location.captures_iter(&configuration).map(|found| regex::Regex::new(&found[1]).unwrap()).collect();
        assert_eq!(passed.len(), configuration.matches("proxy_pass").count(), "each place that passes is looked at");
        let passes = |path: &str| passed.iter().any(|location| location.is_match(path));
        for path in [
            "/webhook",
            "/webhook/ops",
            "/webhook/ops/api/v2/alerts",
            "/api/v2/alerts",
            "/api/v1/alerts",
            "/api/model/send_sms/",
            "/check_service",
            "/wecom/callback/ops",
            "/d/17",
            "/c/17.png",
            "/l/7K2QM",
            "/assets/0123abcd/wegraf.css",
            "/login",
            "/login/link/secret",
            "/now",
            "/i/7K2Q",
            "/m/17",
            "/me",
            "/noise/2026-W48",
            "/templates/duty.zh",
            "/people/zhangsan",
            "/events",
            "/WW_verify_8kBKaP.txt",
        ] {
            assert!(passes(path), "{path} is not passed");
        }
        for path in
            ["/metrics", "/readyz", "/healthz", "/", "/api/v1/deliveries/1/resend", "/api/v1/acts", "/webhooks", "/dx"]
        {
            assert!(!passes(path), "{path} is public");
        }
        assert!(configuration.contains("location / {\n        return 404;"), "{configuration}");
        assert!(configuration.contains("X-Forwarded-For $proxy_add_x_forwarded_for"), "{configuration}");
        assert!(
            !configuration.contains("$request ") && !configuration.contains("$args"),
            "its log holds no query string"
        );
    }
}

#[test]
fn no_example_listens_to_others_in_clear_without_saying_so() {
    let mut texts: Vec<(String, String)> = blocks("yaml").into_iter().map(|block| (block.place, block.text)).collect();
    for path in ["deploy/wegraf.yaml", "wegraf.example.yaml"] {
        texts.push((path.to_owned(), page(path).text));
    }
    let mut seen = 0;
    for (place, text) in texts {
        for line in text.lines().filter(|line| line.starts_with("listen")) {
            seen += 1;
            let inside = ["127.0.0.1:", "[::1]:"].iter().any(|address| line.contains(address));
            assert!(inside || line.contains("明文") || line.contains("in clear"), "{place}: {line}");
            assert!(inside || !place.starts_with("deploy/"), "{place}: {line}");
        }
    }
    assert!(seen > 5, "{seen} examples say where to listen");
}

/// The blocks of a README that belong into the configuration, one after the other, are one file.
#[tokio::test]
async fn the_blocks_of_a_readme_make_one_configuration() {
    let world = World::at_a_standstill(EVERY_CHANNEL).await;
    for path in ["README.md", "README.en.md"] {
        let ours = |block: &Block| block.language == "yaml" && file_of_others(block).is_none();
        let blocks: Vec<Block> = page(path).blocks().into_iter().filter(ours).collect();
        assert!(blocks.len() >= 2, "{path}");
        let text: String = blocks.iter().map(|block| block.text.as_str()).collect();
        let text = with_secrets(&text, world.folder.path());
        let answer = run_on(&world, &["check", "-c", "-"], text.as_bytes()).await;
        assert_eq!(answer.code, 0, "{path}: {}{}", answer.out, answer.err);
    }
}

/// Pages that hold both languages in one text, because they are mostly figures.
const BILINGUAL: [&str; 3] = ["docs/fault-matrix.md", "docs/performance.md", "docs/reliability.md"];

/// A page for people: its Chinese and its English text. Pages for developers are English.
fn twins() -> Vec<(Page, Page)> {
    let all = pages();
    let people = all.iter().filter(|page| {
        let path = page.path.to_str().unwrap();
        let folder = page.path.parent().unwrap();
        let for_people = path == "README.md" || [Path::new("docs"), Path::new("deploy")].contains(&folder);
        for_people && !path.ends_with(".en.md") && !BILINGUAL.contains(&path)
    });
    people
        .map(|chinese| (page(chinese.path.to_str().unwrap()), page(&english(chinese.path.to_str().unwrap()))))
        .collect()
}

fn english(path: &str) -> String {
    format!("{}.en.md", path.strip_suffix(".md").unwrap())
}

#[test]
fn pages_in_both_languages_have_the_same_shape() {
    let shape = |text: &str| {
        let (mut fence, mut shape) = (None, Vec::new());
        for line in text.lines() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                if fence.take().is_none() {
                    fence = Some(());
                    shape.push(format!("```{language}"));
                }
            } else if fence.is_none() && line.starts_with('#') {
                shape.push("#".repeat(line.chars().take_while(|letter| *letter == '#').count()));
            }
        }
        shape
    };
    let mut wrong = Vec::new();
    let pages = twins();
    assert!(pages.len() > 20, "only {} pages have a twin", pages.len());
    for (chinese, english) in pages {
        let path = chinese.path.display();
        if shape(&chinese.text) != shape(&english.text) {
            wrong.push(format!("{path}: {:?}\n{:?}", shape(&chinese.text), shape(&english.text)));
        }
        for (page, twin) in [(&chinese, &english), (&english, &chinese)] {
            let link = format!("]({})", twin.path.file_name().unwrap().to_str().unwrap());
            if !page.text.lines().take(4).any(|line| line.contains(&link)) {
                wrong.push(format!("{}: its head does not link to the other language", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A reader of one language is not sent to a page in the other, except to the twin at the head.
#[test]
fn links_stay_within_a_language() {
    let link = regex::Regex::new(r"\]\(([^)\s#]+\.md)(?:#[^)]*)?\)").unwrap();
    let mut wrong = Vec::new();
    for (chinese, english) in twins() {
        for (page, to_english) in [(&chinese, false), (&english, true)] {
            let head = page.text.lines().take(4).map(str::len).sum::<usize>() + 4;
            for found in link.captures_iter(&page.text) {
                let target = &found[1];
                let there = root().join(&page.path).parent().unwrap().join(target);
                let other = match target.strip_suffix(".en.md") {
                    Some(base) if !to_english => {
                        there.with_file_name(format!("{}.md", base.rsplit('/').next().unwrap()))
                    }
                    None if to_english => PathBuf::from(self::english(there.to_str().unwrap())),
                    _ => continue,
                };
                if !target.contains("://") && found.get(0).unwrap().start() > head && other.exists() {
                    wrong.push(format!("{}: {target} is in the other language", page.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
