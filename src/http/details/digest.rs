//! The page of a digest: every folded alert, two hundred a page.

use jiff::tz::TimeZone;
use minijinja::{Error, Value, context};

use crate::alert::{Status, ThreadId, Timestamp, level_label};
use crate::http::words;
use crate::render::number;
use crate::store::{Digest, DigestItem};

/// Alerts on one page: read on a phone, and small enough for a slow line.
pub const PAGE_ITEMS: u64 = 200;
/// Labels shown of one alert; a person looks for one of a few.
const LABELS: usize = 40;
/// Bytes shown of one label.
const LABEL_BYTES: usize = 400;

/// One page of a digest.
#[derive(Debug, Clone, Copy)]
pub struct DigestPage<'a> {
    /// The totals; its own items and groups are not used.
    pub digest: &'a Digest,
    /// The id a person searches for.
    pub thread: ThreadId,
    /// Which page, from 1.
    pub page: u64,
    /// How many there are, see [`DigestPage::pages`].
    pub pages: u64,
    /// The alerts of this page, in the order of [`Digest::items`].
    pub items: &'a [DigestItem],
    /// The zone in which times are read.
    pub timezone: &'a TimeZone,
    /// The time of reading.
    pub now: Timestamp,
    /// The query that proves the link, without a page: `until=…&s=…`.
    pub proof: &'a str,
}

impl DigestPage<'_> {
    /// How many pages `digest` has; at least one.
    pub fn pages(digest: &Digest) -> u64 {
        (digest.all()).div_ceil(PAGE_ITEMS).max(1)
    }

    /// The page in HTML. Whatever a label says is text in it.
    pub fn html(&self) -> Result<String, Error> {
        let link = |page: u64, shown: bool| shown.then(|| format!("?{}&page={page}", self.proof));
        let (page, pages) = (self.page, self.pages);
        let clock = |at: Timestamp| clock(at, self.timezone);
        super::PAGES.get_template("digest.html")?.render(context! {
            thread => self.thread.to_string(),
            firing => number(self.digest.firing),
            critical => number(self.digest.critical),
            resolved => number(self.digest.resolved),
            transitions => number(self.digest.transitions),
            from => clock(self.digest.from),
            to => clock(self.digest.to),
            page => number(page),
            pages => number(pages),
            several => pages > 1,
            first => link(1, page > 2),
            before => link(page.saturating_sub(1), page > 1),
            after => link(page.saturating_add(1), page < pages),
            last => link(pages, page.saturating_add(1) < pages),
            items => self.items.iter().map(|item| self.item(item)).collect::<Value>(),
        })
    }

    fn item(&self, item: &DigestItem) -> Value {
        let (class, word) = match (item.status, item.critical) {
            (Status::Firing, true) => ("critical", words::CRITICAL),
            (Status::Firing, false) => ("firing", words::FIRING),
            (Status::Resolved, _) => ("resolved", words::RESOLVED),
            (Status::Notice, _) => ("resolved", words::NOTICE),
        };
        let severity = level_label(&item.labels);
        let short = |text: &str| text[..text.floor_char_boundary(LABEL_BYTES)].to_owned();
        let labels: Vec<(String, String)> = item
            .labels
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity" | "level" | "priority"))
            .take(LABELS)
            .map(|(name, text)| (short(name), short(text)))
            .collect();
        context! {
            class,
            word => word.to_string(),
            name => short(&item.name),
            severity => severity.map(&short).unwrap_or_default(),
            when => self.when(item),
            changes => (item.changes > 1).then(|| number(item.changes)),
            labels => labels.into_iter().map(|(name, text)| Value::from(vec![name, text])).collect::<Value>(),
        }
    }

    /// From when to when, and how long.
    fn when(&self, item: &DigestItem) -> String {
        let end = if item.status == Status::Resolved { item.ends_at } else { None };
        let from = item.starts_at.and_then(|at| clock(at, self.timezone));
        let until = end.and_then(|at| clock(at, self.timezone));
        let lasted = item.starts_at.filter(|_| item.status == Status::Firing || end.is_some()).map(|start| {
            let seconds = end.unwrap_or(self.now).millis_since(start).max(0) / 1000;
            format!("{:#}", jiff::SignedDuration::from_secs(seconds))
        });
        match (from, until) {
            (Some(from), Some(until)) => format!("{from} – {until} · {}", lasted.unwrap_or_default()),
            (Some(from), None) => format!("{from} · {}", lasted.unwrap_or_default()),
            (None, Some(until)) => format!("– {until}"),
            (None, None) => String::new(),
        }
    }
}

fn clock(at: Timestamp, zone: &TimeZone) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone.clone());
    Some(at.strftime("%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Labels;
    use crate::store::DigestOther;

    const NOW: Timestamp = Timestamp(1_789_193_640_000);

    fn digest(firing: u64, resolved: u64) -> Digest {
        Digest {
            firing,
            resolved,
            notices: 0,
            transitions: firing + 2 * resolved,
            critical: firing.min(3),
            from: NOW.plus_millis(-120_000),
            to: NOW,
            items: Vec::new(),
            groups: Vec::new(),
            other: DigestOther::default(),
        }
    }

    fn item(number: i64, status: Status) -> DigestItem {
        let labels = [("alertname", "磁盘将满"), ("severity", "critical"), ("instance", "db-<b>1</b>")];
        DigestItem {
            alert: number,
            name: "磁盘将满 <script>alert(1)</script>".to_owned(),
            labels: labels.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Labels>(),
            critical: number == 1,
            status,
            starts_at: Some(NOW.plus_millis(-3_600_000)),
            ends_at: (status == Status::Resolved).then_some(NOW),
            changes: 37,
        }
    }

    fn html(digest: &Digest, page: u64, items: &[DigestItem]) -> String {
        let page = DigestPage {
            digest,
            thread: ThreadId(41),
            page,
            pages: DigestPage::pages(digest),
            items,
            timezone: &TimeZone::UTC,
            now: NOW,
            proof: "until=1&s=abc",
        };
        page.html().unwrap()
    }

    #[test]
    fn each_alert_has_a_word_for_its_state_and_no_label_becomes_markup() {
        let items = [item(1, Status::Firing), item(2, Status::Firing), item(3, Status::Resolved)];
        let html = html(&digest(2, 1), 1, &items);
        for class in ["critical", "firing", "resolved"] {
            assert_eq!(html.matches(&format!("<li class=\"{class}\">")).count(), 1, "{html}");
        }
        assert!(html.contains("严重 critical") && html.contains("已恢复 resolved") && html.contains("37 次"));
        assert!(html.contains("instance=db-&lt;b&gt;1"), "{html}");
        assert!(!html.contains("<script") && !html.contains("db-<b>"), "{html}");
        assert!(!html.contains("<nav"), "one page needs no way to others");
    }

    #[test]
    fn a_hundred_thousand_alerts_have_five_hundred_pages_and_each_leads_to_its_neighbours() {
        let digest = digest(99_900, 100);
        assert_eq!(DigestPage::pages(&digest), 500);
        let ways = |page: u64| -> Vec<String> {
            let html = html(&digest, page, &[item(1, Status::Firing)]);
            let nav = html.split("<nav ").nth(1).unwrap().split("</nav>").next().unwrap().to_owned();
            nav.split("page=").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        assert_eq!(ways(1), ["2", "500"]);
        assert_eq!(ways(2), ["1", "3", "500"]);
        assert_eq!(ways(250), ["1", "249", "251", "500"]);
        assert_eq!(ways(499), ["1", "498", "500"]);
        assert_eq!(ways(500), ["1", "499"]);
        assert!(html(&digest, 2, &[]).contains("until=1&amp;s=abc&amp;page=3"));
        assert_eq!(DigestPage::pages(&self::digest(0, 0)), 1);
    }
}
