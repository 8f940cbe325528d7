//! A plain local address for the deployed API.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Larger than anything that the API takes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// A running proxy.
#[derive(Debug)]
pub struct Gateway {
    address: String,
    server: JoinHandle<()>,
}

struct Upstream {
    client: reqwest::Client,
    api: String,
}

impl Gateway {
    /// Serves `api` on a loopback port; 0 takes any free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(port: u16, api: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("port {port} is in use: stop what uses it, or choose another with --port"))?;
        let address = format!("http://{}", listener.local_addr()?);
        let upstream = Arc::new(Upstream { client: reqwest::Client::new(), api: api.to_owned() });
        let router = Router::new().fallback(forward).with_state(upstream);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error.message = %error, "the local address is gone");
            }
        });
        Ok(Self { address, server })
    }

    /// The local address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    match upstream.send(request).await {
        Ok(response) => response,
        Err(error) => {
            let mut response = Response::new(Body::from(format!("the local API does not answer: {error:#}\n")));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}

impl Upstream {
    async fn send(&self, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let body = axum::body::to_bytes(body, BODY_LIMIT).await?;
        let answer = self
            .client
            .request(parts.method, format!("{}{path}", self.api))
            .headers(end_to_end(parts.headers))
            .body(body)
            .send()
            .await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = Response::new(Body::from(answer.bytes().await?));
        *response.status_mut() = status;
        *response.headers_mut() = end_to_end(headers);
        Ok(response)
    }
}

/// The headers that are not about one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::UPGRADE] {
        headers.remove(name);
    }
    headers
}
