//! The directory: the owners of alerts, by label values.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Receiver;
use super::at::Named;
use super::file::{self, File};
use super::resolve::{Resolver, placed, value};
use crate::duty::Directory;

impl Resolver<'_> {
    /// The entries of the file, and the app that asks WeCom about others: the named one, or the only one.
    pub(super) fn directory(&mut self, file: &File) -> Directory {
        let written = value(file.directory.as_ref());
        let apps = value(file.wecom.as_ref()).and_then(|wecom| value(wecom.apps.as_ref()));
        let names: Vec<&str> = apps.into_iter().flat_map(Named::names).collect();
        let app = if let Some(app) = written.and_then(|directory| directory.app.as_ref()) {
            self.known(app, apps, "应用", "app", "wecom.apps")
        } else if let [only] = names[..] {
            Some(only.to_owned())
        } else {
            None
        };
        let path = written.and_then(|directory| placed(directory.file.as_ref()));
        let owners = path.and_then(|(place, path)| {
            self.sibling::<file::Owners, _>(place, "directory.file", path, |this, owners| {
                Some(this.owners(owners, file))
            })
        });
        Directory { owners: owners.unwrap_or_default(), app }
    }

    fn owners(&mut self, written: &file::Owners, file: &File) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
        let mut owners: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for (label, _, values) in written.owners.get().into_iter().flat_map(Named::iter) {
            let entries = owners.entry(label.to_owned()).or_default();
            for (name, crew) in &values.0 {
                let people = self.crew(crew, |this, place, person| this.check_person(place, person, file));
                entries.extend(name.get().map(|name| (name.clone(), people)));
            }
        }
        owners
    }
    /// A receiver that mentions owners needs a way to find them.
    pub(super) fn owners_can_be_found(
        &mut self,
        file: &File,
        directory: &Directory,
        receivers: &BTreeMap<String, Arc<Receiver>>,
    ) {
        let mut targets = receivers.values().flat_map(|receiver| &receiver.targets);
        let wanted = targets.any(|target| !target.mention_from.is_empty());
        if wanted && directory.owners.is_empty() && directory.app.is_none() {
            self.found.note(
                file.receivers.as_ref().map(|receivers| receivers.place).unwrap_or_default(),
                (
                    "有 `mention_from`，但没有 `directory`，也没有可以查询的应用：@ 不到人",
                    "there is `mention_from`, but neither a `directory` nor an app to ask: no one can be mentioned",
                ),
                (
                    "加上 directory: { file: directory.yaml }，几个应用时写 app",
                    "add directory: { file: directory.yaml }, with `app` if there are several",
                ),
            );
        }
    }
}
