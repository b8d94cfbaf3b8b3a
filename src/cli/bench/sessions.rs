//! What sessions cost: without commands, with two, with a hundred settings, by the ways to speak TLS.

use anyhow::Result;

use super::fleet::Speech;
use super::measure::{Bench, Session};
use super::report::Figure;
use super::{Wanted, tell};

/// The figures that are wanted.
pub(super) async fn figures(bench: &mut Bench, wanted: &Wanted) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (id, speech, commands) in [
        ("P-01", Speech::Tls12, Vec::new()),
        ("P-02", Speech::Tls12, two_commands()),
        ("P-03", Speech::Resumed, two_commands()),
        ("settings-100", Speech::Tls12, vec![settings(100)]),
        ("noop-resumed", Speech::Resumed, Vec::new()),
        ("noop-tls13", Speech::Tls13, Vec::new()),
    ] {
        if !wanted.has(id) {
            continue;
        }
        tell(id);
        let rounds = bench.sessions(&Session { speech, commands }).await?;
        figures.push(Figure::of_rounds(id, &rounds));
    }
    Ok(figures)
}

/// A setting and a question, queued apart.
pub(super) fn two_commands() -> Vec<String> {
    vec![
        settings(1),
        "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item></Get>".to_owned(),
    ]
}

/// So many settings that travel together.
fn settings(count: usize) -> String {
    let setting = |number| {
        format!(
            "<Replace><CmdID>{number}</CmdID><Item><Target>\
             <LocURI>./Device/Vendor/MSFT/Policy/Config/System/Bench{number}</LocURI></Target>\
             <Meta><Format xmlns=\"syncml:metinf\">int</Format></Meta><Data>1</Data></Item></Replace>"
        )
    };
    (1..=count).map(setting).collect()
}
