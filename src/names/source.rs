//! The source of a notification.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

/// The source of a notification. Only wegraf's own code makes the first three: a request can become a
/// [`Configured`](Self::Configured) or an [`Anonymous`](Self::Anonymous) one, whatever its source is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceId {
    /// wegraf itself: its self-alerts.
    Wegraf,
    /// A command that tries out a receiver (`wegraf send`, `preview`).
    Command,
    /// A request without credentials, where the configuration allows them.
    Anonymous,
    /// The source of this name in the configuration.
    Configured(String),
}

/// Reserved names of sources: no configured source may have one.
const WEGRAF: &str = "wegraf";
const COMMAND: &str = "wegraf send";
const ANONYMOUS: &str = "anonymous";
/// Prefix of the name of a configured source that equals one of these words, or starts with this prefix. The
/// configuration refuses both, so it is only needed if that check is ever lost.
const ESCAPE: &str = "source:";

impl SourceId {
    /// May no configured source have this name? In any case: people tell names apart by ear.
    pub fn is_reserved(name: &str) -> bool {
        [WEGRAF, COMMAND, ANONYMOUS].iter().any(|word| name.eq_ignore_ascii_case(word)) || name.starts_with(ESCAPE)
    }

    /// The reserved names, for people.
    pub const RESERVED: [&str; 2] = [WEGRAF, ANONYMOUS];

    /// Parses the name in a store or a record, as printed by [`Self::stored`].
    pub fn parse(text: &str) -> Self {
        match text {
            WEGRAF => Self::Wegraf,
            COMMAND => Self::Command,
            ANONYMOUS => Self::Anonymous,
            name => Self::Configured(name.strip_prefix(ESCAPE).unwrap_or(name).to_owned()),
        }
    }

    /// The name in the store, in the record and on pages: unique for each source.
    pub fn stored(&self) -> Cow<'_, str> {
        match self {
            Self::Wegraf => WEGRAF.into(),
            Self::Command => COMMAND.into(),
            Self::Anonymous => ANONYMOUS.into(),
            Self::Configured(name) => match name.as_str() {
                WEGRAF | COMMAND | ANONYMOUS => format!("{ESCAPE}{name}").into(),
                escaped if escaped.starts_with(ESCAPE) => format!("{ESCAPE}{name}").into(),
                plain => plain.into(),
            },
        }
    }

    /// The name in the configuration; `None` for the others.
    pub fn configured(&self) -> Option<&str> {
        match self {
            Self::Configured(name) => Some(name),
            Self::Wegraf | Self::Command | Self::Anonymous => None,
        }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stored())
    }
}

impl Serialize for SourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.stored())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn configured(name: &str) -> SourceId {
        SourceId::Configured(name.to_owned())
    }

    #[test]
    fn the_names_in_released_databases_are_read_as_what_they_were() {
        let known = [
            ("wegraf", SourceId::Wegraf),
            ("wegraf send", SourceId::Command),
            ("anonymous", SourceId::Anonymous),
            ("grafana", configured("grafana")),
            ("监控.a_b-1", configured("监控.a_b-1")),
            ("wegraf-2", configured("wegraf-2")),
        ];
        for (text, source) in known {
            assert_eq!(SourceId::parse(text), source);
            assert_eq!(source.stored(), text);
        }
    }

    #[test]
    fn a_configured_source_keeps_its_identity_under_any_name() {
        for name in ["wegraf", "anonymous", "wegraf send", "source:wegraf", "source:source:x", "source:", ""] {
            assert_eq!(SourceId::parse(&configured(name).stored()), configured(name), "{name}");
        }
    }

    #[test]
    fn our_own_words_are_reserved_in_any_case_of_letters() {
        for name in ["wegraf", "Wegraf", "WEGRAF", "anonymous", "Anonymous", "source:x"] {
            assert!(SourceId::is_reserved(name), "{name}");
        }
        for name in ["grafana", "wegraf-2", "source", "anonymous2"] {
            assert!(!SourceId::is_reserved(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(name in "(source:|wegraf|anonymous|wegraf send|[a-z._-]){0,4}") {
            let source = configured(&name);
            prop_assert_eq!(SourceId::parse(&source.stored()), source);
        }
    }
}
