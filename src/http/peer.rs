//! Who is at the other end of a connection.

use std::net::SocketAddr;

/// The address of the socket that a request came through: the sender's, or its proxy's. The accept loop puts it into
/// the extensions of each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Socket(pub SocketAddr);
