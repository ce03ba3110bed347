//! A part of what an alert is about, and how parts read together.

use ecow::EcoString;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A namespace of Kubernetes; stands before the next part, with a slash.
    Namespace,
    Pod,
    Container,
    /// What makes pods or holds their data: a deployment, a job, a claim.
    Workload,
    /// A machine, or an address of one.
    Host,
    /// A part of a machine: a file system, a port, a disk.
    Component,
    /// An address that was probed.
    Address,
    /// A GPU of a machine.
    Gpu,
    /// A queue, topic or group of consumers.
    Queue,
    /// A database, or something in it.
    Database,
    /// A resource of a cloud.
    Cloud,
    /// Something behind a balancer.
    Backend,
    Service,
    /// A path of a service.
    Route,
    /// Named by the author of the rule, or taught by the user.
    Named,
    Place,
    /// A kind of trouble.
    Qualifier,
}

/// A part. Twenty thousand alerts have several each: short texts take no memory of their own, copies share the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// What it is.
    pub kind: Kind,
    /// The label it came from, as sent.
    pub label: EcoString,
    /// Its text, without the scheme of an address and the port of an exporter.
    pub text: EcoString,
    /// The port that was cut, with its colon; empty if none was.
    pub port: EcoString,
}

/// `parts` as one text: `pay/api-0 app`.
pub fn text(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(&part.text);
        text.push(if part.kind == Kind::Namespace { '/' } else { ' ' });
    }
    text.pop();
    text
}

/// `parts` as places, a namespace with the pod behind it.
pub fn places(parts: &[Part]) -> Vec<String> {
    let groups = parts.split_inclusive(|part| part.kind != Kind::Namespace);
    groups.map(text).collect()
}
