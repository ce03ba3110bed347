//! The simulator over real HTTP, one file a subject.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod appchat;
mod bots;
mod bots_replies;
mod bots_uploads;
mod cards;
mod clicks;
mod control;
mod desk;
mod directory;
mod faults;
mod media;
mod messages;
mod recall;
mod socket;
mod tokens;
mod webhook;
