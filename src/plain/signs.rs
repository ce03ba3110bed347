//! The signs that chats call by a name: `:fire:`.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A name stands alone: `10:30:45` and `a:b:c` hold none.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(^|[\s\p{Han}\p{P}&&[^:]])((?::[a-z0-9_+-]{1,32}:)+)($|[\s\p{Han}\p{P}&&[^:]])")
        .expect("it is a constant that every test compiles")
});

/// `text` with the sign in the place of its name; a name that is not known stays.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if text.bytes().filter(|byte| *byte == b':').count() < 2 {
        return Cow::Borrowed(text);
    }
    NAMED.replace_all(text, |found: &Captures<'_>| {
        let names = found[2].split(':').filter(|name| !name.is_empty());
        let signs = names.map(|name| sign(name).map_or_else(|| format!(":{name}:"), str::to_owned));
        format!("{}{}{}", &found[1], signs.collect::<String>(), &found[3])
    })
}

fn sign(name: &str) -> Option<&'static str> {
    SIGNS.iter().find(|(known, _)| *known == name).map(|(_, sign)| *sign)
}

const SIGNS: &[(&str, &str)] = &[
    ("x", "❌"),
    ("negative_squared_cross_mark", "❎"),
    ("fire", "🔥"),
    ("rotating_light", "🚨"),
    ("red_circle", "🔴"),
    ("large_red_circle", "🔴"),
    ("large_orange_circle", "🟠"),
    ("orange_circle", "🟠"),
    ("large_yellow_circle", "🟡"),
    ("yellow_circle", "🟡"),
    ("large_green_circle", "🟢"),
    ("green_circle", "🟢"),
    ("large_blue_circle", "🔵"),
    ("blue_circle", "🔵"),
    ("white_circle", "⚪"),
    ("black_circle", "⚫"),
    ("red_square", "🟥"),
    ("large_red_square", "🟥"),
    ("large_orange_square", "🟧"),
    ("large_yellow_square", "🟨"),
    ("large_green_square", "🟩"),
    ("large_blue_square", "🟦"),
    ("warning", "⚠"),
    ("no_entry", "⛔"),
    ("no_entry_sign", "🚫"),
    ("octagonal_sign", "🛑"),
    ("stop_sign", "🛑"),
    ("boom", "💥"),
    ("collision", "💥"),
    ("skull", "💀"),
    ("skull_and_crossbones", "☠"),
    ("sos", "🆘"),
    ("broken_heart", "💔"),
    ("exclamation", "❗"),
    ("heavy_exclamation_mark", "❗"),
    ("bangbang", "‼"),
    ("question", "❓"),
    ("white_check_mark", "✅"),
    ("heavy_check_mark", "✔"),
    ("ballot_box_with_check", "☑"),
    ("green_heart", "💚"),
    ("ok", "🆗"),
    ("ok_hand", "👌"),
    ("+1", "👍"),
    ("thumbsup", "👍"),
    ("-1", "👎"),
    ("thumbsdown", "👎"),
    ("tada", "🎉"),
    ("information_source", "ℹ"),
    ("bell", "🔔"),
    ("no_bell", "🔕"),
    ("loudspeaker", "📢"),
    ("mega", "📣"),
    ("bulb", "💡"),
    ("eyes", "👀"),
    ("wave", "👋"),
    ("point_right", "👉"),
    ("bar_chart", "📊"),
    ("chart_with_upwards_trend", "📈"),
    ("chart_with_downwards_trend", "📉"),
    ("clipboard", "📋"),
    ("memo", "📝"),
    ("page_facing_up", "📄"),
    ("book", "📖"),
    ("books", "📚"),
    ("notebook", "📓"),
    ("link", "🔗"),
    ("mag", "🔍"),
    ("pushpin", "📌"),
    ("round_pushpin", "📍"),
    ("label", "🏷"),
    ("calendar", "📅"),
    ("date", "📅"),
    ("clock1", "🕐"),
    ("alarm_clock", "⏰"),
    ("stopwatch", "⏱"),
    ("timer_clock", "⏲"),
    ("hourglass", "⌛"),
    ("hourglass_flowing_sand", "⏳"),
    ("computer", "💻"),
    ("desktop_computer", "🖥"),
    ("floppy_disk", "💾"),
    ("package", "📦"),
    ("gear", "⚙"),
    ("wrench", "🔧"),
    ("hammer", "🔨"),
    ("hammer_and_wrench", "🛠"),
    ("construction", "🚧"),
    ("rocket", "🚀"),
    ("zap", "⚡"),
    ("lock", "🔒"),
    ("unlock", "🔓"),
    ("key", "🔑"),
    ("shield", "🛡"),
    ("robot_face", "🤖"),
    ("bug", "🐛"),
    ("bust_in_silhouette", "👤"),
    ("busts_in_silhouette", "👥"),
    ("email", "📧"),
    ("envelope", "✉"),
    ("phone", "☎"),
    ("house", "🏠"),
    ("office", "🏢"),
    ("globe_with_meridians", "🌐"),
    ("cloud", "☁"),
    ("thermometer", "🌡"),
    ("electric_plug", "🔌"),
    ("battery", "🔋"),
    ("arrow_up", "⬆"),
    ("arrow_down", "⬇"),
    ("arrow_right", "➡"),
    ("arrows_counterclockwise", "🔄"),
    ("recycle", "♻"),
    ("new", "🆕"),
    ("star", "⭐"),
    ("pray", "🙏"),
    ("sweat_smile", "😅"),
    ("scream", "😱"),
    ("cry", "😢"),
    ("smile", "😄"),
    ("heart", "❤"),
];
