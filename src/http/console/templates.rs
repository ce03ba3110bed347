//! Templates: what there is, and one that is edited beside what it makes of an alert. For those who may change.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::save::{self, What};
use super::{Gate, Guest, missing, read, routes, see, visitor};
use crate::alert::{Notification, Timestamp};
use crate::config::{Config, Face, TemplateFile};
use crate::console::{self, Desk, Draft, TemplatePage, TemplatesPage};
use crate::deliver::{self, Writer};
use crate::preview::{Preview, drafted};
use crate::render::{Sample, TemplateProblem, Templates, samples, shipped};
use crate::store::StoreError;
use crate::words::{Language, Words};

/// The name in the address of a template that there is not yet.
const NEW: &str = "new";

/// What a new template begins with, and what a saved one says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// The shipped template or the user's to begin with: `zh/news`, `duty`.
    like: String,
    /// It was saved just now.
    saved: bool,
}

/// The user's templates, and the shipped ones to begin with.
pub(super) async fn list(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    if !guest.rights.change {
        return missing(&gate, &guest);
    }
    let config = gate.server.setup.now().config.clone();
    let desk = Desk { live: "", ..guest.desk(&gate, "templates") };
    guest.page(&TemplatesPage::new(guest.frame(&gate), desk, &config, &shipped()), &[])
}

/// One of them, with what it makes of a sample.
pub(super) async fn one(State(gate): State<Gate>, Path(name): Path<String>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    let Query(asked) = Query::<Asked>::try_from_uri(&parts.uri).unwrap_or_default();
    let config = gate.server.setup.now().config.clone();
    if !guest.rights.change {
        return missing(&gate, &guest);
    }
    let own = |name: &str| config.templates.iter().find(|template| template.name == name);
    let draft = if name == NEW {
        let text = own(&asked.like).map(|own| own.source.clone());
        let text = text
            .or_else(|| shipped().into_iter().find(|(name, _)| *name == asked.like).map(|(_, text)| text.to_owned()));
        let (language, face) = asked.like.split_once('/').unwrap_or_default();
        Draft {
            text: text.unwrap_or_default(),
            language: language.to_owned(),
            face: face.to_owned(),
            ..Draft::default()
        }
    } else {
        let Some(known) = own(&name) else { return missing(&gate, &guest) };
        let folder = known.path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        // The variant that it is for: `duty.zh.news`.
        let says = |word: &str| name.split('.').skip(1).any(|part| part == word);
        let face = Face::ALL.into_iter().map(Face::as_str).find(|face| says(face)).unwrap_or_default();
        let language = ["zh", "en"].into_iter().find(|language| says(language)).unwrap_or_default();
        Draft {
            seen: save::mark(Some(&known.source)),
            text: known.source.clone(),
            name,
            folder,
            face: face.to_owned(),
            language: language.to_owned(),
            is_saved: true,
            ..Draft::default()
        }
    };
    let said = asked.saved.then(|| {
        let in_force = own(&draft.name).is_some();
        (in_force, if in_force { console::SAVED } else { console::SAVED_UNUSED })
    });
    read!(gate, guest, show(&gate, &guest, draft, said, StatusCode::OK).await)
}

/// Tries a template, or saves it.
pub(super) async fn change(State(gate): State<Gate>, Path(name): Path<String>, request: Request) -> Response {
    let (parts, form) = request.into_parts();
    let guest = visitor!(gate, parts);
    let fields = match guest.form(&gate, &parts.headers, form).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    let config = gate.server.setup.now().config.clone();
    let known = config.templates.iter().any(|template| template.name == name);
    if !guest.rights.change || !known && name != NEW {
        return missing(&gate, &guest);
    }
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let mut draft = Draft {
        name: if known { name } else { field("name").trim().to_owned() },
        // Browsers send other ends of lines than files have.
        text: field("text").replace("\r\n", "\n"),
        folder: field("folder"),
        seen: field("seen"),
        face: field("face"),
        language: field("language"),
        sample: field("sample"),
        from: field("from"),
        is_saved: known,
    };
    if field("do") != "save" {
        return read!(gate, guest, show(&gate, &guest, draft, None, StatusCode::OK).await);
    }
    if !guest.is_fresh(&gate) {
        let said = Some((false, console::SIGN_IN_AGAIN));
        return read!(gate, guest, show(&gate, &guest, draft, said, StatusCode::FORBIDDEN).await);
    }
    let checked = check(&gate, &config, &draft.name, &draft.text).await;
    if checked.is_some() {
        return read!(
            gate,
            guest,
            show(&gate, &guest, draft, Some((false, console::NOT_SAVED)), StatusCode::UNPROCESSABLE_ENTITY).await
        );
    }
    let place = save::place(&config.console.write, &draft.folder, &draft.name, What::Template);
    let saved = match place.clone() {
        Ok(path) => {
            save::save(&gate, guest.saver(), What::Template, path, draft.text.clone(), draft.seen.clone()).await
        }
        Err(why) => Err(why),
    };
    match saved {
        Ok(()) => {
            let in_force = gate.server.setup.now().config.templates.iter().any(|template| template.name == draft.name);
            if in_force {
                return see(guest.reader.root(), &format!("templates/{}?saved=true", draft.name));
            }
            draft.seen = save::mark(Some(&draft.text));
            read!(gate, guest, show(&gate, &guest, draft, Some((false, console::SAVED_UNUSED)), StatusCode::OK).await)
        }
        Err(why) => {
            // Pressed again, it is saved over what is there now.
            if why == save::Unsaved::Changed {
                draft.seen = place.and_then(|path| save::mark_of(&path)).unwrap_or_default();
            }
            read!(gate, guest, show(&gate, &guest, draft, Some((false, why.words())), StatusCode::CONFLICT).await)
        }
    }
}

/// The templates of the configuration with this one among them, last, as a file of its name.
fn with(config: &Config, name: &str, text: &str) -> Vec<TemplateFile> {
    let name = if name.is_empty() { NEW } else { name };
    let path = config.templates.iter().find(|known| known.name == name).map(|known| known.path.clone());
    let path = path.unwrap_or_else(|| format!("{name}.j2").into());
    let others = config.templates.iter().filter(|known| known.name != name).cloned();
    others.chain([TemplateFile { path, name: name.to_owned(), source: text.to_owned() }]).collect()
}

/// The first thing that is wrong with it, wherever a sample leads.
pub(in crate::http) async fn check(
    gate: &Gate,
    config: &Arc<Config>,
    name: &str,
    text: &str,
) -> Option<TemplateProblem> {
    let (config, name, text) = (config.clone(), name.to_owned(), text.to_owned());
    let checked = gate.apart(move |_| {
        let files = with(&config, &name, &text);
        let new = files.last()?;
        let path = new.path.display().to_string();
        let (templates, problems) = Templates::compile(&files);
        let of_it = problems.into_iter().find(|problem| problem.template == path);
        let base = new.name.split('.').next().unwrap_or_default();
        of_it.or_else(|| templates.first_problem(base, &path))
    });
    let unfinished =
        || Some(TemplateProblem { template: NEW.to_owned(), line: None, column: None, reason: Words::quoted("panic") });
    checked.await.unwrap_or_else(unfinished)
}

async fn show(
    gate: &Gate,
    guest: &Guest,
    draft: Draft,
    said: Option<(bool, Words)>,
    status: StatusCode,
) -> Result<Response, StoreError> {
    let config = gate.server.setup.now().config.clone();
    let wrong = check(gate, &config, &draft.name, &draft.text).await;
    let (notification, now) = if draft.from.trim().is_empty() {
        let all = samples();
        let sample = all.iter().find(|sample| sample.name == draft.sample).or(all.first());
        sample.map(|sample: &Sample| (sample.notification.clone(), sample.now)).unzip()
    } else {
        let told = routes::told(gate, &draft.from).await?;
        told.map(|(_, notification)| (notification, gate.server.clock.now())).unzip()
    };
    let said = said.or_else(|| notification.is_none().then_some((false, console::NO_SUCH_ID)));
    let made = match (&wrong, notification, now) {
        (None, Some(notification), Some(now)) => made(gate, &config, &draft, notification, now).await,
        _ => None,
    };
    let folders: Vec<String> = config.console.write.iter().map(|folder| folder.display().to_string()).collect();
    let desk = Desk { live: "", ..guest.desk(gate, "templates") };
    let page = TemplatePage::new(guest.frame(gate), desk, &draft, said, wrong.as_ref(), made.as_ref(), &folders);
    let mut page = guest.page(&page, &[]);
    if status != StatusCode::OK {
        *page.status_mut() = status;
    } else if wrong.is_some() {
        *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(page)
}

/// What it makes of the notification.
async fn made(
    gate: &Gate,
    config: &Arc<Config>,
    draft: &Draft,
    notification: Notification,
    now: Timestamp,
) -> Option<Preview> {
    let (config, draft) = (config.clone(), draft.clone());
    let made = gate.apart(move |gate| {
        let (templates, _) = Templates::compile(&with(&config, &draft.name, &draft.text));
        let setup = deliver::Setup { templates, ..deliver::Setup::new(config, None, &gate.server.clock).ok()? };
        let writer = Writer::new().ok()?;
        let face = Face::ALL.into_iter().find(|face| face.as_str() == draft.face).unwrap_or(Face::Text);
        let language = if draft.language == "en" { Language::En } else { Language::Zh };
        let name = if draft.name.is_empty() { NEW } else { &draft.name };
        let base = name.split('.').next().unwrap_or_default();
        drafted(&setup, &writer, notification, base, (face, language), now)
    });
    made.await.flatten()
}
