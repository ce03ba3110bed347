//! How often a visitor asked for short links that do not exist.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Misses in [`WINDOW`] after which a visitor is not answered until it is over: a person mistypes a code now and then.
const MOST: u32 = 20;
const WINDOW: Duration = Duration::from_mins(1);
/// Visitors that are remembered; one that misses is forgotten after [`WINDOW`], or for a newer one.
const VISITORS: usize = 4096;

/// The misses of the last minute, by visitor.
#[derive(Debug, Default)]
pub struct Misses(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Misses {
    /// How long the visitor has to wait; `None`: it is answered.
    pub fn wait(&self, site: IpAddr, now: Instant) -> Option<Duration> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = known.get(&site).copied()?;
        let left = WINDOW.saturating_sub(now.saturating_duration_since(since));
        (count >= MOST && !left.is_zero()).then_some(left)
    }

    /// The visitor asked for a link that does not exist.
    pub fn note(&self, site: IpAddr, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= VISITORS && !known.contains_key(&site) {
            known.retain(|_, (since, _)| now.saturating_duration_since(*since) < WINDOW);
            if known.len() >= VISITORS
                && let Some(oldest) = known.iter().min_by_key(|(_, (since, _))| *since).map(|(site, _)| *site)
            {
                known.remove(&oldest);
            }
        }
        let (since, count) = known.entry(site).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_that_guesses_waits_and_others_do_not() {
        let (misses, begun) = (Misses::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        let [guesser, other] = ["203.0.113.7", "203.0.113.8"].map(|site| site.parse().unwrap());
        for _ in 0..20 {
            assert_eq!(misses.wait(guesser, at(1)), None);
            misses.note(guesser, at(1));
        }
        assert_eq!(misses.wait(guesser, at(31)), Some(Duration::from_secs(30)));
        assert_eq!((misses.wait(other, at(31)), misses.wait(guesser, at(61))), (None, None));
        misses.note(guesser, at(61));
        assert_eq!(misses.wait(guesser, at(61)), None, "a new minute");
        for visitor in 0..5000_u32 {
            misses.note(IpAddr::V4(visitor.into()), at(62));
        }
        assert!(misses.0.lock().unwrap().len() <= VISITORS);
    }
}
