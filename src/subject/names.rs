//! The lists of the rule, one for each step. Names are in lower case, with `_` between words; the order is the order of
//! precedence.

use std::ops::RangeInclusive;

use super::part::Kind;

/// Values that say nothing.
pub(super) const EMPTY: &[&str] =
    &["", "null", "none", "nil", "<no value>", "[no value]", "n/a", "-", "--", "<none>", "无"];

/// Of these, `exported_…` means that the scrape kept the exporter's own labels under the short names.
pub(super) const REEXPORTED: &[&str] = &["namespace", "pod", "container", "node", "service"];

/// The exporter's own labels then.
pub(super) const SUPERSEDED: &[&str] = &["namespace", "pod", "container", "service", "endpoint", "job", "instance"];

/// A label whose value begins like this has this usual name.
pub(super) const RENAMED: &[(&str, &[&str], &str)] =
    &[("instance", &["http://", "https://", "tcp://", "icmp://", "dns://", "grpc://", "grpcs://", "tls://"], "probed")];

/// The usual name of a label, and what else it is called.
pub(super) const ALIASES: &[(&str, &[&str])] = &[
    (
        "namespace",
        &[
            "kubernetes_namespace",
            "kube_namespace",
            "k8s_namespace",
            "k8s_namespace_name",
            "namespace_name",
            "pod_namespace",
            "kubernetes_namespace_name",
            "命名空间",
        ],
    ),
    ("pod", &["pod_name", "podname", "kubernetes_pod_name", "kubernetes_pod", "k8s_pod", "k8s_pod_name", "容器组"]),
    (
        "container",
        &[
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
        &[
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
    ("deployment", &["deployment_name", "k8s_deployment_name", "kube_deployment"]),
    ("statefulset", &["statefulset_name", "k8s_statefulset_name", "kube_stateful_set", "kube_statefulset"]),
    ("daemonset", &["daemonset_name", "k8s_daemonset_name", "kube_daemon_set", "kube_daemonset"]),
    ("cronjob", &["cronjob_name", "k8s_cronjob_name", "kube_cronjob"]),
    ("job_name", &["k8s_job_name", "kube_job"]),
    ("persistentvolumeclaim", &["pvc", "claim_name", "persistent_volume_claim"]),
    ("persistentvolume", &["pv", "persistent_volume"]),
    ("horizontalpodautoscaler", &["hpa"]),
    ("poddisruptionbudget", &["pdb"]),
    (
        "cluster",
        &[
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
        &["主机", "主机名", "主机名称", "服务器", "服务器名", "机器", "机器名", "设备名称", "设备名", "服务器名称"],
    ),
    (
        "ip",
        &[
            "ip地址",
            "主机ip",
            "机器ip",
            "告警ip",
            "host_ip",
            "hostip",
            "ip_address",
            "ipaddress",
            "ip_addr",
            "private_ip",
            "内网ip",
        ],
    ),
    ("instance", &["实例", "实例名", "实例名称"]),
    ("instance_id", &["实例id"]),
    ("service", &["服务", "服务名", "服务名称", "k8s_service_name"]),
    (
        "app",
        &[
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
        &["region_id", "regionid", "region_name", "cloud_region", "aws_region", "location", "地域", "区域", "城市"],
    ),
    ("zone", &["availability_zone", "availabilityzone", "zone_id", "zoneid", "cloud_availability_zone", "可用区"]),
    ("idc", &["机房", "机房名称", "idc_name", "datacenter_name"]),
    ("rack", &["机柜", "机架", "cabinet"]),
    ("env", &["环境", "env_name", "deployment_environment", "deployment_environment_name", "envname"]),
    ("project", &["项目", "项目名称", "project_id", "project_name", "projectid"]),
    ("account", &["account_id", "accountid", "aws_account_id", "账号", "subscription_id"]),
    ("business", &["业务", "业务线", "业务组", "biz", "bk_biz_name", "业务名称"]),
    ("tenant", &["租户", "tenant_id", "tenant_name"]),
    ("mountpoint", &["挂载点", "mount_point", "分区", "文件系统", "目录"]),
    ("disk", &["磁盘", "硬盘", "盘符"]),
    ("interface", &["网卡", "网口", "interface_name", "端口名称", "接口名称"]),
    ("database", &["数据库", "库名", "database_name", "databasename"]),
    ("table", &["表", "表名", "table_name"]),
    ("topic", &["主题", "topic_name"]),
    ("queue", &["队列", "队列名"]),
    ("consumergroup", &["消费组", "消费者组", "group_id", "groupid"]),
    ("url", &["网址", "url_full", "请求地址", "监控地址"]),
    ("domain", &["域名", "domain_name", "server_name"]),
    ("api", &["接口"]),
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
pub(super) const ASKERS_OWN: &[&str] = &["container", "pod", "service", "namespace", "endpoint", "job"];

/// How the metrics of an asker begin: an expression with one of them betrays it whatever its job is called.
pub(super) const METRICS_OF_STATE: &[&str] = &["kube_"];

/// Workloads whose namespace is their own.
pub(super) const NAMESPACED: &[&str] = &[
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
pub(super) const CLUSTER_WIDE: &[&str] = &["node", "persistentvolume"];

/// What is asked through a collector: beside one of these, the collector's own name says nothing.
pub(super) const BEHIND_COLLECTOR: &[&str] = &[
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
pub(super) const COLLECTORS: &[&str] = &["ident", "target_ident", "agent_hostname", "agent_host", "probe"];

/// Step M: labels of the rule and of the transport.
pub(super) const META: &[&str] = &[
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
pub(super) const OWNER: &[&str] = &[
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
pub(super) const HOSTS: &[&str] = &[
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
pub(super) const ADDRESSES: &[&str] = &["instance", "address", "ip", "addr", "server"];
/// The parts of a machine: one is shown.
const COMPONENTS: &[&str] = &[
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
pub(super) const REPEATING: &[(&[&str], &[&str])] =
    &[(&["mountpoint", "mount", "path", "ifname"], &["device"]), (&["gpu"], &["device"])];

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
pub(super) type Names = &'static [&'static [&'static str]];
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

const POD: &[&str] = &["pod"];
const PROBED: &[&str] = &["target", "url", "domain", "probed"];
const TOPIC: &[&str] = &["topic"];
const VHOST: &[&str] = &["vhost"];
const STREAM: &[&str] = &["stream"];
const SUBSCRIPTION: &[&str] = &["subscription"];
const EXCHANGE: &[&str] = &["exchange"];
const NAMESPACE: &[&str] = &["namespace"];
const KEYSPACE: &[&str] = &["keyspace"];
const COLLECTION: &[&str] = &["collection"];
const TABLESPACE: &[&str] = &["tablespace"];
const SLOT: &[&str] = &["slot_name"];
const DATABASES: &[&str] = &["datname", "database", "dbname", "db", "db_name"];
const SCHEMAS: &[&str] = &["schema", "schemaname", "schema_name"];
const TABLES: &[&str] = &["relname", "table"];
const INDEXES: &[&str] = &["index", "indexes", "index_name"];
const CLOUD: &[&str] = &[
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
    "resource_id",
    "resourceid",
    "bucketname",
    "bucket_name",
];
const GROUPS: &[&str] = &["consumergroup", "consumer_group"];
const QUEUES: &[&str] = &["queue", "queue_name", "queuename"];
const SERVICES: &[&str] =
    &["service", "svc", "app", "application", "service_name", "servicename", "microservice", "component", "module"];
/// The routes of a service.
pub(super) const ROUTES: &[&str] =
    &["uri", "handler", "api", "route", "endpoint", "controller", "http_route", "url_path", "path_template"];

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
        needs: &[&[&["gpu"]]],
        unless: &[],
        parts: &[(Kind::Host, &[HOSTS, ADDRESSES]), (Kind::Gpu, &[&["gpu"]])],
        beside: Beside::Pod,
    },
    Family {
        name: "queue",
        needs: &[&[GROUPS, TOPIC, VHOST, QUEUES, STREAM, SUBSCRIPTION, EXCHANGE]],
        unless: &[],
        parts: &[
            (Kind::Queue, &[GROUPS]),
            (Kind::Queue, &[TOPIC]),
            (Kind::Queue, &[&["partition"]]),
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
            (Kind::Host, &[&["server"], HOSTS, ADDRESSES]),
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
        needs: &[&[&["ceph_daemon"]]],
        unless: &[],
        parts: &[(Kind::Component, &[&["ceph_daemon"]]), (Kind::Host, &[&["hostname"]])],
        beside: Beside::Nothing,
    },
    Family {
        name: "pod",
        needs: &[&[POD]],
        unless: &[],
        parts: &[(Kind::Namespace, &[NAMESPACE]), (Kind::Pod, &[POD]), (Kind::Container, &[&["container"]])],
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
        needs: &[&[&["persistentvolume"]]],
        unless: &[],
        parts: &[(Kind::Workload, &[&["persistentvolume"]])],
        beside: Beside::Nothing,
    },
    Family {
        name: "kubernetes service",
        needs: &[&[NAMESPACE], &[&["service"]]],
        unless: &[HOSTS, ADDRESSES, CLOUD],
        parts: &[(Kind::Namespace, &[NAMESPACE]), (Kind::Service, &[&["service"]])],
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
        needs: &[&[&["proxy"], &["backend"], &["upstream"], &["envoy_cluster_name"]]],
        unless: &[],
        parts: &[
            (Kind::Backend, &[&["proxy"]]),
            (Kind::Backend, &[&["backend"]]),
            (Kind::Backend, &[&["upstream"]]),
            (Kind::Backend, &[&["envoy_cluster_name"]]),
            (Kind::Backend, &[&["server"]]),
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
pub(super) const LAST: &[(Kind, &[&str])] = &[(Kind::Component, COMPONENTS)];

/// Step P: places, widest first.
pub(super) const PLACES: &[&str] = &[
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
];
/// Tells where the rule is kept: a place only if there is no other.
pub(super) const FOLDER: &str = "grafana_folder";

/// Step Q: kinds of trouble that are always shown.
pub(super) const QUALIFIERS: &[&str] =
    &["reason", "condition", "phase", "resource", "eviction_signal", "integration", "remote_name", "mechanism"];
/// Kinds of trouble that are shown if the author names them or the alerts differ by them.
pub(super) const LATENT: &[&str] = &[
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
