//! `wegraf schema`: the JSON Schema of the configuration, or the description of the API.

use std::io::Write as _;
use std::process::ExitCode;

/// Prints the schema, or with `api` the description of the API.
pub fn run(api: bool) -> anyhow::Result<ExitCode> {
    let text = if api { crate::http::openapi() } else { text() };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The schema as it is printed and kept in `docs/config.schema.json`.
fn text() -> String {
    format!("{:#}\n", crate::config::schema())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_docs_is_the_one_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.schema.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == text(), "docs/config.schema.json is old: wegraf schema > docs/config.schema.json");
    }
}
