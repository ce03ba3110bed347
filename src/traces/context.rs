//! Which trace a span belongs to: W3C Trace Context, or derived from the notification. Pure.

use sha2::{Digest as _, Sha256};

use super::Of;

/// The context of a sender's request: its header `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    trace: [u8; 16],
    span: [u8; 8],
    /// The sender records this trace.
    sampled: bool,
}

impl Parent {
    /// Reads a header `traceparent`, `00-<trace>-<span>-<flags>`, of this version or a later one
    /// (<https://www.w3.org/TR/trace-context/>). Anything else is no context.
    pub fn read(header: &str) -> Option<Self> {
        let (version, rest) = header.trim().split_once('-')?;
        let (trace, rest) = rest.split_once('-')?;
        let (span, rest) = rest.split_once('-')?;
        let (flags, more) = rest.split_once('-').map_or((rest, None), |(flags, more)| (flags, Some(more)));
        let [version] = bytes(version)?;
        if version == 0xff || (version == 0 && more.is_some()) {
            return None;
        }
        let (trace, span, [flags]) = (bytes(trace)?, bytes(span)?, bytes(flags)?);
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

/// Lower-case hexadecimal digits, two for each byte.
fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digits = digits.as_bytes();
    let lower = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 2 * N || !digits.iter().all(lower) {
        return None;
    }
    let value = |digit: u8| if digit < b'a' { digit - b'0' } else { digit - b'a' + 10 };
    let mut read = [0; N];
    for (byte, pair) in read.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    Some(read)
}

/// The place of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    pub parent: Option<[u8; 8]>,
    /// The derived trace of the notification, where `trace` is the sender's.
    pub link: Option<([u8; 16], [u8; 8])>,
    pub sampled: bool,
}

impl Context {
    /// The span of an admission: below the sender's span, or the root of the derived trace.
    pub fn admission(of: Of, parent: Option<Parent>, share: f64, span: [u8; 8]) -> Self {
        let own = derived(of, share);
        match parent {
            Some(Parent { trace, span: above, sampled }) => {
                Self { trace, span, parent: Some(above), link: Some((own.trace, own.span)), sampled }
            }
            None => own,
        }
    }

    /// A span below the admission at `self`.
    pub const fn stage(admission: Self, span: [u8; 8]) -> Self {
        Self { span, parent: Some(admission.span), link: None, ..admission }
    }

    /// Itself, if it cannot be derived from the notification.
    pub fn foreign(self) -> Option<Self> {
        self.link.is_some().then_some(self)
    }
}

/// The root of a notification's own trace. The same in every process; `share` of all notifications are sampled.
pub(super) fn derived(of: Of, share: f64) -> Context {
    let mut hash = Sha256::new_with_prefix(b"wegraf trace");
    hash.update(of.notification.to_be_bytes());
    hash.update(of.received_at.0.to_be_bytes());
    let hash = hash.finalize();
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    trace.copy_from_slice(&hash[..16]);
    span.copy_from_slice(&hash[16..24]);
    let [high, low] = [hash[24], hash[25]];
    // Of 65,536 equal parts, the first belong to the share.
    let sampled = f64::from(u16::from_be_bytes([high, low])) < share * 65_536.0;
    Context { trace, span, parent: None, link: None, sampled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Timestamp;

    const OF: Of = Of { notification: 7, received_at: Timestamp(1_700_000_000_000) };
    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_the_published_form_of_traceparent_is_a_context() {
        let parent = Parent::read(HEADER).unwrap();
        assert_eq!((parent.trace[0], parent.span[7], parent.sampled), (0x4b, 0xb7, true));
        assert!(!Parent::read(&HEADER.replace("-01", "-00")).unwrap().sampled);
        // A later version may have more fields; this one may not.
        assert!(Parent::read(&format!("cc{}-more", &HEADER[2..])).is_some());
        let wrong = [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ];
        for header in wrong {
            assert_eq!(Parent::read(header), None, "{header}");
        }
    }

    #[test]
    fn stages_stand_below_the_admission_in_any_process() {
        let admission = Context::admission(OF, None, 1.0, [9; 8]);
        let stage = Context::stage(derived(OF, 1.0), [8; 8]);
        assert_eq!((admission.parent, stage.trace), (None, admission.trace));
        assert_eq!((stage.parent, stage.span), (Some(admission.span), [8; 8]));
        let another = derived(Of { notification: 8, ..OF }, 1.0);
        assert_ne!(another.trace, admission.trace);
    }

    #[test]
    fn a_senders_trace_is_continued_and_linked() {
        let parent = Parent::read(HEADER);
        let admission = Context::admission(OF, parent, 0.0, [9; 8]);
        assert_eq!((admission.trace, admission.parent), (parent.unwrap().trace, Some(parent.unwrap().span)));
        assert_eq!(admission.link.unwrap().0, derived(OF, 0.0).trace);
        assert!(admission.sampled, "the sender decides");
        let refused = Context::admission(OF, Parent::read(&HEADER.replace("-01", "-00")), 1.0, [9; 8]);
        assert!(!refused.sampled, "the sender decides");
    }

    #[test]
    fn the_share_of_notifications_is_sampled() {
        let sampled = |share| (0..10_000).filter(|id| derived(Of { notification: *id, ..OF }, share).sampled).count();
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 10_000));
        assert!((900..1_100).contains(&sampled(0.1)), "{}", sampled(0.1));
    }
}
