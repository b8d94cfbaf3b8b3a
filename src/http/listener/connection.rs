//! One connection from its handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use super::activity::{Activity, Overdue, WatchedBody, WatchedStream};
use super::tls::Tls;
use super::{Limits, Routers};
use crate::http::peer::{Peer, Side};

/// Streams of one HTTP/2 connection at a time.
const STREAMS: u32 = 100;
/// Room for the beginning of a body behind the largest header.
const BODY_BUFFER: usize = 16 * 1024;

/// What all connections share.
pub(super) struct Server {
    pub(super) tls: Tls,
    pub(super) routers: Routers,
    pub(super) limits: Limits,
    /// The server name of the device side, where a listener is shared.
    pub(super) device_name: Option<String>,
}

impl Server {
    /// Serves a connection until it ends, is overdue, or everything stops.
    pub(super) async fn run(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        side: Option<Side>,
        stopped: watch::Receiver<bool>,
    ) {
        let handshake = timeout(self.limits.handshake, self.handshake(stream, address, side));
        let mut stopping = stopped.clone();
        let (stream, peer) = tokio::select! {
            result = handshake => match result {
                Ok(Ok(ready)) => ready,
                Ok(Err(error)) => return tracing::debug!(%address, %error, "TLS handshake failed"),
                Err(_) => return tracing::debug!(%address, "TLS handshake took too long"),
            },
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.serve_http2(stream, peer, stopped).await;
        } else {
            self.serve_http1(stream, peer, stopped).await;
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        side: Option<Side>,
    ) -> std::io::Result<(TlsStream<TcpStream>, Peer)> {
        // Answers are single small writes; waiting to fill packets only delays them.
        stream.set_nodelay(true)?;
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let server_name = start.client_hello().server_name().map(str::to_ascii_lowercase);
        let side = side.unwrap_or_else(|| self.side_of(server_name.as_deref()));
        let config = match side {
            Side::Web => Arc::clone(&self.tls.web),
            Side::Device => self.tls.device(),
        };
        let stream = start.into_stream(config).await?;
        let chain = stream.get_ref().1.peer_certificates();
        let certificate = chain.and_then(|chain| chain.first()).map(|leaf| leaf.clone().into_owned());
        Ok((stream, Peer { address, side, server_name, certificate }))
    }

    fn side_of(&self, server_name: Option<&str>) -> Side {
        match (server_name, &self.device_name) {
            (Some(name), Some(device)) if !name.eq_ignore_ascii_case(device) => Side::Web,
            _ => Side::Device,
        }
    }

    async fn serve_http1(&self, stream: TlsStream<TcpStream>, peer: Peer, stopped: watch::Receiver<bool>) {
        let limits = &self.limits;
        let activity = Activity::new(limits.header, limits.idle, false);
        let builder = http1_builder(limits);
        let io = TokioIo::new(WatchedStream::new(stream, Arc::clone(&activity)));
        let (router, fields) = (self.router(peer.side), limits.header_fields);
        let service = service_fn(|request| respond(router.clone(), &peer, fields, &activity, request));
        drive(builder.serve_connection(io, service), &activity, stopped).await;
    }

    async fn serve_http2(&self, stream: TlsStream<TcpStream>, peer: Peer, stopped: watch::Receiver<bool>) {
        let limits = &self.limits;
        let activity = Activity::new(limits.header, limits.idle, true);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
        let io = TokioIo::new(WatchedStream::new(stream, Arc::clone(&activity)));
        let (router, fields) = (self.router(peer.side), limits.header_fields);
        let shared = Arc::clone(&activity);
        let service = service_fn(move |request| respond(router.clone(), &peer, fields, &shared, request));
        drive(builder.serve_connection(io, service), &activity, stopped).await;
    }

    fn router(&self, side: Side) -> Router {
        match side {
            Side::Web => self.routers.web.clone(),
            Side::Device => self.routers.device.clone(),
        }
    }
}

/// hyper for HTTP/1.1, set up for devices and browsers.
#[must_use]
pub fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The finer deadlines are ours; this one catches what they might miss.
        .header_read_timeout(limits.idle + limits.header)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes + BODY_BUFFER)
        .max_headers(limits.header_fields);
    builder
}

/// Hands a request to the router, with its [`Peer`].
fn respond(
    router: Router,
    peer: &Peer,
    fields: usize,
    activity: &Arc<Activity>,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<WatchedBody>, Infallible>> + use<> {
    let guard = activity.request();
    request.extensions_mut().insert(peer.clone());
    async move {
        // HTTP/1 counts while it reads; HTTP/2 knows the bytes alone.
        let response = if request.headers().len() > fields {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            response
        } else {
            let Ok(response) = router.oneshot(request.map(Body::new)).await;
            response
        };
        Ok(response.map(|body| WatchedBody::new(body, guard)))
    }
}

/// Runs a connection; asks it to end when it idles or everything stops, and drops it when it is overdue.
async fn drive<C: GracefulConnection<Error = hyper::Error>>(
    connection: C,
    activity: &Activity,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connection = pin!(connection);
    let mut is_closing = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            _ = stopped.wait_for(|stop| *stop), if !is_closing => {}
            overdue = activity.overdue() => {
                if is_closing || overdue != Overdue::Idle {
                    return tracing::debug!(?overdue, "connection cut");
                }
            }
        }
        is_closing = true;
        activity.restart();
        connection.as_mut().graceful_shutdown();
    }
}
