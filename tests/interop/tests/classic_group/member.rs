//! A member of the group, whatever its kind.

use std::process::Command;
use std::sync::mpsc::Sender;

use crate::history::Report;
use crate::process::ProcessMember;
use crate::requirements::Requirements;
use crate::windlass_member::WindlassMember;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Java,
    Librdkafka,
    Windlass,
}

impl Kind {
    /// What it calls itself, to the cluster as well.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Librdkafka => "librdkafka",
            Self::Windlass => "windlass",
        }
    }
}

/// What a member is to join.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) bootstrap: String,
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) strategy: &'static str,
}

#[derive(Debug)]
pub(crate) enum Member {
    Process(ProcessMember),
    Windlass(WindlassMember),
}

impl Member {
    /// Starts a member that reports what it is assigned and what it reads.
    pub(crate) fn start(
        kind: Kind,
        membership: &Membership,
        requirements: &Requirements,
        reports: Sender<Report>,
    ) -> Self {
        let command = match kind {
            Kind::Windlass => {
                return Self::Windlass(WindlassMember::start(membership.clone(), reports));
            }
            Kind::Java => java(membership, requirements),
            Kind::Librdkafka => librdkafka(membership, requirements),
        };
        Self::Process(ProcessMember::start(kind, command, reports))
    }

    /// Ends it in good order: what it read is committed, and it leaves the group.
    pub(crate) fn stop(self) {
        match self {
            Self::Process(process) => process.stop(),
            Self::Windlass(member) => member.stop(),
        }
    }
}

fn librdkafka(membership: &Membership, requirements: &Requirements) -> Command {
    let mut command = Command::new("python3");
    command.arg(&requirements.script).args([
        "consume",
        &membership.bootstrap,
        &membership.topic,
        &membership.group,
        membership.strategy,
    ]);
    command
}

fn java(membership: &Membership, requirements: &Requirements) -> Command {
    let properties = requirements.script.with_file_name("java.properties");
    std::fs::write(&properties, "client.id=java\nheartbeat.interval.ms=500\n").unwrap();
    let strategy = match membership.strategy {
        "range" => "RangeAssignor",
        "roundrobin" => "RoundRobinAssignor",
        _ => "CooperativeStickyAssignor",
    };
    let mut command = Command::new("java");
    command
        .args(["-cp", &requirements.class_path, "-Xmx128m"])
        .arg("org.apache.kafka.tools.VerifiableConsumer")
        .args(["--bootstrap-server", &membership.bootstrap])
        .args(["--topic", &membership.topic])
        .args(["--group-id", &membership.group])
        .args(["--session-timeout", "10000", "--reset-policy", "earliest"])
        .args([
            "--assignment-strategy",
            &format!("org.apache.kafka.clients.consumer.{strategy}"),
        ])
        .arg("--command-config")
        .arg(properties);
    command
}
