//! Servers that only one test uses, on ports of their own: to be killed, stopped and set up as no
//! other test's may be. They go when the test ends.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

pub struct Own {
    first: u16,
    settings: Vec<(String, String)>,
    /// The last of the hundred ports, held so that no other test takes them.
    _claim: TcpListener,
}

/// Where tests look for a hundred ports that nobody uses. Nodes of a Redis cluster speak to one another
/// on ports that are 10,000 higher: those too are below the ones that any connection may be given.
const FROM: u16 = 12_000;
const BLOCKS: u32 = 80;

fn free(first: u16) -> Option<TcpListener> {
    let claim = TcpListener::bind(("127.0.0.1", first + 99)).ok()?;
    let used = |port| TcpListener::bind(("127.0.0.1", first + port)).is_err();
    let ports = [
        0, 1, 2, 3, 4, 5, 6, 7, 20, 30, 31, 40, 41, 42, 43, 44, 45, 50, 54,
    ];
    (!ports.into_iter().any(used)).then_some(claim)
}

impl Own {
    /// Starts these parts, with these variables of `scripts/services`. None where the test is to be
    /// skipped: where the part that `variable` tells of is not to be had.
    pub fn up(variable: &str, parts: &[&str], settings: &[(&str, &str)]) -> Option<Self> {
        super::part(variable)?;
        let begin = std::process::id() % BLOCKS;
        let mut blocks = (0..BLOCKS).map(|k| FROM + 100 * ((begin + k) % BLOCKS) as u16);
        let (first, claim) = blocks
            .find_map(|first| Some((first, free(first)?)))
            .expect("no hundred ports are free");
        let settings = settings.iter();
        let own = Self {
            first,
            settings: settings
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            _claim: claim,
        };
        own.services(&["purge"]);
        let mut command = vec!["up"];
        command.extend(parts);
        own.services(&command);
        Some(own)
    }

    /// `HOST:PORT`, by the place of the port among the hundred.
    pub fn address(&self, port: u16) -> String {
        format!("127.0.0.1:{}", self.first + port)
    }

    /// Runs `scripts/services` for these servers; what it prints.
    pub fn services(&self, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services");
        let output = Command::new(script)
            .args(arguments)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .env("RHEOS_SERVICES_PORT", self.first.to_string())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "scripts/services {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// A variable that `scripts/services env` prints for them.
    pub fn variable(&self, name: &str) -> String {
        let variables = self.services(&["env"]);
        let mut lines = variables.lines();
        let begin = format!("export {name}=");
        let value = lines.find_map(|line| line.strip_prefix(&begin));
        value.expect("a variable of a part that is up").to_owned()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.services(&["purge"]);
    }
}
