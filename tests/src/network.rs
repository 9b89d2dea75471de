//! A network of a test's own, which can be taken away.

use std::process::Command;

use anyhow::{Result, ensure};

/// A network namespace with loopback, and one interface that reaches nowhere.
#[derive(Debug)]
pub struct Network(String);

impl Network {
    /// Makes one that is up. Wants the right to make namespaces, as root has it.
    pub fn new() -> Result<Self> {
        let name = format!("relink-{}", uuid_like());
        ip(&["netns", "add", &name])?;
        let network = Self(name);
        network.inside(&["link", "set", "lo", "up"])?;
        network.inside(&["link", "add", "dummy0", "type", "dummy"])?;
        network.inside(&["addr", "add", "10.77.0.1/24", "dev", "dummy0"])?;
        network.up()?;
        Ok(network)
    }

    /// Online.
    pub fn up(&self) -> Result<()> {
        self.inside(&["link", "set", "dummy0", "up"])
    }

    /// Offline: loopback stays.
    pub fn down(&self) -> Result<()> {
        self.inside(&["link", "set", "dummy0", "down"])
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

fn uuid_like() -> String {
    format!("{}-{:x}", std::process::id(), std::ptr::from_ref(&()).addr() & 0xffff)
}
