//! The names that wegraf makes or takes: each kind of name is a type of its own with one print and one parse, so that a
//! name from outside is never taken for one of ours, and the name of one thing never for that of another.
//!
//! The prints are what the databases hold: the tests of each kind keep a list of them, which never changes.

mod account;
mod discriminator;
mod duty;
mod lane;
mod scope;
mod source;
mod text;

pub use account::{Account, AppId, Counted, KeyPrint, Who};
pub use discriminator::Discriminator;
pub use duty::Duty;
pub use lane::{Addressees, Lane, LaneKey};
pub use scope::{Part, Scope};
pub use source::SourceId;
