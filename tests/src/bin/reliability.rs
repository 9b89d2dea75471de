//! Prints docs/reliability.md's table: `reliability [ROUNDS]`.

use std::time::Instant;

use anyhow::{Context, Result};
use relink_tests::crash::{Point, ROTATIONS, run};

#[expect(clippy::print_stdout, reason = "it prints a table")]
#[tokio::main]
async fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).map_or(Ok(200), |text| text.parse()).context("ROUNDS is a whole number")?;
    println!(
        "| killed at | provider | rounds | survived | lost | said as `lost_response` | gnome-keyring's own crashes |\n|---|---|---|---|---|---|---|"
    );
    let began = Instant::now();
    for point in Point::ALL {
        for rotation in ROTATIONS {
            let tally = run(*point, rotation, rounds).await?;
            println!(
                "| {} | {rotation} | {rounds} | {} | {} | {} | {} |",
                point.name(),
                tally.survived,
                tally.lost,
                tally.told_lost_response,
                tally.keyring_crashes
            );
        }
    }
    println!("\n{} s", began.elapsed().as_secs());
    Ok(())
}
