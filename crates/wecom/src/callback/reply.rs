//! The XML of passive replies (docs/reference/wecom.md#callback-replies; page 90241).

/// A reply from the corp `from` to the member `to`; `inner` is XML already.
pub(super) fn write(from: &str, to: &str, now_secs: i64, kind: &str, inner: &str) -> String {
    format!(
        "<xml><ToUserName>{}</ToUserName><FromUserName>{}</FromUserName><CreateTime>{now_secs}</CreateTime><MsgType>{}</MsgType>{inner}</xml>",
        cdata(to),
        cdata(from),
        cdata(kind),
    )
}

/// `text` as CDATA, whatever it contains, without characters that are invalid in XML.
pub(super) fn cdata(text: &str) -> String {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    let text: String = text.chars().filter(allowed).collect();
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_own_cdata() {
        assert_eq!(cdata("a]]></xml>\u{0}b\u{b}"), "<![CDATA[a]]]]><![CDATA[></xml>b]]>");
    }
}
