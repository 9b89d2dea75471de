//! Plays a scenario until Ctrl+C: `cargo run -p relink-sandbox --example twin -- github`, or the path of a scenario file.

use std::{error::Error, fs};

use relink_sandbox::{Options, Sandbox, Scenario};

const CONTROL_KEY: &str = "twin";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let names = || Scenario::names().collect::<Vec<_>>().join(", ");
    let wanted = std::env::args().nth(1).ok_or_else(|| format!("name a scenario file, or one of {}", names()))?;
    let text = match Scenario::built_in(&wanted) {
        Some(text) => text.to_owned(),
        None => {
            fs::read_to_string(&wanted).map_err(|error| format!("{wanted}: {error}; or name one of {}", names()))?
        }
    };
    let scenario = Scenario::parse(&text)?;
    let (id, secret) = scenario.client();
    let client = format!("client ID {id}, secret {}", secret.unwrap_or("none"));
    let name = scenario.name().to_owned();
    let options = Options { listen: "127.0.0.1:0".parse()?, state: None, control_key: CONTROL_KEY.to_owned() };
    let running = Sandbox::start_twin(options, scenario).await?;
    println!("{name} at {} ({client}; control key: {CONTROL_KEY})", running.base_url());
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
