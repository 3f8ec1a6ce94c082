//! An index of a search server. By hand: a loop that formats the lines of `_bulk` and reads each answer
//! whole.

use rheos::prelude::*;
use rheos_connectors::ElasticsearchSink;

use super::http::Http;
use super::{Sale, Spec, Target, batches, limits, put};

const INDEX: &str = "bench-sales";
const SETTINGS: &str = r#"{"settings": {"number_of_shards": 1, "number_of_replicas": 0,
    "refresh_interval": "-1"}, "mappings": {"properties": {"id": {"type": "long"},
    "user_id": {"type": "long"}, "category": {"type": "keyword"}, "amount": {"type": "double"},
    "at": {"type": "long"}}}}"#;

pub struct Index {
    spec: Spec,
    client: Http,
}

impl Index {
    pub fn open(spec: &Spec) -> Result<Self, BoxError> {
        let host = spec.url.trim_start_matches("http://").trim_end_matches('/');
        Ok(Self {
            spec: spec.clone(),
            client: Http::open(host)?,
        })
    }

    fn json(&mut self, line: &str, body: &str) -> Result<serde_json::Value, BoxError> {
        let (_, answer) = self.client.ask(line, "application/json", body.as_bytes())?;
        Ok(serde_json::from_slice(&answer)?)
    }
}

impl Target for Index {
    fn clear(&mut self) -> Result<(), BoxError> {
        self.json(&format!("DELETE /{INDEX}"), "")?;
        self.json(&format!("PUT /{INDEX}"), SETTINGS)?;
        Ok(())
    }

    fn describe(&self, rows: &DataStream<Sale>) {
        let sink = ElasticsearchSink::new([self.spec.url.as_str()], INDEX)
            .id(|row: &Sale| row.id.to_string())
            .batches(limits(&self.spec));
        rows.sink_to(sink);
    }

    fn by_hand(&mut self, rows: &mut dyn Iterator<Item = Sale>) -> Result<(), BoxError> {
        let (client, size) = (&mut self.client, self.spec.batch);
        let mut body = Vec::new();
        batches(rows, size, |batch| {
            body.clear();
            for row in batch {
                let id = row.id;
                put(
                    &mut body,
                    format_args!("{{\"index\":{{\"_index\":\"{INDEX}\",\"_id\":\"{id}\"}}}}\n"),
                );
                put(
                    &mut body,
                    format_args!(
                        "{{\"id\":{id},\"user_id\":{},\"category\":\"{}\",\"amount\":{:?},\"at\":{}}}\n",
                        row.user_id, row.category, row.amount, row.at
                    ),
                );
            }
            let (status, answer) = client.ask("POST /_bulk", "application/x-ndjson", &body)?;
            let answer = String::from_utf8_lossy(&answer);
            if status != 200 || !answer.contains("\"errors\":false") {
                let words: String = answer.chars().take(300).collect();
                return Err(format!("HTTP {status}: {words}").into());
            }
            Ok(())
        })
    }

    fn count(&mut self) -> Result<u64, BoxError> {
        self.json(&format!("POST /{INDEX}/_refresh"), "")?;
        let query = r#"{"size": 0, "track_total_hits": true}"#;
        let answer = self.json(&format!("POST /{INDEX}/_search"), query)?;
        let total = answer.pointer("/hits/total/value");
        Ok(total
            .and_then(serde_json::Value::as_u64)
            .unwrap_or_default())
    }
}
