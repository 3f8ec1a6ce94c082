//! Windows and process functions against what Flink recorded, at one subtask and at three.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;

use rheos_golden::suite::{Selection, Suite};

#[test]
fn windows_and_process_functions_give_what_flink_gave() {
    let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).unwrap();
    for (kind, count) in [("window", 320), ("keyedProcess", 60)] {
        let selection = Selection {
            prefix: kind.to_owned(),
            parallelism: vec![1, 3],
            crash_every: None,
            unaligned: false,
            rescale: false,
            rocksdb: false,
        };
        let report = suite.run(&selection);
        // "windowJoin" begins with "window" too.
        let tally = report
            .tallies()
            .iter()
            .find(|tally| tally.kind == kind)
            .unwrap();
        assert!(tally.failures.is_empty(), "{}", report.display(3));
        assert_eq!(tally.passed, count, "{kind}");
    }
}
