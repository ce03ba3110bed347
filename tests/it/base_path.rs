//! Behind a proxy under a path: with that path and without it, as the proxy passes it on.

use reqwest::Url;
use serde_json::json;

use crate::harness::{World, alertmanager};

const REST: &str = "
external_url: http://ops.example.com/alerts
sources: { grafana: { bearer: canary-token, path: path-token-0123456789abcdef } }
receivers: { ops: { targets: [ { app: ops, users: [zhangsan], face: text } ] } }
";

/// Every address in a page, as a browser that reads it at `at` resolves it.
fn addresses(html: &str, at: &Url) -> Vec<Url> {
    let mut found = Vec::new();
    for attribute in [" href=\"", " src=\"", " action=\"", "data-root=\""] {
        for rest in html.split(attribute).skip(1) {
            let text = rest.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
            found.push(at.join(&text).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_below_a_path_whether_the_proxy_strips_it_or_not() {
    let world = World::new(REST).await;
    let none = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().no_proxy().redirect(none).build().unwrap();
    // A proxy that keeps the path, and one that strips it; the browser sees the first address in both cases.
    let seen = Url::parse("http://ops.example.com/alerts/").unwrap();
    let kept = |path: &str| format!("{}/alerts{path}", world.url);
    let stripped = |path: &str| format!("{}{path}", world.url);

    for (address, name) in [(kept("/webhook"), "one"), (stripped("/webhook"), "two"), (kept("/webhook/ops"), "three")] {
        let body = alertmanager(name, &[("a", "firing")]);
        let answer = http.post(&address).bearer_auth("canary-token").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{address}");
    }
    let body = alertmanager("four", &[("a", "firing")]);
    let token = kept("/webhook/t/path-token-0123456789abcdef");
    assert_eq!(http.post(token).body(body).send().await.unwrap().status(), 200);
    assert_eq!(http.post(kept("/webhook")).bearer_auth("wrong").body("{}").send().await.unwrap().status(), 401);
    assert!(world.metric("wegraf_refusals_total{path=\"webhook\",status=\"401\",reason=\"unknown\"}").await > 0.5);

    // The link of a message opens, and all that its page loads and links is below the path.
    let told = world.arrived("user=zhangsan", 4).await;
    let text = json!(told).to_string();
    let link = text.split("http://ops.example.com/alerts").nth(1).expect("a link below the path");
    let path: String = link.chars().take_while(|c| c.is_ascii_alphanumeric() || "/?=&_.-".contains(*c)).collect();
    assert!(path.starts_with("/d/"), "{path}");
    let root = http.get(kept("")).send().await.unwrap();
    assert_eq!((root.status().as_u16(), root.headers()["location"].to_str().unwrap()), (308, "alerts/"));
    for page in [path.as_str(), "/", "/login"] {
        for address in [kept(page), stripped(page)] {
            let answer = http.get(&address).send().await.unwrap();
            let status = answer.status().as_u16();
            assert!(status == 200 || page == "/login" && status < 500, "{address}: {status}");
            let html = answer.text().await.unwrap();
            let at = seen.join(page.trim_start_matches('/')).unwrap();
            let ours = addresses(&html, &at).into_iter().filter(|url| url.host_str() == seen.host_str());
            let ours: Vec<Url> = ours.collect();
            assert!(!ours.is_empty(), "{address}");
            for url in ours {
                assert!(url.path().starts_with("/alerts/"), "{address} leads to {url}");
                if url.path().contains("/assets/") {
                    let below = url.path().trim_start_matches("/alerts");
                    for file in [kept(below), stripped(below)] {
                        assert_eq!(http.get(file).send().await.unwrap().status(), 200, "{url}");
                    }
                }
            }
        }
    }

    // Signing in: the redirect stays below the path, and the cookie goes nowhere else.
    for keeps in [true, false] {
        let address = |path: &str| if keeps { kept(path) } else { stripped(path) };
        let ticket = world.app().acts().ticket("zhangsan", "command").await.unwrap();
        let sign_in = format!("/login/link/{ticket}");
        let answer = http.post(address(&sign_in)).header("sec-fetch-site", "same-origin").send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let location = answer.headers()["location"].to_str().unwrap();
        let next = seen.join(sign_in.trim_start_matches('/')).unwrap().join(location).unwrap();
        assert!(next.path().starts_with("/alerts/"), "{next}");
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("; Path=/alerts/;"), "{cookie}");
        let page = address(next.path().trim_start_matches("/alerts"));
        let answer = http.get(&page).header("cookie", cookie.split(';').next().unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{page}");
        let html = answer.text().await.unwrap();
        for url in addresses(&html, &next).iter().filter(|url| url.host_str() == seen.host_str()) {
            assert!(url.path().starts_with("/alerts/"), "{page} leads to {url}");
        }
    }
}
