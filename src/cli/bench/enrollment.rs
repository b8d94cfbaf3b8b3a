//! What an enrollment by password costs. It is compared with what has to be done anyway: the same bytes over as many TLS
//! connections, the check of the certificate request, and the issue with the same CA key.
//!
//! The password is computed once; then the server remembers for some minutes that it was right. So this is also what an
//! enrollment with a token costs, and the hash of a password comes on top of the first enrollment of each person.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use super::fleet::Speech;
use super::load::{Replay, Tally, Trace};
use super::measure::{Bench, Rounds, abba, stretch};
use super::process::CpuClock;
use super::report::Figure;
use crate::adapters::ca_files::DataFolder;
use crate::adapters::system::{SystemClock, SystemRng};
use crate::pki::{CertificateRequest, DeviceProfile, Serial};
use crate::proto::soap::envelope::Envelope;
use crate::proto::wstep::RequestSecurityToken;
use crate::proto::xml::Limits;

/// Devices that enroll in one turn.
const MOST: usize = 128;
/// Certificates that are issued to learn what one costs.
const ISSUES: u32 = 64;

/// The figure.
pub(super) async fn figure(bench: &mut Bench) -> Result<Figure> {
    let count = bench.pcs.len().min(MOST);
    let warm = stretch(&mut bench.ours, bench.fleet.newcomers(count)?, count).await?;
    warm.tally.check()?;
    let trace = warm.visitors.into_iter().next().map(|newcomer| newcomer.trace).context("nobody enrolled")?;
    let work = issue_cost(bench, &trace)?;
    let network = bench.fleet.network(Speech::Tls12)?;
    let bare = Arc::new(trace.for_bare(&bench.bare.url));
    let mut replays = (0..count).map(|_| Replay::new(&network, None, &bare)).collect::<Result<Vec<_>>>()?;
    replays = stretch(&mut bench.limit, replays, count).await?.visitors;
    let mut all = Tally::default();
    let pairs = abba(bench.extent.rounds, async |is_ours| {
        if is_ours {
            let newcomers = bench.fleet.newcomers(count)?;
            let stretch = stretch(&mut bench.ours, newcomers, count).await?;
            stretch.tally.check()?;
            all.join(stretch.tally);
            return Ok(stretch.cost);
        }
        let stretch = stretch(&mut bench.limit, std::mem::take(&mut replays), count).await?;
        replays = stretch.visitors;
        stretch.tally.check()?;
        Ok(stretch.cost)
    });
    let rounds = Rounds::of(pairs.await?, &trace, all).with_bare_work(work);
    Ok(Figure::of_rounds("P-06", &rounds).with("request_check_and_issue_us", work.round()))
}

/// Microseconds of processor time for the check of a request and the issue of a certificate.
fn issue_cost(bench: &Bench, trace: &Trace) -> Result<f64> {
    let folder = DataFolder::new(bench.fleet.data(), None);
    let authority = folder.authority(&folder.sealer(SystemRng)?)?;
    let body = trace.last_body().context("nothing was sent")?;
    let envelope = Envelope::decode(body, &Limits::default()).map_err(|rejected| rejected.reason)?;
    let token = RequestSecurityToken::decode(&envelope)?.token.context("the last message has no request")?;
    let request = token.bytes.map_err(|_| anyhow!("the request is no base64"))?;
    let (now, profile) = (SystemClock.now(), DeviceProfile::new(time::Duration::days(365)));
    let mut clock = CpuClock::of(std::process::id());
    let before = clock.read()?;
    for _ in 0..ISSUES {
        let checked = CertificateRequest::parse(&request, 2048)?;
        let serial = Serial::from_random(SystemRng.bytes());
        black_box(authority.issue(checked.spki(), "bench", serial, now, &profile)?);
    }
    Ok((clock.read()? - before) as f64 / 1000.0 / f64::from(ISSUES))
}
