//! Members as processes of their own, against a real Apache Kafka: a cluster that ends with the test,
//! members that speak the events of Kafka's `VerifiableConsumer`, and a judge of what they say.

pub mod cluster;
pub mod judge;
pub mod member;
pub mod program;
