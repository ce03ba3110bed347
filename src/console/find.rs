//! The search by words: where a short id leads, and where a page sends a reader who found nothing.

use super::frame::Frame;
use super::words;
use crate::alert::ThreadId;
use crate::words::Words;

/// What a person looks for.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    /// As it was typed; empty: everything.
    pub typed: String,
    /// The incident with this short id, if there is one that the reader may see.
    pub short: Option<ThreadId>,
}

/// A link on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Onward {
    pub(super) href: String,
    pub(super) text: String,
}

impl Sought {
    /// The incident to open at once: the one whose short id was typed, unless it may as well be a word, which `found`
    /// others hold. With `#` it is no word.
    pub fn leads(&self, mut found: impl Iterator<Item = ThreadId>) -> Option<ThreadId> {
        self.short.filter(|short| self.typed.trim_start().starts_with('#') || found.all(|thread| thread == *short))
    }

    /// Is there nothing in it that texts are found by?
    pub fn is_odd(&self) -> bool {
        !self.typed.is_empty() && !self.typed.contains(char::is_alphanumeric)
    }

    /// To the incident with that short id, where it does not open at once.
    pub(super) fn beside(&self, f: &Frame<'_>) -> Option<Onward> {
        let short = self.short?;
        Some(Onward { href: format!("{}i/{short}", f.root), text: f.say(words::is_short_id(short)).into_owned() })
    }

    /// To the deliveries that hold the words, whether what they tell of is on or over.
    pub(super) fn in_deliveries(&self, f: &Frame<'_>) -> Onward {
        let pairs = [("q", self.typed.as_str()), ("since", LONGEST)];
        onward(f, "m", &pairs, words::LOOK_IN_DELIVERIES)
    }
}

/// The longest time that the deliveries are searched for.
const LONGEST: &str = "30d";

/// Why no delivery was found in `since`, and the way to look further back, if there is one. `pairs` is what was asked.
pub(super) fn nothing(f: &Frame<'_>, since: &str, pairs: &[(&str, &str)]) -> (String, Option<Onward>) {
    let (why, further) = match since {
        LONGEST => (words::NOTHING_IN_MONTH, None),
        "7d" => (words::NOTHING_IN_WEEK, Some(LONGEST)),
        _ => (words::NOTHING_IN_DAY, Some("7d")),
    };
    let way = further.map(|further| {
        let mut pairs: Vec<(&str, &str)> =
            pairs.iter().copied().filter(|(name, value)| *name != "since" && !value.is_empty()).collect();
        pairs.push(("since", further));
        onward(f, "m", &pairs, if further == LONGEST { words::LOOK_IN_MONTH } else { words::LOOK_IN_WEEK })
    });
    (f.say(why).into_owned(), way)
}

fn onward(f: &Frame<'_>, path: &str, pairs: &[(&str, &str)], text: Words) -> Onward {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs).append_pair("lang", f.language.as_str());
    Onward { href: format!("{}{path}?{}", f.root, query.finish()), text: f.say(text).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::View;
    use crate::words::Language;

    fn frame(language: Language) -> Frame<'static> {
        Frame::new(language, "", String::new(), View::default())
    }

    #[test]
    fn a_short_id_opens_its_incident_unless_it_may_be_a_word() {
        let (short, other) = (ThreadId(41), ThreadId(42));
        let sought = |typed: &str, short| Sought { typed: typed.to_owned(), short };
        let leads = |sought: &Sought, found: &[ThreadId]| sought.leads(found.iter().copied());
        for (typed, found, to) in [
            ("7k2q", &[][..], Some(short)),
            ("7k2q", &[short, short], Some(short)),
            ("disk", &[short, other], None),
            (" #disk", &[short, other], Some(short)),
        ] {
            assert_eq!(leads(&sought(typed, Some(short)), found), to, "{typed} {found:?}");
        }
        assert_eq!(leads(&sought("#7k2q", None), &[]), None, "no such incident");
        let beside = sought("disk", Some(short)).beside(&frame(Language::En)).unwrap();
        assert_eq!(beside.href, format!("i/{short}"));
        for (typed, odd) in [("", false), (" %", true), ("磁", false), ("a%", false)] {
            assert_eq!(sought(typed, None).is_odd(), odd, "{typed}");
        }
    }

    #[test]
    fn who_finds_nothing_is_led_on() {
        let asked = [("q", "磁盘"), ("state", ""), ("since", "24h")];
        let (why, way) = nothing(&frame(Language::Zh), "", &asked);
        let way = way.unwrap();
        assert_eq!((why.as_str(), way.text.as_str()), ("最近 24 小时没有这样的消息。", "找 7 天"));
        assert_eq!(way.href, "m?q=%E7%A3%81%E7%9B%98&since=7d&lang=zh");
        let (why, way) = nothing(&frame(Language::En), "7d", &asked);
        assert_eq!(
            (why.as_str(), way.unwrap().text.as_str()),
            ("No such message in the last 7 days.", "Look back 30 days")
        );
        let (why, way) = nothing(&frame(Language::En), "30d", &asked);
        assert!(why.contains("fewer words") && way.is_none(), "{why}");
        let sought = Sought { typed: "db 1".to_owned(), short: None };
        assert_eq!(sought.in_deliveries(&frame(Language::En)).href, "m?q=db+1&since=30d&lang=en");
    }
}
