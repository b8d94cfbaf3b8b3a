//! What sessions cost: without commands, with two, with a hundred settings, by the ways to speak TLS.

use anyhow::Result;

use super::fleet::Speech;
use super::measure::{Bench, Session};
use super::report::Figure;
use super::{Wanted, tell};
use crate::proto::csp::catalogue::{self, Build, Check, Format};
use crate::proto::syncml::Verb;
use crate::sim::Profile;

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

/// So many settings that travel together: policies that the devices of the fleet take, each with the value that it has
/// without any setting.
fn settings(count: usize) -> String {
    let fleet = Profile::Windows11;
    let (build, edition) = (Build::parse(fleet.os_version()), Some(fleet.os_edition()));
    let policies = catalogue::embedded().records().iter().filter_map(|record| {
        let value = record.default.as_deref()?;
        let is_policy = record.path.starts_with("./Device/Vendor/MSFT/Policy/Config/") && record.format == Format::Int;
        let check = Check {
            format: Some("int"),
            value: Some(value),
            build,
            edition,
            ..Check::new(&record.path, Verb::Replace)
        };
        let is_taken = is_policy && catalogue::embedded().check(&check).is_ok_and(|warnings| warnings.is_empty());
        is_taken.then_some((&record.path, value))
    });
    let setting = |(number, (path, value)): (usize, _)| {
        format!(
            "<Replace><CmdID>{}</CmdID><Item><Target><LocURI>{path}</LocURI></Target>\
             <Meta><Format xmlns=\"syncml:metinf\">int</Format></Meta><Data>{value}</Data></Item></Replace>",
            number + 1
        )
    };
    policies.take(count).enumerate().map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::settings;

    #[test]
    fn there_are_as_many_settings_as_are_measured() {
        assert_eq!(settings(100).matches("<Replace>").count(), 100);
    }
}
