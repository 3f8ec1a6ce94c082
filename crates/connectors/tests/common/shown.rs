//! What a [`FileSink`](rheos_connectors::FileSink) has shown.

use std::path::Path;

use serde_json::Value;

/// The names of the files that show, and their lines. What is hidden has not been committed: what a
/// process that was killed leaves behind, or a subtask that is no more and whose last checkpoint came to
/// nothing.
pub fn lines_shown(folder: &Path) -> Vec<(String, Value)> {
    let mut lines = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with('.') {
            assert!(name.ends_with(".inprogress"), "{name}");
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let read = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.extend(read.map(|line| (name.clone(), line)));
    }
    lines
}
