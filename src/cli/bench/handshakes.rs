//! What a handshake costs that is refused, compared with one that is accepted: who floods the server with certificates that
//! are not its own must not cost it more than a device.
//!
//! The certificate that is refused names the right CA and has a signature that does not verify, which is what costs most.

use anyhow::Result;

use super::fleet::Speech;
use super::load::{Knock, Pc, Tally, Trace};
use super::measure::{Bench, Rounds, abba, stretch};
use super::report::Figure;

/// The figure.
pub(super) async fn figure(bench: &mut Bench) -> Result<Figure> {
    let network = bench.fleet.network(Speech::Tls12)?;
    let url = bench.fleet.server()?.device_url.clone();
    let knock = |is_refused: bool| {
        let knocks = bench.pcs.iter().map(|Pc { managed, .. }| {
            let mut enrolled = managed.enrolled().clone();
            if let Some(last) = enrolled.certificate.last_mut().filter(|_| is_refused) {
                *last ^= 1;
            }
            Ok(Knock { client: network.client(Some(&enrolled))?, url: url.clone(), is_refused })
        });
        knocks.collect::<Result<Vec<_>>>()
    };
    let (mut refused, mut accepted) = (knock(true)?, knock(false)?);
    let visits = 2 * bench.pcs.len();
    let mut all = Tally::default();
    let pairs = abba(bench.extent.rounds, async |is_ours| {
        let knocks = if is_ours { &mut refused } else { &mut accepted };
        let stretch = stretch(&mut bench.ours, std::mem::take(knocks), visits).await?;
        *knocks = stretch.visitors;
        stretch.tally.check()?;
        if is_ours {
            all.join(stretch.tally);
        }
        Ok(stretch.cost)
    });
    Ok(Figure::of_rounds("P-16", &Rounds::of(pairs.await?, &Trace::default(), all)))
}
