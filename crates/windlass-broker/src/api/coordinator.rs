//! FindCoordinator: who looks after a group or a transaction.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};

use crate::ClusterCore;

impl ClusterCore {
    pub(super) fn find_coordinator(
        &self,
        request: FindCoordinatorRequest,
    ) -> FindCoordinatorResponse {
        let coordinators = request
            .coordinator_keys
            .into_iter()
            .map(|key| self.coordinator_of(key))
            .collect();
        FindCoordinatorResponse {
            coordinators,
            ..FindCoordinatorResponse::default()
        }
    }

    fn coordinator_of(&self, key: String) -> Coordinator {
        let found = self
            .coordinators
            .of(&key)
            .and_then(|node| Some((node, self.nodes.endpoint(node)?)));
        match found {
            Some((node, endpoint)) => Coordinator {
                key,
                node_id: node.0,
                host: endpoint.host.clone(),
                port: i32::from(endpoint.port),
                ..Coordinator::default()
            },
            None => Coordinator {
                key,
                node_id: -1,
                port: -1,
                error_code: ErrorCode::COORDINATOR_NOT_AVAILABLE,
                ..Coordinator::default()
            },
        }
    }
}
