//! Comparisons of lists of records. Fields may stand in any order, and all of them count.

use std::collections::BTreeMap;

use serde_json::Value;

/// At most so many characters of a value are shown.
const SHOWN: usize = 240;
/// At most so many records of a multiset are shown.
const LISTED: usize = 3;

/// Both lists are equal, in order.
pub(super) fn sequence(what: &str, ours: &[Value], flinks: &[Value]) -> Result<(), String> {
    let mut at = 0;
    let (mut a, mut b) = (ours.iter(), flinks.iter());
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ok(()),
            (ours, flinks) if ours == flinks => at += 1,
            (ours, flinks) => {
                return Err(format!(
                    "{what}[{at}]: ours is {}, Flink's is {}",
                    shown(ours),
                    shown(flinks)
                ));
            }
        }
    }
}

/// Both lists hold the same records equally often.
pub(super) fn multiset(what: &str, ours: &[Value], flinks: &[Value]) -> Result<(), String> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for record in ours {
        *counts.entry(canonical(record)).or_default() += 1;
    }
    for record in flinks {
        *counts.entry(canonical(record)).or_default() -= 1;
    }
    counts.retain(|_, count| *count != 0);
    if counts.is_empty() {
        return Ok(());
    }
    let listed = |surplus: bool| {
        let of_kind = counts.iter().filter(|(_, count)| (**count > 0) == surplus);
        let total: u64 = of_kind.clone().map(|(_, count)| count.unsigned_abs()).sum();
        let first: Vec<String> = of_kind.take(LISTED).map(|(text, _)| cut(text)).collect();
        (total, first.join(" "))
    };
    let (missing, first_missing) = listed(false);
    let (surplus, first_surplus) = listed(true);
    Err(format!(
        "{what}: {missing} missing [{first_missing}], {surplus} too many [{first_surplus}]"
    ))
}

/// Within each group the lists are equal, in order. A group is what agrees in `fields`.
pub(super) fn sequences(
    what: &str,
    ours: &[Value],
    flinks: &[Value],
    fields: &[&str],
) -> Result<(), String> {
    let mut groups: BTreeMap<String, (Vec<Value>, Vec<Value>)> = BTreeMap::new();
    for record in ours {
        groups
            .entry(group_key(record, fields))
            .or_default()
            .0
            .push(record.clone());
    }
    for record in flinks {
        groups
            .entry(group_key(record, fields))
            .or_default()
            .1
            .push(record.clone());
    }
    groups.iter().try_for_each(|(group, (ours, flinks))| {
        sequence(&format!("{what} of {group}"), ours, flinks)
    })
}

/// The index of the item that caused a record never falls from one record to the next.
pub(super) fn in_order_of_cause(ours: &[Value]) -> Result<(), String> {
    let mut last = 0;
    for (at, record) in ours.iter().enumerate() {
        let Some(cause) = record.get("i").and_then(Value::as_i64) else {
            return Err(format!("output[{at}] has no i: {}", shown(Some(record))));
        };
        if cause < last {
            return Err(format!(
                "output[{at}] was caused by item {cause}, the one before by {last}"
            ));
        }
        last = cause;
    }
    Ok(())
}

fn group_key(record: &Value, fields: &[&str]) -> String {
    let values = fields
        .iter()
        .filter_map(|field| record.get(field).map(|v| format!("{field} {v}")));
    values.collect::<Vec<_>>().join(", ")
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| cut(&value.to_string()))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// The text of a value with the fields of objects sorted.
fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let by_name: BTreeMap<&String, Value> = fields
                    .iter()
                    .map(|(name, value)| (name, sorted(value)))
                    .collect();
                by_name
                    .into_iter()
                    .map(|(name, value)| (name.clone(), value))
                    .collect()
            }
            Value::Array(values) => values.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }
    sorted(value).to_string()
}
