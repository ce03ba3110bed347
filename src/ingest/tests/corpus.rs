//! Bodies recorded from real programs, where the dossier lies beside the repository.

use std::path::PathBuf;

use super::*;

fn corpus() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/payloads"));
    folder.is_dir().then_some(folder)
}

#[test]
fn smoke() {
    let Some(folder) = corpus() else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let n = read(&bytes, None, Door::Webhook, &Payloads::default(), NOW).unwrap();
        println!("{} {:?} {:#?}", file.file_name().unwrap().display(), n.format, n.alerts[0]);
    }
}
