//! What a broker answers instead of success.

use std::fmt;

/// A Kafka error code as it stands on the wire. Codes that this release has no name for are kept.
///
/// The constants are Kafka's `Errors`, names and numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self.0
    }

    /// Whether this is no error at all.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == Self::NONE.0
    }

    /// Whether this is an error.
    #[must_use]
    pub const fn is_error(self) -> bool {
        !self.is_none()
    }

    /// Kafka's name; `UNKNOWN_ERROR_CODE` for a code this release does not know.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry()
            .map_or("UNKNOWN_ERROR_CODE", |entry| entry.name)
    }

    /// Whether the same request may succeed later, by Kafka's own judgement: in its Java client
    /// the code stands for a `RetriableException`. Codes not known are not.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        self.entry().is_some_and(|entry| entry.retriable)
    }

    /// All codes known, in ascending order.
    pub fn all() -> impl Iterator<Item = Self> {
        ENTRIES.iter().map(|entry| entry.code)
    }

    fn entry(self) -> Option<&'static Entry> {
        let index = ENTRIES
            .binary_search_by_key(&self, |entry| entry.code)
            .ok()?;
        ENTRIES.get(index)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(entry) => f.write_str(entry.name),
            None => write!(f, "unknown error code {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.0)
    }
}

struct Entry {
    code: ErrorCode,
    name: &'static str,
    retriable: bool,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $(, $retriable:ident)?;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*
        }

        const ENTRIES: &[Entry] = &[$(
            Entry {
                code: ErrorCode::$name,
                name: stringify!($name),
                retriable: error_codes!(@retriable $($retriable)?),
            },
        )*];
    };
    (@retriable retriable) => { true };
    (@retriable) => { false };
}

error_codes! {
    /// The broker failed in a way it has no name for.
    UNKNOWN_SERVER_ERROR = -1;
    /// All went well.
    NONE = 0;
    /// The offset asked for is outside what the log holds.
    OFFSET_OUT_OF_RANGE = 1;
    /// A record batch is damaged or otherwise unacceptable.
    CORRUPT_MESSAGE = 2, retriable;
    /// The broker hosts no such partition, or does not know of it yet.
    UNKNOWN_TOPIC_OR_PARTITION = 3, retriable;
    /// The fetch size asked for makes no sense.
    INVALID_FETCH_SIZE = 4;
    /// An election is under way and the partition has no leader right now.
    LEADER_NOT_AVAILABLE = 5, retriable;
    /// The broker asked is neither leader nor, where that would do, follower of the partition.
    NOT_LEADER_OR_FOLLOWER = 6, retriable;
    /// The broker could not finish in the time given.
    REQUEST_TIMED_OUT = 7, retriable;
    /// The broker needed is not there.
    BROKER_NOT_AVAILABLE = 8;
    /// The replica asked is not ready to serve the partition.
    REPLICA_NOT_AVAILABLE = 9, retriable;
    /// A record is larger than the broker accepts.
    MESSAGE_TOO_LARGE = 10;
    /// The controller has moved on to a newer epoch.
    STALE_CONTROLLER_EPOCH = 11;
    /// The metadata text of a commit is longer than the broker allows.
    OFFSET_METADATA_TOO_LARGE = 12;
    /// The connection ended before the answer came; clients use it among themselves.
    NETWORK_EXCEPTION = 13, retriable;
    /// The coordinator is still reading its state from the log.
    COORDINATOR_LOAD_IN_PROGRESS = 14, retriable;
    /// No coordinator can be named at the moment.
    COORDINATOR_NOT_AVAILABLE = 15, retriable;
    /// Another broker coordinates this group or transaction.
    NOT_COORDINATOR = 16, retriable;
    /// The topic's name is not allowed, or the topic may not be used this way.
    INVALID_TOPIC_EXCEPTION = 17;
    /// A record batch is larger than a segment of the log.
    RECORD_LIST_TOO_LARGE = 18;
    /// Too few replicas are in sync for the write to be accepted.
    NOT_ENOUGH_REPLICAS = 19, retriable;
    /// The write is in the log, but on fewer in-sync replicas than asked for.
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, retriable;
    /// The number of acknowledgements asked for is not one of −1, 0 and 1.
    INVALID_REQUIRED_ACKS = 21;
    /// The generation is not the group's current one.
    ILLEGAL_GENERATION = 22;
    /// The member's protocols do not fit those of the rest of the group.
    INCONSISTENT_GROUP_PROTOCOL = 23;
    /// The group id is empty or otherwise unusable.
    INVALID_GROUP_ID = 24;
    /// The coordinator does not know this member (any more).
    UNKNOWN_MEMBER_ID = 25;
    /// The session timeout is outside the broker's limits.
    INVALID_SESSION_TIMEOUT = 26;
    /// The group is rebalancing and the member has to join again.
    REBALANCE_IN_PROGRESS = 27;
    /// The commit is larger than the broker stores.
    INVALID_COMMIT_OFFSET_SIZE = 28;
    /// The principal may not use this topic.
    TOPIC_AUTHORIZATION_FAILED = 29;
    /// The principal may not use this group.
    GROUP_AUTHORIZATION_FAILED = 30;
    /// The principal may not do this to the cluster.
    CLUSTER_AUTHORIZATION_FAILED = 31;
    /// The record's timestamp is outside the range the topic accepts.
    INVALID_TIMESTAMP = 32;
    /// The broker offers no such SASL mechanism.
    UNSUPPORTED_SASL_MECHANISM = 33;
    /// The request does not fit the step of the SASL exchange.
    ILLEGAL_SASL_STATE = 34;
    /// The broker does not speak this version of the API.
    UNSUPPORTED_VERSION = 35;
    /// A topic of this name exists.
    TOPIC_ALREADY_EXISTS = 36;
    /// The number of partitions is not possible.
    INVALID_PARTITIONS = 37;
    /// The replication factor is not possible with the brokers there are.
    INVALID_REPLICATION_FACTOR = 38;
    /// The manual replica assignment is not possible.
    INVALID_REPLICA_ASSIGNMENT = 39;
    /// A configuration value is not possible.
    INVALID_CONFIG = 40;
    /// The broker asked is not the controller.
    NOT_CONTROLLER = 41, retriable;
    /// The request contradicts itself or its context.
    INVALID_REQUEST = 42;
    /// The log's old message format cannot serve this request.
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
    /// The request breaks a policy that the operator set.
    POLICY_VIOLATION = 44;
    /// A producer's sequence number does not follow the last one.
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
    /// A producer's sequence number was seen before.
    DUPLICATE_SEQUENCE_NUMBER = 46;
    /// A producer with a newer epoch has taken over.
    INVALID_PRODUCER_EPOCH = 47;
    /// The transaction is in no state that allows this.
    INVALID_TXN_STATE = 48;
    /// The producer id is not the one bound to the transactional id.
    INVALID_PRODUCER_ID_MAPPING = 49;
    /// The transaction timeout is larger than the broker allows.
    INVALID_TRANSACTION_TIMEOUT = 50;
    /// Another operation on the same transaction is still under way.
    CONCURRENT_TRANSACTIONS = 51, retriable;
    /// A newer transaction coordinator has taken over.
    TRANSACTION_COORDINATOR_FENCED = 52;
    /// The principal may not use this transactional id.
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53;
    /// The broker runs without the security feature asked for.
    SECURITY_DISABLED = 54;
    /// The broker gave up the batch before it came to this operation.
    OPERATION_NOT_ATTEMPTED = 55;
    /// The broker's disk failed.
    KAFKA_STORAGE_ERROR = 56, retriable;
    /// The broker has no such log directory.
    LOG_DIR_NOT_FOUND = 57;
    /// The credentials were refused.
    SASL_AUTHENTICATION_FAILED = 58;
    /// The broker has forgotten this producer, its records having expired.
    UNKNOWN_PRODUCER_ID = 59;
    /// A reassignment of the partition is under way.
    REASSIGNMENT_IN_PROGRESS = 60;
    /// Delegation tokens are switched off.
    DELEGATION_TOKEN_AUTH_DISABLED = 61;
    /// The delegation token is not known.
    DELEGATION_TOKEN_NOT_FOUND = 62;
    /// The principal neither owns nor may renew the delegation token.
    DELEGATION_TOKEN_OWNER_MISMATCH = 63;
    /// Delegation tokens cannot be requested over this kind of connection.
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64;
    /// The principal may not use this delegation token.
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65;
    /// The delegation token has expired.
    DELEGATION_TOKEN_EXPIRED = 66;
    /// The type of principal is not supported.
    INVALID_PRINCIPAL_TYPE = 67;
    /// The group has members, and the request needs it empty.
    NON_EMPTY_GROUP = 68;
    /// There is no such group.
    GROUP_ID_NOT_FOUND = 69;
    /// The broker has dropped the fetch session.
    FETCH_SESSION_ID_NOT_FOUND = 70, retriable;
    /// The fetch session's epoch is not the one the broker expects next.
    INVALID_FETCH_SESSION_EPOCH = 71, retriable;
    /// The leader does not listen on the listener the request came through.
    LISTENER_NOT_FOUND = 72, retriable;
    /// The broker is configured not to delete topics.
    TOPIC_DELETION_DISABLED = 73;
    /// The leader epoch sent is older than the broker's: the sender's metadata is out of date.
    FENCED_LEADER_EPOCH = 74, retriable;
    /// The leader epoch sent is newer than the broker's: the broker is behind.
    UNKNOWN_LEADER_EPOCH = 75, retriable;
    /// The client cannot read the partition's compression in this version.
    UNSUPPORTED_COMPRESSION_TYPE = 76;
    /// The broker's epoch has changed.
    STALE_BROKER_EPOCH = 77;
    /// A new leader cannot vouch for this offset yet.
    OFFSET_NOT_AVAILABLE = 78, retriable;
    /// The member has to join again under the id that comes with this answer (KIP-394).
    MEMBER_ID_REQUIRED = 79;
    /// The preferred leader is not available.
    PREFERRED_LEADER_NOT_AVAILABLE = 80, retriable;
    /// The group is full.
    GROUP_MAX_SIZE_REACHED = 81;
    /// Another member has taken over this group instance id.
    FENCED_INSTANCE_ID = 82;
    /// No replica that could become leader is available.
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, retriable;
    /// The leader is the right one already.
    ELECTION_NOT_NEEDED = 84, retriable;
    /// There is no reassignment to speak of.
    NO_REASSIGNMENT_IN_PROGRESS = 85;
    /// The group is subscribed to the topic, so its offsets stay.
    GROUP_SUBSCRIBED_TO_TOPIC = 86;
    /// The broker refused a record's content.
    INVALID_RECORD = 87;
    /// A transaction holds back an offset of the partition.
    UNSTABLE_OFFSET_COMMIT = 88, retriable;
    /// The principal's quota is used up.
    THROTTLING_QUOTA_EXCEEDED = 89, retriable;
    /// A newer producer has taken over the transactional id.
    PRODUCER_FENCED = 90;
    /// There is no such resource.
    RESOURCE_NOT_FOUND = 91;
    /// The request names a resource twice.
    DUPLICATE_RESOURCE = 92;
    /// The credential does not meet the broker's requirements.
    UNACCEPTABLE_CREDENTIAL = 93;
    /// Sender and receiver do not agree on who votes.
    INCONSISTENT_VOTER_SET = 94;
    /// The feature version asked for is not possible.
    INVALID_UPDATE_VERSION = 95;
    /// The finalized features could not be updated.
    FEATURE_UPDATE_FAILED = 96;
    /// The forwarded principal could not be read.
    PRINCIPAL_DESERIALIZATION_FAILURE = 97;
    /// There is no such snapshot.
    SNAPSHOT_NOT_FOUND = 98;
    /// The position lies outside the snapshot.
    POSITION_OUT_OF_RANGE = 99;
    /// The broker hosts no topic of this id, or does not know of it yet.
    UNKNOWN_TOPIC_ID = 100, retriable;
    /// The broker id is taken.
    DUPLICATE_BROKER_REGISTRATION = 101;
    /// The broker id is not registered.
    BROKER_ID_NOT_REGISTERED = 102;
    /// The log belongs to a topic of another id.
    INCONSISTENT_TOPIC_ID = 103, retriable;
    /// The broker belongs to another cluster.
    INCONSISTENT_CLUSTER_ID = 104;
    /// There is no such transactional id.
    TRANSACTIONAL_ID_NOT_FOUND = 105;
    /// The fetch session and the request differ on whether topics go by name or id.
    FETCH_SESSION_TOPIC_ID_ERROR = 106, retriable;
    /// A replica is not fit for the in-sync set.
    INELIGIBLE_REPLICA = 107;
    /// The partition's state was changed, but a new leader was elected meanwhile.
    NEW_LEADER_ELECTED = 108;
    /// The offset has moved to tiered storage.
    OFFSET_MOVED_TO_TIERED_STORAGE = 109;
    /// The member's epoch is fenced: it gives up all its partitions and joins anew (KIP-848).
    FENCED_MEMBER_EPOCH = 110;
    /// Another member still holds this instance id and has to leave first (KIP-848).
    UNRELEASED_INSTANCE_ID = 111;
    /// The broker has no such assignor (KIP-848).
    UNSUPPORTED_ASSIGNOR = 112;
    /// The member's epoch is behind; the next heartbeat brings the new one (KIP-848).
    STALE_MEMBER_EPOCH = 113;
    /// The request was sent to the wrong kind of endpoint.
    MISMATCHED_ENDPOINT_TYPE = 114;
    /// This kind of endpoint is not supported.
    UNSUPPORTED_ENDPOINT_TYPE = 115;
    /// There is no such controller.
    UNKNOWN_CONTROLLER_ID = 116;
    /// The telemetry subscription is unknown or out of date.
    UNKNOWN_SUBSCRIPTION_ID = 117;
    /// The telemetry pushed is larger than the broker accepts.
    TELEMETRY_TOO_LARGE = 118;
    /// The broker's registration is not valid.
    INVALID_REGISTRATION = 119;
    /// The transaction has to be aborted; the transactional id stays usable.
    TRANSACTION_ABORTABLE = 120;
    /// The record is not in a state that this acknowledgement fits.
    INVALID_RECORD_STATE = 121;
    /// The broker has dropped the share session.
    SHARE_SESSION_NOT_FOUND = 122, retriable;
    /// The share session's epoch is not the one the broker expects next.
    INVALID_SHARE_SESSION_EPOCH = 123, retriable;
    /// The share group's state has moved on to a newer epoch.
    FENCED_STATE_EPOCH = 124;
    /// The voter's key is not that of the replica.
    INVALID_VOTER_KEY = 125;
    /// The voter is in the set already.
    DUPLICATE_VOTER = 126;
    /// The voter is not in the set.
    VOTER_NOT_FOUND = 127;
    /// The regular expression cannot be read by the broker.
    INVALID_REGULAR_EXPRESSION = 128;
    /// The client's metadata leads astray: it has to start from its bootstrap servers again.
    REBOOTSTRAP_REQUIRED = 129;
    /// The streams topology is not valid.
    STREAMS_INVALID_TOPOLOGY = 130;
    /// The epoch of the streams topology is not valid.
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131;
    /// A newer streams topology has taken over.
    STREAMS_TOPOLOGY_FENCED = 132;
    /// The broker has no room for another share session.
    SHARE_SESSION_LIMIT_REACHED = 133, retriable;
    /// The group could not be deleted; the message beside the code says why.
    GROUP_DELETION_FAILED = 134;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_from_minus_one_on_has_a_name() {
        let codes: Vec<i16> = ErrorCode::all().map(ErrorCode::code).collect();
        assert_eq!(codes, (-1..=134).collect::<Vec<i16>>());
        assert_eq!(ErrorCode(16), ErrorCode::NOT_COORDINATOR);
        assert_eq!(ErrorCode(16).name(), "NOT_COORDINATOR");
        assert_eq!(ErrorCode::default(), ErrorCode::NONE);
    }

    #[test]
    fn retriable_is_what_kafka_says() {
        assert!(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS.is_retriable());
        assert!(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.is_retriable());
        assert!(!ErrorCode::REBALANCE_IN_PROGRESS.is_retriable());
        assert!(!ErrorCode::NONE.is_retriable());
    }

    #[test]
    fn unknown_codes_are_kept() {
        let unknown = ErrorCode(999);
        assert_eq!(unknown.name(), "UNKNOWN_ERROR_CODE");
        assert!(!unknown.is_retriable());
        assert!(unknown.is_error());
        assert_eq!(unknown.to_string(), "unknown error code 999");
        assert_eq!(format!("{:?}", ErrorCode(27)), "REBALANCE_IN_PROGRESS (27)");
    }
}
