//! Holds `docs/from-a-flink-job.md` to what it shows: every line of the Java job is in it, in order,
//! and every Rust fragment stands in the program that compiles and runs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The lines that are not blank, without their indentation.
fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

/// The fenced blocks in a language, each as its lines.
fn blocks<'a>(guide: &'a str, language: &str) -> Vec<Vec<&'a str>> {
    let mut blocks = Vec::new();
    for part in guide.split(&format!("```{language}\n")).skip(1) {
        let (block, _) = part.split_once("```").expect("a fence that is not closed");
        blocks.push(lines(block));
    }
    blocks
}

#[test]
fn every_line_of_the_java_job_is_gone_through() {
    let guide = read("docs/from-a-flink-job.md");
    let java = read("docs/from-a-flink-job/HighThroughputStreamProcessor.java");
    let shown = blocks(&guide, "java").concat();
    for (number, (shown, line)) in shown.iter().zip(lines(&java)).enumerate() {
        assert_eq!(*shown, line, "line {} that is not blank", number + 1);
    }
    assert_eq!(shown.len(), lines(&java).len());
}

#[test]
fn every_rust_fragment_is_part_of_the_program() {
    let guide = read("docs/from-a-flink-job.md");
    let program = read("examples/gallery/src/bin/from_a_flink_job.rs");
    let program = lines(&program);
    let fragments = blocks(&guide, "rust");
    assert!(fragments.len() > 15, "{} fragments", fragments.len());
    for fragment in fragments {
        let found = program
            .windows(fragment.len())
            .any(|lines| lines == fragment);
        assert!(found, "not in the program:\n{}", fragment.join("\n"));
    }
}

/// Links to files of the repository lead somewhere.
#[test]
fn links_lead_somewhere() {
    for page in [
        "docs/README.md",
        "docs/concepts.md",
        "docs/from-a-flink-job.md",
        "examples/README.md",
    ] {
        let text = read(page);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(page);
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(
                folder.parent().unwrap().join(file).exists(),
                "{page} links to {link}"
            );
        }
    }
}
