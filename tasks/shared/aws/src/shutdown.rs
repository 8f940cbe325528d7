//! The end of an environment. Lambda sends SIGTERM only to environments with an extension, so the function registers
//! itself as one, which asks for no events. From SIGTERM on, Lambda leaves it 500 ms.
//!
//! `lambda_runtime` has a helper for this, but it panics if it cannot register. Without a registration only the last
//! second of metrics is lost, so the function must go on.

use std::future::pending;
use std::time::Duration;

use http::{Method, Request, StatusCode, Uri};
use lambda_runtime::Error;
use lambda_runtime_api_client::PooledClient;
use lambda_runtime_api_client::body::Body;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::settings::Environment;

/// Name of the extension, unique within the function.
const NAME: &str = "circuit-breaker-shutdown";
const REGISTER: &str = "/2020-01-01/extension/register";
const NEXT: &str = "/2020-01-01/extension/event/next";
/// Maximum time that a start waits for the registration.
const REGISTRATION_LIMIT: Duration = Duration::from_millis(500);

/// The signal by which Lambda ends this environment.
#[derive(Debug)]
pub struct Shutdown(Option<Registered>);

#[derive(Debug)]
struct Registered {
    client: PooledClient,
    id: String,
    signal: Signal,
}

impl Shutdown {
    /// Registers the extension, before the first event is asked for: Lambda takes no registration later. If that fails,
    /// logs why once; the environment then ends without a signal.
    pub async fn register(environment: &Environment) -> Self {
        let registered = timeout(REGISTRATION_LIMIT, Registered::new(environment)).await;
        let problem = match registered {
            Ok(Ok(registered)) => return Self(registered),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the runtime API does not answer in time".to_owned(),
        };
        tracing::warn!(error.message = problem, "no signal of the environment's end");
        Self(None)
    }

    /// Waits for the signal; forever if the extension is not registered.
    pub async fn requested(&mut self) {
        let Some(Registered { client, id, signal }) = &mut self.0 else { return pending().await };
        // The extension is ready once it asks for its next event. No event ever comes, because it registered for none.
        let next = async {
            if let Ok(request) = request(Method::GET, NEXT, ("Lambda-Extension-Identifier", id.as_str()), Body::empty())
            {
                let answer = client.call(request).await;
                tracing::debug!(extension.answered = answer.is_ok(), "the extension has an event");
            }
            pending::<()>().await;
        };
        tokio::select! {
            _ = signal.recv() => {}
            () = next => {}
        }
    }
}

impl Registered {
    /// Registers the extension. Returns `None` if the runtime API takes no extensions, as that of an emulator.
    async fn new(environment: &Environment) -> Result<Option<Self>, Error> {
        let endpoint: Uri = environment.required("AWS_LAMBDA_RUNTIME_API")?.parse()?;
        let client = PooledClient::builder().with_endpoint(endpoint).build();
        // The signal's handler must exist before the registration, because Lambda may send the signal from then on.
        let signal = signal(SignalKind::terminate())?;
        let body = Body::from(r#"{"events":[]}"#);
        let answer = client.call(request(Method::POST, REGISTER, ("Lambda-Extension-Name", NAME), body)?).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            tracing::info!("the runtime API takes no extensions: no signal of the environment's end");
            return Ok(None);
        }
        if !answer.status().is_success() {
            return Err(format!("the registration is answered {}", answer.status()).into());
        }
        let id = answer.headers().get("Lambda-Extension-Identifier").ok_or("the registration has no identifier")?;
        Ok(Some(Self { client, id: id.to_str()?.to_owned(), signal }))
    }
}

fn request(method: Method, path: &str, header: (&str, &str), body: Body) -> Result<Request<Body>, http::Error> {
    Request::builder().method(method).uri(path).header(header.0, header.1).body(body)
}
