//! The result of an attempt, whichever channel it took: what is certain, what failed, what may help.
//!
//! `retry` and `breaker` decide by this alone; WeCom's error table, SMTP replies and HTTP statuses are interpreted
//! here.

use std::time::Duration;

use wecom::{About, Class, Fault, Missed, Outcome, Receipt};

use super::other::{Sent, Trouble};
use crate::words::Words;

/// The verdict on one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted for every recipient; says nothing about reading.
    Accepted(Receipt),
    /// Accepted, but not for those in `missed`.
    AcceptedInPart {
        /// Ids that WeCom returned for it.
        receipt: Receipt,
        /// The recipients that did not get it.
        missed: Missed,
    },
    /// Certainly not accepted.
    NotSent(Failed),
    /// It may have been accepted.
    Unsure(Failed),
}

/// A failure, certain or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The cause of the failure.
    pub blame: Blame,
    /// WeCom's code, if it was one.
    pub errcode: Option<i64>,
    /// HTTP status or SMTP reply, if there was no errcode.
    pub status: Option<u16>,
    /// What happened and how to repair it: Chinese, one line, without secrets.
    pub zh: String,
    /// The same in English.
    pub en: String,
    /// Not to be tried again earlier than this.
    pub retry_after: Option<Duration>,
}

impl Failed {
    /// What happened and how to repair it.
    pub fn words(&self) -> Words {
        Words::from((self.zh.clone(), self.en.clone()))
    }
}

/// The cause of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Transient.
    Passing,
    /// No answer from the peer that was called.
    Silence,
    /// An unknown code: perhaps the message's fault.
    Unknown,
    /// The message: these bytes will never be accepted.
    Message {
        /// The same content as short plain text may be accepted.
        worth_plain_text: bool,
    },
    /// The way: a wrong secret, a limit, a deleted chat.
    Way(Fix),
}

/// What repairs a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    /// A person who repairs the account of the sender.
    Sender,
    /// A person who repairs this one route of it.
    Route,
    /// A fresh token.
    Token,
    /// The end of the window of a limit.
    Limit,
}

impl Verdict {
    /// Its sender vanished from the configuration since the ways were looked up.
    pub fn gone(name: &str) -> Self {
        let (zh, en) = (format!("`{name}` 已不在配置中"), format!("`{name}` is no longer in the configuration"));
        Self::NotSent(Failed { blame: Blame::Passing, errcode: None, status: None, zh, en, retry_after: None })
    }

    /// The bot's socket is not connected at the moment.
    pub fn not_connected() -> Self {
        let zh = "智能机器人没有连上企业微信，连上后自动重发".to_owned();
        let en = "the bot is not connected to WeCom: it is sent when it is".to_owned();
        Self::NotSent(Failed { blame: Blame::Passing, errcode: None, status: None, zh, en, retry_after: None })
    }

    /// It was not sent, because the lease was running out.
    pub fn too_late() -> Self {
        let zh = "进程停顿过久，未发送，由当前持有者重发".to_owned();
        let en = "this process was paused for too long: nothing was sent, the process that has the lane now sends it"
            .to_owned();
        Self::NotSent(Failed { blame: Blame::Passing, errcode: None, status: None, zh, en, retry_after: None })
    }

    /// The name in the store and in metrics.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::AcceptedInPart { .. } => "accepted_in_part",
            Self::NotSent(_) => "not_sent",
            Self::Unsure(_) => "unsure",
        }
    }

    /// The failure, if it failed.
    pub const fn failed(&self) -> Option<&Failed> {
        match self {
            Self::NotSent(failed) | Self::Unsure(failed) => Some(failed),
            Self::Accepted(_) | Self::AcceptedInPart { .. } => None,
        }
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted(receipt) => Self::Accepted(receipt),
            Outcome::AcceptedInPart { receipt, missed } => Self::AcceptedInPart { receipt, missed },
            Outcome::NotSent(failure) => Self::NotSent((&failure).into()),
            Outcome::Unsure(failure) => Self::Unsure((&failure).into()),
        }
    }
}

impl From<&wecom::Failure> for Failed {
    fn from(failure: &wecom::Failure) -> Self {
        Self {
            blame: blame(failure),
            errcode: failure.errcode(),
            status: if let Fault::Status(status) = failure.fault { Some(status) } else { None },
            zh: failure.zh(),
            en: failure.en(),
            retry_after: failure.retry_after,
        }
    }
}

fn blame(failure: &wecom::Failure) -> Blame {
    if is_silence(failure.fault) {
        return Blame::Silence;
    }
    let about = failure.about();
    match failure.class {
        Class::Ok | Class::Transient if failure.errcode().is_some() && failure.meaning().is_none() => Blame::Unknown,
        Class::Ok | Class::Transient => Blame::Passing,
        Class::Token => Blame::Way(Fix::Token),
        Class::BackOff => Blame::Way(Fix::Limit),
        Class::Configuration if about == About::Route => Blame::Way(Fix::Route),
        Class::Configuration => Blame::Way(Fix::Sender),
        Class::Refused => Blame::Message { worth_plain_text: about.worth_plain_text() },
    }
}

const fn is_silence(fault: Fault) -> bool {
    match fault {
        Fault::Dns
        | Fault::Connect
        | Fault::Tls
        | Fault::Timeout
        | Fault::Broken
        | Fault::Status(_)
        | Fault::TooLong
        | Fault::NotWeCom => true,
        Fault::Errcode(_)
        | Fault::Incomplete
        | Fault::TokenBudget
        | Fault::LookupBudget
        | Fault::TooLate
        | Fault::Invalid => false,
    }
}

impl From<Sent> for Verdict {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Accepted => Self::Accepted(Receipt::default()),
            Sent::AcceptedInPart { missed } => Self::AcceptedInPart {
                receipt: Receipt::default(),
                missed: Missed { users: missed, ..Missed::default() },
            },
            Sent::Later(trouble) => {
                let blame = if trouble.status.is_none() { Blame::Silence } else { Blame::Passing };
                Self::NotSent(Failed::by(blame, trouble))
            }
            Sent::Refused(trouble) => Self::NotSent(Failed::by(Blame::Message { worth_plain_text: false }, trouble)),
            Sent::Unsure(trouble) => Self::Unsure(Failed::by(Blame::Silence, trouble)),
        }
    }
}

impl Failed {
    fn by(blame: Blame, trouble: Trouble) -> Self {
        let Trouble { what, status, retry_after } = trouble;
        Self { blame, errcode: None, status, zh: what.zh.into_owned(), en: what.en.into_owned(), retry_after }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use wecom::{Api, Failure};

    /// WeCom's answer to a send with this code.
    pub fn refused(code: i64) -> Verdict {
        let class = wecom::errcode::classify(Api::MessageSend, code);
        failed_with(Fault::Errcode(code), class)
    }

    pub fn failed_with(fault: Fault, class: Class) -> Verdict {
        let failure = Failure {
            class,
            api: Api::MessageSend,
            fault,
            message: wecom::Text::default(),
            egress_ip: None,
            retry_after: None,
        };
        if matches!(fault, Fault::Timeout | Fault::Broken) {
            Outcome::Unsure(failure).into()
        } else {
            Outcome::NotSent(failure).into()
        }
    }

    #[test]
    fn every_code_of_the_table_has_a_cause() {
        for row in wecom::errcode::all().iter().filter(|row| row.code != 0) {
            let Verdict::NotSent(failed) = refused(row.code) else { panic!("{}", row.code) };
            let expected = match row.class {
                Class::Transient | Class::Ok => failed.blame == Blame::Passing,
                Class::Token | Class::BackOff | Class::Configuration => matches!(failed.blame, Blame::Way(_)),
                Class::Refused => matches!(failed.blame, Blame::Message { .. }),
            };
            assert!(expected, "{}: {:?}", row.code, failed.blame);
        }
        assert_eq!(refused(987_654).failed().unwrap().blame, Blame::Unknown);
    }
}
