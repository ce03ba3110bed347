//! The console: who may do what there, and how people sign in.

use axum::http::HeaderName;

use super::at::At;
use super::file::{self, File};
use super::resolve::{Resolver, placed, value};
use super::{ConsoleRights, DomainProof, SignIn};

/// Bytes of a proof of a domain: WeCom's have 16.
const PROOF: u64 = 1024;

impl Resolver<'_> {
    /// Who may do what in the console.
    pub(super) fn console(&mut self, file: &File) -> ConsoleRights {
        let Some(console) = value(file.console.as_ref()) else { return ConsoleRights::default() };
        ConsoleRights {
            look: self.may_act("may_look", console.may_look.as_ref(), file),
            resend: self.may_act("may_resend", console.may_resend.as_ref(), file),
            change: self.may_act("may_change", console.may_change.as_ref(), file),
        }
    }

    /// The ways of signing in, besides a link.
    pub(super) fn sign_in(&mut self, file: &File) -> SignIn {
        let Some(console) = value(file.console.as_ref()) else { return SignIn::default() };
        SignIn {
            wecom: console.wecom.as_ref().and_then(|app| self.sign_in_app(app, file)),
            domain_proof: self.domain_proof(console),
            proxy: value(console.proxy.as_ref()).and_then(|proxy| self.sign_in_header(&proxy.header, file)),
        }
    }

    fn sign_in_app(&mut self, app: &At<String>, file: &File) -> Option<String> {
        if file.external_url.is_none() {
            self.found.mistake(
                app.place,
                ("用企业微信登录要有 external_url", "sign-in by WeCom needs `external_url`"),
                (
                    "加上 external_url，它的域名就是应用的可信域名",
                    "add `external_url`; its domain is the app's trusted domain",
                ),
            );
        }
        let known = value(file.wecom.as_ref()).and_then(|wecom| value(wecom.apps.as_ref()));
        self.known(app, known, "应用", "app", "wecom.apps")
    }

    fn domain_proof(&mut self, console: &file::Console) -> Option<DomainProof> {
        let (place, path) = placed(console.domain_proof.as_ref())?;
        let path = self.folder.join(path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_one = name
            .strip_prefix("WW_verify_")
            .and_then(|rest| rest.strip_suffix(".txt"))
            .is_some_and(|middle| middle.bytes().all(plain));
        let read = std::fs::metadata(&path)
            .and_then(|found| if found.len() > PROOF { Ok(String::new()) } else { std::fs::read_to_string(&path) });
        match read {
            Err(error) => self.unreadable(place, "console.domain_proof", &path, &error),
            Ok(text) if is_one && !text.is_empty() => return Some(DomainProof { name, text }),
            Ok(_) => self.found.mistake(
                place,
                ("`console.domain_proof` 不是域名校验文件", "`console.domain_proof` is not the proof of a domain"),
                (
                    "从管理后台下载，名字像 WW_verify_8kBKaP.txt，不要改名",
                    "download it from the admin console; its name is like WW_verify_8kBKaP.txt and is kept",
                ),
            ),
        }
        None
    }

    fn sign_in_header(&mut self, header: &At<String>, file: &File) -> Option<String> {
        if file.trusted_proxies.is_none() {
            self.found.mistake(
                header.place,
                (
                    "没有写 trusted_proxies，谁都能写这个请求头",
                    "without `trusted_proxies` anybody could write this header",
                ),
                ("在 trusted_proxies 里写代理的地址", "name the proxy's address in `trusted_proxies`"),
            );
        }
        let text = header.get()?;
        if text.parse::<HeaderName>().is_ok() {
            return Some(text.to_ascii_lowercase());
        }
        self.found.mistake(
            header.place,
            (format!("`{text}` 不是请求头的名字"), format!("`{text}` is not the name of a header")),
            ("例如 X-Forwarded-User", "for example X-Forwarded-User"),
        );
        None
    }
}
