//! A secret as it is written.

use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// 密钥：直接写、{ env: 环境变量 }、{ file: 文件 } 或 { credential: systemd 凭据 }。A secret: plain, from the environment, from a file, or a credential of systemd.
pub(in crate::config) enum Secret {
    Plain(SecretString),
    Env(String),
    File(PathBuf),
    Credential(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("[REDACTED]"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Elsewhere {
            Env(String),
            File(PathBuf),
            Credential(String),
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, { env: NAME }, { file: PATH } or { credential: NAME }")
            }
            fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::Plain(text.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                Ok(match Elsewhere::deserialize(MapAccessDeserializer::new(map))? {
                    Elsewhere::Env(name) => Secret::Env(name),
                    Elsewhere::File(path) => Secret::File(path),
                    Elsewhere::Credential(name) => Secret::Credential(name),
                })
            }
        }
        deserializer.deserialize_str(Any)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let elsewhere = |key: &str, description: &str| {
            json_schema!({
                "type": "object",
                "properties": { key: { "type": "string", "description": description } },
                "required": [key],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "密钥：直接写、{ env: 环境变量 }、{ file: 文件 } 或 { credential: systemd 凭据 }。A secret: plain, from the environment, from a file, or a credential of systemd.",
            "oneOf": [
                { "type": "string", "minLength": 1 },
                elsewhere("env", "环境变量名。Name of an environment variable."),
                elsewhere("credential", "systemd 单元里 LoadCredential= 的名字。Name of a LoadCredential= of the systemd unit."),
                elsewhere("file", "文件路径，末尾换行会去掉。Path of a file; a newline at its end is dropped."),
            ],
        })
    }
}
