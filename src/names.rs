//! The names that wegraf makes or accepts: each kind of name is a type of its own with one printer and one parser, so
//! that an outside name is never taken for one of ours, nor the name of one thing for that of another.
//!
//! The printed forms are stored in databases: the tests of each kind keep a list of them, which never changes.

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
