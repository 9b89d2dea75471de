//! What a program of Relink asks of the system before it reads its first secret.

use std::io;

/// Keeps the memory of this process, which contains tokens, out of crash dumps, and away from debuggers of the same user. Programs
/// that this one starts write no crash dump either, unless they raise the limit themselves.
#[cfg(unix)]
pub fn protect_memory() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Core);
    limit.current = Some(0);
    setrlimit(Resource::Core, limit)?;
    // The limit doesn't count where the system passes crash dumps to a program (core(5)).
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Windows writes a crash dump only where its administrator has set that up.
#[cfg(not(unix))]
pub fn protect_memory() -> io::Result<()> {
    Ok(())
}

/// Makes every file that this process creates private, in addition to the modes that Relink passes. Programs that it starts
/// inherit this, so the desktop app, which starts the user's browser, doesn't call it.
pub fn create_private_files_only() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}
