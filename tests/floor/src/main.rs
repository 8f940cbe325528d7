//! A Lambda that answers each event with the event. It has no SDK, no settings and no logs, so every Lambda in Rust
//! needs at least its time and memory.

use std::convert::Infallible;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(service_fn(
        |event: LambdaEvent<Box<RawValue>>| async move { Ok::<_, Infallible>(event.payload) },
    ))
    .await
}
