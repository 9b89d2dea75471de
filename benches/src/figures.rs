//! Medians and the tables they stand in.

/// Many measurements of one thing.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    pub(crate) fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The value at a share of the way from the least to the greatest.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }
}

/// A table of Relink's medians beside its peer's.
pub(crate) fn table(title: &str, unit: &str, peer: &str, rows: &[(&str, &Figures, &Figures)]) {
    println!("\n### {title}\n");
    println!("| {unit}, median (least – most) | Relink | {peer} | ratio |\n|---|---|---|---|");
    for (what, relink, other) in rows {
        let ratio = relink.median() / other.median();
        println!("| {what} | {} | {} | {ratio:.2} |", cell(relink), cell(other));
    }
}

fn cell(figures: &Figures) -> String {
    let places = if figures.median() < 10.0 { 2 } else { 0 };
    let number = |value: f64| format!("{value:.places$}");
    format!("{} ({} – {})", number(figures.median()), number(figures.at(0.0)), number(figures.at(1.0)))
}
