//! Bytes to a [`Notification`](crate::alert::Notification).
pub mod generic;
