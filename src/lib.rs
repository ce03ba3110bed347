//! wegraf: receives alerts from Grafana and Prometheus, stores them, and delivers them to people and groups in WeCom.
//!
//! The path of an alert: `http` (which asks `proof`) → `intake` (which asks `ingest` and `route`) → `store` (which asks
//! `engine`); then the sender gets its 200; → `deliver` → `render` → the `wecom` crate → `store`. `ARCHITECTURE.md`
//! describes it.

mod alert;
mod answer;
mod app;
mod bots;
mod budget;
mod card_name;
mod charts;
mod cli;
mod config;
mod console;
mod deliver;
mod duty;
mod engine;
mod fuse;
mod http;
mod incidents;
mod ingest;
mod intake;
mod level;
mod links;
mod live;
mod measure;
mod metrics;
mod names;
mod nesting;
mod pattern;
mod plain;
mod preview;
mod proof;
mod render;
mod room;
#[cfg(test)]
mod rooms;
mod route;
mod said;
mod search;
#[cfg(test)]
mod sequences;
mod shown;
mod sockets;
mod standing;
mod stats;
mod store;
mod subject;
mod telemetry;
mod time;
mod traces;
mod upstream;
mod watch;
mod words;

pub use cli::main;

/// What the integration tests and the fuzz targets name. For nothing else: it changes with every version.
#[doc(hidden)]
pub mod internals {
    pub mod alert {
        pub use crate::alert::{
            Alert, Asked, Format, Health, Labels, Links, Notification, Status, ThreadId, Timestamp, TransitionKind,
            Value,
        };
    }
    pub mod answer {
        pub use crate::answer::{Actor, Foreseen, Via, Wish};
    }
    pub mod app {
        pub use crate::app::{App, run};
    }
    pub mod bots {
        pub use crate::bots::options;
    }
    pub mod budget {
        pub use crate::budget::{Limit, Window, room};
    }
    pub mod cli {
        pub use crate::cli::{command, sample};
    }
    pub mod config {
        pub use crate::config::{
            Algorithm, Anonymous, Carrier, Channel, Config, Credential, Database, Encoding, Face, Finding, Language,
            Part, Proof, SignedTime, Signing, Source, Target, TemplateFile, TimeUnit, To, Upstream, UpstreamKind,
            schema,
        };
    }
    pub mod deliver {
        pub use crate::deliver::{addressed, called};
        pub mod verbatim {
            pub use crate::deliver::verbatim::{given, written};
        }
    }
    pub mod http {
        pub mod api {
            pub mod query {
                pub use crate::http::api::query::Params;
            }
            pub mod token {
                pub use crate::http::api::token::fresh;
            }
        }
    }
    pub mod incidents {
        pub use crate::incidents::{Kind, Subject};
    }
    pub mod ingest {
        pub use crate::ingest::{Door, Unreadable, Weight, explain_by_tree, listed, read, reread};
        pub mod generic {
            pub use crate::ingest::generic::{AlertFields, Mapping, Members, Payloads, ReadSettings};
        }
        pub mod wecom {
            pub use crate::ingest::wecom::{Said, notification};
        }
    }
    pub mod links {
        pub use crate::links::{Acting, LinkKey};
    }
    pub mod measure {
        pub use crate::measure::{Rule, expression, threshold, write};
    }
    pub mod names {
        pub use crate::names::{Discriminator, LaneKey, Scope, SourceId};
    }
    pub mod proof {
        pub use crate::proof::{Certificates, Presented, could_prove, prove};
    }
    pub mod render {
        pub use crate::render::{Letter, Note, Offer, Picture, Rendered, Sample, Templates, Told, samples};
    }
    pub mod route {
        pub use crate::route::{Branch, Matcher, Operator, Tree, parse_matchers};
    }
    pub mod search {
        pub use crate::search::{Question, Terms};
    }
    pub mod store {
        pub use crate::store::{
            About, ActEnd, ActFilter, ActKind, ActRow, ActState, ApiToken, Breaker, BreakerChange, Claim, Delivery,
            DeliveryFilter, DeliveryRow, Fate, Followed, Kept, Listeners, NewAct, NewSilence, NewToken, OUTAGE,
            OnFilter, State, Store, Way, hash,
        };
    }
    pub mod subject {
        pub use crate::subject::{Taught, columns};
    }
    pub mod time {
        pub use crate::time::Clock;
    }
    pub mod upstream {
        pub use crate::upstream::{
            Client, Made, Matcher, Problem, SilenceState, UpstreamError, Wanted, covers, marker, matchers_for,
        };
    }
    pub mod words {
        pub use crate::words::Language;
    }
}
