//! ApiVersions: what this broker speaks.

use windlass_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use windlass_protocol::{ApiKey, ErrorCode};

/// What is in the codec and not in this broker.
const NOT_SPOKEN: &[ApiKey] = &[
    ApiKey::SaslHandshake,
    ApiKey::SaslAuthenticate,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupDescribe,
];

/// From the next version on, the end of a transaction gives the producer a new epoch (KIP-890), which
/// this broker does not do.
const LAST_END_TXN_WITHOUT_NEW_EPOCH: i16 = 4;

/// The answer to a question in this version. A version that is not known is answered in version 0
/// with the versions of this API, so that the client can ask again (KIP-511).
pub(super) fn answer(version: i16) -> ApiVersionsResponse {
    let known = ApiKey::ApiVersions.versions();
    let error_code = if (known.min..=known.max).contains(&version) {
        ErrorCode::NONE
    } else {
        ErrorCode::UNSUPPORTED_VERSION
    };
    let api_keys = ApiKey::ALL
        .iter()
        .filter(|api| !NOT_SPOKEN.contains(api))
        .map(|api| ApiVersion {
            api_key: api.to_wire(),
            // librdkafka takes a broker that does not announce version 0 for one it cannot produce
            // to; nobody sends that version.
            min_version: if *api == ApiKey::Produce {
                0
            } else {
                api.versions().min
            },
            max_version: if *api == ApiKey::EndTxn {
                LAST_END_TXN_WITHOUT_NEW_EPOCH
            } else {
                api.versions().max
            },
        })
        .collect();
    ApiVersionsResponse {
        error_code,
        api_keys,
        finalized_features_epoch: -1,
        ..ApiVersionsResponse::default()
    }
}
