//! From the head of a lane to bytes and their ways: reads the notification again, renders it, addresses it.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use tracing::{error, warn};
use wecom::message::Text;
use wecom::{CardUpdate, Content, Duplicates, Recipients};

use super::Deliver;
use super::audience::Reach;
use super::card;
use super::envelope::Envelope;
use super::handover;
use super::owners::Owners;
use super::page::Page;
use super::people::People;
use super::picture::Pictures;
use super::scene::{self, Scene};
use super::setup::Setup;
use super::short;
use super::verbatim;
use super::way::{self, Way};
use crate::alert::{Labels, Status, ThreadId, Timestamp};
use crate::config::{Config, Face, Target, To};
use crate::names::{Part, Scope};
use crate::render::{DigestLetter, Note, Offer};
use crate::store::{ActKind, Digest, Freeze, Frozen, Naming, Queued, Spent, State, StoreError};
use crate::words::{Language, told, words};

/// WeCom drops a request equal to one it got within this time (page 90236: at most 4 h). Never longer than until the
/// next reminder, whose bytes may be equal.
const DUPLICATE_CHECK: Duration = Duration::from_hours(4);
/// Bytes that certainly were not sent are written anew after this long: the times in them are exact to a minute.
const OUTDATED_MS: i64 = 60_000;
/// A message that leaves later than this after its news says so.
const LATE_MS: i64 = 5 * 60_000;
/// After this long WeCom no longer compares a request with the first one: a quarter of an hour less than documented.
const COMPARED_MS: i64 = (4 * 60 - 15) * 60_000;
/// Where cards with buttons were rejected (an app without a callback in the admin console, a group of a bot) they are
/// not tried again for this long: a person who repairs it will press a button soon.
const REFUSED_MS: i64 = 10 * 60_000;
/// Renders messages; caches what it read from files and from the directory.
pub struct Writer {
    people: People,
    pictures: Pictures,
    /// When cards with buttons were last refused, by app and by conversation of a bot. Bounded by the configuration.
    refused: Mutex<HashMap<Scope, Timestamp>>,
    owners: Owners,
}

/// The form in which a message is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As its bytes are frozen, or as its target wants it.
    AsMeant,
    /// In a simpler form, because it was rejected: a card without its buttons, otherwise short plain text.
    Simpler,
}

/// How much of the target's wishes a message gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Everything: buttons, or an update of the card that was sent before.
    Whole,
    /// Everything without buttons.
    Notice,
    /// Short plain text.
    Plain,
}

impl Shape {
    /// `before`: its earlier face, if any. A bot sends text in place of any card that is rejected.
    pub(super) fn of(form: Form, before: Option<&str>, bot: bool) -> Self {
        match (form, before) {
            (Form::Simpler, Some(card::BUTTONS)) => Self::Notice,
            (Form::Simpler, Some(face)) if bot && face == Face::Card.as_str() => Self::Notice,
            (Form::Simpler, _) | (Form::AsMeant, Some(PLAIN)) => Self::Plain,
            (Form::AsMeant, None | Some(card::BUTTONS)) => Self::Whole,
            (Form::AsMeant, Some(_)) => Self::Notice,
        }
    }
}

/// The face recorded for a picture that follows a message.
pub const PICTURE: &str = "picture";

/// The face recorded for a message that was reduced to short plain text.
pub const PLAIN: &str = "plain";

/// A message that may be claimed.
#[derive(Debug)]
pub struct Prepared {
    /// Its target.
    pub target: Target,
    /// Its ways; at least one.
    pub ways: Vec<Way>,
    /// New bytes, if it has none yet or others are wanted.
    pub freeze: Option<Freeze>,
    /// The bytes of all parts.
    pub bodies: Vec<Bytes>,
    /// The card that these bytes update, and the code that they use.
    pub changes: Option<Spent>,
}

/// Why there is nothing to send now.
#[derive(Debug)]
pub enum Unready {
    /// What must be repaired first, for the operator.
    Repair(String),
    /// It is a picture that cannot be had, for this reason.
    LeftOut(&'static str),
}

impl From<String> for Unready {
    fn from(reason: String) -> Self {
        Self::Repair(reason)
    }
}

impl Writer {
    /// Fails only if the TLS library cannot start.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            people: People::default(),
            pictures: Pictures::new().context("cannot set up the client for pictures")?,
            refused: Mutex::default(),
            owners: Owners::default(),
        })
    }

    /// The ways of `queued` and, unless it is frozen, its bytes.
    pub async fn prepare(
        &self,
        deliver: &Deliver,
        setup: &Setup,
        queued: &mut Queued,
        form: Form,
    ) -> Result<Prepared, Unready> {
        let target: Target = serde_json::from_str(&queued.target_json)
            .map_err(|error| format!("the target of the message cannot be read (an older version's?): {error}"))?;
        // Bytes that cannot be marked are sent again unchanged.
        let markable = queued.frozen.as_ref().is_none_or(|frozen| frozen.face != verbatim::FILE);
        let repeated = markable && is_copy(&target, queued, deliver.clock.now());
        let outdated = queued.frozen.as_ref().is_some_and(|frozen| is_outdated(frozen, deliver.clock.now()));
        let freeze = match &queued.frozen {
            Some(_) if form == Form::AsMeant && !repeated && !outdated => None,
            _ if queued.picture_of.is_some() => Some(self.picture(deliver, setup, queued, &target).await?),
            _ => Some(self.write(deliver, setup, queued, &target, form, repeated).await?),
        };
        let (bodies, part) = match (&freeze, &queued.frozen) {
            (Some(freeze), _) => (&freeze.parts, freeze.next_part),
            (None, Some(frozen)) => (&frozen.parts, frozen.next_part),
            (None, None) => return Err(Unready::Repair("a message has no bytes".to_owned())),
        };
        let face = freeze.as_ref().map(|freeze| &freeze.face).or(queued.frozen.as_ref().map(|frozen| &frozen.face));
        let body = bodies.get(part as usize).map_or(&[][..], |body| &body[..]);
        let changes = match face {
            Some(face) if face == card::UPDATE => {
                let card = deliver.store.card(&queued.lane, queued.message, deliver.clock.now()).await;
                card.map_err(|error| error.to_string())?.and_then(|known| card::spent(known.message, body))
            }
            _ => None,
        };
        let reach = Self::reach(deliver, setup, &target, body).await?;
        let mut ways = way::ways(&setup.config, &target, &reach)?;
        if face.is_some_and(|face| face == verbatim::FILE) && verbatim::names_media(body) {
            // An uploaded file is valid only for the key that uploaded it: the first.
            ways.truncate(1);
        }
        Ok(Prepared { ways, bodies: bodies.clone(), freeze, target, changes })
    }

    /// The people whom the next part reaches.
    async fn reach(deliver: &Deliver, setup: &Setup, target: &Target, body: &[u8]) -> Result<Reach, String> {
        let known = |name: &str| {
            let known = setup.config.wecom.apps.get(name).ok_or_else(|| way::missing("app", name))?;
            Ok::<_, String>(way::app(known))
        };
        Ok(match &target.to {
            To::Members { app: name, .. } => {
                let to = way::addressed(body);
                deliver.members.audience.of_members(&setup.wecom, &known(name)?, &to, deliver.clock.now()).await
            }
            To::Chat { app: name, chat } => {
                deliver.members.audience.of_chat(&setup.wecom, &known(name)?, chat, deliver.clock.now()).await
            }
            To::Webhook { .. } | To::Email { .. } | To::Hook { .. } | To::Bot { .. } => Reach::default(),
        })
    }

    /// The picture that follows a message.
    async fn picture(
        &self,
        deliver: &Deliver,
        setup: &Setup,
        queued: &Queued,
        target: &Target,
    ) -> Result<Freeze, Unready> {
        let (now, until) = (deliver.clock.now(), scene::patience());
        let page = Page::of(&setup.config, &queued.notification, &queued.transitions, &queued.receiver);
        let scene = Scene { deliver, setup, queued, page: &page, target, now, until };
        let image = scene.picture(&self.pictures).await.map_err(Unready::LeftOut)?;
        let parts =
            self.bodies(&setup.config, target, &[Content::Image(image)], &envelope(&setup.config, queued, now))?;
        let (face, naming) = (PICTURE.to_owned(), Naming::AllBut(Vec::new()));
        Ok(Freeze { face, parts, next_part: 0, naming, pictured: false })
    }

    /// Writes `queued` anew. Its raw body is empty afterwards.
    async fn write(
        &self,
        deliver: &Deliver,
        setup: &Setup,
        queued: &mut Queued,
        target: &Target,
        form: Form,
        repeated: bool,
    ) -> Result<Freeze, String> {
        let now = deliver.clock.now();
        let earlier = queued.frozen.as_ref().map(|frozen| frozen.face.as_str());
        let shape = Shape::of(form, earlier, matches!(target.to, To::Bot { .. }));
        let aimed = self.aimed(target, shape, now);
        let notes = notes(queued, repeated, now);
        // Whether visitors are authorised is checked when they act.
        let acts = (!queued.digest).then_some(setup.config.act_links);
        let key = deliver.links.key().await;
        let external = setup.config.external_url.as_deref();
        let link = external.map(|url| key.link(url, queued.message, now, acts));
        let chart = external.map(|url| key.picture(url, queued.message, now));
        let details_url = link.as_deref();
        if shape != Shape::Plain && !queued.digest && !queued.act {
            let receiver = setup.config.receivers.get(&queued.receiver);
            let language = receiver.map_or(setup.config.language, |known| known.language);
            if let Some(freeze) = verbatim::written(&queued.notification, target, &notes, details_url, language) {
                return Ok(freeze);
            }
        }
        let occasion = Occasion {
            thread: queued.thread,
            now,
            details_url,
            offer: Offer::Nothing,
            notes: &notes,
            chart: chart.as_deref(),
            course: None,
            short: &[],
        };
        let until = scene::patience();
        let mut page = (!queued.digest && !queued.act).then(|| {
            let page = Page::of(&setup.config, &queued.notification, &queued.transitions, &queued.receiver);
            // A large body and what was read from it are not held at the same time.
            queued.notification.raw = Bytes::new();
            page
        });
        if let Some(page) = &mut page {
            scene::ask_upstreams(deliver, setup, page, until).await;
        }
        let queued = &*queued;
        let handed_over = match &page {
            Some(page) => handover::target(deliver, queued, &aimed, page).await.map_err(|error| error.to_string())?,
            None => None,
        };
        let aimed = handed_over.unwrap_or(aimed);
        let scene = page.as_ref().map(|page| Scene { deliver, setup, queued, page, target: &aimed, now, until });
        let written = if let Some(scene) = scene {
            self.letter(scene, &occasion, shape).await.map_err(|error| error.to_string())?
        } else if queued.digest {
            let digest = deliver.store.digest(queued.message).await.map_err(|error| error.to_string())?;
            let firing = digest.items.iter().filter(|item| item.status == Status::Firing);
            let target = self.called(deliver, setup, &aimed, firing.map(|item| &item.labels)).await;
            summarise(setup, queued, &target, &digest, &occasion)
        } else {
            about_act(deliver, setup, queued, &aimed, shape).await.map_err(|error| error.to_string())?
        };
        let envelope = Envelope { picture: written.inline.clone(), ..envelope(&setup.config, queued, now) };
        let parts = match &written.update {
            Some(update) => vec![update_body(&setup.config, &aimed, update)?],
            None => self.bodies(&setup.config, &aimed, &written.contents, &envelope)?,
        };
        if let Some(scene) = scene.filter(|_| written.face == card::BUTTONS && parts.len() > written.contents.len()) {
            // More people than one request may address get several messages: each would be a card with its own code.
            let notice = Box::pin(self.letter(scene, &occasion, Shape::Notice));
            let written = notice.await.map_err(|error| error.to_string())?;
            let parts = self.bodies(&setup.config, &aimed, &written.contents, &envelope)?;
            let Written { face, naming, pictured, .. } = written;
            return Ok(Freeze { face, parts, next_part: 0, naming, pictured });
        }
        // A copy or a reduced form of a message whose first parts have arrived continues with the next part, if it has
        // the same number of parts.
        let before = queued.frozen.as_ref().filter(|frozen| frozen.parts.len() == parts.len());
        let next_part = before.map_or(0, |frozen| frozen.next_part);
        let face = if shape == Shape::Plain { PLAIN.to_owned() } else { written.face };
        Ok(Freeze { face, parts, next_part, naming: written.naming, pictured: written.pictured })
    }

    /// The target in the form that `shape` allows. Where a bot may not send cards with buttons it may send no cards at
    /// all (groups, docs/reference/wecom.md#bot-activation).
    fn aimed(&self, target: &Target, shape: Shape, now: Timestamp) -> Target {
        let card = matches!(target.to, To::Bot { .. }) && target.face == Face::Card;
        match shape {
            Shape::Plain => plainer(target),
            _ if card && (shape == Shape::Notice || self.is_refused(target, now)) => {
                Target { face: Face::MarkdownV2, ..target.clone() }
            }
            Shape::Whole | Shape::Notice => target.clone(),
        }
    }

    async fn letter(&self, scene: Scene<'_>, occasion: &Occasion<'_>, shape: Shape) -> Result<Written, StoreError> {
        let Scene { deliver, setup, queued, page, .. } = scene;
        let target = &self.called(deliver, setup, scene.target, page.firing()).await;
        let pressed =
            shape == Shape::Whole && card::interactive(&setup.config, target) && !self.is_refused(target, occasion.now);
        let scene = Scene { target, ..scene };
        let followed = scene.is_followed();
        let told =
            async { if followed || (!pressed && scene.shows(occasion.chart)) { None } else { scene.course().await } };
        let (course, inline) = tokio::join!(told, scene.inline(&self.pictures));
        let occasion = &Occasion { course: course.as_deref(), ..*occasion };
        // A card with buttons has no place for a picture.
        let mut rendered = if pressed {
            page.render_pictureless(setup, target, occasion)
        } else {
            let charted = setup.charts.wants(&page.charted(queued.notification.received_at));
            let offer = card::offer(&setup.config, page, &queued.receiver);
            let occasion = Occasion { offer, chart: occasion.chart.filter(|_| charted), ..*occasion };
            let short = short::links(deliver, setup, page, target, &occasion).await;
            page.render(setup, target, &Occasion { short: &short, ..occasion })
        };
        for problem in &rendered.problems {
            deliver.metrics.template_failures.inc();
            let problem = problem.told(Language::En);
            warn!(problem, delivery = queued.message, "A template of yours failed; the shipped one was used.");
        }
        // Older transitions of an alert are told with it, and are only counted where it is only counted.
        let counted: HashSet<i64> =
            rendered.counted.iter().filter_map(|&told| page.told.get(told)).map(|line| line.alert).collect();
        let ids = queued.transitions.iter().filter(|moved| counted.contains(&moved.alert)).map(|moved| moved.id);
        let mut written = Written {
            naming: Naming::AllBut(ids.collect()),
            face: rendered.face.as_str().to_owned(),
            contents: Vec::new(),
            update: None,
            pictured: followed && !rendered.shows_picture(page.shown_url(occasion.chart)),
            inline,
        };
        if pressed && !card::asks(page) {
            written.update = card::after_end(deliver, queued, target, page, &rendered.parts).await?;
        } else if pressed
            && card::add_buttons(deliver, setup, queued, page, target, occasion.now, &mut rendered).await?
        {
            card::BUTTONS.clone_into(&mut written.face);
        }
        written.contents = rendered.parts;
        if written.update.is_some() {
            card::UPDATE.clone_into(&mut written.face);
        }
        Ok(written)
    }

    /// Records that cards with buttons are rejected there: for an app (43012), in a conversation of a bot. For some
    /// minutes they are sent without.
    pub fn refuse_buttons(&self, target: &Target, now: Timestamp) {
        if let Some(door) = door(target) {
            self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(door, now);
        }
    }

    fn is_refused(&self, target: &Target, now: Timestamp) -> bool {
        let Some(door) = door(target) else { return false };
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&door).is_some_and(|at| (0..REFUSED_MS).contains(&now.millis_since(*at)))
    }

    /// The target with everyone whom the message mentions by name, as of now.
    async fn called<'a>(
        &self,
        deliver: &Deliver,
        setup: &Setup,
        target: &Target,
        alerts: impl Iterator<Item = &'a Labels>,
    ) -> Target {
        let unknown = || {
            deliver.metrics.unknown_owners.inc();
        };
        self.owners.called(&setup.wecom, &setup.config, target, alerts, deliver.clock.now(), unknown).await
    }

    /// The frozen bytes: each content for each batch of people, the first content for all batches first.
    pub fn bodies(
        &self,
        config: &Config,
        target: &Target,
        contents: &[Content],
        envelope: &Envelope<'_>,
    ) -> Result<Vec<Bytes>, String> {
        let bodies = match &target.to {
            To::Webhook { .. } => contents.iter().map(wecom::webhook_send_body).collect::<Vec<_>>(),
            To::Chat { chat, .. } => contents.iter().map(|content| wecom::appchat_send_body(chat, content)).collect(),
            To::Members { app, users, users_file, on_call, parties, tags } => {
                let agent_id = config.wecom.apps.get(app).ok_or_else(|| way::missing("app", app))?.agent_id;
                let mut to = Recipients { users: users.clone(), parties: parties.clone(), tags: tags.clone() };
                if let Some(file) = users_file {
                    to.users.extend_from_slice(&self.people.read(file).map_err(|why| why.recorded())?);
                }
                if let Some(duty) = on_call {
                    let people = config.rotas.people(duty, envelope.at);
                    to.users.extend(people.ok_or_else(|| way::missing("rota", duty))?);
                }
                let wrong = to.take_invalid();
                if !wrong.is_empty() {
                    warn!(
                        ?wrong,
                        "These cannot be userids (1 to 64 of A-Z a-z 0-9 _ . @ -); the others get the message."
                    );
                }
                let batches = to.batches();
                if batches.is_empty() {
                    let why = words(
                        "没有可发的人：请改正接收者的 users 或 users_file",
                        "there is no one to send to: correct the receiver's users or its users_file",
                    );
                    return Err(why.recorded());
                }
                let interval = u32::try_from(DUPLICATE_CHECK.min(envelope.reminded).as_secs()).unwrap_or(u32::MAX);
                let check = Duplicates::Check { interval_secs: interval };
                let body = |content, batch| wecom::message_send_body(agent_id, batch, content, check);
                contents.iter().flat_map(|content| batches.iter().map(move |batch| body(content, batch))).collect()
            }
            To::Email { to } => {
                let from = &config.smtp.as_ref().ok_or_else(|| way::missing("section", "smtp"))?.from;
                let mail = |(part, content)| envelope.mail(from, to, part, content);
                (0..).zip(contents).map(mail).collect::<Result<_, _>>()?
            }
            To::Bot { chat, .. } => contents.iter().map(|content| wecom::bot_send_body(chat, None, content)).collect(),
            To::Hook { .. } => {
                let parts = u32::try_from(contents.len()).unwrap_or(u32::MAX);
                (0..).zip(contents).map(|(part, content)| envelope.news(part, parts, content)).collect()
            }
        };
        Ok(bodies.into_iter().map(Bytes::from).collect())
    }
}

fn envelope<'a>(config: &Config, queued: &'a Queued, at: Timestamp) -> Envelope<'a> {
    let receiver = config.receivers.get(&queued.receiver);
    Envelope {
        message: queued.message,
        thread: queued.thread,
        receiver: &queued.receiver,
        kind: if queued.digest { "digest" } else { "alerts" },
        at,
        reminded: receiver.map_or(DUPLICATE_CHECK, |receiver| receiver.repeat_interval),
        picture: None,
    }
}

/// The occasion of a rendering.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The short id of the message.
    pub thread: ThreadId,
    /// The time of writing.
    pub now: Timestamp,
    /// The page with the full content.
    pub details_url: Option<&'a str>,
    /// What people may do there, if the message has no buttons.
    pub offer: Offer,
    /// Notes about the message itself.
    pub notes: &'a [Note],
    /// The address of its chart, if it has one.
    pub chart: Option<&'a str>,
    /// The course of its value in words, if it shows no chart.
    pub course: Option<&'a str>,
    /// Short addresses for long ones of alerts.
    pub short: &'a [(String, String)],
}

/// Renders a digest. A panic loses the names, never the sums.
fn summarise(setup: &Setup, queued: &Queued, target: &Target, digest: &Digest, occasion: &Occasion<'_>) -> Written {
    let receiver = setup.config.receivers.get(&queued.receiver);
    let letter = DigestLetter {
        digest,
        target,
        language: receiver.map_or(setup.config.language, |receiver| receiver.language),
        timezone: receiver.map_or(&setup.config.timezone, |receiver| &receiver.timezone),
        levels: setup.config.payloads.levels(),
        taught: &setup.config.taught(receiver.map(AsRef::as_ref), &queued.notification.source),
        now: occasion.now,
        thread: occasion.thread,
        details_url: occasion.details_url,
        notes: occasion.notes,
    };
    let Ok(rendered) = catch_unwind(AssertUnwindSafe(|| setup.templates.render_digest(&letter))) else {
        error!(thread = %occasion.thread, "A digest could not be written because of a bug; its sums are sent as plain text. Please report it.");
        return bare_digest(digest, occasion.thread, letter.language);
    };
    for problem in &rendered.problems {
        let problem = problem.told(Language::En);
        error!(problem, delivery = queued.message, "The shipped template of a digest failed: a bug, please report it.");
    }
    Written {
        naming: Naming::OnlyAlerts(rendered.named),
        face: rendered.face.as_str().to_owned(),
        contents: rendered.parts,
        update: None,
        pictured: false,
        inline: None,
    }
}

/// The fallback if rendering itself is broken: the sums, as plain text.
fn bare_digest(digest: &Digest, thread: ThreadId, language: Language) -> Written {
    let Digest { firing, critical, resolved, .. } = digest;
    let text = told!(
        "告警：{firing} 条正在告警（{critical} 条严重），{resolved} 条已恢复 #{thread}",
        "Alerts: {firing} firing ({critical} critical), {resolved} resolved #{thread}"
    );
    let content = text.get(language).to_owned();
    let text = wecom::message::Text { content, mentioned_list: Vec::new(), mentioned_mobile_list: Vec::new() };
    Written {
        naming: Naming::OnlyAlerts(Vec::new()),
        face: Face::Text.as_str().to_owned(),
        contents: vec![Content::Text(text)],
        update: None,
        pictured: false,
        inline: None,
    }
}

/// What was rendered, and what of it is named.
struct Written {
    contents: Vec<Content>,
    face: String,
    naming: Naming,
    /// Sent instead of the contents.
    update: Option<CardUpdate>,
    /// A picture is to follow.
    pictured: bool,
    /// The picture in a mail.
    inline: Option<Bytes>,
}

/// The message about an act: an update of the card that shows the same alerts, or a message.
async fn about_act(
    deliver: &Deliver,
    setup: &Setup,
    queued: &Queued,
    target: &Target,
    shape: Shape,
) -> Result<Written, StoreError> {
    let naming = Naming::AllBut(Vec::new());
    let news = deliver.store.act_news(queued.message).await?;
    // A card shows acts of people only, not what wegraf observed.
    let own = news.as_ref().is_some_and(|news| matches!(news.kind, ActKind::Forget | ActKind::Hide));
    if shape == Shape::Whole
        && !own
        && let Some(update) = card::after_act(deliver, setup, queued, target).await?
    {
        let (contents, face) = (Vec::new(), card::UPDATE.to_owned());
        return Ok(Written { contents, face, naming, update: Some(update), pictured: false, inline: None });
    }
    let content = match news {
        Some(news) => card::told(deliver, &news, setup, queued, target).await,
        None => Content::Text(Text { content: format!("#{}", queued.thread), ..Text::default() }),
    };
    let face = Face::Text.as_str().to_owned();
    Ok(Written { contents: vec![content], face, naming, update: None, pictured: false, inline: None })
}

fn update_body(config: &Config, target: &Target, update: &CardUpdate) -> Result<Bytes, String> {
    let To::Members { app, .. } = &target.to else { return Err("only cards of apps are changed later".to_owned()) };
    let agent_id = config.wecom.apps.get(app).ok_or_else(|| way::missing("app", app))?.agent_id;
    Ok(wecom::card_update_body(agent_id, update).into())
}

/// Must another attempt be marked as a possible copy? Where duplicates are detected (WeCom's duplicate check for apps,
/// the Message-ID of a mail, the key of a hook), the same bytes are delivered once however often they are sent;
/// elsewhere, or after the window of WeCom's check, the reader must be able to tell.
pub(super) fn is_copy(target: &Target, queued: &Queued, now: Timestamp) -> bool {
    let Some(frozen) = queued.frozen.as_ref().filter(|_| queued.state == State::Unsure) else { return false };
    match target.to {
        To::Members { .. } => now.millis_since(frozen.first_claimed_at) > COMPARED_MS,
        To::Chat { .. } | To::Webhook { .. } | To::Bot { .. } => true,
        To::Email { .. } | To::Hook { .. } => false,
    }
}

/// The scope that accepts or rejects buttons as a whole.
fn door(target: &Target) -> Option<Scope> {
    match &target.to {
        To::Members { app, .. } => Some(Scope::of(&Part::App(app.into()))),
        To::Bot { .. } => Scope::of_lane(target.lane().parse()),
        To::Chat { .. } | To::Webhook { .. } | To::Email { .. } | To::Hook { .. } => None,
    }
}

fn plainer(target: &Target) -> Target {
    Target { face: Face::Text, image: false, parts: 1, ..target.clone() }
}

/// Must bytes that certainly were not sent be written anew, because the times in them are of another minute? Uploaded
/// files, pictures and updates of cards stay as they are: they show no time.
fn is_outdated(frozen: &Frozen, now: Timestamp) -> bool {
    let timeless = [verbatim::FILE, card::UPDATE, PICTURE].contains(&frozen.face.as_str());
    let stays = timeless || frozen.next_part > 0;
    frozen.unsent_since.is_some_and(|tried| !stays && now.millis_since(tried) >= OUTDATED_MS)
}

/// Notes about the message itself.
fn notes(queued: &Queued, repeated: bool, now: Timestamp) -> Vec<Note> {
    let mut notes: Vec<Note> = queued.note_json.iter().filter_map(|json| serde_json::from_str(json).ok()).collect();
    if repeated {
        notes.push(Note::Repeated);
    }
    let late_ms = now.millis_since(queued.created_at);
    if late_ms >= LATE_MS || queued.fell_back_at.is_some() {
        let minutes = u64::try_from(late_ms / 60_000).unwrap_or_default();
        notes.push(Note::Late { minutes, told: queued.fell_back_at.is_some() });
    }
    // An act is not a change of an alert.
    let changes = queued.transitions.iter().filter(|moved| !moved.kind.is_act());
    let told = changes.clone().map(|moved| moved.alert).collect::<HashSet<_>>().len();
    let merged = changes.count().saturating_sub(told);
    if merged > 0 {
        notes.push(Note::Merged { changes: merged as u64 });
    }
    notes
}
