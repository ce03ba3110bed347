//! The simulator over real HTTP, point by point of the conformance list (wecom-api §15).

mod desk;

mod messages;
mod tokens;
mod webhook;
