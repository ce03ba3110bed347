use super::*;
use crate::store::Digest;
pub struct DigestLetter<'a> {
    pub digest: &'a Digest,
    pub target: &'a Target,
    pub language: Language,
    pub timezone: &'a TimeZone,
    pub now: Timestamp,
    pub thread: ThreadId,
    pub details_url: Option<&'a str>,
    pub notes: &'a [Note],
}
pub struct RenderedDigest {
    pub parts: Vec<wecom::Content>,
    pub face: Face,
    pub named: Vec<i64>,
}
impl Templates {
    pub fn render_digest(&self, l: &DigestLetter<'_>) -> RenderedDigest {
        let mut content =
            format!("digest {} firing {} resolved {}\n", l.digest.transitions, l.digest.firing, l.digest.resolved);
        let mut named = vec![];
        for i in &l.digest.items {
            if content.len() < 1800 {
                content.push_str(&format!("{} {:?}\n", i.name, i.labels.get("instance")));
                named.push(i.alert)
            }
        }
        RenderedDigest {
            parts: vec![wecom::Content::Text(wecom::message::Text {
                content: content + &format!("#{}", l.thread),
                mentioned_list: vec![],
                mentioned_mobile_list: vec![],
            })],
            face: Face::Text,
            named,
        }
    }
}
