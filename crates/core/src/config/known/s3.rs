//! S3: what Flink's file systems for it know under these keys. The others of theirs are handed on.

use super::Kind::{Bool, Str};
use super::Verdict::Honoured;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("s3.access-key", &["s3.access.key"], Str, "", Honoured),
    opt("s3.endpoint", &[], Str, "", Honoured),
    opt("s3.endpoint.region", &["s3.region"], Str, "", Honoured),
    opt("s3.path.style.access", &["s3.path-style-access"], Bool, "", Honoured),
    opt("s3.secret-key", &["s3.secret.key"], Str, "", Honoured),
];
