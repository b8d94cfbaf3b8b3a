//! The cost of a session against the size of the fleet, as SVG.

use std::fmt::Write as _;

use serde_json::Value;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 340.0;

/// A line of the plot: what it shows, its colour, its points.
struct Line {
    name: String,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

/// The plot of what `--scale` brought; each cost is shown as a multiple of what it is in the smallest fleet.
pub(super) fn svg(points: &[Value], database: &str) -> String {
    let is_counted = |unit: &&str| points.iter().any(|point| point["noop"][*unit].is_number());
    let unit = ["steps", "blocks"].into_iter().find(is_counted).unwrap_or("steps");
    let mut lines = Vec::new();
    for (session, words, colours) in
        [("noop", "no commands", ["#1b6ca8", "#7fb3d5"]), ("two_commands", "two commands", ["#b03a2e", "#e6a08f"])]
    {
        for ((key, what), colour) in [("ratio", "processor time"), (unit, unit)].into_iter().zip(colours) {
            let values =
                points.iter().filter_map(|point| Some((point["devices"].as_f64()?, point[session][key].as_f64()?)));
            let values: Vec<(f64, f64)> = values.collect();
            let first = values.first().map_or(1.0, |(_, value)| *value);
            let points = values.into_iter().map(|(devices, value)| (devices, value / first)).collect();
            lines.push(Line { name: format!("{words}: {what}"), colour, points });
        }
    }
    draw(&lines, database)
}

fn draw(lines: &[Line], database: &str) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let most = all().map(|(_, value)| *value).fold(1.5, f64::max) * 1.05;
    let (least_x, most_x) = all().fold((f64::MAX, f64::MIN), |(least, most), (x, _)| (least.min(*x), most.max(*x)));
    let span = (most_x.log10() - least_x.log10()).max(f64::MIN_POSITIVE);
    let x = |devices: f64| LEFT + 30.0 + (devices.log10() - least_x.log10()) / span * (RIGHT - LEFT - 60.0);
    let y = |value: f64| BOTTOM - value / most * (BOTTOM - TOP);
    let mut out = String::new();
    let mut put = |text: std::fmt::Arguments<'_>| {
        let _ = out.write_fmt(text);
        out.push('\n');
    };
    put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"16\">Cost of a session against the size of the fleet ({database})</text>"
    ));
    for tick in 0..=(most * 2.0) as u32 {
        let value = f64::from(tick) / 2.0;
        let at = y(value);
        put(format_args!(
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}×</text>",
            LEFT - 8.0,
            at + 4.0
        ));
    }
    let mut sizes: Vec<f64> = all().map(|(devices, _)| *devices).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    for devices in sizes {
        let at = x(devices);
        put(format_args!("<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{devices}</text>", BOTTOM + 20.0));
    }
    let middle = (LEFT + RIGHT) / 2.0;
    put(format_args!(
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">devices, a hundred rows each</text>",
        BOTTOM + 42.0
    ));
    for (place, Line { name, colour, points }) in lines.iter().enumerate() {
        let path: Vec<String> =
            points.iter().map(|(devices, value)| format!("{:.1},{:.1}", x(*devices), y(*value))).collect();
        put(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        ));
        for at in &path {
            let (x, y) = at.split_once(',').unwrap_or_default();
            put(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>"));
        }
        let (left, line) = (LEFT + 20.0, BOTTOM - 20.0 - 18.0 * place as f64);
        put(format_args!(
            "<rect x=\"{left}\" y=\"{:.1}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\n\
             <text x=\"{}\" y=\"{line:.1}\">{name}</text>",
            line - 6.0,
            left + 22.0
        ));
    }
    put(format_args!("</svg>"));
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_plot_is_xml_with_a_line_for_each_cost() {
        let cost = |value: f64| json!({"ratio": value, "steps": 100.0 * value});
        let point =
            |devices: u32, value: f64| json!({"devices": devices, "noop": cost(value), "two_commands": cost(value)});
        let svg = svg(&[point(100, 1.2), point(1000, 1.3), point(100_000, 1.25)], "sqlite");
        let document = roxmltree::Document::parse(&svg).unwrap();
        let count = |name: &str| {
            document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name))).count()
        };
        assert_eq!((count("polyline"), count("circle")), (4, 12));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
