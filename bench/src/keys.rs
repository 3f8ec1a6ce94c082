//! A value of a hundred bytes a key, of as many keys as are asked for: state larger than memory.

use rheos::core::rng::splitmix64;
use rheos::prelude::*;

use crate::jobs::{Outputs, Spec, events, sink};
use crate::stream::Event;

/// How keys are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// How many there are.
    pub keys: u64,
    /// By Zipf's law with exponent 1 (the chance of the key of rank r is as 1/r), or all alike.
    pub zipf: bool,
}

impl Draw {
    /// The key of a row, from 64 random bits.
    fn key(self, bits: u64) -> u64 {
        if !self.zipf {
            return bits % self.keys;
        }
        // The inverse of the distribution of log-uniform ranks; then scattered over the key groups
        // by the key's hash.
        let uniform = (bits >> 11) as f64 / (1u64 << 53) as f64;
        ((self.keys as f64).powf(uniform) as u64).min(self.keys) - 1
    }
}

/// What is kept of a key: with its encoding, a hundred bytes.
#[derive(Row, Clone, Debug)]
struct Account {
    rows: u64,
    note: Vec<u8>,
}

const NOTE: usize = 96;

struct Counting(ValueState<Account>);

impl KeyedProcessFunction<u64, u64, u64> for Counting {
    fn process(
        &mut self,
        _key: u64,
        context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, u64>,
    ) -> Result<(), BoxError> {
        let key = *context.key();
        let mut account = self.0.get_or_insert_with(|| Account {
            rows: 0,
            note: splitmix64(key).to_le_bytes().repeat(NOTE / 8),
        });
        account.rows += 1;
        out.collect(account.rows);
        Ok(())
    }
}

/// source → a key → a value a key → sink.
pub fn keys(env: &StreamEnv, spec: &Spec, draw: Draw) -> Outputs {
    let counted = events(env, spec)
        .map(move |event: Event| {
            let bits = (event.user_id as u64) << 40 ^ event.amount.to_bits() ^ event.ts as u64;
            draw.key(splitmix64(bits ^ (event.category as u64) << 50))
        })
        .key_by(|key: &u64| *key)
        .process(|open| Ok(Counting(open.value_state("account")?)))
        .name("accounts");
    vec![(
        "rows",
        sink(&counted, "rows", spec, |rows| (*rows as f64, None)),
    )]
}
