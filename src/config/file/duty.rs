//! Duty as it is written: rotas and owners in files of their own, escalation and rights in the main one.

use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::super::finding::Place;
use super::{At, Face, Named};

/// 值班表文件。A file with a rota.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Rota {
    /// 这张表的时区，默认同全局。Zone of its times; default: the global one.
    pub timezone: Option<At<String>>,
    /// 交接时刻：HH:MM，或 周一 HH:MM（按周轮换时）。When shifts change hands: HH:MM, or mon HH:MM where `every` is weeks.
    #[schemars(extend("default" = "09:00"))]
    pub handover: Option<At<String>>,
    /// 多久换一班：1d、1w、2w。How long a shift is: 1d, 1w, 2w.
    #[schemars(extend("default" = "1w", "pattern" = "^[0-9]+[dw]$"))]
    pub every: Option<At<String>>,
    /// 第一班从哪天开始，YYYY-MM-DD。The day on which the first shift begins, YYYY-MM-DD.
    pub start: At<String>,
    /// 轮流值班的人（userid），按顺序；几个人一班就写成列表。Userids in their order; a list is several together.
    pub people: At<Vec<At<Crew>>>,
    /// 二线，同样轮换。The second line, by turns in the same shifts.
    pub backup: Option<At<Vec<At<Crew>>>>,
    /// 替班。Who stands in, and when.
    pub substitutes: Option<At<Vec<At<Substitute>>>>,
    /// 节假日，按自己的名单。Holidays, with an order of their own.
    pub holidays: Option<At<Vec<At<Holiday>>>>,
}

/// 一次替班。One substitution.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Substitute {
    /// 从什么时候，YYYY-MM-DD HH:MM。From when.
    pub from: At<String>,
    /// 到什么时候（不含）。Until when, exclusively.
    pub to: At<String>,
    /// 谁来替。Who comes.
    pub person: At<String>,
    /// 替谁；不写则替整班。The person who is replaced; default: the whole shift.
    #[serde(rename = "for")]
    pub instead_of: Option<At<String>>,
}

/// 一段节假日，从当天的交接时刻到最后一天次日的交接时刻。A holiday, from the handover of its first day to that after its last.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Holiday {
    /// 只有一天时写这个，YYYY-MM-DD。A single day.
    pub date: Option<At<String>>,
    /// 第一天。The first day.
    pub from: Option<At<String>>,
    /// 最后一天。The last day.
    pub to: Option<At<String>>,
    /// 每天一班，轮流。By turns, a day each.
    pub people: At<Vec<At<Crew>>>,
    /// 名字，例如 国庆。What it is called.
    pub name: Option<At<String>>,
}

/// 告警归谁的名册文件。A file that says whose alerts are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Owners {
    /// 标签名 → 标签值 → userid 或 `on_call:值班表`，一个或列表。Label → value → userids or `on_call:NAME`, one or a list.
    pub owners: At<Named<Named<Crew>>>,
}

/// 告警归谁：名册文件，和用哪个应用查询企业微信。Whose alerts are: a file, and the app by which WeCom is asked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Directory {
    /// 名册文件。The file.
    pub file: Option<At<PathBuf>>,
    /// 名册里没有的人，用这个应用查：userid、邮箱、手机号；只有一个应用时可不写。
    /// The app by which WeCom is asked about others, by userid, mail address or mobile number; default: the only one.
    pub app: Option<At<String>>,
}

/// 没人认领就升级的一步：发给另一个接收者，或用应用发给人。A step of escalation: another receiver, or people by an app.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Step {
    /// 多久没有人认领，1m 到 24h，一步比一步长。How long no one has acknowledged, 1m to 24h, longer with each step.
    #[schemars(extend("pattern" = "^([0-9]+[smhd])+$"))]
    pub after: At<String>,
    /// 发给哪个接收者。Which receiver is told.
    pub receiver: Option<At<String>>,
    /// 用哪个应用发给下面的人；只有一个应用时可不写。The app that tells the people below; default: the only one.
    pub app: Option<At<String>>,
    /// 发给这张值班表当班的人：名字，或 名字/backup（二线）。The person on duty: a rota's name, or NAME/backup.
    pub on_call: Option<At<String>>,
    /// 发给这些人。These people.
    pub users: Option<At<Vec<At<String>>>>,
    /// 消息样式，默认 markdown。How messages to people look; default: markdown.
    pub face: Option<At<Face>>,
    /// 只升级严重的告警。Only critical alerts.
    pub only: Option<At<Only>>,
}

/// 哪些告警。Which alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Only {
    /// 严重的。Critical ones.
    Critical,
}

/// 谁可以按消息上的按钮；不写：收到消息的人，群里任何人。Who may press the buttons; default: those who got the message, and everyone in its groups.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct MayAct {
    /// 任何看得到消息的人。Everybody who sees the message.
    #[schemars(extend("default" = false))]
    pub anyone: Option<At<bool>>,
    /// 这些 userid。These userids.
    pub users: Option<At<Vec<At<String>>>>,
    /// 这些值班表当班的人：名字，或 名字/backup。The people on duty in these rotas: NAME or NAME/backup.
    pub on_call: Option<At<Vec<At<String>>>>,
}

/// 一个人，或几个人。One person, or several.
#[derive(Debug, Clone)]
pub(in crate::config) struct Crew(pub Vec<At<String>>);

impl<'de> Deserialize<'de> for Crew {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Crew;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a userid or a list [ … ] of them")
            }
            fn visit_str<E>(self, text: &str) -> Result<Crew, E> {
                // The place is that of the crew itself, which its own `At` holds.
                Ok(Crew(vec![At { place: Place::default(), value: Some(text.to_owned()) }]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Crew, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Crew)
            }
        }
        deserializer.deserialize_str(Any)
    }
}

impl JsonSchema for Crew {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Crew".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "一个人，或几个人的列表。One person, or a list of several.",
            "oneOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ],
        })
    }
}
