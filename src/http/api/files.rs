//! Templates and mappings as files: read with their mark, and saved over the version with this mark, as in the console.

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::console::save::{Saver, Unsaved, What, mark, place, save, text_of};
use super::super::console::{mappings, templates};
use super::super::{BODY_DEADLINE, Gate};
use super::caller::Caller;
use super::described::{Problems, Unsavable};
use super::list::caller;
use super::problem::Wrong;
use super::token::Scope;
use super::words;
use crate::words::Words;

/// Bytes of a request that saves: a template, each byte written as an escape of JSON.
const BODY_BYTES: usize = 256 * 1024;

/// A template or a mapping.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FileText {
    /// Its name: that of the file without its ending.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// It may be saved.
    pub writable: bool,
    /// The configuration uses it.
    pub in_force: bool,
    /// Its text.
    pub text: String,
}

/// A text to be saved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewText {
    /// The text.
    text: String,
    /// For a new file: which folder of `console.write`; may be left out if there is one only.
    folder: Option<String>,
}

/// A template with its `ETag`.
#[utoipa::path(
    get, path = "/api/v1/templates/{name}", tag = "files", security(("token" = ["change"])),
    params(("name" = String, Path, description = "The name of the template, as `duty` or `duty.zh.news`", example = "duty")),
    responses((status = 200, description = "The template", body = FileText), Problems)
)]
pub(super) async fn template(State(gate): State<Gate>, Path(name): Path<String>, parts: Parts) -> Response {
    show(&gate, What::Template, &name, &parts).await
}

/// Saves a template over the version of `If-Match`, or as a new one with `If-None-Match: *`.
#[utoipa::path(
    put, path = "/api/v1/templates/{name}", tag = "files", security(("token" = ["change"])),
    request_body(content = NewText, example = json!({ "text": "{{ title }}\n{% for alert in alerts %}{{ alert.name }}\n{% endfor %}" })),
    params(
        ("name" = String, Path, description = "The name of the template", example = "duty"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced; `*`: whichever it is", example = "*"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: it is a new file")
    ),
    responses(
        (status = 200, description = "It is saved", body = FileText),
        (status = 201, description = "It is saved as a new file", body = FileText),
        Problems, Unsavable
    )
)]
pub(super) async fn put_template(State(gate): State<Gate>, Path(name): Path<String>, request: Request) -> Response {
    put(&gate, What::Template, &name, request).await
}

/// A file of mappings with its `ETag`.
#[utoipa::path(
    get, path = "/api/v1/mappings/{name}", tag = "files", security(("token" = ["change"])),
    params(("name" = String, Path, description = "The name of the file without `.yaml`", example = "backups")),
    responses((status = 200, description = "The file", body = FileText), Problems)
)]
pub(super) async fn mapping(State(gate): State<Gate>, Path(name): Path<String>, parts: Parts) -> Response {
    show(&gate, What::Mapping, &name, &parts).await
}

/// Saves a file of mappings over the version of `If-Match`, or as a new one with `If-None-Match: *`.
#[utoipa::path(
    put, path = "/api/v1/mappings/{name}", tag = "files", security(("token" = ["change"])),
    request_body(content = NewText, example = json!({ "text": "- name: backups\n  has: [outcome, plan]\n  alert:\n    name: \"{{ body.plan.job }}\"\n    status: firing\n" })),
    params(
        ("name" = String, Path, description = "The name of the file without `.yaml`", example = "backups"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is replaced; `*`: whichever it is", example = "*"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: it is a new file")
    ),
    responses(
        (status = 200, description = "It is saved", body = FileText),
        (status = 201, description = "It is saved as a new file", body = FileText),
        Problems, Unsavable
    )
)]
pub(super) async fn put_mapping(State(gate): State<Gate>, Path(name): Path<String>, request: Request) -> Response {
    put(&gate, What::Mapping, &name, request).await
}

async fn show(gate: &Gate, what: What, name: &str, parts: &Parts) -> Response {
    let caller = caller!(*gate, *parts, Scope::Change);
    let found = match caller.params(&[]).map_err(Wrong::from).and_then(|_| caller.sees_all()) {
        Ok(()) => there(gate, what, name).await,
        Err(wrong) => Err(wrong),
    };
    match found.and_then(|found| found.ok_or(Wrong::NotFound)) {
        Ok(file) => tagged(&caller, &file, StatusCode::OK),
        Err(wrong) => wrong.answer(&caller.path, caller.language),
    }
}

fn tagged(caller: &Caller, file: &FileText, status: StatusCode) -> Response {
    let body = serde_json::to_string(file).expect("our shapes are JSON");
    let mut answer = caller.tagged(&mark(Some(&file.text)), body, status);
    // Texts of the configuration stay in no cache.
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The file of this name: one that the configuration uses, or one in a folder of `console.write`.
async fn there(gate: &Gate, what: What, name: &str) -> Result<Option<FileText>, Wrong> {
    let config = gate.server.setup.now().config.clone();
    let used = config.templates.iter().find(|known| what == What::Template && known.name == name);
    let folders = &config.console.write;
    let kept = |folder: &PathBuf| place(folders, &folder.display().to_string(), name, what).ok();
    let all: Vec<PathBuf> =
        used.map(|used| used.path.clone()).into_iter().chain(folders.iter().filter_map(kept)).collect();
    for path in all {
        let at = path.clone();
        let text = tokio::task::spawn_blocking(move || text_of(&at)).await;
        let Ok(Ok(Some(text))) = text else { continue };
        let folder = path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        return Ok(Some(FileText {
            writable: place(folders, &folder, name, what).is_ok_and(|place| place == path),
            in_force: in_force(gate, what, name, &text).await,
            path: path.display().to_string(),
            name: name.to_owned(),
            text,
        }));
    }
    Ok(None)
}

/// Does the configuration use this text?
async fn in_force(gate: &Gate, what: What, name: &str, text: &str) -> bool {
    let config = gate.server.setup.now().config.clone();
    if what == What::Template {
        return config.templates.iter().any(|known| known.name == name && known.source == text);
    }
    let names = compiled(gate, text).await.ok().and_then(Result::ok).unwrap_or_default();
    let own = |name: &String| config.payloads.mappings().any(|(known, own)| own && known.name == *name);
    !names.is_empty() && names.iter().all(own)
}

/// The names of the mappings of a text, or why they cannot be used. It takes a processor for long: beside the threads that
/// answer.
async fn compiled(gate: &Gate, text: &str) -> Result<Result<Vec<String>, String>, Wrong> {
    let (config, text) = (gate.server.setup.now().config.clone(), text.to_owned());
    let compiled = gate.apart(move |_| mappings::compile(&config, &text).map(|(_, names)| names)).await;
    compiled.ok_or(Wrong::Failed(words::UNFINISHED))
}

async fn put(gate: &Gate, what: What, name: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = caller!(*gate, parts, Scope::Change);
    match saved(gate, &caller, what, name, &parts.headers, body).await {
        Ok((file, status)) => tagged(&caller, &file, status),
        Err(wrong) => wrong.answer(&caller.path, caller.language),
    }
}

/// The version that a request changes: its mark, or none for a new file.
fn version(headers: &HeaderMap, now: Option<&FileText>) -> Result<String, Wrong> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH), now) {
        (Some("*"), None, Some(now)) => Ok(mark(Some(&now.text))),
        (Some(tag), None, Some(_)) if tag != "*" => Ok(tag.trim_matches('"').to_owned()),
        (None, Some("*"), None) => Ok(String::new()),
        (Some(_), None, None) | (None, Some("*"), Some(_)) => Err(Wrong::Stale),
        _ => Err(Wrong::Unconditional),
    }
}

async fn saved(
    gate: &Gate,
    caller: &Caller,
    what: What,
    name: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(FileText, StatusCode), Wrong> {
    caller.params(&[])?;
    caller.sees_all()?;
    let read = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, BODY_BYTES).collect()).await;
    let Ok(Ok(body)) = read else { return Err(Wrong::Body(super::super::words::TOO_LARGE)) };
    let new: NewText =
        serde_json::from_slice(&body.to_bytes()).map_err(|error| Wrong::Body(Words::quoted(error.to_string())))?;
    let now = there(gate, what, name).await?;
    let seen = version(headers, now.as_ref())?;
    let path = at(gate, what, name, now.as_ref(), new.folder.as_deref())?;
    if let Some(now) = &now
        && mark(Some(&now.text)) != seen
    {
        return Err(Wrong::Stale);
    }
    usable(gate, what, name, &new.text).await?;
    let saver = Saver { name: caller.name(), address: caller.address.clone() };
    save(gate, saver, what, path, new.text, seen).await.map_err(|why| match why {
        Unsaved::Changed => Wrong::Stale,
        Unsaved::Folder | Unsaved::Name => Wrong::Conflict("read_only", words::READ_ONLY, why.words()),
        Unsaved::System(_) => Wrong::Failed(why.words()),
        Unsaved::Reload(_) => Wrong::Invalid(why.words()),
    })?;
    let status = if now.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let file = there(gate, what, name).await?.ok_or(Wrong::NotFound)?;
    Ok((file, status))
}

/// Where it is saved.
fn at(gate: &Gate, what: What, name: &str, now: Option<&FileText>, folder: Option<&str>) -> Result<PathBuf, Wrong> {
    let config = gate.server.setup.now().config.clone();
    let folders = &config.console.write;
    if let Some(now) = now {
        let read_only = || Wrong::Conflict("read_only", words::READ_ONLY, words::READ_ONLY_DETAIL);
        return if now.writable { Ok(PathBuf::from(&now.path)) } else { Err(read_only()) };
    }
    let folder = match (folder, &folders[..]) {
        (Some(folder), _) => folder.to_owned(),
        (None, [only]) => only.display().to_string(),
        (None, []) => return Err(Wrong::Conflict("read_only", words::READ_ONLY, words::READ_ONLY_DETAIL)),
        (None, _) => return Err(Wrong::Body(words::WHICH_FOLDER)),
    };
    place(folders, &folder, name, what).map_err(|why| match why {
        Unsaved::Folder => Wrong::Body(words::WHICH_FOLDER),
        _ => Wrong::Body(words::ODD_NAME),
    })
}

/// Refuses what would be wrong in use.
async fn usable(gate: &Gate, what: What, name: &str, text: &str) -> Result<(), Wrong> {
    let config = gate.server.setup.now().config.clone();
    match what {
        What::Template => match templates::check(gate, &config, name, text).await {
            None => Ok(()),
            Some(wrong) => Err(Wrong::Invalid(words::template_wrong(wrong.line, &wrong.reason))),
        },
        What::Mapping | What::Sample => {
            compiled(gate, text).await?.map(drop).map_err(|why| Wrong::Invalid(Words::quoted(why)))
        }
    }
}
