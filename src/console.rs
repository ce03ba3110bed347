//! The pages for people in a browser: what each one shows, as plain values, and how it is written.
//!
//! Owns `templates/console` (one struct for each page, so that a renamed field fails the build), the one script and the one
//! style file, the policy of all pages, and their words. Pure: `http` reads the store, and a page is a function of what it
//! found. All text from outside is escaped by the templates; a test forbids ways around that.

mod acts;
mod assets;
mod desk;
mod digest;
mod find;
mod frame;
mod health;
mod letter;
mod links;
mod live;
mod noise;
mod now;
mod people;
mod phone;
mod routes;
mod shift;
mod silences;
mod templates;
#[cfg(test)]
mod tests;
mod told;
mod view;
mod why_not;
mod words;

use askama::Template;

pub use acts::{May, Proven, Standing, acts};
pub use assets::asset;
pub use desk::{Desk, LinkPage, LoginPage, MePage, PasswordPage};
pub use digest::{PAGE_ITEMS, Turn, digest_page};
pub use find::Sought;
pub use frame::{Frame, language_of, policy, root_of};
pub use health::{Condition, Fed, StatePage, Way};
pub use letter::{Beside, Now, Shown, letter_page};
pub use links::picture_hosts;
pub use live::changed;
pub use noise::{Noise, NoisePage};
pub use now::{Incident, IncidentPage, NowPage, Only};
pub use people::{Asked as AskedOfRota, AuditPage, DutyPage, Known, PersonPage};
pub use routes::{Heard, MappingDraft, MappingPage, RoutesPage, SendersPage, Tried};
pub use shift::{Got, LOAD_MS, Substitution};
pub use silences::{ElsewherePage, Hushed, NewSilence, NewSilencePage, SilencesPage};
pub use templates::{Draft, TemplatePage, TemplatesPage};
pub use told::{Asked, DeliveriesPage, DeliveryPage, Offers};
pub use view::View;
pub use why_not::Missing;
pub use words::{
    ACTS_ENDED, ADDRESS_NOT_TRUSTED, BODY_PRUNED, CHANGED, DENIED, FILE_CHANGED, FORM_UNREADABLE, LINK_INVALID,
    LINK_OVER, MAPPING_PASSES, MAPPING_READS, MAY_NOT_SILENCE, NAME_OR_PASSWORD, NEEDLESS_NOTED, NEEDLESS_TAKEN_BACK,
    NO_ACT, NO_FILE_NAME, NO_FOLDER, NO_PAGE, NO_SPAN, NO_SUCH_ID, NO_TEXT, NONE_CHOSEN, NOT_A_MEMBER, NOT_NEWEST,
    NOT_PAUSED, NOT_READ, NOT_SAVED, ODD_LABELS, ODD_SEARCH, PROBE_LIMITED, PROBE_SOON, PROBED, PRUNED, RELOADED,
    SAVED, SAVED_UNUSED, SESSION_OVER, SIGN_IN_AGAIN, SIGN_IN_REFUSED, SIGN_IN_STALE, TOO_MANY, TOO_OFTEN, TOO_SLOW,
    UPSTREAM_SILENT, WECOM_SILENT, WHO_ARE_YOU, domain_not_trusted, done, mapping_wrong, no_right, not_reloaded,
    not_taken, not_written, of_several, sample_kept, wait_seconds,
};

/// A page with one sentence.
#[derive(Debug, Template)]
#[template(path = "console/note.html")]
pub struct NotePage<'a> {
    /// Language and addresses.
    pub f: Frame<'a>,
    /// The sentence.
    pub text: String,
    /// A link on: its text and its address.
    pub way: Option<(String, String)>,
}

impl<'a> NotePage<'a> {
    /// That there is no such page, for a reader who is signed in: the way on is to what is on now.
    pub fn missing(f: Frame<'a>) -> Self {
        let text = f.say(words::NO_PAGE).into_owned();
        let way = Some((f.say(words::NOW).into_owned(), format!("{}now", f.root)));
        Self { f, text, way }
    }
}

/// What a browser sees at the gateway's address: what this is and where to point a sender. Nothing of the configuration.
#[derive(Debug, Template)]
#[template(path = "console/welcome.html")]
pub struct WelcomePage<'a> {
    /// Language and addresses.
    pub f: Frame<'a>,
}
