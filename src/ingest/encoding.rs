//! Bytes to text: UTF-8 whatever the header says, else GB18030 where the bytes bear it out, else the header's charset.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_16BE, UTF_16LE};

/// Bytes that are looked at to tell one encoding from another.
const SAMPLE: usize = 64 << 10;

/// Text made of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded<'a> {
    /// It is text, perhaps with U+FFFD for what is none.
    Text(Cow<'a, str>),
    /// It is no text in any encoding.
    Binary,
}

/// Decodes a body; `charset` is what its header names.
pub(super) fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Decoded<'a> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let (text, _) = encoding.decode_without_bom_handling(&bytes[mark..]);
        return judged(text, charset.is_some());
    }
    if let Some(encoding) = wide(bytes) {
        return judged(encoding.decode_without_bom_handling(bytes).0, true);
    }
    let named = charset.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    if let Ok(text) = std::str::from_utf8(bytes) {
        // Some Windows and Java tools write `charset=GBK` over UTF-8: only bytes that are never UTF-8 of Han in any
        // quantity (two-byte sequences alone) are believed to be what the header says.
        return match is_chinese(named).then(|| gb18030(bytes, false)).flatten().filter(|_| only_pairs(bytes)) {
            Some(chinese) => Decoded::Text(chinese),
            None => judged(Cow::Borrowed(text), true),
        };
    }
    let stated = || named.filter(|encoding| *encoding != encoding_rs::UTF_8);
    // What the document says of itself outweighs its looks.
    let said = declared(bytes).filter(|encoding| *encoding != encoding_rs::UTF_8);
    let text = said
        .and_then(|encoding| whole(encoding, bytes))
        .or_else(|| if is_chinese(named) { whole(GB18030, bytes) } else { None })
        .or_else(|| gb18030(bytes, true))
        .or_else(|| whole(stated()?, bytes));
    match text {
        Some(text) => judged(text, true),
        None => judged(String::from_utf8_lossy(bytes), charset.is_some()),
    }
}

/// Text, unless more than a third of it is strange and no header names its encoding, or nothing in it is a letter.
fn judged(text: Cow<'_, str>, stated: bool) -> Decoded<'_> {
    let strange = |letter: char| letter == '\u{FFFD}' || (letter.is_control() && !letter.is_whitespace());
    let blank = |letter: char| letter.is_whitespace() || letter == '\u{FEFF}';
    let broken = text.contains('\u{FFFD}');
    if !text.chars().all(blank) && text.chars().all(|letter| blank(letter) || letter.is_control()) {
        return Decoded::Binary;
    }
    if broken || !stated {
        let (all, bad) =
            text.chars().fold((0_usize, 0_usize), |(all, bad), letter| (all + 1, bad + usize::from(strange(letter))));
        if bad * 3 > all {
            return Decoded::Binary;
        }
    }
    Decoded::Text(text)
}

/// UTF-16 without a mark: every second byte is zero.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(SAMPLE) & !1];
    if sample.len() < 4 || !sample.contains(&0) {
        return None;
    }
    let zero = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let half = sample.len() / 2;
    match (zero(0), zero(1)) {
        (0, high) if high * 10 >= half * 7 => Some(UTF_16LE),
        (low, 0) if low * 10 >= half * 7 => Some(UTF_16BE),
        _ => None,
    }
}

fn is_chinese(encoding: Option<&'static Encoding>) -> bool {
    encoding.is_some_and(|encoding| encoding == GB18030 || encoding == encoding_rs::GBK)
}

/// The whole as text of `encoding`; `None` if some of it is none.
fn whole<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes)
}

/// Are all multi-byte sequences of this UTF-8 of two bytes, and are there any?
fn only_pairs(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| byte.is_ascii_lowercase() || *byte >= 0x80)
        && bytes.iter().any(|byte| (0xC2..0xE0).contains(byte))
        && !bytes.iter().any(|byte| *byte >= 0xE0)
}

/// The bytes as GB18030 if they look like Chinese in it: they decode without a rest, nine in ten of the double bytes are
/// in the plane of GB2312, seven in ten are common Han or punctuation, and they are not UTF-8 that is a little broken. A
/// body that was cut inside of a character at its end is still one.
fn gb18030(bytes: &[u8], guard: bool) -> Option<Cow<'_, str>> {
    let cut = bytes.len() - trailing(bytes);
    let sample = &bytes[..cut.min(SAMPLE)];
    let (mut pairs, mut plane, mut common, mut at) = (0_usize, 0_usize, 0_usize, 0);
    while at < sample.len() {
        let lead = sample[at];
        if lead < 0x80 {
            at += 1;
            continue;
        }
        let Some(&trail) = sample.get(at + 1) else { break };
        if (0x30..=0x39).contains(&trail) {
            // Four bytes: a rare character.
            pairs += 1;
            at += 4;
            continue;
        }
        pairs += 1;
        if (0xA1..=0xF7).contains(&lead) && (0xA1..=0xFE).contains(&trail) {
            plane += 1;
            common += usize::from(matches!(lead, 0xB0..=0xD7 | 0xA1 | 0xA3));
        }
        at += 2;
    }
    if pairs == 0 || plane * 10 < pairs * 9 || common * 10 < pairs * 7 || guard && is_mostly_utf8(sample) {
        return None;
    }
    whole(GB18030, &bytes[..cut])
}

/// Bytes of a character that was cut off at the end.
fn trailing(bytes: &[u8]) -> usize {
    let high = bytes.iter().rev().take_while(|byte| **byte >= 0x80).count();
    // Pairs of GB2312 are high bytes alone: an odd run ends in half a character.
    high % 2
}

/// Are there more whole three-byte characters of UTF-8 in it than its broken bytes explain? A word of GB18030 holds one
/// by chance now and then.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut whole, mut invalid) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|letter| letter.len_utf8() == 3).count();
        invalid += chunk.invalid().len();
    }
    // What is cut at the end is a cut, not a mistake.
    whole > 2 * invalid || std::str::from_utf8(without_cut(bytes)).is_ok()
}

/// Without a sequence at the end that lacks some of its bytes.
fn without_cut(bytes: &[u8]) -> &[u8] {
    let end = (1..=3.min(bytes.len())).find(|back| {
        let lead = bytes[bytes.len() - back];
        let wants = match lead {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 0,
        };
        wants > *back
    });
    &bytes[..bytes.len() - end.unwrap_or(0)]
}

/// What an XML declaration or an HTML `meta` names.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head: String = bytes.iter().take(512).map(|byte| char::from(*byte)).collect::<String>().to_ascii_lowercase();
    let after = head.split_once("encoding=").or_else(|| head.split_once("charset="))?.1;
    let label: String = after
        .trim_start_matches(['"', '\''])
        .chars()
        .take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        .collect();
    Encoding::for_label(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], charset: Option<&str>) -> String {
        match decode(bytes, charset) {
            Decoded::Text(text) => text.into_owned(),
            Decoded::Binary => "BINARY".to_owned(),
        }
    }

    fn gbk(text: &str) -> Vec<u8> {
        GB18030.encode(text).0.into_owned()
    }

    #[test]
    fn chinese_is_found_with_and_without_a_header() {
        for words in [
            "订单库磁盘将满，db-1 的 /data 已用 96%",
            "告警",
            "{\"title\":\"订单库主从延迟\",\"level\":\"critical\"}",
            "主机失联：机房B",
        ] {
            for charset in [None, Some("gbk"), Some("GB2312"), Some("gb18030"), Some("utf-8")] {
                assert_eq!(text(&gbk(words), charset), words, "{charset:?}");
                assert_eq!(text(words.as_bytes(), charset), words, "UTF-8 stays, whatever the header says");
            }
        }
        let cut = gbk("订单库磁盘将满");
        assert_eq!(text(&cut[..cut.len() - 1], None), "订单库磁盘将");
    }

    #[test]
    fn what_is_also_utf8_stays_without_a_header() {
        let ambiguous = gbk("什么");
        assert!(std::str::from_utf8(&ambiguous).is_ok());
        assert_eq!(text(&ambiguous, None), std::str::from_utf8(&ambiguous).unwrap());
        assert_eq!(text(&ambiguous, Some("gbk")), "什么");
    }

    #[test]
    fn broken_utf8_is_not_taken_for_chinese() {
        let words = "主机 db-1 磁盘将满，请扩容".as_bytes();
        for at in 1..words.len() {
            assert!(!text(&words[..at], None).contains('涓'), "{at}");
        }
        assert_eq!(text(b"na\xEFve caf\xE9 ok", Some("iso-8859-1")), "naïve café ok");
        assert_eq!(text(b"na\xEFve caf\xE9 ok", None), "na\u{FFFD}ve caf\u{FFFD} ok");
        assert_eq!(text(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xd8\xff\xe0\0", None), "BINARY");
    }

    #[test]
    fn rare_characters_of_four_bytes_are_counted_as_one() {
        // 㐂 takes four bytes.
        let words = "订单库磁盘将满㐂磁盘，请扩容，请扩容";
        assert_eq!(text(&gbk(words), None), words);
        let long = format!("{}㐂", "订单库磁盘将满".repeat(20));
        assert_eq!(gb18030(&gbk(&long), true).unwrap(), long);
    }

    #[test]
    fn a_sequence_that_lacks_bytes_at_the_end_is_cut_off() {
        for (whole, lacking) in [
            (&b""[..], &b""[..]),
            (b"ab", b""),
            (b"ab", b"\xC3"),
            (b"ab", b"\xE7\xA3"),
            (b"ab", b"\xE7"),
            (b"ab", b"\xF0\x9F\x94"),
            (b"ab\xC3\xA9", b""),
            ("磁".as_bytes(), b""),
            (b"", b"\xE7"),
        ] {
            assert_eq!(without_cut(&[whole, lacking].concat()), whole, "{whole:?} {lacking:?}");
        }
    }

    #[test]
    fn marks_and_wide_text_are_understood() {
        let words = "{\"title\":\"disk 磁盘\"}";
        let little: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text(&[&b"\xFF\xFE"[..], &little].concat(), None), words);
        assert_eq!(text(&[&b"\xFE\xFF"[..], &big].concat(), None), words);
        assert_eq!(text(&little, None), words);
        assert_eq!(text(&[&b"\xEF\xBB\xBF"[..], words.as_bytes()].concat(), None), words);
    }

    #[test]
    fn a_declaration_names_the_encoding() {
        let xml = "<?xml version=\"1.0\" encoding=\"big5\"?><a>磁碟</a>";
        assert_eq!(text(&encoding_rs::BIG5.encode(xml).0, None), xml);
    }
}
