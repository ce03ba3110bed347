//! The secret from which the keys of links are derived, as stored: one row, with the previous secret if there is one.

use crate::alert::Timestamp;

/// Bytes of a secret.
pub const LINK_SECRET_BYTES: usize = 32;
/// First byte of a row that holds two secrets; a secret that was never replaced is stored alone.
const REPLACED: u8 = 1;

/// The secret that signs links, and the previous one.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkSecrets {
    /// Signs new links.
    pub current: Vec<u8>,
    /// The previous secret, and when it was replaced.
    pub previous: Option<(Vec<u8>, Timestamp)>,
}

impl std::fmt::Debug for LinkSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkSecrets(…)")
    }
}

impl LinkSecrets {
    /// From the row: the secret alone, or a mark, the time in milliseconds, the secret and the previous one.
    pub(super) fn read(row: &[u8]) -> Self {
        if let [REPLACED, rest @ ..] = row
            && let Some((at, rest)) = rest.split_first_chunk::<8>()
            && let Some((current, previous)) = rest.split_first_chunk::<LINK_SECRET_BYTES>()
            && previous.len() == LINK_SECRET_BYTES
        {
            let at = Timestamp(i64::from_be_bytes(*at));
            return Self { current: current.to_vec(), previous: Some((previous.to_vec(), at)) };
        }
        Self { current: row.to_vec(), previous: None }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        match &self.previous {
            None => self.current.clone(),
            Some((previous, at)) => [&[REPLACED][..], &at.0.to_be_bytes(), &self.current, previous].concat(),
        }
    }

    /// Replaces the current secret, which becomes the previous one.
    pub(super) fn replaced(self, fresh: [u8; LINK_SECRET_BYTES], now: Timestamp) -> Self {
        // The row holds secrets of equal length.
        let mut before = self.current;
        before.resize(LINK_SECRET_BYTES, 0);
        Self { current: fresh.to_vec(), previous: Some((before, now)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_round_trips_and_a_secret_alone_was_never_replaced() {
        let first = LinkSecrets::read(&[1; 32]);
        assert_eq!((first.current.clone(), first.previous.clone()), (vec![1; 32], None), "whatever it begins with");
        let second = first.replaced([2; 32], Timestamp(1_700_000_000_123));
        assert_eq!(LinkSecrets::read(&second.write()), second);
        let third = second.replaced([3; 32], Timestamp(1_800_000_000_000));
        assert_eq!(third.previous, Some((vec![2; 32], Timestamp(1_800_000_000_000))));
        assert_eq!(LinkSecrets::read(&third.write()), third);
        assert_eq!(format!("{third:?}"), "LinkSecrets(…)");
    }
}
