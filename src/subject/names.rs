//! The lists of the rule, one for each step. Names are in lower case, with `_` between words; the order is the order of
//! precedence.

use std::ops::RangeInclusive;

use super::part::Kind;

/// Names of labels, in the order of precedence.
#[derive(Clone, Copy)]
pub(super) struct List {
    /// Their hashes.
    pub(super) ids: &'static [u64],
    /// The [`bit`]s of all.
    pub(super) bits: u64,
}

/// A hash of a name: FNV-1a of 64 bits. Two names of one hash would be one label, which no two of a few hundred are.
pub(super) const fn id(name: &str) -> u64 {
    let (bytes, mut hash, mut at) = (name.as_bytes(), 0xcbf2_9ce4_8422_2325_u64, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// One of 64 bits for a hash: a list without a bit of any label has none of them.
pub(super) const fn bit(id: u64) -> u64 {
    1 << (id >> 58)
}

macro_rules! list {
    ($($name:expr),* $(,)?) => {{
        const LIST: List = List { ids: &[$(id($name)),*], bits: 0 $(| bit(id($name)))* };
        LIST
    }};
}
pub(super) use list;

/// Values that say nothing.
pub(super) const EMPTY: &[&str] =
    &["", "null", "none", "nil", "<no value>", "[no value]", "n/a", "-", "--", "<none>", "无"];

/// Of these, `exported_…` means that the scrape kept the exporter's own labels under the short names.
pub(super) const REEXPORTED: List = list!["namespace", "pod", "container", "node", "service"];

/// The exporter's own labels then.
pub(super) const SUPERSEDED: List = list!["namespace", "pod", "container", "service", "endpoint", "job", "instance"];

/// A label whose value begins like this has this usual name.
pub(super) const RENAMED: &[(&str, &[&str], &str)] =
    &[("instance", &["http://", "https://", "tcp://", "icmp://", "dns://", "grpc://", "grpcs://", "tls://"], "probed")];

/// The usual name of a label, and what else it is called.
pub(super) const ALIASES: &[(&str, List)] = &[
    (
        "namespace",
        list![
            "kubernetes_namespace",
            "kube_namespace",
            "k8s_namespace",
            "k8s_namespace_name",
            "k8s_ns_name",
            "namespace_name",
            "pod_namespace",
            "kubernetes_namespace_name",
            "命名空间",
        ],
    ),
    ("pod", list!["pod_name", "podname", "kubernetes_pod_name", "kubernetes_pod", "k8s_pod", "k8s_pod_name", "容器组"]),
    (
        "container",
        list![
            "container_name",
            "containername",
            "kubernetes_container_name",
            "k8s_container",
            "k8s_container_name",
            "容器",
        ],
    ),
    (
        "node",
        list![
            "node_name",
            "k8s_node",
            "k8s_node_name",
            "kubernetes_node",
            "kubernetes_node_name",
            "节点",
            "节点名",
            "节点名称",
        ],
    ),
    ("deployment", list!["deployment_name", "k8s_deployment_name", "kube_deployment"]),
    ("statefulset", list!["statefulset_name", "k8s_statefulset_name", "kube_stateful_set", "kube_statefulset"]),
    ("daemonset", list!["daemonset_name", "k8s_daemonset_name", "kube_daemon_set", "kube_daemonset"]),
    ("cronjob", list!["cronjob_name", "k8s_cronjob_name", "kube_cronjob"]),
    ("job_name", list!["k8s_job_name", "kube_job"]),
    ("persistentvolumeclaim", list!["pvc", "claim_name", "persistent_volume_claim"]),
    ("persistentvolume", list!["pv", "persistent_volume"]),
    ("horizontalpodautoscaler", list!["hpa"]),
    ("poddisruptionbudget", list!["pdb"]),
    (
        "cluster",
        list![
            "cluster_name",
            "clustername",
            "k8s_cluster",
            "k8s_cluster_name",
            "kubernetes_cluster",
            "kube_cluster_name",
            "cluster_id",
            "clusterid",
            "集群",
            "集群名称",
        ],
    ),
    (
        "host",
        list![
            "主机",
            "主机名",
            "主机名称",
            "告警主机",
            "故障主机",
            "服务器",
            "服务器名",
            "机器",
            "机器名",
            "设备名称",
            "设备名",
            "服务器名称",
            "目标",
            "监控对象",
            "监控目标",
            "告警对象",
            "恢复主机",
            "device_name",
            "devicename",
            "target_name",
            "targetname",
            "object_name",
            "objectname",
            "entity_name",
            "entityname",
            "originator_name",
            "originatorname",
            "node_label",
            "nodelabel",
            "display_name",
            "displayname",
            "computer_name",
            "computername",
            "machine",
            "machine_name",
            "machinename",
            "server_name",
            "servername",
            "alarm_host",
            "alarmhost",
            "alert_host",
            "alerthost",
            "fault_host",
            "faulthost",
            "alarm_object",
            "alarmobject",
            "alarm_target",
            "alarmtarget",
            "alert_target",
            "alerttarget",
            "ne_name",
            "nename",
            "asset_name",
            "assetname",
            "vm_name",
            "vmname",
            "agent_name",
            "agentname",
            "source_host",
            "sourcehost",
            "sys_name",
            "sysname",
            "terminal_name",
            "terminalname",
            "camera_name",
            "cameraname",
            "native_me_name",
            "nativemename",
            "me_name",
            "mename",
            "array_name",
            "arrayname",
            "对象",
            "对象名称",
            "网元",
            "网元名称",
            "设备",
            "终端",
            "终端名称",
            "站点",
            "站点名称",
            "告警源",
            "ホスト",
            "ホスト名",
            "サーバ",
            "サーバー",
            "device_id",
            "deviceid",
        ],
    ),
    (
        "ip",
        list![
            "ip地址",
            "主机ip",
            "主机地址",
            "目标ip",
            "故障主机ip",
            "机器ip",
            "告警ip",
            "host_ip",
            "hostip",
            "ip_address",
            "ipaddress",
            "ip_addr",
            "private_ip",
            "内网ip",
            "server_ip",
            "serverip",
            "machine_ip",
            "machineip",
            "node_ip",
            "nodeip",
            "device_ip",
            "deviceip",
            "alarm_ip",
            "alarmip",
            "实例ip",
            "服务器ip",
            "设备ip",
            "节点ip",
            "受害ip",
        ],
    ),
    ("instance", list!["实例", "实例名", "实例名称"]),
    ("instance_id", list!["实例id"]),
    ("service", list!["服务", "服务名", "服务名称", "k8s_service_name"]),
    (
        "app",
        list![
            "应用",
            "应用名",
            "应用名称",
            "系统",
            "系统名称",
            "app_name",
            "appname",
            "applicationname",
            "kubernetes_app",
            "app_kubernetes_io_name",
            "k8s_app",
        ],
    ),
    (
        "region",
        list!["region_id", "regionid", "region_name", "cloud_region", "aws_region", "location", "地域", "区域", "城市"],
    ),
    ("zone", list!["availability_zone", "availabilityzone", "zone_id", "zoneid", "cloud_availability_zone", "可用区"]),
    ("idc", list!["机房", "机房名称", "idc_name", "datacenter_name"]),
    ("rack", list!["机柜", "机架", "cabinet"]),
    ("env", list!["环境", "env_name", "deployment_environment", "deployment_environment_name", "envname"]),
    ("project", list!["项目", "项目名称", "project_id", "project_name", "projectid"]),
    ("account", list!["account_id", "accountid", "aws_account_id", "账号", "subscription_id"]),
    ("business", list!["业务", "业务线", "业务组", "business_group", "biz", "bk_biz_name", "业务名称"]),
    ("tenant", list!["租户", "tenant_id", "tenant_name"]),
    ("mountpoint", list!["挂载点", "mount_point", "分区", "文件系统", "目录"]),
    ("disk", list!["磁盘", "硬盘", "盘符"]),
    ("interface", list!["网卡", "网口", "interface_name", "端口名称", "接口名称"]),
    ("database", list!["数据库", "库名", "database_name", "databasename"]),
    ("table", list!["表", "表名", "table_name"]),
    ("topic", list!["主题", "topic_name"]),
    ("queue", list!["队列", "队列名"]),
    ("consumergroup", list!["消费组", "消费者组", "group_id", "groupid"]),
    ("url", list!["网址", "url_full", "请求地址", "监控地址"]),
    ("domain", list!["域名", "domain_name", "server_name"]),
    ("api", list!["接口"]),
];

/// Step A: words in the name of a program that asks others.
pub(super) const ASKERS: &[&str] = &[
    "exporter",
    "kube-state-metrics",
    "cadvisor",
    "pushgateway",
    "blackbox",
    "snmp",
    "dcgm",
    "categraf",
    "telegraf",
    "metrics-server",
];

/// The asker whose own pod, container and service stand beside everything that it reports.
pub(super) const STATE_METRICS: &str = "kube-state-metrics";

/// Where an asker's name stands.
pub(super) const ASKED_BY: &[&str] = &["job", "container", "pod", "service"];

/// What is the asker's own if its pod or its container is named.
pub(super) const ASKERS_OWN: List = list!["container", "pod", "service", "namespace", "endpoint", "job"];

/// Prefixes of metrics of exporters that report about other objects: an expression with one of them identifies such an
/// exporter under any job name.
pub(super) const METRICS_OF_STATE: &[&str] = &["kube_"];

/// Workloads whose namespace is their own.
pub(super) const NAMESPACED: List = list![
    "deployment",
    "statefulset",
    "daemonset",
    "replicaset",
    "cronjob",
    "job_name",
    "horizontalpodautoscaler",
    "persistentvolumeclaim",
    "poddisruptionbudget",
    "ingress",
    "resourcequota",
    "configmap",
    "secret",
    "certificate",
    "rollout",
    "workload",
];

/// Things of a cluster, without a namespace.
pub(super) const CLUSTER_WIDE: List = list!["node", "persistentvolume"];

/// What is asked through a collector: beside one of these, the collector's own name says nothing.
pub(super) const BEHIND_COLLECTOR: List = list![
    "target",
    "url",
    "sysname",
    "address",
    "instanceid",
    "instance_id",
    "instancename",
    "instance_name",
    "dbinstance_identifier",
    "dbinstanceidentifier",
    "resource_id",
    "resourceid",
];

/// The names of a collector.
pub(super) const COLLECTORS: List = list!["ident", "target_ident", "agent_hostname", "agent_host", "probe"];

/// Step M: labels of the rule and of the transport.
pub(super) const META: List = list![
    "alertname",
    "rulename",
    "alertstate",
    "alertgroup",
    "prometheus",
    "prometheus_replica",
    "replica",
    "receive",
    "monitor",
    "datasource",
    "datasource_uid",
    "datasource_id",
    "ref_id",
    "rule_id",
    "ruleid",
    "rule_uid",
    "rule_name",
    "rule_group",
    "orgid",
    "org_id",
    "receiver",
    "metrics_path",
    "uid",
    "uuid",
    "fsid",
    "fstype",
    "image",
    "image_id",
    "imageid",
    "container_id",
    "containerid",
    "le",
    "unit",
    "long",
    "short",
    "master_host",
    "master_uuid",
    "channel_name",
    "event_id",
    "eventid",
    "trigger_id",
    "triggerid",
    "hostgroup",
    "template",
    "rule",
    "modelname",
    "engine",
    "version",
    "pod_template_hash",
    "controller_revision_hash",
    "ifindex",
    "fingerprint",
    "severity_level",
    "alert_id",
    "alertid",
    "policy_id",
    "trace_id",
    "traceid",
    "span_id",
    "request_id",
    "requestid",
    "规则id",
    "告警id",
    "事件id",
];

/// Labels that begin and end like this belong there, too.
pub(super) const META_ENDS: &[(&str, &str)] = &[("es_", "_node"), ("__", "__")];

/// Labels that say who is called.
pub(super) const OWNER: List = list![
    "team",
    "owner",
    "oncall",
    "on_call",
    "dba",
    "contact",
    "contacts",
    "assignee",
    "squad",
    "department",
    "负责人",
    "值班人",
    "值班",
    "团队",
    "部门",
    "联系人",
    "责任人",
];

/// The names of machines, the most telling first.
pub(super) const HOSTS: List = list![
    "nodename",
    "hostname",
    "host",
    "host_name",
    "sysname",
    "agent_host",
    "node",
    "vmname",
    "vm",
    "esxhostname",
    "agent_hostname",
    "ident",
];
/// Their addresses, if they have no name.
pub(super) const ADDRESSES: List = list!["instance", "address", "ip", "addr", "server"];
/// The parts of a machine: one is shown.
const COMPONENTS: List = list![
    "mountpoint",
    "mount",
    "path",
    "volume",
    "ifname",
    "ifdescr",
    "device",
    "disk",
    "interface",
    "nic",
    "sensor",
    "chip",
    "master",
    "groupname",
    "psu",
    "fan",
    "peer",
    "exported_job",
    "container",
    "name",
];
/// Beside one of the first, one of the second repeats it.
pub(super) const REPEATING: &[(List, List)] =
    &[(list!["mountpoint", "mount", "path", "ifname"], list!["device"]), (list!["gpu"], list!["device"])];

/// What becomes of the machine beside the object of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// It is not shown unless the author names it.
    Nothing,
    /// It is a place.
    Host,
    /// The pod is a place.
    Pod,
}

/// Names of labels, in several lists: the first label that is there counts.
pub(super) type Names = &'static [List];
/// One part of an object.
pub(super) type Slot = (Kind, Names);

/// What makes an object.
pub(super) struct Family {
    /// Its name, for `--why`.
    pub(super) name: &'static str,
    /// At least one of each.
    pub(super) needs: &'static [Names],
    /// None of these.
    pub(super) unless: Names,
    /// The parts, wide to narrow; each is the first label of its lists.
    pub(super) parts: &'static [Slot],
    pub(super) beside: Beside,
}

const POD: List = list!["pod"];
const PROBED: List = list!["target", "url", "domain", "probed"];
const TOPIC: List = list!["topic"];
const VHOST: List = list!["vhost"];
const STREAM: List = list!["stream"];
const SUBSCRIPTION: List = list!["subscription"];
const EXCHANGE: List = list!["exchange"];
const NAMESPACE: List = list!["namespace"];
const KEYSPACE: List = list!["keyspace"];
const COLLECTION: List = list!["collection"];
const TABLESPACE: List = list!["tablespace"];
const SLOT: List = list!["slot_name"];
const DATABASES: List = list!["datname", "database", "dbname", "db", "db_name"];
const SCHEMAS: List = list!["schema", "schemaname", "schema_name"];
const TABLES: List = list!["relname", "table"];
const INDEXES: List = list!["index", "indexes", "index_name"];
const CLOUD: List = list![
    "instancename",
    "instance_name",
    "dbinstance_identifier",
    "dbinstanceidentifier",
    "load_balancer",
    "loadbalancer",
    "loadbalancername",
    "load_balancer_name",
    "function_name",
    "functionname",
    "resource_name",
    "resourcename",
    "instanceid",
    "instance_id",
    // Tencent Cloud: of machines, of databases.
    "uninstanceid",
    "uinstanceid",
    "resource_id",
    "resourceid",
    "bucketname",
    "bucket_name",
];
const GROUPS: List = list!["consumergroup", "consumer_group"];
const QUEUES: List = list!["queue", "queue_name", "queuename"];
const SERVICES: List = list![
    "service",
    "svc",
    "app",
    "application",
    "service_name",
    "servicename",
    "microservice",
    "component",
    "module",
    "about",
];
/// The routes of a service.
pub(super) const ROUTES: List =
    list!["uri", "handler", "api", "route", "endpoint", "controller", "http_route", "url_path", "path_template"];

/// Step F: the first family that finds something makes the object.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "probe",
        needs: &[&[PROBED]],
        unless: &[POD],
        parts: &[(Kind::Address, &[PROBED])],
        beside: Beside::Nothing,
    },
    Family {
        name: "gpu",
        needs: &[&[list!["gpu"]]],
        unless: &[],
        parts: &[(Kind::Host, &[HOSTS, ADDRESSES]), (Kind::Gpu, &[list!["gpu"]])],
        beside: Beside::Pod,
    },
    Family {
        name: "queue",
        needs: &[&[GROUPS, TOPIC, VHOST, QUEUES, STREAM, SUBSCRIPTION, EXCHANGE]],
        unless: &[],
        parts: &[
            (Kind::Queue, &[GROUPS]),
            (Kind::Queue, &[TOPIC]),
            (Kind::Queue, &[list!["partition"]]),
            (Kind::Queue, &[VHOST]),
            (Kind::Queue, &[QUEUES]),
            (Kind::Queue, &[STREAM]),
            (Kind::Queue, &[SUBSCRIPTION]),
            (Kind::Queue, &[EXCHANGE]),
        ],
        beside: Beside::Nothing,
    },
    Family {
        name: "database",
        needs: &[&[DATABASES, SCHEMAS, KEYSPACE, TABLES, COLLECTION, INDEXES, TABLESPACE, SLOT]],
        unless: &[POD],
        parts: &[
            (Kind::Host, &[list!["server"], HOSTS, ADDRESSES]),
            (Kind::Database, &[DATABASES]),
            (Kind::Database, &[SCHEMAS]),
            (Kind::Database, &[KEYSPACE]),
            (Kind::Database, &[TABLES]),
            (Kind::Database, &[COLLECTION]),
            (Kind::Database, &[INDEXES]),
            (Kind::Database, &[TABLESPACE]),
            (Kind::Database, &[SLOT]),
        ],
        beside: Beside::Nothing,
    },
    Family {
        name: "ceph",
        needs: &[&[list!["ceph_daemon"]]],
        unless: &[],
        parts: &[(Kind::Component, &[list!["ceph_daemon"]]), (Kind::Host, &[list!["hostname"]])],
        beside: Beside::Nothing,
    },
    Family {
        name: "pod",
        needs: &[&[POD]],
        unless: &[],
        parts: &[(Kind::Namespace, &[NAMESPACE]), (Kind::Pod, &[POD]), (Kind::Container, &[list!["container"]])],
        beside: Beside::Nothing,
    },
    Family {
        name: "workload",
        needs: &[&[NAMESPACED]],
        unless: &[],
        parts: &[(Kind::Namespace, &[NAMESPACE]), (Kind::Workload, &[NAMESPACED])],
        beside: Beside::Nothing,
    },
    Family {
        name: "volume",
        needs: &[&[list!["persistentvolume"]]],
        unless: &[],
        parts: &[(Kind::Workload, &[list!["persistentvolume"]])],
        beside: Beside::Nothing,
    },
    Family {
        name: "kubernetes service",
        needs: &[&[NAMESPACE], &[list!["service"]]],
        unless: &[HOSTS, ADDRESSES, CLOUD],
        parts: &[(Kind::Namespace, &[NAMESPACE]), (Kind::Service, &[list!["service"]])],
        beside: Beside::Nothing,
    },
    Family {
        name: "cloud",
        needs: &[&[CLOUD]],
        unless: &[],
        parts: &[(Kind::Cloud, &[CLOUD])],
        beside: Beside::Nothing,
    },
    Family {
        name: "balancer",
        needs: &[&[list!["proxy"], list!["backend"], list!["upstream"], list!["envoy_cluster_name"]]],
        unless: &[],
        parts: &[
            (Kind::Backend, &[list!["proxy"]]),
            (Kind::Backend, &[list!["backend"]]),
            (Kind::Backend, &[list!["upstream"]]),
            (Kind::Backend, &[list!["envoy_cluster_name"]]),
            (Kind::Backend, &[list!["server"]]),
        ],
        beside: Beside::Host,
    },
    Family {
        name: "host",
        needs: &[&[HOSTS, ADDRESSES]],
        unless: &[],
        parts: &[(Kind::Host, &[HOSTS, ADDRESSES]), (Kind::Component, &[COMPONENTS])],
        beside: Beside::Nothing,
    },
    Family {
        name: "service",
        needs: &[&[SERVICES]],
        unless: &[],
        parts: &[(Kind::Service, &[SERVICES])],
        beside: Beside::Nothing,
    },
];

/// Step 13: what is an object only where no family and no sentence gives one.
pub(super) const LAST: &[(Kind, List)] = &[(Kind::Component, COMPONENTS)];

/// Step P: places, widest first; a namespace is one if no object has it.
pub(super) const PLACES: List = list![
    "region",
    "zone",
    "az",
    "idc",
    "dc",
    "datacenter",
    "site",
    "room",
    "rack",
    "env",
    "environment",
    "stage",
    "account",
    "project",
    "business",
    "busigroup",
    "group_name",
    "tenant",
    "org",
    "realm",
    "resource_group",
    "cluster",
    "namespace",
];
/// Tells where the rule is kept: a place only if there is no other.
pub(super) const FOLDER: &str = "grafana_folder";

/// Step Q: kinds of trouble that are always shown.
pub(super) const QUALIFIERS: List =
    list!["reason", "condition", "phase", "resource", "eviction_signal", "integration", "remote_name", "mechanism"];
/// Kinds of trouble that are shown if the author names them or the alerts differ by them.
pub(super) const LATENT: List = list![
    "state",
    "status",
    "code",
    "status_code",
    "error",
    "verb",
    "method",
    "type",
    "direction",
    "mode",
    "area",
    "quantile",
    "operation",
    "grpc_method",
    "gc",
    "color",
];
/// Values that are no kind of trouble.
pub(super) const BOOLEAN: &[&str] = &["true", "false", "0", "1"];

/// Ports of exporters: they say nothing of the host.
pub(super) const EXPORTER_PORTS: &[RangeInclusive<u16>] = &[
    2379..=2381,
    8080..=8081,
    9100..=9199,
    9216..=9222,
    9256..=9256,
    9274..=9290,
    9307..=9308,
    9341..=9342,
    9400..=9404,
    9417..=9419,
    9427..=9428,
    9540..=9540,
    9633..=9633,
    9835..=9835,
    10249..=10259,
];
