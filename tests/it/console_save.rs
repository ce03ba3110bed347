//! Templates and mappings that are edited in the console: what they look like, what is wrong with them, and where they are
//! saved: into the folders that the configuration names, whole or not at all.

use std::path::Path;

use crate::console::{Visitor, hidden};
use crate::harness::{World, alertmanager};
use crate::witness_alertmanager::holds;

const REST: &str = "
external_url: http://console.example.com
receivers: { ops: { template: duty, targets: [ { app: ops, users: [zhangsan], face: text } ] } }
route: { receiver: ops }
templates: [ 'templates/*.j2' ]
payload_files: [ 'payloads.d/*.yaml' ]
console: { may_look: { users: [daixuan] }, may_change: { users: [wangwu] }, write: [ templates, payloads.d ] }
";
const TEMPLATE: &str = "{{ title }} 老样子\n{% for alert in alerts %}{{ alert.name }}\n{% endfor %}";
const BODY: &str = r#"{"plan":{"job":"orders"},"outcome":"BROKEN","ticket":91022}"#;
const MAPPING: &str = "- name: backups\n  has: [outcome, plan]\n  alert:\n    name: \"备份 {{ body.plan.job }}\"\n    key: \"{{ body.ticket }}\"\n    status: firing\n";

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Sends the form of a page with some fields changed.
async fn sends(visitor: &mut Visitor<'_>, path: &str, html: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let own = ["nonce", "proof", "seen", "from", "folder"].map(|name| (name, hidden(html, name)));
    let kept = own.iter().filter(|(name, _)| fields.iter().all(|(known, _)| known != name));
    visitor.posts(path, &[kept.copied().collect::<Vec<_>>().as_slice(), fields].concat()).await
}

#[tokio::test]
async fn templates_and_mappings_are_saved_whole_into_named_folders_and_are_in_force_at_once() {
    let mut world = World::idle(wecom_simulator::Setup::demo(), "").await;
    let folder = world.folder.path().to_owned();
    let at = |name: &str| folder.join(name);
    let (templates, payloads) = (at("templates"), at("payloads.d"));
    std::fs::create_dir(&templates).unwrap();
    std::fs::create_dir(&payloads).unwrap();
    std::fs::write(templates.join("duty.j2"), TEMPLATE).unwrap();
    world.write_config(REST);
    world.start().await;
    let mut chief = Visitor::signed_in(&world, "wangwu").await;
    let mut looker = Visitor::signed_in(&world, "daixuan").await;
    let saved = || std::fs::read_to_string(templates.join("duty.j2")).unwrap();

    // The list, and one with what the phone shows, for a sample and for an alert that came.
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    let thread = world.deliveries().await[0].thread.to_string();
    holds(&chief.opens("/templates").await.1, &["href=\"templates/duty\"", "ops", "templates/new?like=zh/news"]);
    let path = "/templates/duty";
    let (status, page) = chief.opens(path).await;
    assert_eq!(status, 200);
    holds(&page, &["duty.j2</h1>", "老样子", "<div class=\"phone\"", "data-lines"]);
    let tries = [("do", "try"), ("text", "{{ title }} 新样子\n{{ alerts[0].name }}"), ("from", &thread)];
    let (status, html) = sends(&mut chief, path, &page, &tries).await;
    assert_eq!(status, 200, "{html}");
    holds(&html, &["新样子", "磁盘将满"]);
    for face in ["markdown", "markdown_v2", "textcard", "news", "card"] {
        let tries = [("do", "try"), ("text", "{% extends \"zh/news\" %}"), ("face", face), ("language", "en")];
        let (_, html) = sends(&mut chief, path, &page, &tries).await;
        assert!(html.contains("<div class=\"phone\"") || html.contains("id=\"wrong\""), "{face}: {html}");
    }
    assert_eq!(saved(), TEMPLATE, "trying writes nothing");

    // Mistakes have their place, and nothing with a mistake is saved, nor a template without an end.
    for (text, says) in [
        ("a\n{{ titel }}", &["第 2 行第 4 列", "titel", "^"][..]),
        ("a\n磁盘 {{ title", &["第 2 行"]),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", &["步数太多"]),
        ("什么都没有", &["消息里没有"]),
        ("{% include \"/etc/passwd\" %}", &["不在 templates 里"]),
        ("{{ debug() }}", &["第 1 行"]),
    ] {
        for act in ["try", "save"] {
            let (status, html) = sends(&mut chief, path, &page, &[("do", act), ("text", text)]).await;
            assert_eq!(status, 422, "{act} {text}: {html}");
            holds(&html, says);
        }
    }
    assert_eq!((saved(), files(&templates)), (TEMPLATE.to_owned(), vec!["duty.j2".to_owned()]));

    // Saved: in force at once, with the old file beside it.
    let new = "{{ title }} 新样子\n{% for alert in alerts %}{{ alert.name }}\n{% endfor %}";
    let sent = new.replace('\n', "\r\n");
    let (status, html) = sends(&mut chief, path, &page, &[("do", "save"), ("text", &sent)]).await;
    assert_eq!(status, 303, "{html}");
    assert_eq!(saved(), new);
    assert_eq!(std::fs::read_to_string(templates.join("duty.j2.old")).unwrap(), TEMPLATE);
    holds(&chief.opens("/templates/duty?saved=true").await.1, &["已经生效", "新样子"]);
    world.accept("/webhook", alertmanager("主机失联", &[("mq-1", "firing")])).await;
    world.settled().await;
    let inbox = world.inbox("user=zhangsan").await;
    assert!(serde_json::to_string(&inbox).unwrap().contains("新样子"), "{inbox:?}");

    // Over a file that changed meanwhile it is not saved unasked; pressed again, it is.
    let (_, page) = chief.opens(path).await;
    std::fs::write(templates.join("duty.j2"), "{{ title }} 别人的\n{{ alerts[0].name }}").unwrap();
    let (status, html) = sends(&mut chief, path, &page, &[("do", "save"), ("text", new)]).await;
    assert_eq!(status, 409);
    holds(&html, &["刚被别人改过", "新样子"]);
    assert!(saved().contains("别人的"));
    assert_eq!(sends(&mut chief, path, &html, &[("do", "save"), ("text", new)]).await.0, 303);
    assert!(std::fs::read_to_string(templates.join("duty.j2.old")).unwrap().contains("别人的"));

    // A new one, and where none can be written.
    let path = "/templates/new";
    let (_, page) = chief.opens("/templates/new?like=zh/text").await;
    let folder = templates.display().to_string();
    let text = [("do", "save"), ("text", new), ("folder", &*folder)];
    let with = |name| [&text[..], &[("name", name)]].concat();
    assert_eq!(sends(&mut chief, path, &page, &with("duty.en")).await.0, 303);
    let others = [("do", "save"), ("text", new), ("folder", "/tmp"), ("name", "x")];
    let (status, html) = sends(&mut chief, path, &page, &others).await;
    assert_eq!(status, 409);
    holds(&html, &["不在 console.write 里"]);
    std::os::unix::fs::symlink(at("wegraf.yaml"), templates.join("link.j2")).unwrap();
    for name in ["../x", "", ".x", "a/b", "X", "link"] {
        let (status, html) = sends(&mut chief, path, &page, &with(name)).await;
        assert_eq!(status, 409, "{name}");
        holds(&html, &["没有保存"]);
    }
    std::fs::remove_file(templates.join("link.j2")).unwrap();
    assert_eq!(files(&templates), ["duty.en.j2", "duty.j2", "duty.j2.old"]);

    // Only those who may change, and only their own forms.
    let fields = [("nonce", hidden(&page, "nonce")), ("proof", hidden(&page, "proof")), ("do", "save"), ("name", "x")];
    assert_eq!(looker.posts(path, &fields).await.0, 403);
    assert_eq!(looker.opens(path).await.0, 404);

    // A mapping for a body that was not understood, saved from the page of its sender.
    world.accept("/webhook", BODY).await;
    world.settled().await;
    let notification = world.deliveries().await.iter().map(|row| row.notification).max().unwrap();
    let path = format!("/mappings/new?from={notification}");
    let (status, page) = chief.opens(&path).await;
    assert_eq!(status, 200, "{page}");
    let folder = payloads.display().to_string();
    let save = [("do", "save"), ("mapping", MAPPING), ("folder", &*folder), ("name", "backups")];
    let (status, html) = sends(&mut chief, "/mappings/new", &page, &save).await;
    assert_eq!(status, 200, "{html}");
    holds(&html, &["已经生效", "备份 orders"]);
    assert_eq!(std::fs::read_to_string(payloads.join("backups.yaml")).unwrap(), MAPPING);
    world.accept("/webhook", BODY.replace("91022", "91023")).await;
    world.settled().await;
    assert!(world.deliveries().await.iter().any(|row| row.name == "备份 orders"), "the mapping is not in force");
    // What the configuration cannot be loaded with is put back: two mappings of one name.
    let twice = [("do", "save"), ("mapping", MAPPING), ("folder", &*folder), ("name", "more"), ("seen", "")];
    let (status, html) = sends(&mut chief, "/mappings/new", &page, &twice).await;
    assert_eq!(status, 409, "{html}");
    holds(&html, &["已放回原样", "backups"]);
    assert_eq!(files(&payloads), ["backups.yaml"]);
    let trail = world.app().store().trail(20).await.unwrap();
    let of =
        |what: &str| trail.iter().filter(|step| step.what == what).map(|step| step.way.as_str()).collect::<Vec<_>>();
    assert_eq!((of("template"), of("mapping")), (vec!["duty.en.j2", "duty.j2", "duty.j2"], vec!["backups.yaml"]));
    holds(&looker.opens("/audit").await.1, &["保存了模板", "duty.en.j2"]);
}

#[tokio::test]
async fn names_that_a_body_lacks_are_marked_and_the_body_is_kept_as_a_sample() {
    let mut world = World::idle(wecom_simulator::Setup::demo(), "").await;
    let folder = world.folder.path().to_owned();
    for name in ["templates", "payloads.d"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("templates/duty.j2"), TEMPLATE).unwrap();
    world.write_config(REST);
    world.start().await;
    let mut chief = Visitor::signed_in(&world, "wangwu").await;
    let mut looker = Visitor::signed_in(&world, "daixuan").await;
    world.accept("/webhook", BODY).await;
    world.settled().await;
    let notification = world.deliveries().await[0].notification.to_string();
    let path = format!("/mappings/new?from={notification}");
    let (status, page) = chief.opens(&path).await;
    assert_eq!(status, 200);
    assert!(!page.contains("这个正文里没有的名字"), "the draft has names of the body: {page}");
    let wrong = MAPPING.replace("body.plan.job", "body.plan.jop").replace("body.ticket", "body.<b>ticket");
    let (_, page) = sends(&mut chief, "/mappings/new", &page, &[("do", "try"), ("mapping", &wrong)]).await;
    holds(&page, &["这个正文里没有的名字", "第 4 行", "body.plan.jop</code>", "是不是 body.plan.job？"]);
    assert!(!page.contains("body.<b>"), "{page}");

    // It is kept as it came, under a name of its own; not by who may only look, and not over another.
    let folder_of = folder.join("payloads.d").display().to_string();
    let keep = [("do", "sample"), ("mapping", MAPPING), ("name", "backups"), ("folder", &*folder_of)];
    let (_, own) = looker.opens("/me").await;
    let proof = [("nonce", hidden(&own, "nonce")), ("proof", hidden(&own, "proof")), ("from", &*notification)];
    assert_eq!(looker.posts("/mappings/new", &[&proof[..], &keep].concat()).await.0, 404);
    let (status, kept) = sends(&mut chief, "/mappings/new", &page, &keep).await;
    assert_eq!(status, 200, "{kept}");
    holds(&kept, &["存好了"]);
    let sample = folder.join(format!("payloads.d/backups.{notification}.body"));
    assert_eq!(std::fs::read_to_string(&sample).unwrap(), BODY);
    std::fs::write(&sample, "another").unwrap();
    assert_eq!(sends(&mut chief, "/mappings/new", &kept, &keep).await.0, 409);
    assert_eq!(std::fs::read_to_string(&sample).unwrap(), "another", "it is not overwritten");
    let elsewhere = [&keep[..3], &[("folder", "/tmp")]].concat();
    assert_eq!(sends(&mut chief, "/mappings/new", &kept, &elsewhere).await.0, 409);
    holds(&chief.opens("/audit").await.1, &["留了一个正文作样本"]);
}
