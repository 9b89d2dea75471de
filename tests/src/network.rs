//! A network of a test's own, which can be taken away.

use std::{
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Result, ensure};

/// A network namespace with loopback, and one interface that reaches nowhere.
#[derive(Debug)]
pub struct Network(String);

impl Network {
    /// Makes one that is up. Wants the right to make namespaces, as root has it.
    pub fn new() -> Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("relink-{}-{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name])?;
        let network = Self(name);
        network.inside(&["link", "set", "lo", "up"])?;
        // A cable whose other end is here too. Not every kernel has `dummy`; each that has namespaces has this.
        network.inside(&["link", "add", "cable", "type", "veth", "peer", "name", "end"])?;
        network.inside(&["addr", "add", "10.77.0.1/24", "dev", "cable"])?;
        network.inside(&["link", "set", "end", "up"])?;
        network.up()?;
        Ok(network)
    }

    /// Online.
    pub fn up(&self) -> Result<()> {
        self.inside(&["link", "set", "cable", "up"])
    }

    /// Offline: loopback stays.
    pub fn down(&self) -> Result<()> {
        self.inside(&["link", "set", "cable", "down"])
    }

    /// What programs are started behind to be inside.
    pub fn prefix(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.0].map(str::to_owned).to_vec()
    }

    fn inside(&self, arguments: &[&str]) -> Result<()> {
        ip(&[&["-n", &self.0], arguments].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Nothing can be done about one that stays.
        let _ = ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    ensure!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
