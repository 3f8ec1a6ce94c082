//! Applies staged epochs, each in one transaction that also moves the writer's fence.
//!
//! The fence is a row of a table. It is locked first: a session of a former committer that is still at
//! work is waited for, and what it has committed is seen. So whatever was lost on the way, the same is
//! done again.

use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, Fence, StagedEpoch};
use tokio_postgres::types::ToSql;

use super::connection::within;
use super::courier::{Batch, PostgresCourier, insert};
use super::epoch::Epoch;
use super::fault::Fault;
use super::statement::quoted_table;
use crate::error::ConnectorError;
use crate::outbox::LeftOut;

/// The committer of one subtask.
pub(super) struct PostgresCommitter {
    courier: PostgresCourier,
    /// The table of fences, in quotes.
    fences: String,
    fences_are_there: bool,
    /// Rows that the table refuses.
    left_out: LeftOut,
    io: tokio::runtime::Handle,
}

impl PostgresCommitter {
    /// Looks at the database first: what it refuses now it would refuse at each commit.
    pub fn open(
        courier: PostgresCourier,
        fence_table: &str,
        left_out: LeftOut,
        io: tokio::runtime::Handle,
    ) -> Result<Self, ConnectorError> {
        let mut committer = Self {
            courier,
            fences: quoted_table(fence_table),
            fences_are_there: false,
            left_out,
            io: io.clone(),
        };
        match io.block_on(committer.ready()) {
            Ok(()) => Ok(committer),
            Err(Fault::Passing(message)) => {
                let name = &committer.courier.connector.name;
                tracing::warn!("PostgreSQL at {name}: {message}; the first commit tries again");
                Ok(committer)
            }
            Err(Fault::Row(message) | Fault::Fatal(message)) => {
                Err(committer.courier.patience.failed(&message))
            }
        }
    }

    async fn ready(&mut self) -> Result<(), Fault> {
        self.courier.ensure().await?;
        let timeout = self.courier.connector.request_timeout;
        if self.fences_are_there {
            return Ok(());
        }
        let client = self.courier.client()?;
        let found = async {
            let sql = "SELECT to_regclass($1) IS NOT NULL";
            client.query_one(sql, &[&self.fences]).await
        };
        let found: bool = within(timeout, "the look for the fences", found)
            .await?
            .get(0);
        if !found {
            // By one subtask at a time, as what users have prepared.
            let sql = format!(
                "BEGIN; SELECT pg_advisory_xact_lock(7237122); CREATE TABLE IF NOT EXISTS {} \
                 (lineage text NOT NULL, sink text NOT NULL, writer bigint NOT NULL, \
                 epoch bigint NOT NULL, PRIMARY KEY (lineage, sink, writer)); COMMIT",
                self.fences
            );
            let made = client.batch_execute(&sql);
            within(timeout, "CREATE TABLE", made).await?;
        }
        self.fences_are_there = true;
        Ok(())
    }

    /// One transaction. Rows that were left out are counted once it is committed.
    async fn attempt(&mut self, fence: &Fence, batches: &[Batch]) -> Result<Vec<String>, Fault> {
        self.ready().await?;
        let timeout = self.courier.connector.request_timeout;
        let client = self.courier.client()?;
        let (fences, writer) = (&self.fences, i64::from(fence.writer));
        let epoch = i64::try_from(fence.epoch)
            .map_err(|_| Fault::Fatal(format!("epoch {} is no bigint", fence.epoch)))?;
        within(timeout, "BEGIN", client.batch_execute("BEGIN")).await?;
        let locked = async {
            let sql =
                format!("INSERT INTO {fences} VALUES ($1, $2, $3, -1) ON CONFLICT DO NOTHING");
            let of = [&fence.lineage as &(dyn ToSql + Sync), &fence.sink, &writer];
            client.execute(&sql, &of).await?;
            let sql = format!(
                "SELECT epoch FROM {fences} WHERE lineage = $1 AND sink = $2 AND writer = $3 FOR UPDATE"
            );
            client.query_one(&sql, &of).await
        };
        let applied: i64 = within(timeout, "the fence", locked).await?.get(0);
        if applied >= epoch {
            within(timeout, "ROLLBACK", client.batch_execute("ROLLBACK")).await?;
            return Ok(Vec::new());
        }
        let mut left_out = Vec::new();
        for batch in batches {
            // The parts that are still to be written, the first last; as in the courier.
            let mut parts = vec![(0, batch.rows)];
            while let Some((from, to)) = parts.pop() {
                if !self.left_out.skips() {
                    insert(&self.courier, batch, from, to).await?;
                    continue;
                }
                let step = |sql| within(timeout, sql, client.batch_execute(sql));
                step("SAVEPOINT part").await?;
                match insert(&self.courier, batch, from, to).await {
                    Ok(()) => step("RELEASE SAVEPOINT part").await?,
                    Err(Fault::Row(message)) => {
                        step("ROLLBACK TO SAVEPOINT part").await?;
                        if to - from <= 1 {
                            left_out.push(message);
                        } else {
                            let middle = from + (to - from) / 2;
                            parts.push((middle, to));
                            parts.push((from, middle));
                        }
                    }
                    Err(other) => return Err(other),
                }
            }
        }
        let moved = async {
            let sql = format!(
                "UPDATE {fences} SET epoch = $4 WHERE lineage = $1 AND sink = $2 AND writer = $3"
            );
            let to = [
                &fence.lineage as &(dyn ToSql + Sync),
                &fence.sink,
                &writer,
                &epoch,
            ];
            client.execute(&sql, &to).await
        };
        within(timeout, "the fence", moved).await?;
        within(timeout, "COMMIT", client.batch_execute("COMMIT")).await?;
        Ok(left_out)
    }

    async fn apply(&mut self, staged: &StagedEpoch) -> Result<(), ConnectorError> {
        let epoch = Epoch::from_handle(&staged.handle).map_err(|what| {
            let message = format!("an epoch in the checkpoint can't be read: {what}");
            self.courier.patience.failed(&message)
        })?;
        let batches = epoch.into_batches();
        loop {
            match self.attempt(&staged.fence, &batches).await {
                Ok(left_out) => {
                    self.courier.patience.answered();
                    let table = format!("table {}", self.courier.target.table);
                    for message in left_out {
                        let refused = self.left_out.refused(&table, &message);
                        refused.map_err(|message| self.courier.patience.failed(&message))?;
                    }
                    return Ok(());
                }
                // Its session is ended before the next begins.
                Err(Fault::Passing(message)) => {
                    self.courier.give_up_connection();
                    self.courier.patience.wait(&message).await?;
                }
                Err(Fault::Row(message)) => {
                    self.courier.give_up_connection();
                    let table = format!("table {}", self.courier.target.table);
                    let refused = self.left_out.refused(&table, &message);
                    let message = refused.err().unwrap_or(message);
                    return Err(self.courier.patience.failed(&message));
                }
                Err(Fault::Fatal(message)) => {
                    self.courier.give_up_connection();
                    return Err(self.courier.patience.failed(&message));
                }
            }
        }
    }
}

impl Committer for PostgresCommitter {
    fn commit(&mut self, epochs: &[StagedEpoch]) -> Result<(), BoxError> {
        let io = self.io.clone();
        for epoch in epochs {
            io.block_on(self.apply(epoch))?;
        }
        Ok(())
    }
}
