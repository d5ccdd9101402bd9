//! FindCoordinator asked for one key before version 4.

use super::only_one;
use crate::encode_error::EncodeError;
use crate::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorRequestBefore4, FindCoordinatorResponse,
    FindCoordinatorResponseBefore4,
};

impl TryFrom<&FindCoordinatorRequest> for FindCoordinatorRequestBefore4 {
    type Error = EncodeError;

    fn try_from(request: &FindCoordinatorRequest) -> Result<Self, EncodeError> {
        Ok(Self {
            key: only_one(&request.coordinator_keys, "coordinator_keys")?.clone(),
            key_type: request.key_type,
        })
    }
}

impl From<FindCoordinatorRequestBefore4> for FindCoordinatorRequest {
    fn from(old: FindCoordinatorRequestBefore4) -> Self {
        Self {
            key_type: old.key_type,
            coordinator_keys: vec![old.key],
        }
    }
}

impl TryFrom<&FindCoordinatorResponse> for FindCoordinatorResponseBefore4 {
    type Error = EncodeError;

    fn try_from(response: &FindCoordinatorResponse) -> Result<Self, EncodeError> {
        let coordinator = only_one(&response.coordinators, "coordinators")?.clone();
        Ok(Self {
            throttle_time_ms: response.throttle_time_ms,
            error_code: coordinator.error_code,
            error_message: coordinator.error_message,
            node_id: coordinator.node_id,
            host: coordinator.host,
            port: coordinator.port,
        })
    }
}

impl From<FindCoordinatorResponseBefore4> for FindCoordinatorResponse {
    /// The old form does not repeat the key that was asked for: it stays empty.
    fn from(old: FindCoordinatorResponseBefore4) -> Self {
        Self {
            throttle_time_ms: old.throttle_time_ms,
            coordinators: vec![Coordinator {
                key: String::new(),
                node_id: old.node_id,
                host: old.host,
                port: old.port,
                error_code: old.error_code,
                error_message: old.error_message,
            }],
        }
    }
}
