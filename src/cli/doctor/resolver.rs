//! Which half of a look-up fails: the addresses of IPv4 (A) or those of IPv6 (AAAA). Some name servers refuse the second kind;
//! a program built for musl then finds nothing at all, one built for glibc does not mind.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use crate::words::{Words, told, words};

/// How long a name server may take, as with most resolvers.
const DEADLINE: Duration = Duration::from_secs(3);
const PORT: u16 = 53;
const A: u16 = 1;
const AAAA: u16 = 28;

/// What a name server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// There is such a name; perhaps without addresses of this kind.
    Good { any: bool },
    /// A code of failure (RFC 1035, 4.1.1).
    Code(u8),
    /// Nothing, or nothing that is an answer.
    Silent,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Good { .. } => "NOERROR",
            Self::Code(1) => "FORMERR",
            Self::Code(2) => "SERVFAIL",
            Self::Code(3) => "NXDOMAIN",
            Self::Code(4) => "NOTIMP",
            Self::Code(5) => "REFUSED",
            Self::Code(code) => return write!(f, "RCODE {code}"),
            Self::Silent => return words("没有回答", "no answer").fmt(f),
        };
        f.write_str(name)
    }
}

/// The name servers of this machine.
pub(super) fn servers(resolv_conf: &str) -> Vec<SocketAddr> {
    let named = resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    named.filter_map(|rest| Some(SocketAddr::new(rest.trim().parse::<IpAddr>().ok()?, PORT))).collect()
}

/// What is wrong with looking up `host`, in words; `None` if nothing is, or no server is known.
pub(super) async fn trouble(host: &str, servers: &[SocketAddr]) -> Option<Words> {
    let mut last = None;
    for server in servers {
        let (a, aaaa) = tokio::join!(ask(*server, host, A), ask(*server, host, AAAA));
        // The next server is asked only where this one says nothing.
        if (a, aaaa) != (Answer::Silent, Answer::Silent) {
            return said(*server, a, aaaa);
        }
        last = Some((*server, a, aaaa));
    }
    last.and_then(|(server, a, aaaa)| said(server, a, aaaa))
}

fn said(server: SocketAddr, a: Answer, aaaa: Answer) -> Option<Words> {
    let server = server.ip();
    let build = if cfg!(target_env = "musl") { "musl" } else { "glibc" };
    match (a, aaaa) {
        (Answer::Good { .. }, Answer::Good { .. }) => None,
        (Answer::Good { .. }, _) => Some(told!(
            "名字服务器 {server} 对 A 正常，对 AAAA（IPv6）回答 {aaaa}：glibc 的程序照常解析，musl（Alpine）的解析不了；这个程序是 {build} 的",
            "the name server {server} answers A but says {aaaa} to AAAA (IPv6): programs built for glibc resolve all the same, those for musl (Alpine) do not; this one is built for {build}"
        )),
        (_, Answer::Good { any: true }) => Some(told!(
            "名字服务器 {server} 对 A（IPv4）回答 {a}，对 AAAA 正常：只剩 IPv6 可用",
            "the name server {server} says {a} to A (IPv4) but answers AAAA: only IPv6 is left"
        )),
        _ => Some(told!(
            "名字服务器 {server} 对 A 回答 {a}，对 AAAA 回答 {aaaa}",
            "the name server {server} says {a} to A and {aaaa} to AAAA"
        )),
    }
}

async fn ask(server: SocketAddr, host: &str, kind: u16) -> Answer {
    let id: u16 = rand::random();
    let asked = async {
        let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(server).await?;
        socket.send(&question(id, host, kind)).await?;
        let mut answer = [0; 512];
        loop {
            let length = socket.recv(&mut answer).await?;
            if let Some(read) = read(id, &answer[..length]) {
                return Ok::<_, std::io::Error>(read);
            }
        }
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(Ok(answer)) => answer,
        _ => Answer::Silent,
    }
}

/// A question (RFC 1035, 4.1), with recursion.
fn question(id: u16, host: &str, kind: u16) -> Vec<u8> {
    let mut bytes = Vec::from(id.to_be_bytes());
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in host.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        bytes.push(u8::try_from(label.len()).unwrap_or(63));
        bytes.extend(label);
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// `None`: not the answer to this question.
fn read(id: u16, bytes: &[u8]) -> Option<Answer> {
    let [first, second, flags, code, _, _, most, least, ..] = *bytes else { return None };
    if u16::from_be_bytes([first, second]) != id || flags & 0x80 == 0 {
        return None;
    }
    Some(match code & 0x0f {
        0 => Answer::Good { any: u16::from_be_bytes([most, least]) > 0 },
        code => Answer::Code(code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name server that answers A and AAAA with these codes; `None`: not at all.
    async fn server(a: Option<u8>, aaaa: Option<u8>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut asked = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut asked).await.unwrap();
                let kind = u16::from_be_bytes([asked[length - 4], asked[length - 3]]);
                let Some(code) = (if kind == A { a } else { aaaa }) else { continue };
                let mut answer = asked[..length].to_vec();
                answer[2] = 0x81;
                answer[3] = 0x80 | code;
                answer[7] = u8::from(code == 0);
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn trouble_with_ipv6_is_told_from_trouble_with_the_name() {
        for (a, aaaa, expected) in [
            (Some(0), Some(0), None),
            (Some(0), Some(5), Some("but says REFUSED to AAAA")),
            (Some(0), Some(2), Some("but says SERVFAIL to AAAA")),
            (Some(0), Some(3), Some("but says NXDOMAIN to AAAA")),
            (Some(5), Some(0), Some("says REFUSED to A (IPv4) but answers AAAA")),
            (Some(3), Some(3), Some("says NXDOMAIN to A and NXDOMAIN to AAAA")),
            (Some(2), Some(2), Some("says SERVFAIL to A and SERVFAIL to AAAA")),
        ] {
            let said = trouble("qyapi.weixin.qq.com", &[server(a, aaaa).await]).await;
            match expected {
                None => assert_eq!(said, None),
                Some(text) => assert!(said.as_ref().is_some_and(|said| said.en.contains(text)), "{text}: {said:?}"),
            }
        }
        assert_eq!(trouble("qyapi.weixin.qq.com", &[]).await, None);
    }

    #[test]
    fn questions_and_name_servers_are_written_as_usual() {
        let asked = question(7, "a.bc", AAAA);
        assert_eq!(asked, [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 2, b'b', b'c', 0, 0, 28, 0, 1]);
        let text = "# x\nsearch corp\nnameserver 10.0.0.53\n nameserver ::1\nnameserver x\n";
        assert_eq!(servers(text), ["10.0.0.53:53", "[::1]:53"].map(|text| text.parse().unwrap()));
        assert_eq!(read(7, &[0, 8, 0x81, 0x80, 0, 1, 0, 1]), None, "of another question");
        assert_eq!(read(7, &[0, 7]), None);
    }
}
