//! The responses of brokers; the first byte says to which request.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rheos_connectors::kafka::protocol::configs::{ConfigResource, DescribeConfigsRequest};
use rheos_connectors::kafka::protocol::fetch::FetchRequest;
use rheos_connectors::kafka::protocol::group::{
    Coordinates, FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest,
};
use rheos_connectors::kafka::protocol::metadata::MetadataRequest;
use rheos_connectors::kafka::protocol::offsets::ListOffsetsRequest;
use rheos_connectors::kafka::protocol::produce::{InitProducerIdRequest, ProduceRequest};
use rheos_connectors::kafka::protocol::session::{
    ApiVersionsRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use rheos_connectors::kafka::protocol::topics::{CreatePartitionsRequest, CreateTopicsRequest};
use rheos_connectors::kafka::protocol::transactions::{AddPartitionsToTxnRequest, EndTxnRequest};
use rheos_connectors::kafka::protocol::Request;
use rheos_connectors::kafka::protocol::wire::Decoder;

fn answer(request: &impl Request, bytes: &[u8]) {
    let _ = request.decode(&mut Decoder::new(Bytes::copy_from_slice(bytes)));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let name = || "name".to_owned();
    match which % 16 {
        0 => answer(&ApiVersionsRequest, bytes),
        1 => answer(&SaslHandshakeRequest { mechanism: "PLAIN" }, bytes),
        2 => answer(&SaslAuthenticateRequest { token: Vec::new() }, bytes),
        3 => answer(&MetadataRequest { topics: None }, bytes),
        4 => answer(
            &ListOffsetsRequest {
                read_committed: true,
                partitions: Vec::new(),
            },
            bytes,
        ),
        5 => answer(
            &FetchRequest {
                max_wait_millis: 1,
                min_bytes: 1,
                max_bytes: 1,
                read_committed: true,
                partitions: Vec::new(),
            },
            bytes,
        ),
        6 => answer(
            &FindCoordinatorRequest {
                key: name(),
                of: Coordinates::Group,
            },
            bytes,
        ),
        7 => answer(
            &OffsetFetchRequest {
                group: name(),
                partitions: Vec::new(),
            },
            bytes,
        ),
        8 => answer(
            &OffsetCommitRequest {
                group: name(),
                offsets: Vec::new(),
            },
            bytes,
        ),
        9 => answer(
            &InitProducerIdRequest {
                transactional_id: None,
                timeout_millis: 1,
            },
            bytes,
        ),
        10 => answer(
            &ProduceRequest {
                transactional_id: None,
                acks: -1,
                timeout_millis: 1,
                batches: Vec::new(),
            },
            bytes,
        ),
        11 => answer(
            &CreateTopicsRequest {
                topics: Vec::new(),
                timeout_millis: 1,
            },
            bytes,
        ),
        12 => answer(
            &CreatePartitionsRequest {
                topic: name(),
                count: 1,
                timeout_millis: 1,
            },
            bytes,
        ),
        13 => answer(
            &AddPartitionsToTxnRequest {
                transactional_id: name(),
                identity: (1, 1),
                partitions: Vec::new(),
            },
            bytes,
        ),
        14 => answer(
            &EndTxnRequest {
                transactional_id: name(),
                identity: (1, 1),
                commit: true,
            },
            bytes,
        ),
        _ => answer(
            &DescribeConfigsRequest {
                resource: ConfigResource::Topic(name()),
                names: Vec::new(),
            },
            bytes,
        ),
    }
});
