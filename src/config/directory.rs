//! The directory: whose an alert is, by the values of its labels.

use std::collections::BTreeMap;

use super::at::Named;
use super::file::{self, File};
use super::resolve::{Resolver, placed, value};
use crate::duty::Directory;

impl Resolver<'_> {
    /// The entries of the file, and the app by which WeCom is asked about others: the one named, or the only one.
    pub(super) fn directory(&mut self, file: &File) -> Directory {
        let written = value(file.directory.as_ref());
        let apps = value(file.wecom.as_ref()).and_then(|wecom| value(wecom.apps.as_ref()));
        let app = match written.and_then(|directory| directory.app.as_ref()) {
            Some(app) => self.known(app, apps, "应用", "app", "wecom.apps"),
            None => {
                let names: Vec<&str> = apps.into_iter().flat_map(Named::names).collect();
                if let [only] = names[..] { Some(only.to_owned()) } else { None }
            }
        };
        let path = written.and_then(|directory| placed(directory.file.as_ref()));
        let owners = path.and_then(|(place, path)| {
            self.beside::<file::Owners, _>(place, "directory.file", path, |this, owners| {
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
}
