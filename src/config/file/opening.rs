//! An address to listen at, as it is written: a text, or the text with whom it serves.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::config::Area;
use crate::config::at::At;

/// 监听地址。An address to listen at.
#[derive(Debug, Clone)]
pub(in crate::config) struct Opening {
    /// `IP:PORT` or `unix:PATH`.
    pub address: String,
    /// Whom it serves; `None`: all.
    pub paths: Option<At<Vec<At<Area>>>>,
    /// Do proxies begin each connection with the PROXY protocol?
    pub proxy_protocol: bool,
}

/// 一个监听地址和它给谁用。An address and whom it serves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Limited {
    /// 地址，例如 `0.0.0.0:8080`、`unix:/run/wegraf/wegraf.sock`。Where.
    address: String,
    /// 只给谁用，默认全部。Whom it serves; default: all.
    #[schemars(extend("minItems" = 1))]
    paths: Option<At<Vec<At<Area>>>>,
    /// 前面的四层代理（`trusted_proxies` 里的）用 PROXY 协议说明来访者的地址。Proxies of `trusted_proxies` tell the sender's
    /// address by the PROXY protocol, version 1 or 2.
    #[serde(default)]
    proxy_protocol: bool,
}

impl<'de> Deserialize<'de> for Opening {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Opening;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("IP:PORT, unix:PATH or { address, paths, proxy_protocol }")
            }
            fn visit_str<E>(self, text: &str) -> Result<Opening, E> {
                Ok(Opening { address: text.to_owned(), paths: None, proxy_protocol: false })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Opening, A::Error> {
                let Limited { address, paths, proxy_protocol } = Limited::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Opening { address, paths, proxy_protocol })
            }
        }
        deserializer.deserialize_str(Any)
    }
}

impl JsonSchema for Opening {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Opening".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let limited = generator.subschema_for::<Limited>();
        json_schema!({
            "description": "监听地址：IP:端口，或 unix:路径。An address to listen at: IP:PORT, or unix:PATH.",
            "oneOf": [{ "type": "string", "minLength": 1 }, limited],
        })
    }
}
