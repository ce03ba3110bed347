//! Names of members and lines that hold a state.

/// Members that hold a state.
pub(in crate::ingest::reader) const STRONG: &[&str] = &[
    "conclusion",
    "result",
    "outcome",
    "status",
    "state",
    "alertstate",
    "alarmstatus",
    "alarmstate",
    "newstatevalue",
    "monitorcondition",
    "alerttransition",
    "transition",
    "eventstatus",
    "alertstatus",
    "currentstate",
    "newstate",
    "currentstatus",
    "newstatus",
    "eventvalue",
    "triggerstatus",
    "triggervalue",
    "problemstate",
    "incidentstate",
    "incidentstatus",
    "faultstatus",
    "dfstatus",
    "buildstatus",
    "healthstatus",
    "servicestate",
    "hoststate",
    "isrecovered",
    "recovered",
    "resolved",
    "isresolved",
    "isalarm",
    "firing",
    "eventrecoveryvalue",
    "currentmilestone",
    "lifecycle",
    "active",
    "isactive",
    "告警状态",
    "状态",
    "当前状态",
    "事件状态",
    "报警状态",
];
/// Members that hold a kind of event, which may say a state.
pub(in crate::ingest::reader) const WEAK: &[&str] = &[
    "action",
    "alertaction",
    "eventaction",
    "eventtype",
    "alerttype",
    "notificationtype",
    "type",
    "event",
    "phase",
    "trap",
    "trapname",
    "traptype",
    "kind",
    "reason",
    "messagetype",
    "alerttypefriendlyname",
    "alarmtype",
    "alarmaction",
    "actiongroup",
    "actiongroupname",
    "alertactiongroup",
    "告警类型",
    "事件类型",
    "通知类型",
    "类型",
    "operation",
    "operationtype",
    "triggertype",
    "eventname",
    "prefix",
    "alertprefix",
];
/// Members that are a state if they are true or false: of trouble, and of its end.
pub(super) const ON: &[&str] = &[
    "isalarm",
    "isalert",
    "firing",
    "alarm",
    "inalarm",
    "alerting",
    "alarming",
    "isfiring",
    "isalerting",
    "faulty",
    "triggered",
    "istriggered",
    "alarmflag",
    "alertflag",
    "faultflag",
];
pub(super) const OVER: &[&str] = &[
    "isrecovered",
    "isrecover",
    "isrecovery",
    "recover",
    "recovery",
    "recovered",
    "resolved",
    "isresolved",
    "cleared",
    "iscleared",
    "recstatus",
    "healthy",
    "ishealthy",
    "backtonormal",
    "isbacktonormal",
    "online",
    "isonline",
    "up",
    "isup",
    "alive",
    "isalive",
    "reachable",
    "available",
];
/// Those of trouble of which the numbers 1 and 0 say it as well; `firing: 1` may count.
const NUMBERED: [&str; 11] = [
    "alarm",
    "inalarm",
    "alerting",
    "alarming",
    "isalerting",
    "faulty",
    "cleared",
    "recstatus",
    "alarmflag",
    "alertflag",
    "faultflag",
];
/// Names of lines in a text that hold a state.
pub(in crate::ingest::reader) const LINES: &[&str] =
    &["状态", "告警状态", "当前状态", "事件状态", "报警状态", "status", "state", "newstatus", "newstate", "告警类型"];
/// Members that hold the time of an end.
pub(super) const ENDED: &[&str] = &[
    "resolvedat",
    "resolveddatetime",
    "recoverytime",
    "recovertime",
    "endedat",
    "closedat",
    "dateclosed",
    "clearedat",
    "canceldate",
    "canceltime",
    "canceledat",
    "cancelledat",
    "canceltimeutc",
    "恢复时间",
    "取消时间",
    "清除时间",
    "消警时间",
];

/// Are the numbers 1 and 0 under this name of a flag a state?
pub(super) fn is_numbered(plain: &str) -> bool {
    plain.starts_with("is") || NUMBERED.contains(&plain)
}

/// Does a name that is not listed hold a state of now (`volume_status`)?
pub(super) fn is_state(plain: &str) -> bool {
    const ENDS: [&str; 14] = [
        "statusstring",
        "statestring",
        "status",
        "state",
        "health",
        "statuscode",
        "statusdesc",
        "statedesc",
        "statusname",
        "statename",
        "statustext",
        "statetext",
        "状态",
        "健康",
    ];
    ENDS.iter().any(|end| plain.ends_with(end)) && !is_past(plain)
}

/// Does the name say that its value was so before?
pub(super) fn is_past(plain: &str) -> bool {
    const PAST: [&str; 8] = ["previous", "prev", "prior", "last", "old", "from", "before", "initial"];
    PAST.iter().any(|start| plain.starts_with(start)) || matches!(plain, "prestate" | "prestatus")
}

/// Do `begin` and `end` under this name say a state?
pub(super) fn spans(plain: &str) -> bool {
    plain == "lifecycle" || ON.contains(&plain) && plain.ends_with("flag")
}
