//! The report: one HTML file that needs no network.

use crate::choose::Decision;
use crate::evaluate::Difference;
use crate::observer::Histogram;
use std::fmt::Write;
use vitrine::runtime::choices::{Activations, Algorithm, Choice, Precision};
use vitrine::runtime::program::Quantization;

/// Layers whose histograms are drawn.
const WORST: usize = 12;
const BARS: usize = 96;

/// What a layer read, and the range that was chosen for it.
pub type Recorded<'a> = (&'a Histogram, Option<Quantization>);

/// What the report says.
#[derive(Clone)]
pub struct Report<'a> {
    /// Of the net.
    pub name: &'a str,
    /// The board's name and description.
    pub board: (&'a str, &'a str),
    /// How the net was calibrated, in a line.
    pub calibration: String,
    /// Of the bundle's weights.
    pub bytes: u64,
    /// Activations at their peak and working memory.
    pub memory: [u64; 2],
    /// Against f32, an entry for each output.
    pub differences: &'a [Difference],
    /// In the order of the net.
    pub decisions: &'a [Decision],
    /// What each layer reads: histogram and, where int8, how it is quantized; by the layer's name.
    pub inputs: &'a dyn Fn(&str) -> Option<Recorded<'a>>,
    /// Norms that were smoothed.
    pub smoothed: &'a [String],
    /// Layers that no kernel has: name and operation.
    pub left_to_tract: &'a [(String, String)],
}

/// A precision and algorithm for people.
pub fn how(choice: &Choice) -> String {
    let precision = match choice.precision {
        Precision::F32 => "f32",
        Precision::F16 => "f16",
        Precision::Int8 => "int8",
        Precision::Int4 => "int4",
    };
    match (choice.precision, choice.activations, choice.algorithm) {
        (Precision::Int8 | Precision::Int4, Activations::Row, _) => format!("{precision} by row"),
        (_, _, Algorithm::Winograd([down, across])) => {
            format!("{precision} Winograd {down}×{across}")
        }
        _ => precision.to_owned(),
    }
}

/// How a decision is computed, for people.
pub fn how_decided(decision: &Decision) -> String {
    match (decision.kind, decision.int8_attention) {
        ("attention", true) => format!("int8, {}", how(&decision.choice)),
        _ => how(&decision.choice),
    }
}

/// Text between tags or in a quoted attribute.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

impl Report<'_> {
    /// The whole file.
    pub fn html(&self) -> String {
        let name = escaped(self.name);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{name}: how it was quantized</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>{name}</h1>\n"
        );
        self.summary(&mut page);
        self.layers(&mut page);
        self.histograms(&mut page);
        self.rest(&mut page);
        let _ = write!(page, "<script>{SCRIPT}</script>\n</body>\n</html>\n");
        page
    }

    fn summary(&self, page: &mut String) {
        let mut row = |label: &str, value: String| {
            let _ = writeln!(page, "<dt>{label}</dt><dd>{value}</dd>");
        };
        let (board, description) = self.board;
        row("Board", format!("{}: {}", escaped(board), escaped(description)));
        row("Calibration", escaped(&self.calibration));
        row("Weights", format!("{:.2} MB", self.bytes as f64 / 1e6));
        let [activations, scratch] = self.memory.map(|bytes| bytes as f64 / 1e6);
        row("Memory beside", format!("{activations:.2} MB activations, {scratch:.2} MB working"));
        let cycles: Option<Vec<f64>> = self.decisions.iter().map(|d| d.cycles).collect();
        row(
            "Estimated cycles",
            match cycles {
                Some(cycles) if !cycles.is_empty() => format!(
                    "{:.1} M in one core, of layers with weights and attention",
                    cycles.iter().sum::<f64>() / 1e6
                ),
                _ => "not known for all layers of this board".into(),
            },
        );
        for found in self.differences {
            let region = found
                .worst_region
                .map_or(String::new(), |decibels| format!(", worst 64×64 region {decibels:.1} dB"));
            row(
                "Against f32",
                format!(
                    "<code>{}</code>: {:.1} dB PSNR{region}, greatest difference {:.4}",
                    escaped(&found.name),
                    found.psnr,
                    found.greatest
                ),
            );
        }
        let mut counts: std::collections::BTreeMap<String, usize> = Default::default();
        for decision in self.decisions {
            *counts.entry(how_decided(decision)).or_default() += 1;
        }
        let counts: Vec<_> = counts.iter().map(|(how, n)| format!("{n} × {how}")).collect();
        row("Layers", escaped(&counts.join(", ")));
        page.insert_str(page.find("<dt>").unwrap_or(page.len()), "<dl>\n");
        page.push_str("</dl>\n");
    }

    fn layers(&self, page: &mut String) {
        page.push_str(
            "<h2>Layers</h2>\n<p>Click a heading to sort.</p>\n<table id=\"layers\">\n<thead><tr>\
             <th>#</th><th>Name</th><th>Type</th><th>Computed in</th><th>Error, dB PSNR</th>\
             <th>dB SQNR</th><th>Bytes</th><th>M cycles</th><th>Why</th></tr></thead>\n<tbody>\n",
        );
        for (index, decision) in self.decisions.iter().enumerate() {
            let number = |value: Option<f64>, digits: usize| {
                value.map_or_else(|| "–".into(), |value| format!("{value:.digits$}"))
            };
            let _ = writeln!(
                page,
                "<tr class=\"{}\"><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td>\
                 <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                if is_quantized(decision) { "quantized" } else { "float" },
                index + 1,
                escaped(&decision.name),
                escaped(&decision.kind.replace('_', " ")),
                escaped(&how_decided(decision)),
                number(decision.fidelity.map(|fidelity| fidelity.psnr), 1),
                number(decision.fidelity.map(|fidelity| fidelity.sqnr), 1),
                decision.bytes,
                number(decision.cycles.map(|cycles| cycles / 1e6), 2),
                escaped(&decision.why),
            );
        }
        page.push_str("</tbody>\n</table>\n");
    }

    fn histograms(&self, page: &mut String) {
        let psnr = |decision: &Decision| decision.fidelity.map(|fidelity| fidelity.psnr);
        let mut worst: Vec<_> = self.decisions.iter().filter_map(|d| Some((psnr(d)?, d))).collect();
        worst.sort_by(|a, b| a.0.total_cmp(&b.0));
        page.push_str(
            "<h2>What the worst layers read</h2>\n<p>Heights are logarithmic; the band is what int8 holds.</p>\n<div class=\"grid\">\n",
        );
        let drawable = worst
            .into_iter()
            .filter_map(|(psnr, decision)| Some((psnr, decision, (self.inputs)(&decision.name)?)));
        for (psnr, decision, (histogram, quantization)) in drawable.take(WORST) {
            let _ = writeln!(
                page,
                "<figure>{}<figcaption><code>{}</code>: {psnr:.1} dB</figcaption></figure>",
                picture(histogram, quantization),
                escaped(&decision.name)
            );
        }
        page.push_str("</div>\n");
    }

    fn rest(&self, page: &mut String) {
        if !self.smoothed.is_empty() {
            page.push_str("<h2>Smoothed norms</h2>\n<ul>\n");
            for norm in self.smoothed {
                let _ = writeln!(page, "<li><code>{}</code></li>", escaped(norm));
            }
            page.push_str("</ul>\n");
        }
        page.push_str("<h2>Left to tract</h2>\n");
        if self.left_to_tract.is_empty() {
            page.push_str("<p>Nothing: every layer has a kernel.</p>\n");
            return;
        }
        page.push_str("<p>No kernel has these; they run, and more slowly.</p>\n<ul>\n");
        for (name, operation) in self.left_to_tract {
            let _ =
                writeln!(page, "<li><code>{}</code>: {}</li>", escaped(name), escaped(operation));
        }
        page.push_str("</ul>\n");
    }
}

fn is_quantized(decision: &Decision) -> bool {
    decision.int8_attention
        || matches!(decision.choice.precision, Precision::Int8 | Precision::Int4)
}

/// A histogram as SVG.
fn picture(histogram: &Histogram, quantization: Option<Quantization>) -> String {
    const HEIGHT: f64 = 90.0;
    let (width, range) = (BARS as f64 * 3.0, histogram.extremes());
    let heights = histogram.bars(BARS);
    let most = (1.0 + heights.iter().copied().max().unwrap_or(0) as f64).ln();
    let mut picture = format!(
        "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"histogram\">",
        HEIGHT + 16.0
    );
    if let Some(Quantization { scale, zero_point }) = quantization
        && range.high > range.low
    {
        let place = |q: f32| {
            let value = (q - f32::from(zero_point)) * scale;
            let share = (value - range.low) / (range.high - range.low);
            f64::from(share.clamp(0.0, 1.0)) * width
        };
        let (from, to) = (place(-128.0), place(127.0));
        let band = to - from;
        let _ = write!(
            picture,
            "<rect class=\"band\" x=\"{from:.1}\" y=\"0\" width=\"{band:.1}\" height=\"{HEIGHT}\"/>"
        );
    }
    for (index, &count) in heights.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = ((1.0 + count as f64).ln() / most * HEIGHT).max(1.0);
        let (x, y) = (index as f64 * 3.0, HEIGHT - height);
        let _ = write!(
            picture,
            "<rect class=\"bar\" x=\"{x:.0}\" y=\"{y:.1}\" width=\"2.4\" height=\"{height:.1}\"/>"
        );
    }
    let (low, high, base) = (range.low, range.high, HEIGHT + 12.0);
    let _ = write!(
        picture,
        "<text x=\"0\" y=\"{base}\">{low:.3}</text>\
         <text x=\"{width}\" y=\"{base}\" text-anchor=\"end\">{high:.3}</text></svg>"
    );
    picture
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c1c1e; --paper: #fbfaf8; --rule: #d9d5cd; --quiet: #6b675f; --mark: #2f6f5e; --band: #2f6f5e22; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e6df; --paper: #17171a; --rule: #38373a; --quiet: #9d998f; --mark: #7cc4ae; --band: #7cc4ae26; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1240px; margin: 24px auto; padding: 0 20px; }
h1 { font-size: 26px; } h2 { font-size: 19px; margin-top: 36px; } p { color: var(--quiet); }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; } dt { color: var(--quiet); } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: 4px 8px; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { cursor: pointer; position: sticky; top: 0; background: var(--paper); } th:hover { color: var(--mark); }
td:nth-child(n+5):nth-child(-n+8), td:first-child { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
tr.quantized td:nth-child(4) { color: var(--mark); font-weight: 600; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 20px; } figure { margin: 0; } figcaption { color: var(--quiet); }
svg { width: 100%; } .bar { fill: var(--mark); } .band { fill: var(--band); } text { font-size: 10px; fill: var(--quiet); }
";

const SCRIPT: &str = "
const body = document.querySelector('#layers tbody');
document.querySelectorAll('#layers th').forEach((th, column) => th.onclick = () => {
  const sign = th.dataset.sign = -(th.dataset.sign || -1);
  const key = row => row.cells[column].textContent;
  const order = (a, b) => { const [x, y] = [parseFloat(key(a)), parseFloat(key(b))];
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return sign * (isNaN(x) ? key(a).localeCompare(key(b)) : x - y); };
  body.append(...[...body.rows].sort(order));
});
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Fidelity;

    fn decision(name: &str, psnr: f64) -> Decision {
        Decision {
            name: name.into(),
            kind: "convolution",
            choice: Choice::float(Precision::Int8),
            int8_attention: false,
            fidelity: Some(Fidelity { psnr, sqnr: psnr }),
            slower_in_int8: false,
            error: None,
            bytes: 1234,
            cycles: Some(5e6),
            why: "a < b & c".into(),
        }
    }

    #[test]
    fn names_cannot_break_out_of_the_page_and_nothing_is_loaded() {
        let decisions = [decision("<script>alert(1)</script>", 40.0), decision("quiet\"", 30.0)];
        let mut histogram = Histogram::default();
        histogram.add(&[0.5, 1.0, -1.0]);
        let quantization = Quantization { scale: 0.004, zero_point: 0 };
        let report = Report {
            name: "net<b>",
            board: ("rk3588", "a board"),
            calibration: "4 samples".into(),
            bytes: 1_500_000,
            memory: [0, 0],
            differences: &[Difference {
                name: "out".into(),
                psnr: 41.25,
                worst_region: Some(33.0),
                greatest: 0.5,
            }],
            decisions: &decisions,
            inputs: &|_| Some((&histogram, Some(quantization))),
            smoothed: &[],
            left_to_tract: &[("x".into(), "TopK<>".into())],
        };
        let page = report.html();
        assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert(1)"));
        assert!(page.contains("net&lt;b&gt;") && page.contains("a &lt; b &amp; c"));
        assert!(page.contains("TopK&lt;&gt;") && page.contains("quiet&quot;"));
        assert!(!page.contains("http") && !page.contains("src="), "nothing from elsewhere");
        assert!(page.contains("41.2 dB PSNR, worst 64×64 region 33.0 dB"));
        assert!(page.contains("10.0 M in one core"));
        assert_eq!(page.matches("<svg").count(), 2);
        let quiet = page.find("<figcaption><code>quiet").unwrap();
        let loud = page.find("<figcaption><code>&lt;script").unwrap();
        assert!(quiet < loud, "the worst comes first");
    }
}
