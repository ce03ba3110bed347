//! How many messages an account may get: sliding windows that are debited before each attempt. Pure.
//!
//! Above WeCom's limits an app's message is dropped although the answer says ok
//! (docs/reference/wecom.md#frequency-limits), so the windows here are narrower than WeCom's in count and wider in
//! time, and an unknown result counts as sent. The store keeps a [`Window`] for each account (a member, a member of
//! chats, a webhook) and debits it in the claim, so that the sums hold over restarts and replicas.

use crate::alert::Timestamp;
use crate::names::Account;

/// How long a message may be in flight between its debit and its arrival (the deadline of a send), so that no window of
/// WeCom's, wherever it begins, contains more than ours.
const UNDER_WAY_MS: i64 = 10_000;
/// One resolution of a window: its width and the width of its buckets. A bucket counts until all of it has left the
/// window.
const SPANS: [Span; 3] = [
    Span { width_ms: 60_000 + UNDER_WAY_MS, bucket_ms: 2_000 },
    Span { width_ms: 3_600_000 + UNDER_WAY_MS, bucket_ms: 60_000 },
    Span { width_ms: 24 * 3_600_000 + UNDER_WAY_MS, bucket_ms: 3_600_000 },
];

#[derive(Debug, Clone, Copy)]
struct Span {
    width_ms: i64,
    bucket_ms: i64,
}

/// What may be spent in any minute, hour and day; the reserved part only on urgent messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// In 60 s, 1 h and 24 h; `None` where WeCom has no such limit.
    most: [Option<u32>; 3],
    /// Of these, reserved for critical alerts and for resolved messages.
    reserved: [u32; 3],
}

impl Limit {
    /// An app to one member: WeCom drops what is above 30 a minute or 1000 an hour
    /// (docs/reference/wecom.md#frequency-limits).
    pub const MEMBER: Self = Self { most: [Some(24), Some(800), None], reserved: [6, 200, 0] };
    /// The chats of an app to one member: 200 a minute, 10,000 a day (docs/reference/wecom.md#app-chat-limits).
    pub const CHAT_MEMBER: Self = Self { most: [Some(150), None, Some(8_000)], reserved: [30, 0, 2_000] };
    /// A webhook: 20 a minute, 45009 above (page 99110).
    pub const WEBHOOK: Self = Self { most: [Some(18), None, None], reserved: [5, 0, 0] };
    /// A conversation of a bot: 30 a minute, 1000 an hour (docs/reference/wecom.md#frequency-limits).
    pub const BOT: Self = Self { most: [Some(24), Some(800), None], reserved: [6, 200, 0] };

    /// What pictures that follow a message may use: only while at least half of the minute is left, and never the reserve.
    #[must_use]
    pub fn for_pictures(self) -> Self {
        let [minute, hour, day] = self.most;
        let [_, of_hour, of_day] = self.reserved;
        Self { most: [minute.map(|most| most / 2 + 1), hour, day], reserved: [0, of_hour, of_day] }
    }

    fn most(&self, span: usize, urgent: bool) -> Option<u32> {
        self.most[span].map(|most| if urgent { most } else { most.saturating_sub(self.reserved[span]) })
    }
}

/// One debit that an attempt makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The account to be debited.
    pub account: Account,
    /// Further accounts whose sums count towards this one's: messages that may have reached its owner unseen.
    pub with: Vec<Account>,
    /// `None`: it is only counted, for other charges to read.
    pub limit: Option<Limit>,
}

impl Charge {
    /// A charge without further accounts.
    pub fn new(account: Account, limit: Limit) -> Self {
        Self { account, with: Vec::new(), limit: Some(limit) }
    }
}

/// What was recently spent on an account. Empty at first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// For each span: bucket numbers and counts, oldest first.
    buckets: [Vec<(u32, u16)>; 3],
}

impl Window {
    /// Reads the bytes of [`Self::to_bytes`]; `None` if they are not valid.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut window = Self::default();
        for buckets in &mut window.buckets {
            let (&count, rest) = bytes.split_first()?;
            let (entries, rest) = rest.split_at_checked(usize::from(count) * 6)?;
            for entry in entries.chunks_exact(6) {
                let bucket = u32::from_le_bytes(entry[..4].try_into().ok()?);
                let newer = buckets.last().is_none_or(|&(last, _)| last < bucket);
                buckets.push(newer.then(|| (bucket, u16::from_le_bytes([entry[4], entry[5]])))?);
            }
            bytes = rest;
        }
        bytes.is_empty().then_some(window)
    }

    /// At most 0.8 KB, for any number of messages.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for buckets in &self.buckets {
            bytes.push(u8::try_from(buckets.len()).unwrap_or(u8::MAX));
            for (bucket, count) in buckets.iter().take(usize::from(u8::MAX)) {
                bytes.extend(bucket.to_le_bytes());
                bytes.extend(count.to_le_bytes());
            }
        }
        bytes
    }

    /// The window as of `now`: old buckets are dropped. Buckets in the future were debited before the clock was set
    /// back; how long ago is unknown, so they count as of now. Returns whether there were any: the window must be
    /// stored then, or they count as of now again at the next look, and never leave.
    pub fn advance(&mut self, now: Timestamp) -> bool {
        let mut was_ahead = false;
        for (buckets, span) in self.buckets.iter_mut().zip(SPANS) {
            let current = bucket(now, span);
            buckets.retain(|&(at, _)| leaves(at, span) > now.0);
            let ahead = buckets.last().map_or(0, |&(newest, _)| newest.saturating_sub(current));
            if ahead > 0 {
                set_back(buckets, ahead);
                was_ahead = true;
            }
        }
        was_ahead
    }

    /// Debits one message at `now` in the spans that `limit` uses, or in all.
    pub fn debit(&mut self, limit: Option<&Limit>, now: Timestamp) {
        self.advance(now);
        for (index, (buckets, span)) in self.buckets.iter_mut().zip(SPANS).enumerate() {
            if limit.is_some_and(|limit| limit.most[index].is_none()) {
                continue;
            }
            let current = bucket(now, span);
            match buckets.last_mut() {
                Some((at, count)) if *at == current => *count = count.saturating_add(1),
                _ => buckets.push((current, 1)),
            }
        }
    }
}

/// The spans of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// 60 s.
    Minute,
    /// 1 h.
    Hour,
    /// 24 h.
    Day,
}

/// What is spent of a limit in one of its spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Which.
    pub per: Per,
    /// So many messages, to the resolution of buckets: never fewer than were sent.
    pub spent: u32,
    /// Of so many.
    pub most: u32,
    /// Of these, kept for critical alerts and for ends.
    pub reserved: u32,
}

/// What is spent of `limit` at `now`, given all that was spent on the account in `windows` together.
pub fn used(windows: &[&Window], limit: &Limit, now: Timestamp) -> Vec<Used> {
    let spans = [Per::Minute, Per::Hour, Per::Day].into_iter().zip(SPANS).enumerate();
    let of = |(index, (per, span)): (usize, (Per, Span))| {
        let buckets = windows.iter().flat_map(|window| &window.buckets[index]);
        let spent = buckets.filter(|&&(at, _)| leaves(at, span) > now.0).map(|&(_, count)| u32::from(count)).sum();
        Some(Used { per, spent, most: limit.most[index]?, reserved: limit.reserved[index] })
    };
    spans.filter_map(of).collect()
}

/// May one more message be sent at `now`, given all that was spent on the account in `windows` together? The error is
/// the time from which it may, if nothing else is spent until then.
pub fn room(windows: &[&Window], limit: &Limit, urgent: bool, now: Timestamp) -> Result<(), Timestamp> {
    let mut free_at = now;
    for (index, span) in SPANS.into_iter().enumerate() {
        let Some(most) = limit.most(index, urgent) else { continue };
        let mut spent: Vec<(i64, u32)> = windows
            .iter()
            .flat_map(|window| &window.buckets[index])
            .map(|&(at, count)| (leaves(at, span), u32::from(count)))
            .filter(|&(leaves, _)| leaves > now.0)
            .collect();
        spent.sort_unstable();
        let mut left: u32 = spent.iter().map(|&(_, count)| count).sum();
        for (leaves, count) in spent {
            if left < most {
                break;
            }
            left -= count;
            free_at = free_at.max(Timestamp(leaves));
        }
    }
    if free_at > now { Err(free_at) } else { Ok(()) }
}

/// Moves buckets back. There is no bucket before 1970, where a clock without battery starts: what would lie there is
/// counted in the first.
fn set_back(buckets: &mut Vec<(u32, u16)>, by: u32) {
    for (at, _) in buckets.iter_mut() {
        *at = at.saturating_sub(by);
    }
    buckets.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            earlier.1 = earlier.1.saturating_add(later.1);
        }
        same
    });
}

fn bucket(now: Timestamp, span: Span) -> u32 {
    u32::try_from(now.0.div_euclid(span.bucket_ms)).unwrap_or(0)
}

/// When the last moment of a bucket has left the span.
fn leaves(bucket: u32, span: Span) -> i64 {
    (i64::from(bucket) + 1) * span.bucket_ms + span.width_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T0: i64 = 1_700_000_000_000;

    /// Sends whenever there is room; returns the times.
    fn spend(limit: Limit, wishes: &[(i64, bool)]) -> Vec<i64> {
        let mut window = Window::default();
        let mut sent = Vec::new();
        let mut now = T0;
        for &(pause, urgent) in wishes {
            now += pause;
            let at = Timestamp(now);
            window.advance(at);
            if room(&[&window], &limit, urgent, at).is_ok() {
                window.debit(Some(&limit), at);
                sent.push(now);
            }
            let kept = Window::from_bytes(&window.to_bytes()).unwrap();
            assert_eq!(kept, window);
        }
        sent
    }

    /// The most in any window of this width, wherever it begins, if each message took up to the deadline to arrive.
    fn peak(sent: &[i64], width: i64) -> usize {
        sent.iter()
            .map(|&from| sent.iter().filter(|&&at| at >= from && at < from + width + UNDER_WAY_MS).count())
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_sliding_window_is_ever_exceeded(wishes in proptest::collection::vec((0_i64..3_000, any::<bool>()), 0..600)) {
            let sent = spend(Limit::WEBHOOK, &wishes);
            prop_assert!(peak(&sent, 60_000) <= 18);
            let sent = spend(Limit::MEMBER, &wishes);
            prop_assert!(peak(&sent, 60_000) <= 24);
        }

        #[test]
        fn a_waiting_message_may_be_sent_at_the_given_time_and_not_before(wishes in proptest::collection::vec((0_i64..2_000, any::<bool>()), 30..200)) {
            let mut window = Window::default();
            let mut now = T0;
            for (pause, urgent) in wishes {
                now += pause;
                window.advance(Timestamp(now));
                if let Err(until) = room(&[&window], &Limit::WEBHOOK, urgent, Timestamp(now)) {
                    prop_assert!(until.0 > now && until.0 <= now + 73_000);
                    prop_assert!(room(&[&window], &Limit::WEBHOOK, urgent, until).is_ok());
                    prop_assert!(room(&[&window], &Limit::WEBHOOK, urgent, until.plus_millis(-1)).is_err());
                } else {
                    window.debit(Some(&Limit::WEBHOOK), Timestamp(now));
                }
            }
        }

        #[test]
        fn bytes_that_are_no_window_are_not_taken_for_an_empty_one(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(window) = Window::from_bytes(&bytes) {
                prop_assert_eq!(window.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn an_hour_at_full_speed_leaves_room_for_what_is_urgent() {
        let wishes: Vec<(i64, bool)> = (0..7_200).map(|_| (1_000, false)).collect();
        let sent = spend(Limit::MEMBER, &wishes);
        assert!(peak(&sent, 3_600_000) <= 600, "{}", peak(&sent, 3_600_000));
        let urgent: Vec<(i64, bool)> = (0..7_200).map(|_| (1_000, true)).collect();
        let sent = spend(Limit::MEMBER, &urgent);
        assert!((700..=800).contains(&peak(&sent, 3_600_000)), "{}", peak(&sent, 3_600_000));
    }

    #[test]
    fn there_is_room_from_the_moment_on_at_which_it_was_promised() {
        let mut window = Window::default();
        for _ in 0..18 {
            window.debit(Some(&Limit::WEBHOOK), Timestamp(T0));
        }
        let free = room(&[&window], &Limit::WEBHOOK, true, Timestamp(T0)).unwrap_err();
        assert_eq!(room(&[&window], &Limit::WEBHOOK, true, Timestamp(free.0 - 1)), Err(free));
        assert_eq!(room(&[&window], &Limit::WEBHOOK, true, free), Ok(()));
    }

    #[test]
    fn the_reserve_is_for_what_is_urgent() {
        let sent = spend(Limit::WEBHOOK, &[[(0, false); 30].as_slice(), &[(0, true); 30]].concat());
        assert_eq!(sent.len(), 18);
        assert_eq!(spend(Limit::WEBHOOK, &[(0, false); 30]).len(), 13);
    }

    #[test]
    fn a_picture_is_sent_while_half_of_the_minute_is_left() {
        for (limit, most) in
            [(Limit::WEBHOOK, 18_u32), (Limit::MEMBER, 24), (Limit::BOT, 24), (Limit::CHAT_MEMBER, 150)]
        {
            let mut window = Window::default();
            for spent in 0..most {
                let room = room(&[&window], &limit.for_pictures(), false, Timestamp(T0)).is_ok();
                assert_eq!(room, 2 * (most - spent) >= most, "{spent} of {most}");
                window.debit(Some(&limit), Timestamp(T0));
            }
        }
        // Of an hour or a day the reserve is left to what is urgent.
        let sent = spend(Limit::MEMBER.for_pictures(), &vec![(1_000, false); 7_200]);
        assert!(peak(&sent, 3_600_000) <= 600);
    }

    #[test]
    fn a_message_counts_for_the_span_and_the_time_under_way_and_no_longer() {
        for (span, width, bucket) in [(0, 60_000, 2_000), (1, 3_600_000, 60_000), (2, 24 * 3_600_000, 3_600_000)] {
            let mut limit = Limit { most: [None; 3], reserved: [0; 3] };
            limit.most[span] = Some(1);
            // At the last moment of a bucket, so that no resolution adds to the span.
            let sent = (T0 / bucket + 1) * bucket - 1;
            let mut window = Window::default();
            window.debit(Some(&limit), Timestamp(sent));
            let free = Timestamp(sent + width + 10_000 + 1);
            let last = free.plus_millis(-1);
            assert_eq!(room(&[&window], &limit, true, Timestamp(sent)), Err(free));
            assert_eq!(room(&[&window], &limit, true, last), Err(free));
            assert_eq!(room(&[&window], &limit, true, free), Ok(()));
            assert_eq!(used(&[&window], &limit, last)[0].spent, 1);
            assert_eq!(used(&[&window], &limit, free)[0].spent, 0);
        }
    }

    #[test]
    fn sums_of_several_accounts_count_together() {
        let (mut mine, mut theirs) = (Window::default(), Window::default());
        for _ in 0..9 {
            mine.debit(None, Timestamp(T0));
            theirs.debit(None, Timestamp(T0 + 1_000));
        }
        assert!(room(&[&mine, &theirs], &Limit::WEBHOOK, true, Timestamp(T0 + 2_000)).is_err());
        assert!(room(&[&mine], &Limit::WEBHOOK, true, Timestamp(T0 + 2_000)).is_ok());
    }

    #[test]
    fn a_clock_set_back_neither_frees_nor_blocks_for_longer_than_the_window() {
        let mut window = Window::default();
        for _ in 0..18 {
            window.debit(Some(&Limit::WEBHOOK), Timestamp(T0));
        }
        let earlier = T0 - 3_600_000;
        window.advance(Timestamp(earlier));
        let until = room(&[&window], &Limit::WEBHOOK, true, Timestamp(earlier)).unwrap_err();
        assert!(until.0 - earlier <= 73_000, "{}", until.0 - earlier);
    }

    #[test]
    fn a_clock_that_begins_in_1970_keeps_what_was_spent() {
        let mut window = Window::default();
        for second in 0..18 {
            window.debit(Some(&Limit::WEBHOOK), Timestamp(T0 + 2_000 * second));
        }
        let start = Timestamp(3_000);
        window.advance(start);
        assert_eq!(Window::from_bytes(&window.to_bytes()).unwrap(), window);
        assert_eq!(used(&[&window], &Limit::WEBHOOK, start)[0].spent, 18);
        let until = room(&[&window], &Limit::WEBHOOK, true, start).unwrap_err();
        assert!(until.0 - start.0 <= 73_000, "{}", until.0 - start.0);
    }

    #[test]
    fn what_is_spent_of_each_span_of_a_limit_is_told() {
        let now = Timestamp(1_700_000_000_000);
        let (mut own, mut unseen) = (Window::default(), Window::default());
        own.debit(Some(&Limit::MEMBER), now.plus_millis(-600_000));
        own.debit(Some(&Limit::MEMBER), now);
        unseen.debit(None, now);
        let told = used(&[&own, &unseen], &Limit::MEMBER, now);
        let of = |per, spent, most, reserved| Used { per, spent, most, reserved };
        assert_eq!(told, [of(Per::Minute, 2, 24, 6), of(Per::Hour, 3, 800, 200)]);
        assert_eq!(used(&[&Window::default()], &Limit::WEBHOOK, now), [of(Per::Minute, 0, 18, 5)]);
    }
}
