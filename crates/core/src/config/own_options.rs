//! Options that are not Flink's, but of Rheos alone; they belong to [`super::options`], which shows them.

use std::time::Duration;

use super::option::ConfigOption;

/// What clients of REST have to know.
pub const REST_TOKEN: ConfigOption<String> =
    ConfigOption::new("rheos.rest.token", "What clients of REST have to know.");

/// Whether REST may listen where others than this machine reach it, and ask for no token.
pub const REST_INSECURE: ConfigOption<bool> = ConfigOption::new(
    "rheos.rest.insecure",
    "Whether REST may listen where others than this machine reach it, and ask for no token.",
)
.default("false");

/// After how long without a renewal another JobManager may lead.
pub const HA_LEASE_DURATION: ConfigOption<Duration> = ConfigOption::new(
    "rheos.high-availability.lease.duration",
    "After how long without a renewal another JobManager may lead.",
)
.default("3 s");

/// How often the leader renews its lease; a third of the duration if it is not set.
pub const HA_LEASE_RENEW_INTERVAL: ConfigOption<Duration> = ConfigOption::new(
    "rheos.high-availability.lease.renew-interval",
    "How often the leader renews its lease.",
);

/// A second place for copies of checkpoints.
pub const COPIES_DIR: ConfigOption<String> = ConfigOption::new(
    "rheos.checkpointing.copies.dir",
    "A second place for copies of checkpoints.",
);

/// The server of the second place, if it is another than that of `s3.endpoint`.
pub const COPIES_S3_ENDPOINT: ConfigOption<String> = ConfigOption::new(
    "rheos.checkpointing.copies.s3.endpoint",
    "The server of the second place, if it is another than that of `s3.endpoint`.",
);

/// Its region, if it is another than `s3.endpoint.region`.
pub const COPIES_S3_REGION: ConfigOption<String> = ConfigOption::new(
    "rheos.checkpointing.copies.s3.endpoint.region",
    "Its region, if it is another than `s3.endpoint.region`.",
);

/// Who asks there, if it is another than `s3.access-key`.
pub const COPIES_S3_ACCESS_KEY: ConfigOption<String> = ConfigOption::new(
    "rheos.checkpointing.copies.s3.access-key",
    "Who asks there, if it is another than `s3.access-key`.",
);

/// What proves it.
pub const COPIES_S3_SECRET_KEY: ConfigOption<String> = ConfigOption::new(
    "rheos.checkpointing.copies.s3.secret-key",
    "What proves it.",
);

/// Whether the bucket is in the path there, if that differs from `s3.path.style.access`.
pub const COPIES_S3_PATH_STYLE_ACCESS: ConfigOption<bool> = ConfigOption::new(
    "rheos.checkpointing.copies.s3.path.style.access",
    "Whether the bucket is in the path there, if that differs from `s3.path.style.access`.",
);

/// How many keys of an operator's subtask may be in its tables, instead of as many as memory has room for:
/// for tests.
pub const STATE_RESIDENT_KEYS: ConfigOption<u64> = ConfigOption::new(
    "rheos.state.resident-keys",
    "How many keys of an operator's subtask may be in its tables, instead of as many as memory has room for: \
     for tests.",
);

/// Which tasks share a thread: `task`, `slot` or `auto`.
pub const THREADS: ConfigOption<String> = ConfigOption::new(
    "rheos.threads",
    "Which tasks share a thread: `task`, `slot` or `auto`.",
)
.default("auto");
