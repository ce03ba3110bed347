//! The frame of the console's own pages, and the pages of sign-in.

use askama::Template;

use super::frame::Frame;
use super::words;
use crate::render::Clock;
use crate::store::Session;
use crate::words::{Language, Words};

/// What stands above every page of the console.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The page of the menu that is open, as [`Desk::ways`] and [`Desk::more`] name them; empty: none of it.
    pub here: &'static str,
    /// The part that its contents are, see [`changed`](super::changed); empty: they are not live.
    pub live: &'static str,
    /// Who is signed in.
    pub person: String,
    /// Makes a form count once.
    pub nonce: String,
    /// Proves with the nonce that the form is of this session.
    pub proof: String,
    /// The person may look at everything.
    pub all: bool,
    /// The person may change what concerns others.
    pub change: bool,
    /// The address is not https: what is typed can be read on the way.
    pub plain: bool,
}

impl Desk {
    /// The pages of the menu.
    #[expect(clippy::unused_self, reason = "the template calls it like the other parts of the menu")]
    pub fn ways(&self) -> [(&'static str, Words); 4] {
        [("now", words::NOW), ("m", words::DELIVERIES), ("silences", words::SILENCES), ("duty", words::DUTY)]
    }

    /// The pages behind “more”: a person's own, the week, and those for who may look at everything.
    pub fn more(&self) -> Vec<(String, Words)> {
        let own = (format!("people/{}", self.person), words::MY_PAGE);
        let all =
            [("state", words::HEALTH), ("routes", words::ROUTES), ("senders", words::SENDERS), ("audit", words::AUDIT)];
        let all = all.into_iter().filter(|_| self.all).map(|(path, text)| (path.to_owned(), text));
        let change = self.change.then(|| ("templates".to_owned(), words::TEMPLATES));
        // A local administrator receives nothing.
        let own = (!self.person.contains('/')).then_some(own);
        own.into_iter().chain([("noise".to_owned(), words::NOISE)]).chain(all).chain(change).collect()
    }
}

/// How to sign in. Tells nothing of the configuration.
#[derive(Debug, Template)]
#[template(path = "console/login.html")]
pub struct LoginPage<'a> {
    /// Language and addresses.
    pub f: Frame<'a>,
    /// Why the reader is here; empty if for no reason.
    pub said: String,
    /// The way to WeCom's page, if people can sign in there.
    pub wecom: Option<String>,
    /// The way to the page of local administrators, if there are any.
    pub local: Option<String>,
}

/// Asks a local administrator for name and password.
#[derive(Debug, Template)]
#[template(path = "console/password.html")]
pub struct PasswordPage<'a> {
    /// Language and addresses.
    pub f: Frame<'a>,
    /// Why it is asked again; empty for the first time.
    pub said: String,
    /// The name that was typed.
    pub name: String,
    /// The page to go on to.
    pub to: String,
    /// The address is not https: the password can be read on the way.
    pub plain: bool,
}

/// Asks whether this browser is to be signed in as the person of the link.
#[derive(Debug, Template)]
#[template(path = "console/link.html")]
pub struct LinkPage<'a> {
    f: Frame<'a>,
    question: String,
}

impl<'a> LinkPage<'a> {
    /// For `person`.
    pub fn new(f: Frame<'a>, person: &str) -> Self {
        let question = f.say(words::sign_in_as(person)).into_owned();
        Self { f, question }
    }
}

/// A person's own page: rights and sessions.
#[derive(Debug, Template)]
#[template(path = "console/me.html")]
pub struct MePage<'a> {
    f: Frame<'a>,
    desk: Desk,
    rights: String,
    sessions: Vec<Seat>,
    choices: Vec<Choice>,
}

/// A choice of how pages look.
#[derive(Debug)]
struct Choice {
    name: &'static str,
    text: String,
    value: &'static str,
    ways: Vec<(&'static str, String)>,
}

/// A session in the list.
#[derive(Debug)]
struct Seat {
    id: String,
    agent: String,
    text: String,
    own: bool,
}

impl<'a> MePage<'a> {
    /// `own` is the session of this browser.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        own: &str,
        sessions: &[Session],
        all: bool,
        receivers: &[String],
    ) -> Self {
        let time = |at| clock.ago(at);
        let sessions = sessions.iter().map(|session| Seat {
            id: session.id.clone(),
            agent: browser(&session.agent).unwrap_or_else(|| super::letter::one_line(&session.agent)),
            text: f.say(words::session(&time(session.made_at), &time(session.seen_at), &session.address)).into_owned(),
            own: session.id == own,
        });
        let choice = |name, text: Words, value, ways: [(&'static str, Words); 3]| Choice {
            name,
            text: f.say(text).into_owned(),
            value,
            ways: ways
                .into_iter()
                .filter(|way| !way.0.is_empty())
                .map(|(id, text)| (id, f.say(text).into_owned()))
                .collect(),
        };
        let languages = [Language::Zh, Language::En].map(|one| (one.as_str(), words::words_of(one)));
        let [zh, en] = languages;
        let none = || ("", words::OFF);
        let choices = vec![
            choice(
                "language",
                words::LANGUAGE,
                f.view.language.map_or("auto", Language::as_str),
                [("auto", words::AS_BROWSER), zh, en],
            ),
            choice(
                "theme",
                words::THEME,
                f.view.theme().unwrap_or("auto"),
                [("auto", words::AS_SYSTEM), ("light", words::LIGHT), ("dark", words::DARK)],
            ),
            choice(
                "keys",
                words::SINGLE_KEYS,
                if f.view.keys { "on" } else { "off" },
                [("on", words::ON), ("off", words::OFF), none()],
            ),
        ];
        let (sessions, rights) = (sessions.collect(), f.say(words::sees(all, receivers)).into_owned());
        Self { f, desk, rights, sessions, choices }
    }
}

/// A browser and its system, as people call them; `None` if the name is none that is known.
fn browser(agent: &str) -> Option<String> {
    let first =
        |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    // The later ones also stand in the names of the earlier ones.
    let program = first(&[
        ("wxwork/", "WeCom"),
        ("MicroMessenger/", "WeChat"),
        ("Edg/", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ])?;
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    Some(system.map_or_else(|| program.to_owned(), |system| format!("{program} · {system}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_has_the_name_that_people_know_it_by() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
                Some("Chrome · Linux"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
                Some("Edge · Windows"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) MicroMessenger/8.0 wxwork/4.1.22",
                Some("WeCom · iPhone"),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14) AppleWebKit/605 Version/18 Safari/605",
                Some("Safari · macOS"),
            ),
            ("Mozilla/5.0 Firefox/140", Some("Firefox")),
            ("curl/8", None),
            ("", None),
        ] {
            assert_eq!(browser(agent).as_deref(), name, "{agent}");
        }
    }
}
