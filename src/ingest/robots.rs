//! What programs say to the robots of chats, read by the robots' own shapes.

pub mod wecom;
