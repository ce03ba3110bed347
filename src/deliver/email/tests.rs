//! Letters, and dialogues with a mail server over real sockets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::alert::{ThreadId, Timestamp};

/// 2026-09-12 06:14:00 UTC.
const AT: Timestamp = Timestamp(1_789_193_640_000);
const PATIENCE: Duration = Duration::from_secs(10);
/// Timeout for answers that never come.
const IMPATIENCE: Duration = Duration::from_millis(300);

fn letter<'a>(to: &'a [String], subject: &'a str, text: &'a str) -> Letter<'a> {
    let (thread, message, part, picture) = (ThreadId(41), 7, 0, None);
    Letter { from: "wegraf@example.com", to, subject, text, picture, thread, message, part, at: AT }
}

fn to(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Header lines, unfolded, and the decoded body.
fn read(mail: &[u8]) -> (Vec<String>, String) {
    let mail = str::from_utf8(mail).unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let head: Vec<String> = head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect();
    let coding = head.iter().find_map(|line| line.strip_prefix("Content-Transfer-Encoding: ")).unwrap();
    let text = match coding {
        "base64" => String::from_utf8(STANDARD.decode(body.replace(['\r', '\n'], "").as_bytes()).unwrap()).unwrap(),
        "7bit" => body.to_owned(),
        "quoted-printable" => {
            let mut bytes = Vec::new();
            let mut rest = body.replace("=\r\n", "");
            while let Some(at) = rest.find('=') {
                bytes.extend_from_slice(&rest.as_bytes()[..at]);
                bytes.push(u8::from_str_radix(&rest[at + 1..at + 3], 16).unwrap());
                rest = rest[at + 3..].to_owned();
            }
            bytes.extend_from_slice(rest.as_bytes());
            String::from_utf8(bytes).unwrap()
        }
        other => panic!("{other}"),
    };
    (head, text.replace("\r\n", "\n").trim_end_matches('\n').to_owned())
}

#[test]
fn a_letter_is_these_headers_and_this_text() {
    let (to, text) = (to(&["a@example.com", "b@example.org"]), "🔴 磁盘将满\n.\n..dots\ndb-1 96%");
    let mail = email_body(&letter(&to, "🔴 磁盘将满 #PSVJ", text)).unwrap();
    let (head, body) = read(&mail);
    assert_eq!(body, text);
    let expected = [
        "From: wegraf <wegraf@example.com>",
        "Subject: =?utf-8?b?8J+UtCDno4Hnm5jlsIbmu6E=?= #PSVJ",
        "Date: Sat, 12 Sep 2026 06:14:00 +0000",
        "References: <PSVJ.wegraf@example.com>",
        "Auto-Submitted: auto-generated",
        "To: a@example.com, b@example.org",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
    ];
    for line in expected {
        assert!(head.iter().any(|known| known == line), "{line}\n{head:#?}");
    }
    let id = head.iter().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap();
    assert!(id.starts_with("<PSVJ.7.0.") && id.ends_with("@example.com>"), "{id}");
    assert_eq!(head.len(), expected.len() + 2, "{head:#?}");
}

#[test]
fn equal_letters_are_equal_bytes_and_others_have_another_id() {
    let to = to(&["a@example.com"]);
    let first = letter(&to, "s", "t");
    let id = |letter: &Letter<'_>| {
        let (head, _) = read(&email_body(letter).unwrap());
        head.into_iter().find(|line| line.starts_with("Message-ID")).unwrap()
    };
    assert_eq!(email_body(&first).unwrap(), email_body(&first).unwrap());
    let others = [
        Letter { text: "u", ..first },
        Letter { subject: "st", text: "", ..first },
        Letter { part: 1, ..first },
        Letter { message: 8, ..first },
        Letter { at: AT.plus_millis(1), ..first },
    ];
    for other in others {
        assert_ne!(id(&first), id(&other), "{other:?}");
    }
}

/// The beginning of a picture.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and more";

#[test]
fn a_picture_stands_below_the_text_of_a_mail() {
    let to = to(&["a@example.com"]);
    let with = Letter { picture: Some(PNG), ..letter(&to, "🔴 磁盘将满", "db-1 96 %") };
    let mail = email_body(&with).unwrap();
    let other = email_body(&Letter { picture: Some(&PNG[..9]), ..with }).unwrap();
    let id = |mail: &[u8]| {
        mail.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"Message-ID")).map(<[u8]>::to_vec)
    };
    assert_ne!(id(&mail), id(&other));
    assert!(mail.is_ascii());
    assert_eq!(mail, email_body(&with).unwrap(), "no part of it is of chance");
    let mail = String::from_utf8(mail).unwrap();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let (_, boundary) = head.split_once("boundary=\"").unwrap();
    let boundary = format!("--{}", boundary.split_once('"').unwrap().0);
    assert!(head.contains("Content-Type: multipart/mixed;"), "{head}");
    let parts: Vec<&str> = body.split(&boundary).skip(1).map(str::trim).collect();
    let [text, picture, "--"] = parts[..] else { panic!("{parts:#?}") };
    assert_eq!(read(text.as_bytes()).1, "db-1 96 %");
    let (head, body) = picture.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: image/png") && head.contains("Content-Disposition: inline;"), "{head}");
    assert_eq!(STANDARD.decode(body.replace(['\r', '\n'], "")).unwrap(), PNG);
}

proptest! {
    #[test]
    fn nothing_an_alert_says_becomes_a_header(subject in "(\\PC|[\r\n\0\t]){0,300}", text in "(\\PC|[\r\n]){0,400}") {
        let to = to(&["a@example.com"]);
        let mail = email_body(&letter(&to, &subject, &text)).unwrap();
        prop_assert!(mail.is_ascii());
        let (head, _) = read(&mail);
        let names: Vec<&str> = head.iter().map(|line| line.split(':').next().unwrap_or_default()).collect();
        let expected = ["From", "Subject", "Date", "Message-ID", "References", "Auto-Submitted", "To", "MIME-Version",
            "Content-Type", "Content-Transfer-Encoding"];
        let mut sorted = (names.clone(), expected);
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        prop_assert_eq!(sorted.0, sorted.1);
        prop_assert!(mail.split(|&byte| byte == b'\n').all(|line| line.len() < 998));
    }
}

#[test]
fn an_address_that_is_none_makes_no_letter() {
    for wrong in ["a@x.com\r\nBcc: b@x.com", "nobody", "a@x.com>, <b@x.com"] {
        assert!(email_body(&letter(&to(&[wrong]), "s", "t")).is_err(), "{wrong}");
    }
}

/// The server's reaction to a line.
#[derive(Clone, Copy)]
enum Act {
    Say(&'static str),
    Hang,
    Cut,
}

/// Deviations from a correct server: the reaction at the first line with this prefix. `CONNECT` is before the greeting,
/// `CONTENT` when the content is complete.
type Script = &'static [(&'static str, Act)];

const GREETING: &str = "220 mail";
const EHLO: &str = "250-mail\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN";
const EHLO_STARTTLS: &str = "250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN";

struct Server {
    at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn smtp(&self, tls: Tls, login: bool) -> Smtp {
        Smtp {
            host: "localhost".to_owned(),
            port: self.at.port(),
            tls,
            ca_file: None,
            login: login.then(|| ("am".to_owned(), SecretString::from("s3cret"))),
            from: "wegraf@example.com".to_owned(),
        }
    }
}

/// A server for one connection, without encryption.
async fn server(script: Script) -> Server {
    served(script, Tls::None, None).await
}

async fn served(script: Script, tls: Tls, acceptor: Option<TlsAcceptor>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, heard) = (listener.local_addr().unwrap(), Arc::default());
    let notes = Arc::clone(&heard);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Some(acceptor) = acceptor else {
            talk(stream, script, EHLO, true, &notes).await;
            return;
        };
        if tls == Tls::Starttls {
            let stream = talk(stream, script, EHLO_STARTTLS, true, &notes).await;
            let Ok(stream) = acceptor.accept(stream.unwrap()).await else { return };
            talk(stream, script, EHLO, false, &notes).await;
        } else if let Ok(stream) = acceptor.accept(stream).await {
            talk(stream, script, EHLO, true, &notes).await;
        }
    });
    Server { at, heard }
}

/// Plays the server until the end, or until the client wants TLS: then the stream is returned.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    script: Script,
    ehlo: &'static str,
    greets: bool,
    notes: &Mutex<Vec<String>>,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    let mut line = if greets { "CONNECT".to_owned() } else { String::new() };
    let mut content = false;
    loop {
        if !line.is_empty() {
            let usual = match line.split([' ', ':']).next().unwrap_or_default() {
                "CONNECT" => GREETING,
                "EHLO" => ehlo,
                "STARTTLS" => "220 go",
                "AUTH" => "235 ok",
                "DATA" => "354 go",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            let own = script.iter().find(|(start, _)| line.starts_with(start)).map(|&(_, act)| act);
            let answer = match own.unwrap_or(Act::Say(usual)) {
                Act::Say(answer) => answer,
                Act::Cut => return None,
                Act::Hang => std::future::pending().await,
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            if answer == "220 go" {
                return Some(stream.into_inner());
            }
            content = answer.starts_with("354");
        }
        line.clear();
        if content {
            let mut text = String::new();
            while !text.ends_with("\r\n.\r\n") {
                if stream.read_line(&mut text).await.ok()? == 0 {
                    return None;
                }
            }
            notes.lock().unwrap().push(text);
            "CONTENT".clone_into(&mut line);
            continue;
        }
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        line.truncate(line.trim_end().len());
        notes.lock().unwrap().push(line.clone());
    }
}

/// The verdict on a mail to `a` and `b`.
async fn sent(server: &Server, login: bool, patience: Duration) -> Sent {
    let to = to(&["a@example.com", "b@example.com"]);
    let body = email_body(&letter(&to, "s", "t")).unwrap();
    Mailer::new(&server.smtp(Tls::None, login)).unwrap().send(&to, &body, patience).await
}

fn trouble(sent: &Sent) -> &Trouble {
    match sent {
        Sent::Later(trouble) | Sent::Refused(trouble) | Sent::Unsure(trouble) => trouble,
        Sent::Accepted | Sent::AcceptedInPart { .. } => panic!("{sent:?}"),
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let server = server(&[]).await;
    let (to, text) = (to(&["a@example.com", "b@example.com"]), ".\n..\n.end of it\n");
    let body = email_body(&letter(&to, "s", text)).unwrap();
    let mailer = Mailer::new(&server.smtp(Tls::None, true)).unwrap();
    assert_eq!(mailer.send(&to, &body, PATIENCE).await, Sent::Accepted);
    let heard = server.heard();
    let mut commands: Vec<&str> = heard.iter().map(String::as_str).collect();
    let content = commands.remove(6);
    assert_eq!(
        commands,
        [
            "EHLO [127.0.0.1]",
            "AUTH PLAIN AGFtAHMzY3JldA==",
            "MAIL FROM:<wegraf@example.com>",
            "RCPT TO:<a@example.com>",
            "RCPT TO:<b@example.com>",
            "DATA",
            "QUIT"
        ]
    );
    // As the server undoes it (RFC 5321 §4.5.2).
    let undone = content.strip_suffix("\r\n.\r\n").unwrap().replace("\r\n..", "\r\n.");
    assert_eq!(undone.trim_end(), str::from_utf8(&body).unwrap().trim_end());
}

#[tokio::test]
async fn each_refusal_says_whether_to_try_again() {
    use Act::Say;
    let cases: &[(Script, &str, Option<u16>)] = &[
        (&[("CONNECT", Say("554 go away"))], "later", Some(554)),
        (&[("CONNECT", Say("421 too busy"))], "later", Some(421)),
        (&[("AUTH", Say("535 5.7.8 wrong"))], "later", Some(535)),
        (&[("AUTH", Say("454 not now"))], "later", Some(454)),
        (&[("MAIL", Say("553 not yours"))], "later", Some(553)),
        (&[("RCPT", Say("550 nobody"))], "refused", Some(550)),
        (&[("RCPT", Say("450 greylisted"))], "later", Some(450)),
        (&[("RCPT", Say("530 log in first"))], "later", Some(530)),
        (&[("RCPT TO:<a@", Say("550 nobody")), ("RCPT TO:<b@", Say("450 later"))], "later", Some(450)),
        (&[("DATA", Say("554 no"))], "refused", Some(554)),
        (&[("DATA", Say("451 no"))], "later", Some(451)),
        (&[("CONTENT", Say("554 spam"))], "refused", Some(554)),
        (&[("CONTENT", Say("452 full"))], "later", Some(452)),
        (&[("CONTENT", Say("what?"))], "unsure", None),
        (&[("EHLO", Say("what?"))], "later", None),
    ];
    for (script, verdict, status) in cases {
        let server = server(script).await;
        let sent = sent(&server, true, PATIENCE).await;
        let seen = match sent {
            Sent::Later(_) => "later",
            Sent::Refused(_) => "refused",
            Sent::Unsure(_) => "unsure",
            Sent::Accepted | Sent::AcceptedInPart { .. } => "accepted",
        };
        let place = script[0].0;
        assert_eq!((seen, trouble(&sent).status), (*verdict, *status), "{place}: {sent:?}");
        assert!(!trouble(&sent).what.zh.is_empty() && !trouble(&sent).what.en.is_empty());
    }
}

#[tokio::test]
async fn a_silent_or_closed_connection_is_unsure_only_after_the_content() {
    for act in [Act::Hang, Act::Cut] {
        for place in ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT"] {
            let script: Script = Box::leak(Box::new([(place, act)]));
            let patience = if matches!(act, Act::Hang) { IMPATIENCE } else { PATIENCE };
            let sent = sent(&server(script).await, true, patience).await;
            assert_eq!(matches!(sent, Sent::Unsure(_)), place == "CONTENT", "{place}: {sent:?}");
            assert_eq!(matches!(sent, Sent::Later(_)), place != "CONTENT", "{place}: {sent:?}");
        }
    }
}

#[tokio::test]
async fn an_accepted_mail_stays_accepted_whatever_quit_returns() {
    for act in [Act::Hang, Act::Cut, Act::Say("421 oops")] {
        let script: Script = Box::leak(Box::new([("QUIT", act)]));
        assert_eq!(sent(&server(script).await, false, PATIENCE).await, Sent::Accepted);
    }
}

#[tokio::test]
async fn a_recipient_that_is_refused_does_not_keep_the_mail_from_the_others() {
    let server = server(&[("RCPT TO:<a@", Act::Say("550 nobody"))]).await;
    let missed = to(&["a@example.com"]);
    assert_eq!(sent(&server, false, PATIENCE).await, Sent::AcceptedInPart { missed });
    assert!(server.heard().iter().any(|line| line == "DATA"));
}

#[tokio::test]
async fn a_refused_connection_is_a_reason_to_wait() {
    let server = server(&[]).await;
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let smtp = Smtp { host: "127.0.0.1".to_owned(), port, ..server.smtp(Tls::None, false) };
    let mailer = Mailer::new(&smtp).unwrap();
    let sent = mailer.send(&to(&["a@example.com"]), b"x", PATIENCE).await;
    assert!(matches!(&sent, Sent::Later(trouble) if trouble.what.zh.contains("连不上")), "{sent:?}");
    assert!(mailer.check(PATIENCE).await.is_err());
}

#[tokio::test]
async fn the_password_is_in_no_error_and_no_debug() {
    let script: Script = &[("AUTH", Act::Say("535 no: am s3cret AGFtAHMzY3JldA=="))];
    for script in [script, &[("AUTH", Act::Say("535 no: AGFtAHMzY3JldA=="))]] {
        let server = server(script).await;
        let mailer = Mailer::new(&server.smtp(Tls::None, true)).unwrap();
        let shown = format!("{mailer:?} {:?}", mailer.check(PATIENCE).await.unwrap_err());
        assert!(shown.contains("535") && shown.contains("smtp.password"), "{shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("AGFt"), "{shown}");
    }
}

/// A certificate for `localhost`, and a folder with it as `ca.pem`.
fn certificate() -> (TlsAcceptor, tempfile::TempDir) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    (TlsAcceptor::from(Arc::new(config.unwrap())), folder)
}

#[tokio::test]
async fn mail_goes_encrypted_to_a_server_that_is_trusted_and_to_no_other() {
    for tls in [Tls::Starttls, Tls::Tls] {
        for trusted in [true, false] {
            let (acceptor, folder) = certificate();
            let server = served(&[], tls, Some(acceptor)).await;
            let ca_file = trusted.then(|| folder.path().join("ca.pem"));
            let mailer = Mailer::new(&Smtp { ca_file, ..server.smtp(tls, true) }).unwrap();
            let to = to(&["a@example.com"]);
            let sent = mailer.send(&to, &email_body(&letter(&to, "s", "t")).unwrap(), PATIENCE).await;
            let spoken = server.heard().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL"));
            assert_eq!((sent == Sent::Accepted, spoken), (trusted, trusted), "{tls:?} {sent:?}");
            if !trusted {
                assert!(matches!(sent, Sent::Later(_)), "{sent:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_without_encryption_gets_no_password() {
    let server = server(&[]).await;
    let mailer = Mailer::new(&server.smtp(Tls::Starttls, true)).unwrap();
    let error = mailer.check(PATIENCE).await.unwrap_err();
    assert!(error.what.en.contains("cannot be encrypted"), "{error:?}");
    assert!(!server.heard().iter().any(|line| line.starts_with("AUTH")), "{:?}", server.heard());
}

#[test]
fn a_bundle_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no.pem"), "-----BEGIN CERTIFICATE-----\n!\n").unwrap();
    for name in ["no.pem", "nowhere.pem"] {
        let smtp = Smtp {
            host: "localhost".to_owned(),
            port: 587,
            tls: Tls::Starttls,
            ca_file: Some(folder.path().join(name)),
            login: None,
            from: "wegraf@example.com".to_owned(),
        };
        assert!(Mailer::new(&smtp).unwrap_err().to_string().contains(name));
    }
}
