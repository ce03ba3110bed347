//! The passwords of local administrators, as their argon2id hashes.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::words::{Words, words};

/// What a check costs: 19 MiB of memory, two passes (OWASP's first choice for argon2id).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// A check that costs more would be a way to stop the gateway.
const MOST_MEMORY_KIB: u32 = 64 * 1024;
const MOST_PASSES: u32 = 10;
/// How people are named in the record, so that none of them is taken for a userid, which has no `/`.
const PREFIX: &str = "local/";

/// The hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    hash: PasswordHash,
    cost: (u32, u32, u32),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Password {
    /// From `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, or why it is none.
    pub(super) fn parse(text: &str) -> Result<Self, Words> {
        let none = words("这不是 argon2id 的哈希", "this is no argon2id hash");
        let hash = PasswordHash::new(text).map_err(|_| none.clone())?;
        let ours = hash.algorithm.as_str() == Algorithm::Argon2id.ident().as_str()
            && hash.version == Some(Version::V0x13.into())
            && hash.salt.is_some()
            && hash.hash.as_ref().is_some_and(|bytes| bytes.len() >= 16);
        let params = Params::try_from(&hash).map_err(|_| none.clone())?;
        if !ours {
            return Err(none);
        }
        let cost = (params.m_cost(), params.t_cost(), params.p_cost());
        if cost.0 < MEMORY_KIB || cost.1 < PASSES {
            return Err(words(
                "这个哈希太容易猜：至少 m=19456、t=2",
                "this hash is guessed too easily: at least m=19456, t=2",
            ));
        }
        if cost.0 > MOST_MEMORY_KIB || cost.1 > MOST_PASSES {
            return Err(words("这个哈希太慢：至多 m=65536、t=10", "this hash is too slow: at most m=65536, t=10"));
        }
        Ok(Self { hash, cost })
    }

    /// The hash of a new password, as it is written into the configuration.
    pub fn make(password: &str) -> String {
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the parameters are in argon2's range");
        let salt: [u8; 16] = rand::random();
        let hash = Argon2::default().hash_password_customized(
            password.as_bytes(),
            &salt,
            Some(Algorithm::Argon2id.as_str()),
            Some(Version::V0x13.into()),
            params,
        );
        hash.expect("a password of any length has a hash").to_string()
    }

    /// What stands for it where it is to be told from another one: its hash, as it is written.
    pub fn credential(&self) -> String {
        self.hash.to_string()
    }

    /// Is it this password? Takes some 30 ms and as much memory as the hash says.
    pub fn is(&self, tried: &str) -> bool {
        Argon2::default().verify_password(tried.as_bytes(), &self.hash).is_ok()
    }

    /// Memory, passes and lanes: what a check costs.
    pub(super) const fn cost(&self) -> (u32, u32, u32) {
        self.cost
    }
}

/// How the local administrator `name` is called in the record.
pub fn local_person(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// The name of a local administrator that the record calls `person`.
pub(super) fn local_name(person: &str) -> Option<&str> {
    person.strip_prefix(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let made = Password::make("correct horse battery");
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
        assert_ne!(made, Password::make("correct horse battery"), "each hash has a salt of its own");
        let password = Password::parse(&made).unwrap();
        assert!(password.is("correct horse battery"));
        for wrong in ["", "correct horse batter", "correct horse battery ", "Correct horse battery", &made] {
            assert!(!password.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{password:?}"), "[REDACTED]");
        assert_eq!(password.cost(), Password::parse(&Password::make("another")).unwrap().cost());
    }

    #[test]
    fn what_is_no_hash_or_costs_too_little_or_too_much_is_refused() {
        let made = Password::make("x");
        for wrong in [
            "",
            "secret",
            "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            &made.replace("argon2id", "argon2i"),
            &made.replace("v=19", "v=16"),
            &made.replace("m=19456", "m=1024"),
            &made.replace("t=2", "t=1"),
            &made.replace("m=19456", "m=1000000"),
            &made.replace("t=2", "t=11"),
            &made[..made.rfind('$').unwrap()],
        ] {
            assert!(Password::parse(wrong).is_err(), "{wrong}");
        }
    }
}
