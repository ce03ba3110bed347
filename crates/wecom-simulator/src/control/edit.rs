//! The consequences of an edited set-up.

use serde_json::json;

use crate::setup::{App, Corp, Setup};
use crate::state::World;
use crate::tokens::Badge;

impl World {
    /// Applies an edited set-up. A new trusted address takes effect only after a while
    /// (docs/reference/wecom.md#trusted-addresses).
    pub(super) fn edit(&mut self, setup: Setup) {
        let acts_at = self.clock.now() + self.switches.trusted_ip_delay_ms;
        let before = trusted(&self.setup);
        let after = trusted(&setup);
        self.trusted_from.retain(|key, _| after.contains(key));
        for key in after.into_iter().filter(|key| !before.contains(key)) {
            self.trusted_from.insert(key, acts_at);
        }
        // A new URL or key has not been verified.
        let servers = |setup: &Setup| -> Vec<_> {
            let apps = setup.corps.iter().flat_map(|corp| corp.apps.iter().map(move |app| (corp, app)));
            apps.map(|(corp, app)| (badge(corp, app), app.callback_server.clone())).collect()
        };
        let before = servers(&self.setup);
        for (badge, _) in servers(&setup).into_iter().filter(|server| !before.contains(server)) {
            self.callbacks.set_verified(&badge, false);
        }
        self.setup = setup;
        self.inbox.announce("corp", &json!({}));
    }
}

fn badge(corp: &Corp, app: &App) -> Badge {
    Badge { corp_id: corp.corp_id.clone(), agent_id: app.agent_id }
}

/// (corp, app, address) of every trusted address.
fn trusted(setup: &Setup) -> Vec<(String, i64, String)> {
    let apps = setup.corps.iter().flat_map(|corp| corp.apps.iter().map(move |app| (corp, app)));
    apps.flat_map(|(corp, app)| {
        let lists = app.trusted_ips.iter().flatten().flat_map(|entry| entry.split(';'));
        lists.map(|address| (corp.corp_id.clone(), app.agent_id, address.trim().to_owned()))
    })
    .collect()
}
