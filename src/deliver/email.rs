//! The SMTP dialogue with the mail server. `email/letter.rs` makes the bytes.
//!
//! The dialogue is implemented here rather than by lettre's transport, because the verdict depends on how far it got:
//! before the content nothing was accepted, after it only an answer is certain; and a rejected recipient must not keep
//! the mail from the others.

mod letter;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret as _;

use super::other::{Sent, Trouble, shown};
use crate::config::{Smtp, Tls};
use crate::words::{told, words};
use letter::address;
pub use letter::{Letter, email_body};

/// Timeout for name resolution and connection, for each address of the host.
const CONNECT: Duration = Duration::from_secs(5);
/// Timeout for QUIT: the verdict is known, so the connection is dropped if the server does not answer.
const FAREWELL: Duration = Duration::from_millis(500);

/// A client for one mail server.
pub struct Mailer {
    host: String,
    port: u16,
    mode: Tls,
    /// `None` only with [`Tls::None`].
    tls: Option<TlsParameters>,
    login: Option<(String, secrecy::SecretString)>,
    from: Address,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Mailer {
    /// Fails if the bundle of certificates cannot be read or there are no trust roots at all.
    pub fn new(smtp: &Smtp) -> anyhow::Result<Self> {
        let tls = if smtp.tls == Tls::None { None } else { Some(tls(smtp)?) };
        let from = address(&smtp.from).map_err(anyhow::Error::msg)?;
        Ok(Self { host: smtp.host.clone(), port: smtp.port, mode: smtp.tls, tls, login: smtp.login.clone(), from })
    }

    /// Sends `body`, made by [`email_body`], to `to`. Takes at most `deadline`, and half a second for QUIT.
    pub async fn send(&self, to: &[String], body: &[u8], deadline: Duration) -> Sent {
        let handed_over = AtomicBool::new(false);
        let dialogue = async {
            let mut connection = match self.connect().await {
                Ok(connection) => connection,
                Err(trouble) => return (Sent::Later(trouble), None),
            };
            let sent = self.hand_over(&mut connection, to, body, &handed_over).await;
            (sent, Some(connection))
        };
        match tokio::time::timeout(deadline, dialogue).await {
            Ok((sent, connection)) => {
                farewell(connection).await;
                sent
            }
            Err(_) if handed_over.load(Ordering::Relaxed) => Sent::Unsure(silence()),
            Err(_) => Sent::Later(silence()),
        }
    }

    /// Checks that mail can be sent: connects, encrypts and logs in, and sends nothing.
    pub async fn check(&self, deadline: Duration) -> Result<(), Trouble> {
        let connection = tokio::time::timeout(deadline, self.connect()).await.map_err(|_| silence())??;
        farewell(Some(connection)).await;
        Ok(())
    }

    /// A connection that is ready for mail. Nothing of a message is sent yet: every error here concerns the server, the
    /// network or the account.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let hello = ClientId::default();
        let implicit = self.tls.clone().filter(|_| self.mode == Tls::Tls);
        let server = (self.host.as_str(), self.port);
        let connection = AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT), &hello, implicit, None).await;
        let mut connection = connection.map_err(|error| {
            self.trouble(
                &error,
                "连不上邮件服务器，请检查 smtp 的 host、port、tls 和防火墙",
                "the mail server cannot be reached: check `host`, `port` and `tls` of `smtp`, and the firewall",
            )
        })?;
        if let Some(tls) = self.tls.clone().filter(|_| self.mode == Tls::Starttls) {
            connection.starttls(tls, &hello).await.map_err(|error| {
                self.trouble(
                    &error,
                    "与邮件服务器的加密建立不起来，请检查 smtp.tls 和证书（smtp.ca_file）",
                    "the connection to the mail server cannot be encrypted: check `smtp.tls` and its certificate (`smtp.ca_file`)",
                )
            })?;
        }
        if let Some((username, password)) = &self.login {
            let credentials = Credentials::new(username.clone(), password.expose_secret().to_owned());
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            login.map_err(|error| {
                self.trouble(
                    &error,
                    "邮件服务器拒绝登录，请检查 smtp.username 和 smtp.password",
                    "the mail server refused the login: check `smtp.username` and `smtp.password`",
                )
            })?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: &[String],
        body: &[u8],
        handed_over: &AtomicBool,
    ) -> Sent {
        if let Err(error) = connection.command(Mail::new(Some(self.from.clone()), Vec::new())).await {
            // Also for a 5xx: it concerns the sender, not the message.
            let (zh, en) = (
                "邮件服务器不接受发件人，请检查 smtp.from",
                "the mail server does not take the sender: check `smtp.from`",
            );
            return Sent::Later(self.trouble(&error, zh, en));
        }
        let missed = match self.recipients(connection, to).await {
            Ok(missed) => missed,
            Err(sent) => return sent,
        };
        if let Err(error) = connection.command(Data).await {
            return self.verdict(&error, false);
        }
        handed_over.store(true, Ordering::Relaxed);
        match connection.message(body).await {
            Ok(_) if missed.is_empty() => Sent::Accepted,
            Ok(_) => Sent::AcceptedInPart { missed },
            Err(error) => self.verdict(&error, true),
        }
    }

    /// Sends RCPT for each recipient. Returns the rejected ones; if all are rejected, an error, which asks for a retry
    /// if one of them may be accepted later.
    async fn recipients(&self, connection: &mut AsyncSmtpConnection, to: &[String]) -> Result<Vec<String>, Sent> {
        let mut missed = Vec::new();
        let mut refusal: Option<smtp::Error> = None;
        for name in to {
            let Ok(address) = address(name) else {
                missed.push(name.clone());
                continue;
            };
            let Err(error) = connection.command(Rcpt::new(address, Vec::new())).await else { continue };
            if error.status().is_none() {
                return Err(self.verdict(&error, false));
            }
            missed.push(name.clone());
            if refusal.as_ref().is_none_or(|known| error.is_transient() && !known.is_transient()) {
                refusal = Some(error);
            }
        }
        if missed.len() < to.len() {
            return Ok(missed);
        }
        Err(refusal.map_or_else(
            || Sent::Refused(Trouble::new("没有能用的收件地址", "there is no address to send to")),
            |error| self.verdict(&error, false),
        ))
    }

    /// The verdict on an error within a message. Without an answer to the content the mail may have been accepted.
    fn verdict(&self, error: &smtp::Error, handed_over: bool) -> Sent {
        let status = error.status().map(u16::from);
        match status {
            // "Authentication required" and similar replies concern the account (RFC 4954 §6).
            Some(530 | 534 | 535 | 538) => Sent::Later(self.trouble(
                error,
                "邮件服务器要求登录，请检查 smtp.username 和 smtp.password",
                "the mail server wants a login: check `smtp.username` and `smtp.password`",
            )),
            Some(_) if error.is_permanent() => Sent::Refused(self.trouble(
                error,
                "邮件服务器拒收，请检查收件地址",
                "the mail server refused the mail: check the addresses",
            )),
            Some(_) => Sent::Later(self.trouble(
                error,
                "邮件服务器暂时不收，会再试",
                "the mail server does not take the mail now; it is tried again",
            )),
            None => {
                let broken = self.trouble(error, "与邮件服务器的连接断了", "the connection to the mail server broke");
                if handed_over { Sent::Unsure(broken) } else { Sent::Later(broken) }
            }
        }
    }

    /// Our text, followed by that of the server or the network.
    fn trouble(&self, error: &smtp::Error, zh: &str, en: &str) -> Trouble {
        let mut cause: &(dyn std::error::Error + 'static) = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        let secrets = self.login.as_ref().map_or(Vec::new(), |(username, password)| {
            let password = password.expose_secret();
            // The forms in AUTH LOGIN and AUTH PLAIN.
            vec![password.to_owned(), STANDARD.encode(password), STANDARD.encode(format!("\0{username}\0{password}"))]
        });
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let status = error.status().map(u16::from);
        Trouble {
            status,
            ..Trouble::new(zh.to_owned(), en.to_owned()).quoting(&shown(cause.to_string().as_bytes(), &secrets))
        }
    }
}

fn silence() -> Trouble {
    Trouble::new("邮件服务器没有在时限内回答", "the mail server did not answer in time")
}

async fn farewell(connection: Option<AsyncSmtpConnection>) {
    if let Some(mut connection) = connection {
        // The answer is ignored: the verdict is known.
        let _ = tokio::time::timeout(FAREWELL, connection.quit()).await;
    }
}

fn tls(smtp: &Smtp) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(path) = &smtp.ca_file {
        let pem = std::fs::read(path)
            .with_context(|| told!("smtp.ca_file 无法读取：{}", "smtp.ca_file cannot be read: {}", path.display()))?;
        let bundle = Certificate::from_pem(&pem).with_context(|| {
            told!("smtp.ca_file 不是 PEM 证书：{}", "smtp.ca_file is not a PEM bundle: {}", path.display())
        })?;
        builder = builder.add_root_certificate(bundle);
    }
    builder.build_rustls().context(words(
        "TLS 无法初始化，请安装 ca-certificates 或设置 smtp.ca_file",
        "TLS has no roots: install ca-certificates or set `smtp.ca_file`",
    ))
}

#[cfg(test)]
mod tests;
