//! Messages on their way between members and nodes.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use windlass_broker::{ConnectionId, Inbound, Outbound};
use windlass_machine::{Destination, FailureKind, OutgoingRequest, RequestFailure};
use windlass_model::{NodeId, TopicPartition};
use windlass_protocol::fetch_response::{FetchPart, FetchedPartition, PartitionEnd};
use windlass_protocol::messages::fetch::FetchResponse;
use windlass_protocol::records::RecordBatch;
use windlass_protocol::{ApiKey, RequestKind, ResponseKind};

use super::World;
use crate::history::Incarnation;
use crate::network::{Arrival, Link};
use crate::upgrade::client_id;

/// Requests of a member in one second, fetches left out, above which it storms.
const STORM: u32 = 300;

impl World {
    /// Sends what a member wants sent, and does what it wants done.
    pub(crate) fn drain_member(&mut self, who: Incarnation, now: Instant) {
        self.watch_withdrawals(who, now);
        loop {
            let Some(member) = self.members.get_mut(&who) else {
                return;
            };
            if let Some(effect) = member.core.poll_effect() {
                self.carry_out(who, effect, now);
            } else {
                self.note_given_up(who, now);
                self.watch_silence(who, now);
                return;
            }
        }
    }

    pub(super) fn send(&mut self, who: Incarnation, outgoing: OutgoingRequest, now: Instant) {
        self.requests += 1;
        self.count_request(who, &outgoing.request, now);
        self.require_address(who, &outgoing);
        let sent = now.saturating_duration_since(self.start);
        (sent, who, outgoing.request.api_key().to_wire()).hash(&mut self.fingerprint);
        let connection = self.link(who, outgoing.destination, now);
        let api = outgoing.request.api_key();
        let latency = self.latency();
        let lost = self.random.chance(self.loss(), 1000);
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        link.next_correlation += 1;
        let correlation_id = link.next_correlation;
        link.open.insert(correlation_id, (outgoing.id, api, now));
        let arrives = (now + latency).max(link.last_out);
        link.last_out = arrives;
        self.agenda.add(
            outgoing.deadline,
            Arrival::Deadline {
                connection,
                correlation_id,
            },
        );
        if lost {
            self.agenda.add(arrives, Arrival::Broken { connection });
            return;
        }
        let newest = api.versions().max;
        let version = outgoing.max_version.map_or(newest, |most| most.min(newest));
        let request = Box::new(outgoing.request);
        self.agenda.add(
            arrives,
            Arrival::Request {
                connection,
                correlation_id,
                version,
                request,
            },
        );
    }

    /// A transport that was not told where a broker is can send it nothing.
    fn require_address(&mut self, who: Incarnation, outgoing: &OutgoingRequest) {
        let Some(node) = outgoing.destination.node() else {
            return;
        };
        let member = self.members.get(&who);
        if member.is_some_and(|member| !member.addresses.contains(&node)) {
            let api = outgoing.request.api_key().name();
            self.violate(
                21,
                format!("{who} sends {api} to node {node}, and was never told where that is"),
            );
        }
    }

    fn count_request(&mut self, who: Incarnation, request: &RequestKind, now: Instant) {
        // Who commits each record asks for that many commits.
        let commits = self.options.one_by_one && request.api_key() == ApiKey::OffsetCommit;
        if commits || request.api_key() == ApiKey::Fetch {
            return;
        }
        let second = now.saturating_duration_since(self.start).as_secs();
        let Some(member) = self.members.get_mut(&who) else {
            return;
        };
        if member.requests.0 != second {
            member.requests = (second, 0);
        }
        member.requests.1 += 1;
        if member.requests.1 > STORM {
            let api = request.api_key();
            self.violate(
                17,
                format!(
                    "{who} sends more than {STORM} requests in a second, the last one {}",
                    api.name()
                ),
            );
        }
    }

    /// The member's connection to whom it asks, made now if there is none.
    fn link(&mut self, who: Incarnation, destination: Destination, now: Instant) -> ConnectionId {
        let open = self
            .links
            .iter()
            .find(|(_, link)| link.who == who && link.destination == destination);
        if let Some((connection, _)) = open {
            return *connection;
        }
        let any = self.members.get(&who).map_or(1, |member| member.any_node);
        let node = destination.node().map_or(any, |node| node.0);
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.links.insert(
            connection,
            Link {
                who,
                destination,
                node,
                open: BTreeMap::new(),
                next_correlation: 0,
                last_out: now,
                last_in: now,
            },
        );
        connection
    }

    pub(super) fn deliver_request(
        &mut self,
        connection: ConnectionId,
        correlation_id: i32,
        version: i16,
        request: RequestKind,
        now: Instant,
    ) {
        let Some(link) = self.links.get(&connection) else {
            return;
        };
        let (who, node) = (link.who, link.node);
        if self.members.get(&who).is_some_and(|member| member.cut_off) {
            return;
        }
        if !self.cluster.is_alive(node) {
            self.agenda.add(now, Arrival::Broken { connection });
            return;
        }
        if let RequestKind::OffsetCommit(commit) = &request {
            let offsets = commit
                .topics
                .iter()
                .flat_map(|topic| {
                    topic.partitions.iter().map(|partition| {
                        let key =
                            TopicPartition::new(topic.name.as_str(), partition.partition_index);
                        (key, partition.committed_offset)
                    })
                })
                .collect();
            self.commits
                .insert((connection, correlation_id), (who, offsets));
        }
        let inbound = Inbound {
            node: NodeId(node),
            connection,
            correlation_id,
            version,
            client_id: client_id(who),
            host: "simulated".to_owned(),
        };
        self.cluster.on_request(inbound, request, now);
        self.drain_cluster(now);
    }

    /// Sends what the cluster wants sent.
    pub(crate) fn drain_cluster(&mut self, now: Instant) {
        while let Some(outbound) = self.cluster.poll_outbound() {
            match outbound {
                Outbound::Close { connection } => {
                    self.agenda.add(now, Arrival::Broken { connection });
                }
                Outbound::Response {
                    connection,
                    correlation_id,
                    response,
                    ..
                } => {
                    self.note_at_broker(connection, correlation_id, &response);
                    let latency = self.latency();
                    let lost = self.random.chance(self.loss(), 1000);
                    let Some(link) = self.links.get_mut(&connection) else {
                        continue;
                    };
                    let arrives = (now + latency).max(link.last_in);
                    link.last_in = arrives;
                    let arrival = if lost {
                        Arrival::Broken { connection }
                    } else {
                        Arrival::Response {
                            connection,
                            correlation_id,
                            response: Box::new(response),
                        }
                    };
                    self.agenda.add(arrives, arrival);
                }
            }
        }
    }

    pub(super) fn deliver_response(
        &mut self,
        connection: ConnectionId,
        correlation_id: i32,
        response: ResponseKind,
        now: Instant,
    ) {
        let loss = self.loss();
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let who = link.who;
        let Some(member) = self.members.get_mut(&who).filter(|member| !member.cut_off) else {
            return;
        };
        let Some((id, _, _)) = link.open.remove(&correlation_id) else {
            return;
        };
        if let ResponseKind::Fetch(response) = response {
            let parts = parts(response);
            let cut = self.random.chance(loss, 100);
            if cut {
                // The connection breaks in the middle of the answer.
                let keep = usize::try_from(self.random.below(parts.len() as u64)).unwrap_or(0);
                member
                    .core
                    .on_fetch_parts(id, parts.into_iter().take(keep).collect(), now);
                self.drain_member(who, now);
                if let Some(member) = self.members.get_mut(&who) {
                    member
                        .core
                        .on_failure(id, broken("a fetch broke half-way"), now);
                }
                self.drain_member(who, now);
                self.agenda.add(now, Arrival::Broken { connection });
                return;
            }
            member.core.on_fetch_parts(id, parts, now);
            self.drain_member(who, now);
            if let Some(member) = self.members.get_mut(&who) {
                member.core.on_fetch_done(id, now);
            }
        } else {
            self.note_answer(who, &response, now);
            if let Some(member) = self.members.get_mut(&who) {
                member.core.on_response(id, response, now);
            }
        }
        self.drain_member(who, now);
    }

    /// How long the member has waited for the answer to a commit, if it waits for one.
    pub(super) fn silence_after_commit(&self, who: Incarnation, now: Instant) -> Option<Duration> {
        let links = self.links.values().filter(|link| link.who == who);
        let open = links.flat_map(|link| link.open.values());
        let sent = open.filter(|(_, api, _)| *api == ApiKey::OffsetCommit);
        let first = sent.map(|(_, _, sent)| *sent).min()?;
        Some(now.saturating_duration_since(first))
    }

    /// A connection is no more: everything on it is lost.
    pub(super) fn break_link(&mut self, connection: ConnectionId, now: Instant) {
        let Some(link) = self.links.remove(&connection) else {
            return;
        };
        self.agenda.add(now, Arrival::Hangup { connection });
        if link.destination == Destination::Any
            && let Some(member) = self.members.get_mut(&link.who)
        {
            member.any_node = member.any_node % self.options.nodes + 1;
        }
        for (id, api, _) in link.open.into_values() {
            if let Some(member) = self.members.get_mut(&link.who) {
                member.troubles.on_silence(api, now);
                member.core.on_failure(id, broken(api.name()), now);
                self.drain_member(link.who, now);
            }
        }
    }

    /// A request has not been answered in time: the connection is of no more use.
    pub(super) fn time_out(&mut self, connection: ConnectionId, correlation_id: i32, now: Instant) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let who = link.who;
        let Some((id, api, _)) = link.open.remove(&correlation_id) else {
            return;
        };
        if let Some(member) = self.members.get_mut(&who) {
            let failure = RequestFailure::new(
                FailureKind::TimedOut,
                format!("{} took too long", api.name()),
            );
            member.troubles.on_silence(api, now);
            member.core.on_failure(id, failure, now);
            self.drain_member(who, now);
        }
        self.break_link(connection, now);
    }

    /// The member is gone: its connections break.
    pub(crate) fn hang_up_all(&mut self, who: Incarnation, now: Instant) {
        let open: Vec<ConnectionId> = self
            .links
            .iter()
            .filter(|(_, link)| link.who == who)
            .map(|(connection, _)| *connection)
            .collect();
        for connection in open {
            self.links.remove(&connection);
            let latency = self.latency();
            self.agenda
                .add(now + latency, Arrival::Hangup { connection });
        }
    }
}

fn broken(what: &str) -> RequestFailure {
    RequestFailure::new(
        FailureKind::Disconnected,
        format!("{what}: the connection broke"),
    )
}

/// A whole Fetch response as the parts it would arrive in.
fn parts(response: FetchResponse) -> Vec<FetchPart> {
    let mut parts = vec![FetchPart::Head {
        throttle_time_ms: response.throttle_time_ms,
        error_code: response.error_code,
        session_id: response.session_id,
    }];
    for topic in response.responses {
        for data in topic.partitions {
            parts.push(FetchPart::Partition(FetchedPartition {
                topic: topic.topic.as_str().into(),
                topic_id: topic.topic_id,
                partition: data.partition_index,
                error_code: data.error_code,
                high_watermark: data.high_watermark,
                last_stable_offset: data.last_stable_offset,
                log_start_offset: data.log_start_offset,
                aborted_transactions: data.aborted_transactions.unwrap_or_default(),
                preferred_read_replica: data.preferred_read_replica,
            }));
            let mut records = data.records.unwrap_or_default();
            while let Ok(Some(batch)) = RecordBatch::split_from(&mut records) {
                parts.push(FetchPart::Batch(batch));
            }
            let leader = (data.current_leader.leader_id >= 0).then_some(data.current_leader);
            parts.push(FetchPart::PartitionEnd(PartitionEnd {
                current_leader: leader,
                ..PartitionEnd::default()
            }));
        }
    }
    parts.push(FetchPart::End {
        node_endpoints: response.node_endpoints,
    });
    parts
}
