//! The first line: sign, rule, object and value. A lock screen shows nothing else.

use std::borrow::Cow;

use super::Letter;
use super::facts::Facts;
use super::fit::cut_chars;
use super::neutral::one_line;
use super::rows::object_text;
use super::words::{State, icon_of, pick};
use crate::config::Language;
use crate::subject::{Kind, Part, columns, places};

/// Columns that a rule's name keeps: eight Han characters.
const NAME: usize = 16;
/// Letters of a rule's name that the title of a card keeps beside an object.
const CARD_NAME: usize = 10;
/// Characters of an object in a card's title, fewer than which tell nothing.
const CARD_OBJECT: usize = 3;
/// Columns that an object keeps.
const OBJECT: usize = 12;

/// The room for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// Columns, of which a Han character takes two.
    Columns(usize),
    /// Characters, as a card counts.
    Chars(usize),
}

impl Width {
    /// What a lock screen shows.
    pub(super) const LINE: Self = Self::Columns(40);

    fn of(self, text: &str) -> usize {
        match self {
            Self::Columns(_) => columns(text),
            Self::Chars(_) => text.chars().count(),
        }
    }

    const fn limit(self) -> usize {
        match self {
            Self::Columns(limit) | Self::Chars(limit) => limit,
        }
    }

    /// The room without `taken`, and at most `most`.
    pub(super) fn less(self, taken: &str, most: usize) -> Self {
        let left = self.limit().saturating_sub(self.of(taken)).min(most);
        match self {
            Self::Columns(_) => Self::Columns(left),
            Self::Chars(_) => Self::Chars(left),
        }
    }
}

/// A first line.
pub(super) struct Headline {
    /// `磁盘将满 · db-3 /data 96.2 %`.
    pub(super) text: String,
    /// Does it show the whole object?
    pub(super) whole: bool,
    /// Does it show the whole name of the rule?
    pub(super) whole_name: bool,
}

impl Facts {
    /// Does the summary of the only alert give its value already?
    pub(super) fn value_is_said(&self) -> bool {
        let Some(value) = self.measured.values.first() else { return false };
        let number = value.text.trim_end_matches('%').split(' ').next().unwrap_or_default();
        !number.is_empty() && self.summary.contains(number)
    }

    /// The sign in front: colour, in addition to the word, which does not need colour vision.
    pub(super) const fn icon(&self) -> &'static str {
        match self.state {
            State::Firing | State::Reminder => icon_of(self.weight),
            State::Partly | State::Unclear => "🟠",
            State::Resolved => "🟢",
            State::NoData | State::QueryError => "⚪",
            State::Test => "🔔",
            State::Notice | State::Opaque => "📨",
        }
    }

    /// What stands before the line: the sign, and the word where the sign does not tell it.
    pub(super) fn front(&self, letter: &Letter<'_>) -> String {
        match self.state {
            State::Firing | State::Partly | State::Unclear | State::Notice | State::Opaque => {
                format!("{} ", self.icon())
            }
            State::Reminder => format!("{} {}{} ", self.icon(), self.word, pick(letter.language, "", ":")),
            state => format!("{} {}{} ", self.icon(), state.said(letter.language), pick(letter.language, "", ":")),
        }
    }

    /// Sign and line in `width`.
    pub(super) fn title(&self, letter: &Letter<'_>, width: Width) -> String {
        let front = self.front(letter);
        format!("{front}{}", self.headline(letter, width.less(&front, usize::MAX), true).text)
    }

    /// Sign and line without the value, as a card shows them: the word stands below.
    pub(super) fn heading(&self, letter: &Letter<'_>, width: Width) -> Headline {
        let sign = format!("{} ", self.icon());
        let line = self.headline(letter, width.less(&sign, usize::MAX), false);
        Headline { text: format!("{sign}{}", line.text), ..line }
    }

    /// The word that stands below a card's line: the severity, or the state.
    pub(super) fn label(&self) -> String {
        let shown = [self.grade, &self.word].into_iter().filter(|word| !word.is_empty());
        match self.state {
            State::Firing => self.grade.to_owned(),
            State::Reminder => shown.collect::<Vec<_>>().join(" · "),
            State::Test | State::Opaque => String::new(),
            _ => self.word.clone(),
        }
    }

    /// The object in the line: the only one, what all share, or the narrowest place of many.
    pub(super) fn named_object(&self, letter: &Letter<'_>) -> Vec<Part> {
        let hidden = matches!(self.state, State::Opaque | State::Test) || self.rules > 1;
        if hidden {
            return Vec::new();
        }
        let said = |part: &Part| !part.text.is_empty() && self.name.contains(part.text.as_str());
        if !self.object.is_empty() {
            let bare = self.object.iter().filter(|part| part.kind != Kind::Namespace);
            // A name that says the object already is not followed by it.
            return if bare.clone().all(said) { Vec::new() } else { self.object.clone() };
        }
        let many = letter.told.len() + self.still > 1;
        // The only one that is on, beside others that are over.
        if let (Some(only), true) = (self.only_firing(), many) {
            let parts = only.iter().filter(|part| !matches!(part.kind, Kind::Place | Kind::Qualifier));
            return parts.cloned().collect();
        }
        let place = self.lists.head.place.last().filter(|place| many && !said(place));
        place.cloned().into_iter().collect()
    }

    /// What tells the only alert that is on from those that are over.
    pub(super) fn only_firing(&self) -> Option<&[Part]> {
        match &self.lists.parts[..] {
            [row] if self.firing == 1 && self.still == 0 && self.resolved > 0 && !self.lists.by_rule => {
                Some(&row.parts)
            }
            _ => None,
        }
    }

    /// The places below the line: not what stands in it.
    pub(super) fn places_below(&self, letter: &Letter<'_>) -> usize {
        let in_line = self.object.is_empty() && self.only_firing().is_none() && !self.named_object(letter).is_empty();
        let groups = places(&self.lists.head.place).len();
        self.scope.len() - usize::from(in_line && groups > 0)
    }

    /// The line in `width`: the value is never cut, the object at its beginning, the rule's name last. `valued`: with the
    /// value; a face that shows it elsewhere has its room for the object and the name.
    pub(super) fn headline(&self, letter: &Letter<'_>, width: Width, valued: bool) -> Headline {
        let language = letter.language;
        let is_narrow = matches!(width, Width::Chars(_));
        let (before, mut after, aside) = self.around(letter, is_narrow);
        let object = self.named_object(letter);
        let single = letter.told.len() == 1 && self.still == 0;
        let value = match &self.measured.values[..] {
            _ if !valued => "",
            [one] if single && self.state.shows_value() => one.text.as_str(),
            _ if self.only_firing().is_some() && self.state.shows_value() => self.lists.main[0].value.as_str(),
            _ => "",
        };
        let name = self.line_name(letter, width);
        let objects = shorter(&object, language);
        let least = match width {
            Width::Columns(_) => NAME,
            Width::Chars(_) => 4,
        };
        // What is over has a line of its own, too: the object and the name come first.
        let shortest = objects.last().map_or(0, |object| 3 + width.of(object));
        let value_room = if value.is_empty() { 0 } else { 1 + width.of(value) };
        let needed = [&before, &after, &aside].map(|text| width.of(text)).iter().sum::<usize>();
        if needed + width.of(&name).min(least) + shortest + value_room <= width.limit() {
            after.push_str(&aside);
        }
        let taken = width.of(&before) + width.of(&after) + value_room;
        let room = width.limit().saturating_sub(taken);
        let separator = if objects.is_empty() { 0 } else { 3 };
        let fits = |name: &str, object: &str| width.of(name) + separator + width.of(object) <= room;
        let whole = objects.first().cloned().unwrap_or_default();
        // A card is so narrow that the object would leave nothing of the name.
        let leaves = |object: &str| match width {
            Width::Columns(_) => width.of(object) <= OBJECT.max(room.saturating_sub(NAME + separator)),
            Width::Chars(_) => width.of(object) + separator + width.of(&name).min(CARD_NAME) <= room,
        };
        let shown = objects
            .iter()
            .find(|object| fits(&name, object))
            .or_else(|| objects.iter().find(|object| leaves(object)))
            .or(objects.last())
            .cloned()
            .unwrap_or_default();
        // A place for which a narrow title has no room stands below, and an object of which next to nothing would be left.
        let named = width.of(&name).min(least) + separator;
        let is_place = self.object.is_empty() && self.only_firing().is_none();
        let drops = is_narrow && named + width.of(&shown) > room && (is_place || named + CARD_OBJECT > room);
        let (shown, separator) = if drops { (String::new(), 0) } else { (shown, separator) };
        let left = room.saturating_sub(separator + width.of(&shown)).max(least);
        let cut = cut_name(&name, left, width);
        let whole_name = cut == name && name.chars().count() >= self.name.chars().count().min(80);
        let name = cut;
        let mut text = format!("{before}{name}{after}");
        if !shown.is_empty() {
            text.extend([" · ", &shown]);
        }
        if !value.is_empty() {
            text.extend([" ", value]);
        }
        Headline { text, whole: shown == whole, whole_name }
    }

    fn line_name(&self, letter: &Letter<'_>, width: Width) -> Cow<'_, str> {
        if self.state == State::Test {
            return pick(letter.language, "通知已送达", "this notification arrived").into();
        }
        if self.state == State::Opaque && self.name.is_empty() {
            return one_line(self.message.lines().next().unwrap_or_default()).into();
        }
        cut_chars(&self.name, width.limit().max(80))
    }

    /// What stands before and behind the rule's name, and what may be left out.
    fn around(&self, letter: &Letter<'_>, narrow: bool) -> (String, String, String) {
        let zh = letter.language == Language::Zh;
        let times = |count: usize| if count > 1 { format!(" ×{count}") } else { String::new() };
        let (firing, resolved, truncated) = (self.firing, self.resolved, self.truncated);
        // Some of those that the upstream left out may be firing as well.
        let least = match (truncated, zh) {
            (0, _) => "",
            (_, true) => "至少 ",
            (_, false) => "at least ",
        };
        let firing_times = |count: usize| {
            if truncated > 0 { format!(" {least}×{count}") } else { times(count) }
        };
        let rules = match (self.rules, zh) {
            (0 | 1, _) => String::new(),
            (rules, true) => format!(" 等 {rules} 条规则"),
            (2, false) => " and 1 more rule".to_owned(),
            (rules, false) => format!(" and {} more rules", rules - 1),
        };
        let behind = match (self.state, zh) {
            (State::Opaque | State::Test, _) => String::new(),
            (State::NoData | State::QueryError, true) => format!("” 无法判断{}", firing_times(firing)),
            (State::NoData | State::QueryError, false) => format!("” cannot be judged{}", firing_times(firing)),
            (State::Partly, true) => {
                format!("{rules} 仍有{}{} 条", if truncated > 0 { least } else { " " }, firing + self.still)
            }
            (State::Partly, false) if narrow => format!("{rules}: {least}{} firing", firing + self.still),
            (State::Partly, false) => format!("{rules}: {least}{} still firing", firing + self.still),
            (State::Unclear, true) => format!("{rules} 已恢复 {resolved} 条，另 {truncated} 条未知"),
            (State::Unclear, false) if narrow => format!("{rules}: {resolved} over, {truncated} unknown"),
            (State::Unclear, false) => format!("{rules}: {resolved} resolved, {truncated} unknown"),
            (State::Resolved, true) if self.judged_again => format!("” 又能判断了{}", times(resolved)),
            (State::Resolved, false) if self.judged_again => format!("” can be judged again{}", times(resolved)),
            // Of several rules the first is counted by itself.
            (State::Resolved, _) if self.rules > 1 => {
                format!("{}{rules}", times(self.lists.over.first().map_or(resolved, super::rows::Row::size)))
            }
            (State::Resolved, _) => format!("{}{rules}", times(resolved)),
            (State::Notice, _) => format!("{}{rules}", times(letter.told.len())),
            (State::Firing | State::Reminder, _) if self.rules > 1 => {
                format!("{}{rules}", firing_times(self.lists.main.first().map_or(firing, super::rows::Row::size)))
            }
            (State::Firing | State::Reminder, _) => format!("{}{rules}", firing_times(firing)),
        };
        let aside = match (self.state, zh) {
            (State::Firing | State::Reminder | State::Partly, true) if resolved > 0 => format!("（已恢复 {resolved}）"),
            (State::Firing | State::Reminder | State::Partly, false) if resolved > 0 => {
                format!(" ({resolved} resolved)")
            }
            _ => String::new(),
        };
        let quoted = behind.starts_with('”');
        (if quoted { "“".to_owned() } else { String::new() }, behind, aside)
    }
}

/// An object in ever fewer words: without its namespace, without its container, then its first name cut from the left.
fn shorter(parts: &[Part], language: Language) -> Vec<String> {
    let mut forms = vec![object_text(parts, language)];
    let mut bare: Vec<Part> = parts.iter().filter(|part| part.kind != Kind::Namespace).cloned().collect();
    forms.push(object_text(&bare, language));
    if bare.len() > 1 {
        bare.retain(|part| part.kind != Kind::Container);
        forms.push(object_text(&bare, language));
    }
    if let Some((first, rest)) = bare.split_first() {
        let mut with = |text: String| {
            let mut cut = vec![Part { text: text.into(), ..first.clone() }];
            cut.extend(rest.iter().cloned());
            forms.push(object_text(&cut, language));
        };
        match first.kind {
            // The end of an address, of a path or of a number tells nothing.
            Kind::Address => {
                with(first.text.split('/').next().unwrap_or_default().to_owned());
            }
            Kind::Host => {
                let is_name = first.text.starts_with(|c: char| c.is_alphabetic());
                with(first.text.split('.').next().filter(|_| is_name).unwrap_or(&first.text).to_owned());
            }
            _ => {
                let long = first.text.chars().count() > OBJECT;
                let ends = |at: &usize| first.text[*at..].chars().filter(|c| c.is_alphanumeric()).count() > 1;
                let cuts = first.text.match_indices(['-', '.', '/', ':']).map(|(at, _)| at);
                for at in cuts.filter(|at| long && *at > 3).filter(ends) {
                    with(format!("…{}", &first.text[at..]));
                }
                // What several names begin with is cut at its end.
                if let Some((head, _)) = first.text.split_once('-').filter(|_| long && first.text.ends_with('…')) {
                    with(format!("{head}-…"));
                }
            }
        }
    }
    forms.retain(|form| !form.is_empty());
    forms.dedup();
    forms
}

/// `name` in `room`, cut at the end of a word: of `KubePodCrashLooping` at a capital.
fn cut_name(name: &str, room: usize, width: Width) -> String {
    if width.of(name) <= room {
        return name.to_owned();
    }
    let mut end = 0;
    for (at, c) in name.char_indices() {
        if width.of(&name[..at + c.len_utf8()]) + 1 > room {
            break;
        }
        end = at + c.len_utf8();
    }
    // A number is not cut.
    let number = name[..end].trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    if name[end..].starts_with(|c: char| c.is_ascii_digit()) && number > 0 {
        end = number;
    }
    let kept = &name[..end];
    let boundary = kept.char_indices().skip(1).filter(|(at, c)| {
        let before = kept[..*at].chars().next_back();
        c.is_whitespace() || (c.is_uppercase() && before.is_some_and(char::is_lowercase))
    });
    let word = boundary.last().map(|(at, _)| at).filter(|at| *at * 2 > end && kept.is_ascii()).unwrap_or(end);
    cut_chars(&format!("{}…", name[..word].trim_end()), room.max(1)).into_owned()
}

#[cfg(test)]
mod tests {
    use ecow::EcoString;

    use super::*;

    #[test]
    fn a_name_is_cut_at_the_end_of_a_word() {
        let width = Width::LINE;
        for (name, room, cut) in [
            ("KubePodCrashLooping", 30, "KubePodCrashLooping"),
            ("KubePodCrashLooping", 16, "KubePodCrash…"),
            ("MySQL replication lag", 18, "MySQL replication…"),
            ("小于200G的盘空间不足了", 16, "小于200G的盘空…"),
        ] {
            assert_eq!(cut_name(name, room, width), cut);
        }
    }

    #[test]
    fn an_object_loses_its_namespace_and_then_its_beginning() {
        let part = |kind, text: &str| Part { kind, label: EcoString::new(), text: text.into(), port: EcoString::new() };
        let pod = [part(Kind::Namespace, "pay"), part(Kind::Pod, "api-7d9f6c5b8-x2k9q"), part(Kind::Container, "app")];
        assert_eq!(
            shorter(&pod, Language::Zh),
            ["pay/api-7d9f6c5b8-x2k9q app", "api-7d9f6c5b8-x2k9q app", "api-7d9f6c5b8-x2k9q", "…-x2k9q"]
        );
        assert_eq!(shorter(&[part(Kind::Host, "db-3")], Language::Zh), ["db-3"]);
        assert!(shorter(&[], Language::Zh).is_empty());
    }
}
