//! Short links in place of the long addresses of a text.

use tracing::warn;

use super::Deliver;
use super::letter::Occasion;
use super::page::Page;
use super::setup::Setup;
use crate::config::Target;
use crate::links::is_ours;
use crate::render::public_picture;

/// The long addresses that `page` would print for `target`, each with a short one, whose row is on disk. A link that cannot
/// be kept now stays long.
pub(super) async fn links(
    deliver: &Deliver,
    setup: &Setup,
    page: &Page,
    target: &Target,
    occasion: &Occasion<'_>,
) -> Vec<(String, String)> {
    let mut short = Vec::new();
    let Some((external, urls)) = long(setup, page, target, occasion) else { return short };
    for url in urls {
        match deliver.links.shorten(occasion.thread, page.name(), &url).await {
            Ok(code) => short.push((url, address(external, &code))),
            Err(error) => {
                warn!(%error, thread = %occasion.thread, "A link could not be shortened; it is sent as it is.");
            }
        }
    }
    short
}

/// The same for a preview, which keeps nothing: the code leads nowhere.
pub fn short_links_as_shown(
    setup: &Setup,
    page: &Page,
    target: &Target,
    occasion: &Occasion<'_>,
) -> Vec<(String, String)> {
    let Some((external, urls)) = long(setup, page, target, occasion) else { return Vec::new() };
    urls.map(|url| (url, address(external, "XXXXX"))).collect()
}

/// Our address and the long ones; `None` where readers cannot open ours.
fn long<'a>(
    setup: &'a Setup,
    page: &Page,
    target: &Target,
    occasion: &Occasion<'_>,
) -> Option<(&'a str, impl Iterator<Item = String> + use<'a>)> {
    let external = setup.config.external_url.as_deref().filter(|url| public_picture(url).is_some())?;
    let urls = page.long_links(setup, target, occasion).into_iter();
    Some((external, urls.filter(move |url| !is_ours(url, external))))
}

fn address(external: &str, code: &str) -> String {
    format!("{external}/l/{code}")
}
