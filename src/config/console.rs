//! The console: who may do what there, and how people sign in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::http::HeaderName;
use secrecy::ExposeSecret as _;

use super::at::At;
use super::file::{self, File};
use super::resolve::{Resolver, placed, value};
use super::{ConsoleRights, DomainProof, Password, SignIn};

/// Characters of the name of a local administrator.
const LOCAL_NAME: usize = 40;
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
            write: self.folders(console),
        }
    }

    fn folders(&mut self, console: &file::Console) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for (place, folder) in value(console.write.as_ref()).into_iter().flatten().filter_map(|at| placed(Some(at))) {
            let folder = self.folder.join(folder);
            // A link could lead out of what is named here.
            if std::fs::symlink_metadata(&folder).is_ok_and(|found| found.is_dir()) {
                folders.push(folder);
                continue;
            }
            let shown = folder.display();
            self.found.mistake(
                place,
                (format!("{shown} 不是目录"), format!("{shown} is no folder")),
                (
                    format!("建好它并让服务能写：mkdir -p {shown}；不能是符号链接"),
                    format!("make it and let the service write there: mkdir -p {shown}; it is no symbolic link"),
                ),
            );
        }
        folders
    }

    /// The ways of signing in, besides a link.
    pub(super) fn sign_in(&mut self, file: &File) -> SignIn {
        let Some(console) = value(file.console.as_ref()) else { return SignIn::default() };
        SignIn {
            wecom: console.wecom.as_ref().and_then(|app| self.sign_in_app(app, file)),
            domain_proof: self.domain_proof(console),
            proxy: value(console.proxy.as_ref()).and_then(|proxy| self.sign_in_header(&proxy.header, file)),
            local: self.local_administrators(console),
        }
    }

    fn local_administrators(&mut self, console: &file::Console) -> BTreeMap<String, Password> {
        let mut all: BTreeMap<String, Password> = BTreeMap::new();
        for (name, secret) in value(console.local.as_ref()).into_iter().flat_map(|local| &local.0) {
            let Some(text) = name.get() else { continue };
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if text.is_empty() || text.len() > LOCAL_NAME || !text.chars().all(plain) {
                self.found.mistake(
                    name.place,
                    (format!("`{text}` 不能作管理员的名字"), format!("`{text}` is no name for an administrator")),
                    ("只用 A-Z a-z 0-9 . _ -，1–40 个", "A-Z a-z 0-9 . _ -, 1–40 characters"),
                );
                continue;
            }
            let Some(hash) = self.secret(secret, &format!("console.local.{text}")) else { continue };
            if self.is_stand_in(&hash) {
                continue;
            }
            match Password::parse(hash.expose_secret()) {
                // A name that is not there is checked like one that is: the time tells nothing if all checks cost the same.
                Ok(password) if all.values().next().is_none_or(|first| first.cost() == password.cost()) => {
                    all.insert(text.clone(), password);
                }
                Ok(_) => self.found.mistake(
                    secret.place,
                    ("这些密码的哈希参数不一样", "the hashes of these passwords have different parameters"),
                    ("都用 wegraf console password 重新做一遍", "make all of them anew by wegraf console password"),
                ),
                Err(why) => self.found.mistake(
                    secret.place,
                    (format!("`console.local.{text}`：{}", why.zh), format!("`console.local.{text}`: {}", why.en)),
                    ("用 wegraf console password 做一个", "make one by wegraf console password"),
                ),
            }
        }
        all
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
