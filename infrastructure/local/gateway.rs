//! A proxy that gives the deployed API a short local address.

use std::io;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use reqwest::{Url, redirect::Policy};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::tally::{Counts, Tally};

/// Maximum size of a body in bytes, more than the API accepts.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Headers that apply to one connection, and headers that each side sets itself.
const ONE_HOP: [&str; 11] = [
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
];

/// A running proxy.
#[derive(Debug)]
pub struct Gateway {
    address: String,
    tally: Arc<Tally>,
    server: JoinHandle<()>,
}

struct Upstream {
    client: reqwest::Client,
    api: Url,
    tally: Arc<Tally>,
}

impl Gateway {
    /// Serves `api` on a loopback port; 0 takes any free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(port: u16, api: &str) -> Result<Self> {
        let listener = bind(port).await?;
        let address = format!("http://{}", listener.local_addr()?);
        // Every answer is passed on unchanged, redirects included.
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build()?;
        let tally = Arc::<Tally>::default();
        let upstream = Arc::new(Upstream { client, api: Url::parse(api)?, tally: Arc::clone(&tally) });
        let router = Router::new().fallback(forward).with_state(upstream);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error.message = %error, "the local address stopped");
            }
        });
        Ok(Self { address, tally, server })
    }

    /// The local address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the counts of the requests so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }
}

/// Binds a loopback port; 0 takes any free one.
///
/// # Errors
/// The port cannot be bound. The error contains the remedy.
pub async fn bind(port: u16) -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| anyhow!(unavailable(port, &error)))
}

fn unavailable(port: u16, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} is in use: stop what uses it, or choose another with --port")
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {port} needs more rights: choose one from 1024 upwards with --port")
        }
        _ => format!("port {port} cannot be bound ({error}): choose another with --port"),
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    match upstream.send(&path, request).await {
        Ok(response) => response,
        Err(error) => {
            upstream.tally.add(&path, StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"");
            let mut response = Response::new(Body::from(format!("the local API does not answer: {error:#}\n")));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}

impl Upstream {
    async fn send(&self, asked: &str, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = Url::parse(&format!("{}{path}", self.api))?;
        // Dot segments are already resolved. A path that leads out of the API gets 404.
        if !url.path().strip_prefix(self.api.path()).is_some_and(|inside| inside.starts_with('/')) {
            return Ok(not_found());
        }
        let body = axum::body::to_bytes(body, BODY_LIMIT).await?;
        let answer =
            self.client.request(parts.method, url).headers(end_to_end(parts.headers)).body(body).send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await?;
        self.tally.add(asked, status, &headers, &body);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = end_to_end(headers);
        Ok(response)
    }
}

/// Returns API Gateway's answer to a path without a route.
fn not_found() -> Response {
    let mut response = Response::new(Body::from("{\"message\":\"Not Found\"}"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Removes the headers that apply to one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|names| names.to_str().ok())
        .flat_map(|names| names.split(',').map(|name| name.trim().to_owned()))
        .collect();
    for name in ONE_HOP.into_iter().chain(named.iter().map(String::as_str)) {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests {
    use axum::routing::any;

    use super::*;

    /// Starts a gateway for an API that echoes requests. Like the real API, it is below a path.
    async fn gateway() -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/api/$default", listener.local_addr().unwrap());
        let echo = any(|request: Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap();
            let mut response = Response::new(Body::from(format!("{} {} {}", parts.method, parts.uri, body.len())));
            *response.status_mut() = StatusCode::FOUND;
            for name in ["x-here", "x-hop", "te"] {
                if let Some(value) = parts.headers.get(name) {
                    response.headers_mut().append("x-seen", value.clone());
                }
            }
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/elsewhere"));
            response
        });
        tokio::spawn(axum::serve(listener, Router::new().fallback(echo)).into_future());
        Gateway::start(0, &api).await.unwrap()
    }

    #[tokio::test]
    async fn requests_and_answers_pass_unchanged() {
        let gateway = gateway().await;
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let request = client
            .post(format!("{}/a%2Fb/c%20d?x=%26&y", gateway.address()))
            .header("x-here", "one")
            .header("x-hop", "two")
            .header("te", "trailers")
            .header("connection", "x-hop, te")
            .body(vec![0xFF; 3]);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND);
        assert_eq!(answer.headers()[header::LOCATION], "/elsewhere");
        assert_eq!(answer.headers().get_all("x-seen").iter().collect::<Vec<_>>(), ["one"]);
        assert_eq!(answer.text().await.unwrap(), "POST /api/$default/a%2Fb/c%20d?x=%26&y 3");
    }

    #[tokio::test]
    async fn a_request_that_the_api_does_not_answer_is_counted_as_failed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let unused = format!("http://{}/api", listener.local_addr().unwrap());
        drop(listener);
        let gateway = Gateway::start(0, &unused).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{}/account/1", gateway.address())).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        assert_eq!((gateway.counts()["-"].requests, gateway.counts()["-"].failures), (1, 1));
    }

    #[tokio::test]
    async fn no_path_leads_out_of_the_api() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let gateway = gateway().await;
        let address = gateway.address().trim_start_matches("http://").to_owned();
        for path in ["/../../_admin", "/%2e%2e/%2e%2e/_admin"] {
            let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
    }

    #[tokio::test]
    async fn an_error_about_a_port_contains_the_remedy() {
        let forbidden = unavailable(80, &io::ErrorKind::PermissionDenied.into());
        assert_eq!(forbidden, "port 80 needs more rights: choose one from 1024 upwards with --port");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = Gateway::start(port, "http://127.0.0.1:1/api").await.unwrap_err().to_string();
        assert_eq!(error, format!("port {port} is in use: stop what uses it, or choose another with --port"));
    }
}
