//! The PROXY protocol, versions 1 and 2: the first bytes of a connection, in which a proxy in front says whose it is.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use proxy_header::{Error, ParseConfig, ProxyHeader};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Most bytes of a header. Version 2 allows 64 KB of extensions; proxies send a hundred bytes or two.
const MOST: usize = 2048;
/// Pause before the next look at a header of which a part is missing: proxies send it in one segment.
const LOOK: Duration = Duration::from_millis(10);
/// Its extensions are not read.
const PARSING: ParseConfig = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };

/// Reads the header off `stream`, and nothing behind it: the sender's address, or `proxy` where the proxy speaks for itself
/// (a health check). The caller bounds how long it may take.
pub(super) async fn sender(stream: &mut TcpStream, proxy: SocketAddr) -> io::Result<SocketAddr> {
    let mut bytes = [0; MOST];
    loop {
        let length = stream.peek(&mut bytes).await?;
        match ProxyHeader::parse(&bytes[..length], PARSING) {
            Ok((header, size)) => {
                let sender = header.proxied_address().map_or(proxy, |address| address.source);
                stream.read_exact(&mut bytes[..size]).await?;
                return Ok(sender);
            }
            Err(Error::BufferTooShort) if (1..MOST).contains(&length) => tokio::time::sleep(LOOK).await,
            Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What is read of a connection that sends these pieces: the sender, and what is left for HTTP.
    async fn read(pieces: &[&[u8]]) -> Result<(String, String), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut proxy = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        proxy.set_nodelay(true).unwrap();
        let (mut stream, socket) = listener.accept().await.unwrap();
        let sent = async {
            for piece in pieces {
                proxy.write_all(piece).await.unwrap();
                tokio::time::sleep(LOOK * 2).await;
            }
            proxy.shutdown().await.unwrap();
        };
        let (sender, ()) = tokio::join!(sender(&mut stream, socket), sent);
        let sender = sender.map_err(|error| error.to_string())?;
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        Ok((if sender == socket { "the proxy".to_owned() } else { sender.to_string() }, rest))
    }

    fn second(command: u8, family: u8, address: &[u8], extensions: &[u8]) -> Vec<u8> {
        let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(address.len() + extensions.len()).unwrap().to_be_bytes());
        header.extend(address.iter().chain(extensions));
        header
    }

    #[tokio::test]
    async fn both_versions_name_the_sender_and_leave_the_request() {
        let found = |sender: &str| Ok((sender.to_owned(), "GET / HTTP/1.1\r\n".to_owned()));
        let request = b"GET / HTTP/1.1\r\n";
        let first = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 8080\r\n";
        assert_eq!(read(&[first, request]).await, found("203.0.113.9:4711"));
        assert_eq!(read(&[&first[..9], &first[9..], request]).await, found("203.0.113.9:4711"));
        let sixth = b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 8080\r\n";
        assert_eq!(read(&[sixth, request]).await, found("[2001:db8::9]:4711"));
        assert_eq!(read(&[b"PROXY UNKNOWN\r\n", request]).await, found("the proxy"));
        let address = [203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x67, 0x1f, 0x90];
        // With an extension: the connection's number at a cloud's balancer.
        let both = [&second(1, 0x11, &address, b"\xea\0\x03abc")[..], request].concat();
        assert_eq!(read(&[&both]).await, found("203.0.113.9:4711"));
        assert_eq!(read(&[&both[..20], &both[20..]]).await, found("203.0.113.9:4711"));
        assert_eq!(read(&[&second(0, 0, &[], &[]), request]).await, found("the proxy"));
    }

    #[tokio::test]
    async fn what_is_no_header_is_an_error() {
        for pieces in [
            &[&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..]][..],
            &[b"PROXY TCP4 203.0.113.9 10.0.0.1 4711\r\n GET / HTTP/1.1\r\n"],
            &[b"PROXY TCP4 nobody 10.0.0.1 4711 8080\r\n"],
            &[&second(1, 0x11, &[0; 12], &[0; 4096])],
            &[b""],
        ] {
            assert!(read(pieces).await.is_err(), "{:?}", String::from_utf8_lossy(pieces[0]));
        }
    }
}
