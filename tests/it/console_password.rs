//! The password of a local administrator: guesses are slow and learn nothing, and what it opens is everything.

use std::time::{Duration, Instant};

use wegraf::internals::store::{ActFilter, ActState};

use crate::console::{Visitor, hidden};
use crate::harness::{World, alertmanager};
use crate::process::{run, run_on};
use crate::witness_alertmanager::holds;

const PASSWORD: &str = "correct horse battery";
const REST: &str = "
external_url: http://console.example.com
trusted_proxies: [ 127.0.0.1 ]
receivers: { ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] } }
route: { receiver: ops }
";

struct Answer {
    status: u16,
    set: Option<String>,
    html: String,
    retry: Option<u64>,
    took: Duration,
}

/// Tries a password from an address, with the cookie that the browser has.
async fn tries(
    (http, world): (&reqwest::Client, &World),
    from: &str,
    name: &str,
    password: &str,
    cookie: &str,
    site: Option<&str>,
) -> Answer {
    let fields = [("name", name), ("password", password), ("to", "m?state=dead")];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = http.post(format!("{}/login/password", world.url)).header("x-forwarded-for", from);
    if let Some(site) = site {
        request = request.header("sec-fetch-site", site);
    }
    let begun = Instant::now();
    let answer = request
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (set, retry) = (header("set-cookie"), header("retry-after").map(|seconds| seconds.parse().unwrap()));
    let status = answer.status().as_u16();
    Answer { status, set, retry, html: answer.text().await.unwrap(), took: begun.elapsed() }
}

const OURS: Option<&str> = Some("same-origin");

#[tokio::test]
async fn a_local_administrator_signs_in_without_wecom_and_guesses_learn_nothing() {
    let mut world = World::idle(wecom_simulator::Setup::demo(), REST).await;
    run_on(&world, &["console", "password"], b"too short\n").await.exits(1);
    let made = run_on(&world, &["console", "password"], format!("{PASSWORD}\n").as_bytes()).await.exits(0);
    let line = made.out.trim().to_owned();
    assert!(line.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{line}");
    let none = reqwest::redirect::Policy::none();
    let http = &reqwest::Client::builder().no_proxy().redirect(none).pool_max_idle_per_host(0).build().unwrap();
    world.start().await;
    // Without such an account there is no page, and the form of nobody signs in.
    let mut visitor = Visitor::new(&world);
    assert_eq!(visitor.opens("/login/password").await.0, 404);
    assert_eq!(tries((http, &world), "203.0.113.1", "admin", PASSWORD, "", OURS).await.status, 404);
    assert!(!visitor.opens("/login").await.1.contains("login/password"));

    world.write("admin.hash", &line);
    let text = std::fs::read_to_string(world.config_path()).unwrap();
    std::fs::write(world.config_path(), format!("{text}console: {{ local: {{ admin: {{ file: admin.hash }} }} }}\n"))
        .unwrap();
    world.stop().await;
    world.start().await;
    let mut visitor = Visitor::new(&world);
    holds(&visitor.opens("/login").await.1, &["href=\"login/password?to=now\""]);
    let (status, html) = visitor.opens("/login/password?to=%2F%2Fevil.example").await;
    assert_eq!(status, 200);
    holds(&html, &["autocomplete=\"current-password\"", "name=\"to\" value=\"now\""]);

    // A form of another site does not sign in, even with the password: neither the victim nor the thief.
    for site in [Some("cross-site"), Some("same-site"), Some("none"), None] {
        let answer = tries((http, &world), "203.0.113.2", "admin", PASSWORD, "", site).await;
        assert_eq!((answer.status, answer.set), (403, None), "{site:?}");
    }

    // A planted cookie is not the session afterwards.
    let planted = "wegraf=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let answer = tries((http, &world), "203.0.113.3", "admin", PASSWORD, planted, OURS).await;
    assert_eq!(answer.status, 303, "{}", answer.html);
    let set = answer.set.unwrap();
    assert!(set.contains("HttpOnly; SameSite=Lax") && !set.starts_with(planted), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    visitor.cookie = Some(cookie.clone());
    let (status, html) = visitor.opens("/now").await;
    assert_eq!(status, 200);
    holds(&html, &["local/admin", "href=\"audit\"", "href=\"state\""]);
    let mut thief = Visitor::new(&world);
    thief.cookie = Some(planted.to_owned());
    assert_eq!(thief.opens("/now").await.0, 401);

    // Acts are the administrator's, also at a receiver of others, and the record says how.
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    let (_, now) = visitor.opens("/now").await;
    let short = now.split("href=\"i/").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let (_, page) = visitor.opens(&format!("/i/{short}")).await;
    let fields = ["nonce", "proof", "message"].map(|name| (name, hidden(&page, name)));
    let (status, _) = visitor.posts(&format!("/i/{short}"), &[&fields[..], &[("do", "acknowledge")]].concat()).await;
    assert_eq!(status, 200);
    let acts = world.app().store().acts(ActFilter { limit: 9, ..ActFilter::default() }).await.unwrap();
    assert_eq!((acts[0].by.as_str(), acts[0].state), ("local/admin", ActState::Done), "{acts:?}");
    assert_eq!(acts[0].via, "console/password");

    // A wrong name and a wrong password: the same answer, after the same work.
    let (mut of_name, mut of_password) = (Vec::new(), Vec::new());
    for number in 0..3 {
        let guess = format!("guess {number} {number} {number}");
        let wrong = tries((http, &world), &format!("203.0.113.{}", 20 + number), "admin", &guess, "", OURS).await;
        let unknown = tries((http, &world), &format!("203.0.113.{}", 30 + number), "nimda", &guess, "", OURS).await;
        assert_eq!((wrong.status, unknown.status), (403, 403));
        assert_eq!(wrong.html.replace("admin", ""), unknown.html.replace("nimda", ""));
        assert!(wrong.set.is_none() && unknown.set.is_none());
        of_name.push(unknown.took);
        of_password.push(wrong.took);
    }
    // A check that was left out would take no time at all: the fastest of each tells, however busy the machine is.
    let [name, password] = [of_name, of_password].map(|all| all.into_iter().min().unwrap());
    assert!(name * 4 > password, "an unknown name is answered in {name:?}, a known one in {password:?}");
    // Userids have no password, and neither has an empty name.
    for name in ["zhangsan", "", "local/admin"] {
        assert_eq!(tries((http, &world), "203.0.113.40", name, PASSWORD, "", OURS).await.status, 403, "{name}");
    }

    // A thousand tries: many at a time, from many addresses, for one name. Few are checked at all, and now not even the
    // right one signs in; after the wait it does.
    let mut statuses = std::collections::BTreeMap::new();
    for round in 0..20_u8 {
        let all = (0..50_u8).map(|one| {
            let world = &world;
            async move { tries((http, world), &format!("198.51.{round}.{one}"), "Admin", "x", "", OURS).await.status }
        });
        for status in futures_util::future::join_all(all).await {
            *statuses.entry(status).or_insert(0) += 1;
        }
    }
    assert!(statuses[&429] >= 980 && statuses.get(&403).copied().unwrap_or(0) <= 20, "{statuses:?}");
    assert_eq!(statuses.values().sum::<i32>(), 1000);
    let answer = tries((http, &world), "192.0.2.9", "admin", PASSWORD, "", OURS).await;
    assert_eq!((answer.status, answer.set), (429, None));
    assert!((1..=60).contains(&answer.retry.unwrap()), "{:?}", answer.retry);
    // The machine's own way is open meanwhile, and who is signed in stays so.
    assert_eq!(visitor.opens("/now").await.0, 200);
    assert_eq!(Visitor::signed_in(&world, "local/admin").await.opens("/state").await.0, 200);

    // The trail has who and how, and no password; what was typed for a name is kept nowhere.
    let trail = world.app().store().trail(60).await.unwrap();
    let of = |what: &str| trail.iter().filter(|step| step.what == what && step.way == "password").count();
    assert!(of("signed-in") == 1 && (1..=20).contains(&of("refused")), "{trail:?}");
    assert!(trail.iter().all(|step| !step.person.contains("nimda")), "{trail:?}");
    let (_, audit) = visitor.opens("/audit").await;
    holds(&audit, &["local/admin", "密码不对"]);
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        let kept = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!kept(PASSWORD) && !kept("nimda"), "a password or a typed name is stored");
    }

    // A new password ends the sessions of the old one as soon as it is read, and no session of another way.
    let mut by_link = Visitor::signed_in(&world, "local/admin").await;
    let other = run_on(&world, &["console", "password"], b"another good password\n").await.exits(0);
    assert_eq!(visitor.opens("/now").await.0, 200);
    world.write("admin.hash", other.out.trim());
    world.app().reload();
    let begun = Instant::now();
    while visitor.opens("/now").await.0 == 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the session of the old password goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((visitor.opens("/now").await.0, by_link.opens("/now").await.0), (401, 200));
    let kept = by_link.cookie;

    // Taken out of the configuration: signed out at once, whatever the browser has.
    std::fs::write(world.config_path(), text).unwrap();
    world.stop().await;
    world.start().await;
    let mut visitor = Visitor::new(&world);
    visitor.cookie = Some(cookie);
    assert_eq!(visitor.opens("/now").await.0, 401, "the password is gone, and with it its sessions");
    let mut link = Visitor::new(&world);
    link.cookie = kept;
    assert_eq!(link.opens("/now").await.0, 403, "signed in, and without a right");
}

#[tokio::test]
async fn a_hash_that_is_none_is_a_mistake_of_the_configuration() {
    let world = World::idle(wecom_simulator::Setup::demo(), REST).await;
    let text = std::fs::read_to_string(world.config_path()).unwrap();
    for (local, says) in [
        ("{ admin: hunter2hunter2 }", "argon2id"),
        ("{ 'a/b': x }", "a/b"),
        ("{ admin: '$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA' }", "m=19456"),
    ] {
        std::fs::write(world.config_path(), format!("{text}console: {{ local: {local} }}\n")).unwrap();
        let answer = run(&world, &["check"]).await;
        let said = format!("{}{}", answer.out, answer.err);
        assert!(answer.code != 0 && said.contains(says), "{local}: {said}");
        assert!(!said.contains("hunter2hunter2"), "the check shows a secret: {said}");
    }
}
