//! A table of PostgreSQL. By hand: the statements that its manual advises for many rows, prepared once:
//! an upsert of one array a column, and `COPY` of text.

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::SinkExt as _;
use rheos::prelude::*;
use rheos_connectors::PostgresSink;
use tokio_postgres::{Client, NoTls, Statement};

use super::{Sale, Spec, Target, batches, limits};

const TABLE: &str = "bench_sales";
const UPSERT: &str = "INSERT INTO bench_sales (id, user_id, category, amount, at)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::float8[], $5::bigint[])
    ON CONFLICT (id) DO UPDATE SET user_id = EXCLUDED.user_id, category = EXCLUDED.category,
    amount = EXCLUDED.amount, at = EXCLUDED.at";
const COPY: &str = "COPY bench_sales (id, user_id, category, amount, at) FROM STDIN";

pub struct Table {
    spec: Spec,
    copy: bool,
    io: tokio::runtime::Runtime,
    client: Client,
}

impl Table {
    pub fn open(spec: &Spec, copy: bool) -> Result<Self, BoxError> {
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let (client, connection) = io.block_on(tokio_postgres::connect(&spec.url, NoTls))?;
        io.spawn(connection);
        Ok(Self {
            spec: spec.clone(),
            copy,
            io,
            client,
        })
    }
}

async fn upsert(client: &Client, statement: &Statement, rows: &[Sale]) -> Result<(), BoxError> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let users: Vec<i64> = rows.iter().map(|row| row.user_id).collect();
    let categories: Vec<&str> = rows.iter().map(|row| row.category.as_str()).collect();
    let amounts: Vec<f64> = rows.iter().map(|row| row.amount).collect();
    let times: Vec<i64> = rows.iter().map(|row| row.at).collect();
    client
        .execute(statement, &[&ids, &users, &categories, &amounts, &times])
        .await?;
    Ok(())
}

async fn copy(client: &Client, statement: &Statement, rows: &[Sale]) -> Result<(), BoxError> {
    let sink = client.copy_in::<_, Bytes>(statement).await?;
    let mut sink = std::pin::pin!(sink);
    let mut text = String::with_capacity(rows.len() * 64);
    for row in rows {
        let Sale {
            id,
            user_id,
            category,
            amount,
            at,
        } = row;
        writeln!(text, "{id}\t{user_id}\t{category}\t{amount}\t{at}")?;
    }
    sink.send(Bytes::from(text)).await?;
    sink.finish().await?;
    Ok(())
}

impl Target for Table {
    fn clear(&mut self) -> Result<(), BoxError> {
        let key = if self.copy { "" } else { " PRIMARY KEY" };
        let sql = format!(
            "DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (id bigint NOT NULL{key}, \
             user_id bigint NOT NULL, category text NOT NULL, amount float8 NOT NULL, at bigint NOT NULL); \
             CHECKPOINT"
        );
        Ok(self.io.block_on(self.client.batch_execute(&sql))?)
    }

    fn describe(&self, rows: &DataStream<Sale>) {
        let sink = PostgresSink::new(&self.spec.url, TABLE)
            .column("id", |row: &Sale| row.id)
            .column("user_id", |row: &Sale| row.user_id)
            .column("category", |row: &Sale| row.category.clone())
            .column("amount", |row: &Sale| row.amount)
            .column("at", |row: &Sale| row.at)
            .batches(limits(&self.spec));
        rows.sink_to(if self.copy {
            sink.copy()
        } else {
            sink.key(["id"])
        });
    }

    fn by_hand(&mut self, rows: &mut dyn Iterator<Item = Sale>) -> Result<(), BoxError> {
        let (io, client) = (&self.io, &self.client);
        let sql = if self.copy { COPY } else { UPSERT };
        let statement = io.block_on(client.prepare(sql))?;
        batches(rows, self.spec.batch, |batch| match self.copy {
            true => io.block_on(copy(client, &statement, batch)),
            false => io.block_on(upsert(client, &statement, batch)),
        })
    }

    fn count(&mut self) -> Result<u64, BoxError> {
        let sql = format!("SELECT count(*) FROM {TABLE}");
        let row = self.io.block_on(self.client.query_one(&sql, &[]))?;
        Ok(row.try_get::<_, i64>(0)?.unsigned_abs())
    }
}
