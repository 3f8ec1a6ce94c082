//! Threads as the job sees them: named, and made by whoever owns the process.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Makes threads. Implemented by [`OsSpawner`]; the simulation never calls it, because it drives
/// tasks itself.
pub trait Spawner: Send + Sync + 'static {
    /// Runs `body` on a new thread of that name.
    ///
    /// # Errors
    /// Where the system refuses another thread.
    fn spawn(
        &self,
        name: String,
        body: Box<dyn FnOnce() + Send + 'static>,
    ) -> io::Result<JoinHandle<()>>;
}

/// A shared spawner.
pub type SharedSpawner = Arc<dyn Spawner>;

/// Threads of the operating system. Linux shows the first 15 bytes of the name.
#[derive(Debug, Default)]
pub struct OsSpawner;

impl Spawner for OsSpawner {
    fn spawn(
        &self,
        name: String,
        body: Box<dyn FnOnce() + Send + 'static>,
    ) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(name).spawn(body)
    }
}
