//! Every version of every API: the answer can be written in it. (The clients of these tests write
//! every request and read every response in its version.)

use windlass_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use windlass_protocol::messages::describe_groups::DescribeGroupsRequest;
use windlass_protocol::messages::end_txn::EndTxnRequest;
use windlass_protocol::messages::find_coordinator::FindCoordinatorRequest;
use windlass_protocol::messages::init_producer_id::InitProducerIdRequest;
use windlass_protocol::messages::list_groups::ListGroupsRequest;
use windlass_protocol::{ErrorCode, Request};

use crate::member::{GROUP, Member};
use crate::records::{batch, fetch_request, produce_request};
use crate::world::World;

fn every_version<R: Request + Clone>(world: &mut World, node: i32, request: &R) {
    for version in R::VERSIONS.min..=R::VERSIONS.max {
        let client = world.client(node);
        world.ask(client, version, request.clone());
    }
}

#[test]
fn joins_in_every_version() {
    for version in 0..=9 {
        for name in [None, Some("a")] {
            if name.is_some() && version < 5 {
                continue;
            }
            let mut world = World::new(1);
            let mut member = Member::new(&mut world);
            member.instance_id = name.map(str::to_owned);
            member.version = version;
            member.join_now(&mut world);
            // And a refusal, which names no protocol.
            member.protocol_type = "connect";
            let ticket = member.send_join(&mut world);
            assert_eq!(
                world.expect(&ticket).error_code,
                ErrorCode::INCONSISTENT_GROUP_PROTOCOL
            );
        }
    }
}

#[test]
fn leaders_elsewhere_in_every_version() {
    let mut world = World::new(3);
    let id = crate::metadata::topic_id(&mut world, "events");
    for version in 3..=13 {
        let client = world.client(2);
        let mut request = produce_request(0, batch(&["a"]).bytes().clone());
        if version >= 13 {
            request.topic_data[0].name.clear();
            request.topic_data[0].topic_id = id;
        }
        let answer = world.ask(client, version, request);
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    for version in 4..=18 {
        let client = world.client(2);
        let mut request = fetch_request(0);
        if version >= 13 {
            request.topics[0].topic.clear();
            request.topics[0].topic_id = id;
        }
        let answer = world.ask(client, version, request);
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
}

#[test]
fn administration_in_every_version() {
    let mut world = World::new(1);
    let mut member = Member::fixed(&mut world, "a");
    member.join_now(&mut world);
    let describe = DescribeGroupsRequest {
        groups: vec![GROUP.to_owned()],
        ..DescribeGroupsRequest::default()
    };
    every_version(&mut world, 1, &describe);
    every_version(&mut world, 1, &ListGroupsRequest::default());
    let find = FindCoordinatorRequest {
        coordinator_keys: vec![GROUP.to_owned()],
        ..FindCoordinatorRequest::default()
    };
    every_version(&mut world, 1, &find);
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "fresh".to_owned(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        }],
        ..CreateTopicsRequest::default()
    };
    every_version(&mut world, 1, &create);
    let init = InitProducerIdRequest {
        transactional_id: Some("tx".to_owned()),
        ..InitProducerIdRequest::default()
    };
    every_version(&mut world, 1, &init);
    let end = EndTxnRequest {
        transactional_id: "tx".to_owned(),
        ..EndTxnRequest::default()
    };
    every_version(&mut world, 1, &end);
}
