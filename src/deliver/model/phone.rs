//! What WeCom does with requests, and what people see. It knows nothing of the store.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use super::Check;
use super::letter::CardBody;

/// A card can be changed for so long (page 94888).
const CODE_MS: i64 = 72 * 3_600_000;
/// WeCom compares the requests of an app for this long (page 90236).
const COMPARED_MS: i64 = 4 * 3_600_000;

/// One item of a message: the alert, and the place of the news in the order of acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The story it continues: that of an alert in a lane.
    pub story: String,
    pub place: u64,
    /// Resent by an operator: it continues no story.
    pub again: bool,
}

/// A request that arrived.
#[derive(Debug)]
pub struct Arrival<'a> {
    pub lane: usize,
    pub message: i64,
    pub part: u32,
    pub body: &'a Bytes,
    pub lines: &'a [Line],
    /// Attempts at the message so far whose result is unknown.
    pub unsure: u32,
}

/// A card that arrived.
#[derive(Debug, Default)]
pub struct Shown {
    /// What it shows since its last update; empty before.
    pub shows: String,
    /// The place of the last news that it tells.
    pub place: u64,
}

/// All recipients.
#[derive(Debug, Default)]
pub struct Phone {
    /// By account: what it got, in real time.
    got: HashMap<&'static str, VecDeque<i64>>,
    /// By message and part: what arrived, and when first.
    seen: HashMap<(i64, u32), Vec<(Bytes, i64)>>,
    /// By story: the place of its last news.
    told: HashMap<String, u64>,
    /// By place: the message that told it.
    by: HashMap<u64, i64>,
    extras: HashMap<i64, u32>,
    /// By message: the cards, and what they show.
    pub cards: BTreeMap<i64, Shown>,
    /// By code: the card that can be changed with it once, and when it was given, in real time.
    codes: HashMap<String, (i64, i64)>,
    issued: u64,
    /// When the clock of the gateway was last set forward, in real time.
    leapt_at: Option<i64>,
    /// Arrivals above a limit that are explained by the clock having been set forward.
    pub shadowed: u64,
    pub copies: u64,
    pub arrivals: u64,
}

/// The accounts that a request of each lane reaches, and their limits: for a minute, for an hour.
const ACCOUNTS: [&[(&str, usize, usize)]; 4] = [
    &[("m1", 30, 1_000)],
    &[("m1", 30, 1_000), ("m2", 30, 1_000)],
    &[("group", 20, usize::MAX)],
    &[("backup", 20, usize::MAX)],
];

impl Phone {
    /// Takes a request at the real time `at`.
    pub fn take(&mut self, arrival: &Arrival<'_>, at: i64) -> Check {
        self.arrivals += 1;
        for &(account, minute, hour) in ACCOUNTS[arrival.lane] {
            self.count(account, minute, hour, at)?;
        }
        let checked = arrival.lane < 2;
        let seen = self.seen.entry((arrival.message, arrival.part)).or_default();
        if checked && seen.iter().any(|(body, since)| body == arrival.body && at - since < COMPARED_MS) {
            return Ok(());
        }
        let first = seen.is_empty();
        seen.push((arrival.body.clone(), at));
        if !first {
            self.copies += 1;
            let extras = self.extras.entry(arrival.message).or_default();
            *extras += 1;
            if *extras > arrival.unsure {
                return Err(format!("L6: message {} came {extras} times too often", arrival.message));
            }
        }
        if arrival.part == 0 { self.read(arrival) } else { Ok(()) }
    }

    /// A new code for a card: with the answer to its sending, or with a press.
    pub fn code(&mut self, card: i64, at: i64) -> String {
        self.issued += 1;
        let code = format!("code-{}", self.issued);
        self.codes.insert(code.clone(), (card, at));
        code
    }

    /// Can a card be changed with this code?
    pub fn takes(&self, code: &str, at: i64) -> bool {
        self.codes.get(code).is_some_and(|(_, since)| at - since <= CODE_MS)
    }

    /// A card arrives, or is changed.
    pub fn show(&mut self, body: &CardBody, lines: &[Line]) {
        if let Some(code) = &body.response_code {
            self.codes.remove(code);
        }
        let place = lines.iter().map(|line| line.place).max().unwrap_or_default();
        self.cards.insert(body.card, Shown { shows: body.shows.clone(), place });
    }

    /// A recipient reads it.
    fn read(&mut self, arrival: &Arrival<'_>) -> Check {
        let mut newest: HashMap<&str, u64> = HashMap::new();
        for line in arrival.lines {
            let told = *self.by.entry(line.place).or_insert(arrival.message);
            if told != arrival.message {
                return Err(format!("L6: messages {told} and {} tell {line:?}", arrival.message));
            }
            if !line.again {
                let place = newest.entry(&line.story).or_default();
                *place = line.place.max(*place);
            }
        }
        for (story, place) in newest {
            let last = self.told.entry(story.to_owned()).or_default();
            if place < *last {
                return Err(format!("L4: {story}: {place} came after {last}, by message {}", arrival.message));
            }
            *last = place;
        }
        Ok(())
    }

    fn count(&mut self, account: &'static str, minute: usize, hour: usize, at: i64) -> Check {
        let got = self.got.entry(account).or_default();
        got.push_back(at);
        while got.front().is_some_and(|&first| first <= at - 3_600_000) {
            got.pop_front();
        }
        let leapt_at = self.leapt_at.unwrap_or(i64::MIN);
        for (width, most) in [(60_000, minute), (3_600_000, hour)] {
            let within = got.iter().rev().take_while(|&&time| time > at - width);
            let (all, fair) = within.fold((0, 0), |(all, fair), &time| (all + 1, fair + usize::from(time > leapt_at)));
            if fair > most {
                return Err(format!("L5: {account} got {fair} in {width} ms"));
            }
            self.shadowed += u64::from(all > most);
        }
        Ok(())
    }

    /// The clock of the gateway was set forward.
    pub fn leap(&mut self, at: i64) {
        self.leapt_at = Some(at);
    }

    /// Did the first part of the message arrive?
    pub fn has(&self, message: i64) -> bool {
        self.seen.contains_key(&(message, 0))
    }

    /// The place of the last news of a story; 0 if there was none.
    pub fn last(&self, story: &str) -> u64 {
        self.told.get(story).copied().unwrap_or_default()
    }

    /// The message is no longer on record.
    pub fn forget(&mut self, message: i64) {
        self.seen.retain(|&(known, _), _| known != message);
        self.extras.remove(&message);
        self.cards.remove(&message);
    }
}
