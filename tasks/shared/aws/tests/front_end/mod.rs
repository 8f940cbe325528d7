//! A server with the protocols of AWS's front ends, TLS with HTTP/2 and HTTP/1.1, and with their faults. It runs on a
//! thread of its own, so that it goes on while a test blocks, as a frozen environment does.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio_rustls::TlsAcceptor;

/// The protocols that AWS's front ends offer.
pub const BOTH: &[&str] = &["h2", "http/1.1"];

/// The reply to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This body, with status 200.
    Answer(Bytes),
    /// An error of the front end itself: the status, and its type in AWS's header.
    Error(u16, &'static str),
    /// No answer, to this and all later requests on the connection.
    Silence,
    /// The connection breaks before a byte of the answer.
    HangUp,
    /// The connection breaks in the middle of the answer.
    CutShort,
}

impl Reply {
    pub fn answer(body: &'static str) -> Self {
        Self::Answer(Bytes::from_static(body.as_bytes()))
    }
}

/// A request that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Number of its connection, from 1.
    pub connection: usize,
    pub method: String,
    pub version: Version,
}

pub struct FrontEnd {
    address: SocketAddr,
    authority: CertificateDer<'static>,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

struct Shared {
    /// The replies to the next requests. All requests after them get the last reply.
    script: Mutex<VecDeque<Reply>>,
    seen: watch::Sender<Vec<Seen>>,
    connections: Mutex<Vec<Arc<Connection>>>,
}

struct Connection {
    number: usize,
    silent: Mutex<bool>,
    breaks: Notify,
    /// Ends when the socket is closed.
    open: Mutex<mpsc::Receiver<()>>,
}

impl FrontEnd {
    /// Listens on a free port of the loopback interface as `localhost`.
    pub fn start(protocols: &[&str], script: impl IntoIterator<Item = Reply>) -> Self {
        let (tls, authority) = tls(protocols);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            seen: watch::Sender::new(Vec::new()),
            connections: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, TlsAcceptor::from(tls), of_thread) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, authority, shared, _stop: stop }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the authority that clients have to trust.
    pub fn trusted(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add(self.authority.clone()).unwrap();
        store
    }

    /// The authority in PEM.
    pub fn pem(&self) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        writeln!(pem, "{}", base64(&self.authority)).unwrap();
        pem.push_str("-----END CERTIFICATE-----\n");
        pem.into_bytes()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.borrow().clone()
    }

    /// The connections of the requests that came in, in order.
    pub fn connections(&self) -> Vec<usize> {
        self.seen().iter().map(|seen| seen.connection).collect()
    }

    /// Waits until `count` requests came in.
    pub async fn received(&self, count: usize) {
        self.shared.seen.subscribe().wait_for(|seen| seen.len() >= count).await.unwrap();
    }

    /// Closes all connections, and blocks until they are closed.
    pub fn hang_up(&self) {
        let open: Vec<_> = self.shared.connections.lock().unwrap().drain(..).collect();
        for connection in open {
            connection.breaks.notify_one();
            assert!(connection.open.lock().unwrap().recv().is_err());
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..4).map(move |digit| {
            let used = digit <= chunk.len();
            if used { char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]) } else { '=' }
        })
    });
    digits.collect()
}

fn tls(protocols: &[&str]) -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "front end");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    (Arc::new(config), authority.der().clone())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut number = 0;
    while let Ok((stream, _)) = listener.accept().await {
        number += 1;
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(serve(number, stream, acceptor, shared));
    }
}

async fn serve(number: usize, stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let (_open, closed) = mpsc::channel();
    let connection =
        Arc::new(Connection { number, silent: Mutex::new(false), breaks: Notify::new(), open: Mutex::new(closed) });
    shared.connections.lock().unwrap().push(Arc::clone(&connection));
    let service = service_fn(|request| reply(Arc::clone(&shared), Arc::clone(&connection), request));
    let http = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        _ = http.serve_connection(TokioIo::new(stream), service) => {}
        () = connection.breaks.notified() => {}
    }
}

async fn reply(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Content>, Infallible> {
    let (method, version) = (request.method().to_string(), request.version());
    let mut body = request.into_body();
    while std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.is_some() {}
    let reply = {
        let mut script = shared.script.lock().unwrap();
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    };
    let reply = if *connection.silent.lock().unwrap() { Reply::Silence } else { reply.unwrap() };
    let seen = Seen { connection: connection.number, method, version };
    shared.seen.send_modify(|all| all.push(seen));
    match reply {
        Reply::Answer(body) => Ok(Response::new(Content { next: Some(body), then: Then::End })),
        Reply::Error(status, kind) => {
            let answer = Response::builder().status(status).header("x-amzn-errortype", kind);
            Ok(answer.body(Content { next: Some(Bytes::from_static(b"{}")), then: Then::End }).unwrap())
        }
        Reply::CutShort => {
            let answer = Response::builder().header("content-length", "1000");
            Ok(answer.body(Content { next: Some(Bytes::from_static(b"{")), then: Then::Break }).unwrap())
        }
        Reply::HangUp => {
            connection.breaks.notify_one();
            std::future::pending().await
        }
        Reply::Silence => {
            *connection.silent.lock().unwrap() = true;
            std::future::pending().await
        }
    }
}

/// The body of an answer.
struct Content {
    next: Option<Bytes>,
    then: Then,
}

enum Then {
    End,
    /// Break after the first part was sent.
    Break,
    BreakNow,
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.next.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.then {
            Then::End => Poll::Ready(None),
            Then::Break => {
                self.then = Then::BreakNow;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Then::BreakNow => Poll::Ready(Some(Err(io::Error::other("cut short")))),
        }
    }
}
