//! `config.yaml` of Flink 2: YAML, nested or flat, whose keys are joined by dots.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::ConfigError;
use super::list::quote;

/// A YAML value, its scalars as text.
enum Node {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Reads the text into flat keys and values, in the file's order.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let syntax = |detail: String| ConfigError::Syntax {
        file: file.into(),
        detail,
    };
    let options = serde_saphyr::options! {
        // `off` and `yes` are texts in YAML 1.2, and `off` is a restart strategy.
        strict_booleans: true,
        // A snippet of the file may hold a secret.
        with_snippet: false,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    let root: Node = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| syntax(error.to_string()))?;
    let mut pairs = Vec::new();
    match root {
        Node::Null => {}
        Node::Map(entries) => flatten("", entries, &mut pairs),
        Node::Scalar(_) | Node::List(_) => {
            return Err(syntax("it is not a map of keys to values".into()));
        }
    }
    Ok(pairs)
}

fn flatten(prefix: &str, entries: Vec<(String, Node)>, pairs: &mut Vec<(String, String)>) {
    for (key, node) in entries {
        let key = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        match node {
            // As if the key were not there.
            Node::Null => {}
            Node::Map(entries) => flatten(&key, entries, pairs),
            scalar_or_list => pairs.push((key, scalar_or_list.into_line())),
        }
    }
}

impl Node {
    /// The value in one line: lists by `;`, maps within lists by `,`.
    fn into_line(self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Scalar(text) => text,
            Self::List(items) => join(items.into_iter().map(|item| quote(&item.into_line())), ";"),
            Self::Map(entries) => {
                let pair = |(key, node): (String, Self)| {
                    format!("{}:{}", quote(&key), quote(&node.into_line()))
                };
                join(entries.into_iter().map(pair), ",")
            }
        }
    }
}

fn join(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a map")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(format!("{value:?}")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Deserialize::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Node>()? {
            entries.push((key, value));
        }
        Ok(Node::Map(entries))
    }
}
