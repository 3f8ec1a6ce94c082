//! Redis killed and hanging. Its cluster failing over is in `tests/servers/redis.rs`.

use std::process::Command;
use std::time::Duration;

use rheos_connectors::{BatchLimits, RedisOptions, RedisSink, Retries};

use crate::common::endless::Endless;
use crate::common::own::Own;

fn count(address: &str) -> usize {
    let (host, port) = address.split_once(':').unwrap();
    let output = Command::new("timeout")
        .args(["10", "redis-cli", "-h", host, "-p", port, "HLEN", "numbers"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().unwrap_or(0)
}

#[test]
fn a_server_that_hangs_and_one_that_is_killed_and_comes_back_has_every_row() {
    let Some(own) = Own::up("RHEOS_REDIS", &["redis"], &[]) else {
        return;
    };
    let address = own.address(30);
    let mut options = RedisOptions::new(own.variable("RHEOS_REDIS"));
    options.request_timeout = Duration::from_secs(3);
    options.connect_timeout = Duration::from_secs(3);
    let sink = RedisSink::with(options)
        .hash(
            |_: &u64| "numbers".to_owned(),
            |n| vec![(n.to_string(), "1")],
        )
        .batches(BatchLimits {
            max_rows: 400,
            max_bytes: 1 << 20,
            interval: Duration::from_millis(50),
        })
        .retries(Retries {
            initial_backoff: Duration::from_millis(20),
            max_backoff: Duration::from_millis(300),
            max_retries: None,
        });
    let job = Endless::start(|k| k, 3_000.0, sink, "redis-sink");
    job.wait_until_it_goes_on("rows arrive", || count(&address));
    for (fault, mend) in [("pause", "resume"), ("kill", "up")] {
        own.services(&[fault, "redis"]);
        job.wait_until_held_up();
        own.services(&[mend, "redis"]);
        job.wait_until_it_goes_on("rows arrive again", || count(&address));
    }
    let emitted = job.stop();
    assert_eq!(count(&address), emitted);
}
