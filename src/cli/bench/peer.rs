//! A whole session of ours compared with a Go handler behind the same mutual TLS that does nothing, where Go is installed.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::fleet::Speech;
use super::load::Tally;
use super::measure::{Bench, Meter, Rounds, Session, abba, stretch};
use super::process::Server;
use super::report::Figure;

const SOURCE: &str = include_str!("peer/main.go");

/// The figure, or why there is none.
pub(super) async fn figure(bench: &mut Bench) -> Result<Result<Figure, String>> {
    let Some(version) = go_version() else { return Ok(Err("Go is not installed".to_owned())) };
    // Where Go is, the handler has to build and run: a figure that is left out is no longer a gate.
    let server = build(bench)?;
    let mut clock = Meter::of(&server);
    let session = Session { speech: Speech::Tls12, commands: Vec::new() };
    bench.speak(Speech::Tls12)?;
    let trace = bench.record(&session).await?;
    let mut replays = bench.replays(Speech::Tls12, trace.for_bare(&server.device_url))?;
    let visits = 2 * bench.pcs.len();
    replays = stretch(&mut clock, replays, visits).await?.visitors;
    let mut all = Tally::default();
    let pairs = abba(bench.extent.rounds, async |is_ours| {
        if is_ours {
            let (tally, cost) = bench.hold(&session, visits).await?;
            all.join(tally);
            return Ok(cost);
        }
        let stretch = stretch(&mut clock, std::mem::take(&mut replays), visits).await?;
        replays = stretch.visitors;
        stretch.tally.check()?;
        Ok(stretch.cost)
    });
    Ok(Ok(Figure::of_rounds("P-04", &Rounds::of(pairs.await?, &trace, all)).with("go", version)))
}

fn go_version() -> Option<String> {
    let output =
        Command::new("go").args(["env", "GOVERSION"]).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Builds the handler in the folder of the run and starts it on one core.
fn build(bench: &Bench) -> Result<Server> {
    let data = bench.fleet.data();
    let folder = data.parent().context("the folder of the run has no parent")?.join("go");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("main.go"), SOURCE)?;
    let mut go = Command::new("go");
    go.args(["build", "-o", "peer", "main.go"]).current_dir(&folder);
    go.env("GO111MODULE", "off").env("GOCACHE", folder.join("cache")).env("GOPATH", folder.join("path"));
    let built = go.output()?;
    if !built.status.success() {
        bail!("Go does not build the handler: {}", String::from_utf8_lossy(&built.stderr).trim());
    }
    let mut command = Command::new(folder.join("peer"));
    command.args(["tls/server.pem", "tls/server.key", "ca/issuing.pem"].map(|file| data.join(file)));
    command.env("GOMAXPROCS", "1");
    Server::begin(command, &folder.join("peer.log"), bench.fleet.cores())
}
