//! Medians, and the tables that print them.

use std::time::Duration;

/// Repeated measurements of one quantity.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    pub(crate) fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The quantile at `share`, from 0 (minimum) to 1 (maximum).
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// A table that compares Relink's medians with the baseline's.
pub(crate) fn table(title: &str, unit: &str, baseline: &str, rows: &[(&str, &Figures, &Figures)]) {
    println!("\n### {title}\n");
    println!("| {unit}, median (min – max) | Relink | {baseline} | ratio |\n|---|---|---|---|");
    for (what, relink, other) in rows {
        let ratio = relink.median() / other.median();
        println!("| {what} | {} | {} | {ratio:.2} |", format_cell(relink), format_cell(other));
    }
}

/// A table that compares the same quantity with few and with many accounts, and shows the largest ratio.
pub(crate) fn growth_table(title: &str, unit: &str, sizes: [&str; 2], rows: &[(&str, Figures, Figures)]) {
    println!("\n### {title}\n");
    println!("| {unit}, median (min – max) | {} | {} | ratio |\n|---|---|---|---|", sizes[0], sizes[1]);
    let mut largest: f64 = 0.0;
    for (what, small, large) in rows {
        let ratio = large.median() / small.median();
        largest = largest.max(ratio);
        println!("| {what} | {} | {} | {ratio:.2} |", format_cell(small), format_cell(large));
    }
    println!("\nThe largest ratio is {largest:.2}. The aim is at most 1.2.");
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000_000.0
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn format_cell(figures: &Figures) -> String {
    let places = if figures.median() < 10.0 { 2 } else { 0 };
    let number = |value: f64| format!("{value:.places$}");
    format!("{} ({} – {})", number(figures.median()), number(figures.quantile(0.0)), number(figures.quantile(1.0)))
}
