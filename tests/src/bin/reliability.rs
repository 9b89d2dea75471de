//! Prints the table in docs/reliability.md, or some of its rows: `reliability [ROUNDS [POINT…]]`.

use std::time::Instant;

use anyhow::{Context, Result};
use relink_tests::crash::{Point, ROTATIONS, run};

#[expect(clippy::print_stdout, reason = "it prints a table")]
#[tokio::main]
async fn main() -> Result<()> {
    let rounds =
        std::env::args().nth(1).map_or(Ok(200), |text| text.parse()).context("ROUNDS must be a whole number")?;
    let mut points = std::env::args().skip(2).map(|name| Point::named(&name)).collect::<Result<Vec<_>>>()?;
    if points.is_empty() {
        points = Point::ALL.to_vec();
    }
    println!(
        "| killed at | provider | rounds | survived | lost | reported as `lost_response` | gnome-keyring crashes |\n|---|---|---|---|---|---|---|"
    );
    let began = Instant::now();
    for point in points {
        for rotation in ROTATIONS {
            let tally = run(point, rotation, rounds).await?;
            println!(
                "| {} | {rotation} | {rounds} | {} | {} | {} | {} |",
                point.name(),
                tally.survived,
                tally.lost,
                tally.reported_lost_response,
                tally.keyring_crashes
            );
        }
    }
    println!("\n{} s", began.elapsed().as_secs());
    Ok(())
}
