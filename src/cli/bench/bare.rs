//! The bare limit: a server that does the TLS and the HTTP of the real one, takes as many bytes and answers as many, and
//! does nothing else. What it costs, no server can go below.
//!
//! Its TLS configurations are those of the real server, made of the same data folder, and hyper is set up the same way.
//! Each request says how long its answer is to be, in digits at the beginning of its body (see [`filler`]).

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Request, Response};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::adapters::ca_files::DataFolder;
use crate::adapters::system::{SystemClock, SystemRng};
use crate::cli::Globals;
use crate::cli::serve::load_config;
use crate::cli::server_certificate::Keeper;
use crate::config::Config;
use crate::http::listener::tls::{DeviceTls, Tls};
use crate::http::listener::{Limits, http1_builder};
use crate::proto::syncml::MEDIA_TYPE;

/// `muster bench-bare`: the bare server on the data folder of the real one.
#[derive(Debug, Args)]
pub(in crate::cli) struct BareArgs {}

/// Longest answer that may be asked for.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// A body of so many bytes that asks for an answer of so many bytes. Shorter than the digits it cannot be.
pub(super) fn filler(bytes: usize, answer: usize) -> Vec<u8> {
    let mut body = format!("{answer} ").into_bytes();
    body.resize(bytes.max(body.len()), b' ');
    body
}

/// What [`filler`] asks for; nothing where it asks for nothing.
fn asked(body: &[u8]) -> usize {
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit());
    let wanted = digits.take(9).fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    wanted.min(MOST_BYTES)
}

/// Serves until it is ended from outside.
pub(in crate::cli) async fn run(globals: &Globals, _: BareArgs) -> Result<()> {
    let folder = DataFolder::new(&globals.data, None);
    let config = load_config(&folder)?;
    let limits = Limits::from_config(&config);
    let tls = server_tls(folder, &config)?;
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (web, device) = (TcpListener::bind(any_port).await?, TcpListener::bind(any_port).await?);
    let url = |listener: &TcpListener| {
        Ok::<_, std::io::Error>(format!("https://localhost:{}", listener.local_addr()?.port()))
    };
    let mut out = std::io::stdout();
    writeln!(out, "ready url={} device_url={}", url(&web)?, url(&device)?)?;
    out.flush()?;
    let answers = Answers { bytes: Bytes::from(vec![b' '; MOST_BYTES]) };
    tokio::join!(serve(web, tls.web(), limits.clone(), answers.clone()), serve(device, tls.device(), limits, answers),);
    Ok(())
}

/// TLS as the real server on that folder has it.
fn server_tls(folder: DataFolder, config: &Config) -> Result<Tls> {
    let sealer = Arc::new(folder.sealer(SystemRng)?);
    let issuers = vec![folder.authority(&sealer)?.issuing().to_vec().into()];
    let (tls13, http2) = (config.server.device_tls13, config.server.device_http2);
    let device = DeviceTls { issuers, tls13, http2, time: None };
    let keeper = Keeper::open(folder, config.clone(), sealer, Arc::new(SystemClock))?;
    Ok(Tls::new(keeper.certificate(), &device)?)
}

/// Where answers are cut from.
#[derive(Clone)]
struct Answers {
    bytes: Bytes,
}

async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, limits: Limits, answers: Answers) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, limits, answers) = (acceptor.clone(), limits.clone(), answers.clone());
        tokio::spawn(async move { connection(stream, &acceptor, &limits, &answers).await });
    }
}

async fn connection(stream: TcpStream, acceptor: &TlsAcceptor, limits: &Limits, answers: &Answers) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(|request: Request<Incoming>| async {
        let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let mut response = Response::new(Full::new(answers.bytes.slice(..asked(&body))));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok::<_, Infallible>(response)
    });
    // Whoever hangs up is not our concern.
    let _ = http1_builder(limits).serve_connection(TokioIo::new(stream), service).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_asks_for_its_answer() {
        for (bytes, answer) in [(500, 1660), (4, 120), (20, 0), (0, 7)] {
            let body = filler(bytes, answer);
            assert_eq!(asked(&body), answer);
            assert!(body.len() >= bytes && body.len() <= bytes.max(8), "{bytes} {answer}: {}", body.len());
        }
        for (body, expected) in [("", 0), ("<SyncML/>", 0), ("99999999999999999999 ", MOST_BYTES)] {
            assert_eq!(asked(body.as_bytes()), expected, "{body}");
        }
    }
}
