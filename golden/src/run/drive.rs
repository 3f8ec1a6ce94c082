//! Feeds a scenario's items to a job one by one, and says which of them caused what.

use rheos::harness::{Harness, HarnessError, TestInput};
use rheos_core::time::MAX_WATERMARK;
use serde_json::Value;

use super::{RunError, crash};
use crate::scenario::stream::{Element, Item};

/// An element as a row: key, value, timestamp.
pub(super) type Event = (String, i64, i64);

/// Feeds the items, and after each takes the records that it caused: JSON objects as text, which get
/// their `i`.
pub(super) fn drive(
    harness: &Harness,
    mut input: TestInput<Event>,
    items: &[Item],
    final_watermark: bool,
    mut take: impl FnMut() -> Vec<String>,
) -> Result<Vec<Value>, RunError> {
    let mut job = harness.start().map_err(failed)?;
    let mut output = Vec::new();
    for (i, item) in items
        .iter()
        .map(Some)
        .chain(final_watermark.then_some(None))
        .enumerate()
    {
        match item {
            Some(Item::Element(e)) => input.push(row(e), e.ts),
            Some(Item::Watermark(watermark)) => input.watermark(watermark.0),
            None => {
                input.watermark(MAX_WATERMARK);
                input.end();
            }
        }
        if item.is_some() {
            job = crash::within(i, harness, job).map_err(failed)?;
        }
        job.settle().map_err(failed)?;
        for text in take() {
            let mut record: Value =
                serde_json::from_str(&text).map_err(|e| RunError::Failed(e.to_string()))?;
            if let Value::Object(fields) = &mut record {
                fields.insert("i".to_owned(), i.into());
            }
            output.push(record);
        }
        job = crash::after(i, harness, job).map_err(failed)?;
    }
    Ok(output)
}

/// An element as a row.
pub(super) fn row(element: &Element) -> Event {
    (element.key.clone(), element.value, element.ts)
}

/// Feeds the items of two independent streams in turns, to their ends.
pub(super) fn drive_both(
    harness: &Harness,
    (mut left, left_items): (TestInput<Event>, &[Item]),
    (mut right, right_items): (TestInput<Event>, &[Item]),
) -> Result<(), RunError> {
    let mut job = harness.start().map_err(failed)?;
    let feed = |input: &mut TestInput<Event>, item: Option<&Item>| match item {
        Some(Item::Element(e)) => input.push(row(e), e.ts),
        Some(Item::Watermark(watermark)) => input.watermark(watermark.0),
        None => {}
    };
    for i in 0..left_items.len().max(right_items.len()) {
        feed(&mut left, left_items.get(i));
        feed(&mut right, right_items.get(i));
        job = crash::within(i, harness, job).map_err(failed)?;
        job.settle().map_err(failed)?;
        job = crash::after(i, harness, job).map_err(failed)?;
    }
    left.end();
    right.end();
    job.settle().map_err(failed)
}

fn failed(error: HarnessError) -> RunError {
    RunError::Failed(error.to_string())
}
