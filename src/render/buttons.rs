//! A card for acts: what can be pressed, and what was done so far (docs/reference/wecom.md#buttons).

use jiff::tz::TimeZone;
use wecom::message::{
    CARD_BUTTONS, CARD_HOME, CARD_ROWS, CardButton, CardMenu, CardMenuEntry, CardOption, CardQuote, CardRow,
    CardSelection, CardTitle, TemplateCard,
};

use super::faces::figure_text;
use super::fit::cut_chars;
use super::leads::{Lead, Leads};
use super::neutral::{Dialect, neutral, one_line};
use super::words::{Clock, pick};
use crate::alert::Timestamp;
use crate::config::{Channel, Language};

/// The `EventKey` of a press: acknowledge.
pub const ACKNOWLEDGE: &str = "acknowledge";
/// Releases what was acknowledged.
pub const RELEASE: &str = "release";
/// Silences for the chosen span.
pub const SILENCE: &str = "silence";
/// Ends the silence.
pub const EXPIRE: &str = "expire";
/// The question for the span of a silence.
pub const SPAN: &str = "span";
/// The span that is preselected.
pub const USUAL_SPAN: &str = "1h";

/// The spans offered for a silence: in the form of `upstream::Span`, in Chinese, in English.
pub const SPANS: [(&str, &str, &str); 6] = [
    ("30m", "30 分钟", "30 min"),
    (USUAL_SPAN, "1 小时", "1 hour"),
    ("4h", "4 小时", "4 hours"),
    ("12h", "12 小时", "12 hours"),
    ("1d", "1 天", "1 day"),
    ("morning", "到明早", "until morning"),
];

/// Characters of a row's key.
const KEY: usize = 5;
/// Characters of a row's value.
const VALUE: usize = 26;
/// Characters of the text of a card with buttons.
const SUB_TITLE: usize = 112;

/// Characters of the conditions of a silence; the details page shows all of longer ones.
const CONDITIONS: usize = 300;

/// What a silence would hide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hides {
    /// `alertname="a" instance="db-1"`
    pub conditions: String,
    /// Number of firing alerts.
    pub count: u64,
}

/// An act, with the time of the act or of its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The actor's name.
    pub person: String,
    /// The time of the acknowledgement, or the end of the silence.
    pub at: Timestamp,
}

/// The state of a card.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// Names the card in clicks.
    pub task_id: &'a str,
    /// The owner of the alerts.
    pub taken: Option<Mark>,
    /// The actor of a silence, and its end.
    pub silenced: Option<Mark>,
    /// What a silence would hide; `None` if no upstream can make one for them.
    pub hides: Option<Hides>,
    /// The channel of the card: a bot's card has no link buttons (docs/reference/wecom.md#bot-cards), but rows with
    /// links.
    pub channel: Channel,
    /// Where it leads.
    pub leads: Leads,
    /// The receiver's language.
    pub language: Language,
    /// The receiver's zone.
    pub timezone: &'a TimeZone,
    /// The time of rendering.
    pub now: Timestamp,
}

/// The notice `card` with buttons, a choice and a menu, by its state.
pub fn with_buttons(card: TemplateCard, standing: &Standing<'_>) -> TemplateCard {
    let language = standing.language;
    let tapped = card.card_action.filter(|action| action.url != CARD_HOME);
    let picture_text = card.vertical_content_list.first().map(|first| first.desc.clone()).unwrap_or_default();
    let text = if card.sub_title_text.is_empty() { picture_text } else { card.sub_title_text };
    let mut rows = standing.rows();
    rows.extend(card.emphasis_content.as_ref().map(|figure| figure_row(figure, language)));
    rows.extend(card.horizontal_content_list);
    let cut = fit_rows(&mut rows, standing.link_rows());
    TemplateCard {
        card_type: "button_interaction".to_owned(),
        source: card.source,
        action_menu: standing.menu(),
        task_id: standing.task_id.to_owned(),
        main_title: card.main_title,
        sub_title_text: cut_chars(&text, SUB_TITLE).into_owned(),
        horizontal_content_list: rows,
        quote_area: standing.hides.as_ref().map(|hides| hides.quote(language)),
        card_action: tapped,
        button_selection: standing.hides.is_some().then(|| spans(language)),
        button_list: standing.buttons(cut),
        ..TemplateCard::default()
    }
}

impl Hides {
    /// The card shows the conditions: a press hides every alert that meets them.
    fn quote(&self, language: Language) -> CardQuote {
        let Self { conditions, count } = self;
        let title = match language {
            Language::Zh => format!("静默会隐藏 {count} 条告警"),
            Language::En if *count == 1 => "A silence hides 1 alert".to_owned(),
            Language::En => format!("A silence hides {count} alerts"),
        };
        let conditions = one_line(conditions);
        let quote_text = neutral(&cut_chars(&conditions, CONDITIONS), Dialect::Plain).into_owned();
        CardQuote { title, quote_text, ..CardQuote::default() }
    }
}

impl Standing<'_> {
    /// The acts, then the links. `cut`: rows were left out, which are on the page with everything.
    fn buttons(&self, cut: bool) -> Vec<CardButton> {
        let press = |zh, en, key: &str, style| CardButton {
            text: pick(self.language, zh, en).to_owned(),
            style,
            key: key.to_owned(),
            ..CardButton::default()
        };
        let acknowledge = self.taken.is_none().then(|| press("认领", "Ack", ACKNOWLEDGE, 1));
        let silence = self.hides.is_some().then(|| press("静默", "Silence", SILENCE, 4));
        let Leads { shown, whole } = &self.leads;
        let shown = shown.iter().map(|lead| (lead.text, &lead.url));
        let details = pick(self.language, "全部详情", "Details");
        let whole = whole.iter().filter(|_| cut || self.leads.shown.is_empty()).map(|lead| (details, &lead.url));
        let open = shown.chain(whole).filter(|_| self.channel != Channel::Bot).map(|(text, url)| CardButton {
            kind: 1,
            text: text.to_owned(),
            style: 4,
            url: url.clone(),
            ..CardButton::default()
        });
        let mut buttons: Vec<CardButton> = acknowledge.into_iter().chain(silence).chain(open).collect();
        // A card with buttons has at least one (42038).
        if buttons.is_empty() {
            buttons.push(press("放弃认领", "Give back", RELEASE, 4));
        }
        buttons.truncate(CARD_BUTTONS);
        buttons
    }

    /// The links of a bot's card. A tap on the card opens the page with everything.
    fn link_rows(&self) -> Vec<CardRow> {
        let row = |lead: &Lead| CardRow {
            kind: 1,
            keyname: match lead.text {
                "Runbook" => "Guide".to_owned(),
                "Dashboard" => "Board".to_owned(),
                text => cut_chars(text, KEY).into_owned(),
            },
            value: pick(self.language, "打开", "Open").to_owned(),
            url: lead.url.clone(),
            ..CardRow::default()
        };
        self.leads.shown.iter().filter(|_| self.channel == Channel::Bot).map(row).collect()
    }

    /// The acts that can be undone.
    fn menu(&self) -> Option<CardMenu> {
        let entry =
            |zh, en, key: &str| CardMenuEntry { text: pick(self.language, zh, en).to_owned(), key: key.to_owned() };
        let release = self.taken.is_some().then(|| entry("放弃认领", "Give it back", RELEASE));
        let expire = self.silenced.is_some().then(|| entry("解除静默", "End the silence", EXPIRE));
        let action_list: Vec<CardMenuEntry> = release.into_iter().chain(expire).collect();
        let desc = pick(self.language, "撤销", "Undo").to_owned();
        (!action_list.is_empty()).then_some(CardMenu { desc, action_list })
    }

    /// The owner, and the end of the silence.
    fn rows(&self) -> Vec<CardRow> {
        let clock = Clock { now: self.now, zone: self.timezone, language: self.language };
        let time = |at| clock.time(at).unwrap_or_default();
        let person = |mark: &Mark| neutral(&cut_chars(&one_line(&mark.person), 16), Dialect::Plain).into_owned();
        let taken = self
            .taken
            .as_ref()
            .map(|mark| row(pick(self.language, "认领人", "Owner"), &format!("{} {}", person(mark), time(mark.at))));
        let silenced = self.silenced.as_ref().map(|mark| {
            let value = match self.language {
                Language::Zh => format!("到 {}（{}）", time(mark.at), person(mark)),
                Language::En => format!("until {} ({})", time(mark.at), person(mark)),
            };
            row(pick(self.language, "静默", "Quiet"), &value)
        });
        taken.into_iter().chain(silenced).collect()
    }
}

fn row(key: &str, value: &str) -> CardRow {
    CardRow { keyname: key.to_owned(), value: cut_chars(value, VALUE).into_owned(), ..CardRow::default() }
}

fn figure_row(figure: &CardTitle, language: Language) -> CardRow {
    row(pick(language, "当前值", "Value"), &figure_text(figure, language, VALUE))
}

/// A card has six rows; the last one is the id, which people search for, and before it stand the links. Returns whether
/// rows were left out.
fn fit_rows(rows: &mut Vec<CardRow>, links: Vec<CardRow>) -> bool {
    let last = rows.pop();
    let room = CARD_ROWS - links.len() - usize::from(last.is_some());
    let cut = rows.len() > room;
    rows.truncate(room);
    rows.extend(links.into_iter().chain(last));
    cut
}

fn spans(language: Language) -> CardSelection {
    CardSelection {
        question_key: SPAN.to_owned(),
        title: pick(language, "静默多久", "Silence for").to_owned(),
        selected_id: USUAL_SPAN.to_owned(),
        option_list: SPANS
            .iter()
            .map(|(id, zh, en)| CardOption { id: (*id).to_owned(), text: pick(language, zh, en).to_owned() })
            .collect(),
        ..CardSelection::default()
    }
}

#[cfg(test)]
mod tests {
    use wecom::message::CardAction;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_028_540_000);

    fn notice() -> TemplateCard {
        let rows = (1..=6).map(|n| row("实例", &format!("db-{n}"))).chain([row("编号", "#7K2Q")]);
        TemplateCard {
            card_type: "text_notice".to_owned(),
            main_title: Some(CardTitle { title: "🔴 磁盘将满".to_owned(), desc: String::new() }),
            emphasis_content: Some(CardTitle { title: "96 %".to_owned(), desc: String::new() }),
            sub_title_text: "预计 40 分钟后写满".to_owned(),
            horizontal_content_list: rows.collect(),
            card_action: Some(CardAction { kind: 1, url: "https://g.example/d".to_owned() }),
            ..TemplateCard::default()
        }
    }

    fn lead(text: &'static str, url: &str) -> Lead {
        Lead { text, url: url.to_owned() }
    }

    fn standing(timezone: &TimeZone) -> Standing<'_> {
        Standing {
            task_id: "wg-1-2",
            taken: None,
            silenced: None,
            hides: Some(Hides { conditions: "alertname=\"磁盘将满\" instance=\"db-1\"".to_owned(), count: 3 }),
            channel: Channel::App,
            leads: Leads {
                shown: vec![lead("面板", "https://g.example/d"), lead("手册", "https://wiki.example/r")],
                whole: Some(lead("全部详情", "https://a.example/d/1")),
            },
            language: Language::Zh,
            timezone,
            now: NOW,
        }
    }

    fn keys(card: &TemplateCard) -> Vec<&str> {
        card.button_list.iter().map(|button| button.key.as_str()).collect()
    }

    #[test]
    fn a_fresh_card_offers_to_take_it_to_silence_it_and_to_look() {
        let card = with_buttons(notice(), &standing(&TimeZone::UTC));
        assert_eq!(card.card_type, "button_interaction");
        assert_eq!(keys(&card), [ACKNOWLEDGE, SILENCE, "", "", ""]);
        let links: Vec<_> = card.button_list[2..].iter().map(|button| (&*button.text, &*button.url)).collect();
        let [panel, runbook] = [("面板", "https://g.example/d"), ("手册", "https://wiki.example/r")];
        assert_eq!(links, [panel, runbook, ("全部详情", "https://a.example/d/1")], "two rows were cut");
        let short = TemplateCard { horizontal_content_list: vec![row("编号", "#7K2Q")], ..notice() };
        assert_eq!(with_buttons(short, &standing(&TimeZone::UTC)).button_list.len(), 4, "nothing was cut");
        assert!(card.button_list.len() <= CARD_BUTTONS && card.action_menu.is_none());
        assert!(card.emphasis_content.is_none() && card.jump_list.is_empty(), "not on this kind of card");
        let rows: Vec<&str> = card.horizontal_content_list.iter().map(|row| row.value.as_str()).collect();
        assert_eq!(rows, ["96 %", "db-1", "db-2", "db-3", "db-4", "#7K2Q"]);
        let quote = card.quote_area.as_ref().unwrap();
        assert_eq!(quote.title, "静默会隐藏 3 条告警");
        assert_eq!(quote.quote_text, "alertname=\"磁盘将满\" instance=\"db-1\"");
        let spans = &card.button_selection.as_ref().unwrap().option_list;
        assert!(
            spans.iter().any(|option| option.id == "morning") && spans.iter().any(|option| option.id == USUAL_SPAN)
        );
    }

    #[test]
    fn a_card_that_was_pressed_says_who_has_it_and_how_to_undo_it() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let mark = |at| Some(Mark { person: "张三".to_owned(), at });
        let pressed = Standing { taken: mark(NOW), silenced: mark(NOW.plus_millis(3_600_000)), ..standing(&zone) };
        let card = with_buttons(notice(), &pressed);
        let rows: Vec<String> =
            card.horizontal_content_list.iter().map(|row| format!("{} {}", row.keyname, row.value)).collect();
        assert_eq!(rows[..2], ["认领人 张三 14:09", "静默 到 15:09（张三）"]);
        let menu: Vec<&str> = card.action_menu.as_ref().unwrap().action_list.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(menu, [RELEASE, EXPIRE]);
    }

    #[test]
    fn what_cannot_be_done_is_not_offered() {
        let zone = TimeZone::UTC;
        let bot = Standing { channel: Channel::Bot, hides: None, ..standing(&zone) };
        let card = with_buttons(notice(), &bot);
        assert_eq!(keys(&card), [ACKNOWLEDGE]);
        let rows: Vec<_> =
            card.horizontal_content_list.iter().map(|row| (row.kind, &*row.keyname, &*row.url)).collect();
        assert_eq!(rows.len(), CARD_ROWS);
        assert_eq!(rows[3..5], [(1, "面板", "https://g.example/d"), (1, "手册", "https://wiki.example/r")]);
        assert_eq!(rows[5], (0, "编号", ""));
        assert!(card.button_selection.is_none() && card.quote_area.is_none());
        assert!(card.card_action.is_some(), "a tap on the card still leads to the dashboard");
    }

    #[test]
    fn every_span_that_is_offered_is_one() {
        for (id, ..) in SPANS {
            assert!(crate::upstream::Span::parse(id).is_ok(), "{id}");
        }
    }
}
