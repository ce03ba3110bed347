//! A failure on record as people read it in a message: what to do first, in one language, without what only WeCom's
//! support understands. The record keeps all of it. Pure.

use std::sync::LazyLock;

use regex::Regex;

use crate::config::Language;
use crate::pattern::regex;

/// `error`, as [`wecom::Failure`] says it or in words of ours, as whole sentences without the last stop.
pub(super) fn plainly(error: &str, language: Language) -> String {
    static NOISE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:,\s*)?hint:\s*\[[^\]]*\]|(?:,\s*)?more info at\s+[!-~&&[^)]]+"));
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:,\s*)?from ip:\s*([0-9a-fA-F.:]*[0-9a-fA-F])"));
    let zh = language == Language::Zh;
    let address = ADDRESS.captures(error).map(|found| found[1].to_owned());
    let error = NOISE.replace_all(error, "");
    let error = ADDRESS.replace_all(&error, "");
    let error = error.trim().trim_end_matches(['.', '。']).trim();
    let (open, close, stop) = if zh { ("（", "）。", "。") } else { (" (", "). ", ". ") };
    // `api：errcode 1 what（said）。remedy`
    let parts = error.split_once(open).and_then(|(head, rest)| {
        let (said, remedy) = rest.split_once(close)?;
        let what = head.split_once(if zh { "：" } else { ": " }).map_or(head, |(_, what)| what);
        Some((what.trim(), said.trim(), remedy.trim()))
    });
    let Some((what, said, remedy)) = parts.filter(|(what, _, remedy)| !what.is_empty() && !remedy.is_empty()) else {
        return error.to_owned();
    };
    let han = said.chars().any(|c| matches!(c, '\u{3400}'..='\u{9fff}'));
    let kept = Some(said).filter(|said| said.chars().any(char::is_alphanumeric) && han == zh).map(str::to_owned);
    let address = address.map(|ip| if zh { format!("出口 IP {ip}") } else { format!("from {ip}") });
    let asides: Vec<String> = kept.into_iter().chain(address).collect();
    let aside = match (asides.is_empty(), zh) {
        (true, _) => String::new(),
        (false, true) => format!("（{}）", asides.join("，")),
        (false, false) => format!(" ({})", asides.join(", ")),
    };
    format!("{remedy}{stop}{}{aside}", if zh { what.to_owned() } else { first_upper(what) })
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_comes_first_and_the_noise_goes() {
        for (error, language, told) in [
            (
                "message/send：errcode 60020 IP 不在可信列表（not allow to access from your ip, hint: [1700000000123], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020）。请在管理后台把出口 IP 加入企业可信IP。",
                Language::Zh,
                "请在管理后台把出口 IP 加入企业可信IP。errcode 60020 IP 不在可信列表（出口 IP 203.0.113.7）",
            ),
            (
                "message/send: errcode 60020 the address is not trusted (not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info at https://a.example/q?e=60020). Add the address in the console.",
                Language::En,
                "Add the address in the console. Errcode 60020 the address is not trusted (not allow to access from your ip, from 203.0.113.7)",
            ),
            ("the file is gone.", Language::En, "the file is gone"),
            ("长连接被另一处顶掉。", Language::Zh, "长连接被另一处顶掉"),
        ] {
            assert_eq!(plainly(error, language), told);
        }
    }
}
