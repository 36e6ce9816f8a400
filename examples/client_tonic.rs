//! `tonic`: its statuses contain everything that the classification needs. The layer around the channel is for functions that
//! return another error than the status.
//! `cargo run -p ratellmiter-examples --features tonic --bin client_tonic`

#[path = "../client-tests/tests/it/grpc_service.rs"]
mod grpc_service;

use std::error::Error;

use grpc_service::{Reply, Running};
use ratellmiter_core::{observe::ObserveLayer, ratellmiter};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tower_layer::Layer as _;

#[ratellmiter(model = "gpt-4o")]
async fn answer(channel: Channel) -> Result<String, Status> {
    // The generated client of a service takes the same channel.
    Ok(grpc_service::ask(ObserveLayer::new().layer(channel)).await?.into_inner())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let refused = Reply::Refused(Status::resource_exhausted("slow down"));
    let service = Running::start(vec![refused, Reply::Messages(vec!["hello"], None)]).await;
    let channel = Endpoint::from_shared(service.url())?.connect_lazy();
    println!("{}", answer(channel).await?);
    println!("{} requests, of which one was refused", service.requests());
    Ok(())
}
