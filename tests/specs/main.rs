//! End-to-end tests with real components.

mod command_line;
mod desktop;
mod following;
mod life;
mod methods;
mod rough_weather;
mod secrets;
mod secrets_desktop;
mod serving;
mod world;
mod world_oidc;
mod world_parts;
