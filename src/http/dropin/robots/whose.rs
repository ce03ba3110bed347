//! The source of a call, and the targets of its tokens.

use wecom::Recipients;

use super::Served;
use super::asked::Asked;
use super::service::{Members, Service, Trouble};
use crate::config::{Addressee, Config, Receiver, Robot, RobotDoor};
use crate::http::dropin::{members_of, receivers_of, same};
use crate::names::SourceId;

/// Chooses among the services that share a path: the one that knows the token, or whose format fits, best both.
pub(super) fn chosen(config: &Config, served: &[Served], asked: &Asked) -> Option<Served> {
    let open = || served.iter().copied().filter(|(robot, _)| doors(config, *robot).next().is_some());
    let knows = |(robot, service): &Served| {
        (service.tokens)(asked).iter().any(|token| by_token(config, *robot, token).is_some())
    };
    let both = open().find(|served| fits(served, asked) && knows(served));
    both.or_else(|| open().find(knows)).or_else(|| open().find(|served| fits(served, asked)))
}

pub(super) fn fits((_, service): &Served, asked: &Asked) -> bool {
    (service.fits)(asked)
}

/// The sources that enable the addresses of a program.
pub(super) fn doors(config: &Config, robot: Robot) -> impl Iterator<Item = (&SourceId, &RobotDoor)> {
    config.dropins.iter().flat_map(move |source| {
        let doors = source.robots.iter().filter(move |(known, _)| *known == robot);
        doors.map(|(_, door)| (&source.source, door))
    })
}

/// The targets of a token. Compares all tokens, each in constant time.
fn by_token<'a>(config: &'a Config, robot: Robot, token: &str) -> Option<(&'a SourceId, &'a RobotDoor, Addressee)> {
    let mut found = None;
    for (source, door) in doors(config, robot) {
        let configured = door.tokens.iter().map(|(known, addressee)| (known, addressee.clone()));
        let webhooks = config.wecom.webhooks.iter().filter(|_| door.own_keys);
        let webhooks = webhooks.flat_map(|(name, keys)| keys.iter().map(|key| (key, Addressee::Webhook(name.clone()))));
        for (known, addressee) in configured.chain(webhooks) {
            if same(token, known) && found.is_none() {
                found = Some((source, door, addressee));
            }
        }
    }
    found
}

/// The source of a call, and the targets of its tokens.
pub(super) struct Found<'a> {
    pub source: &'a SourceId,
    pub door: &'a RobotDoor,
    pub addressees: Vec<Addressee>,
}

/// If all tokens must be known, a token for the routes cannot be combined with others: a call has one plan.
pub(super) fn found<'a>(
    config: &'a Config,
    robot: Robot,
    service: &Service,
    asked: &Asked,
) -> Result<Found<'a>, Trouble> {
    let mut found: Option<Found<'a>> = None;
    let tokens = (service.tokens)(asked);
    for token in &tokens {
        match (by_token(config, robot, token), &mut found) {
            (Some((source, door, addressee)), None) => {
                found = Some(Found { source, door, addressees: vec![addressee] });
            }
            (Some((.., addressee)), Some(found)) => {
                if !found.addressees.contains(&addressee) {
                    found.addressees.push(addressee);
                }
                if found.addressees.len() > 1 && found.addressees.contains(&Addressee::Routes) {
                    return Err(Trouble::Token(token.clone()));
                }
            }
            (None, _) if service.every => return Err(Trouble::Token(token.clone())),
            (None, _) => {}
        }
        if found.is_some() && !service.every {
            break;
        }
    }
    found.ok_or_else(|| Trouble::Token(tokens.into_iter().next().unwrap_or_default()))
}

impl Found<'_> {
    /// The targets of the call; `None`: the routes decide.
    pub fn receivers(&self, config: &Config, robot: Robot, members: Option<&Members>) -> Option<Vec<Receiver>> {
        if let Some(receiver) = members.and_then(|members| members_of(config, self.source, robot, members.as_pair())) {
            return Some(vec![receiver]);
        }
        let mut all: Vec<Receiver> = Vec::new();
        for addressee in &self.addressees {
            for receiver in receivers_of(config, addressee)? {
                if all.iter().all(|known| known.name != receiver.name) {
                    all.push(receiver);
                }
            }
        }
        Some(all)
    }
}

impl Members {
    fn as_pair(&self) -> (&Recipients, Option<&(String, i64)>) {
        (&self.to, self.account.as_ref())
    }
}
