//! The stream of the peer (`PipelineJob.java`): a pure function of the index, so that any engine
//! can run the identical work.

use rheos::core::rng::splitmix64;
use rheos::prelude::*;

/// Event time of index 0, before its delay: a window boundary plus 100 s.
const BASE: i64 = 5_666_667 * 300_000;

/// An event, with the fields of the Java job's.
#[derive(Row, Clone, Debug)]
pub struct Event {
    pub user_id: i64,
    pub category: i32,
    pub kind: i32,
    pub amount: f64,
    pub page: Str,
    pub ts: i64,
    pub emit_ns: i64,
}

/// Event `k`, made `emit_ns` after the clock's zero; a thousandth of `step_us · k` is its time.
#[inline]
pub fn event(k: u64, step_us: i64, emit_ns: i64) -> Event {
    let h = splitmix64(k);
    let h2 = splitmix64(k.wrapping_add(0x1234_5678_90AB_CDEF));
    let r = ((h2 >> 24) & 0xF_FFFF) % 1000;
    let q = (h2 >> 40) as i64;
    let delay = match r {
        0..980 => q % 5_000,
        980..990 => q % 10_000,
        _ => 10_000 + q % 600_000,
    };
    Event {
        user_id: ((h >> 1) % 100_000) as i64,
        category: ((h >> 33) % 1000) as i32,
        kind: ((h2 & 0xFF) % 10) as i32,
        amount: ((h2 >> 8) & 0xFFFF) as f64 / 100.0,
        page: page((q % 5_000) as u32),
        ts: BASE + k as i64 * step_us / 1000 - delay,
        emit_ns,
    }
}

/// `/p/` and the number, made for each event, as the Java job does.
#[inline]
fn page(number: u32) -> Str {
    let mut page = Str::from("/p/");
    page.push_str(itoa::Buffer::new().format(number));
    page
}

/// An event after `map`, with the fields of the Java job's.
#[derive(Row, Clone, Debug)]
pub struct Enriched {
    pub user_id: i64,
    pub category: i32,
    pub amount_eur: f64,
    pub region: Str,
    pub page: Str,
    pub ts: i64,
    pub emit_ns: i64,
    pub sess_count: i64,
    pub sess_amount: f64,
    pub cat_count: i64,
}

/// The regions' names.
pub fn regions() -> Vec<Str> {
    (0..50)
        .map(|region| Str::from(format!("region-{region}").as_str()))
        .collect()
}

/// The peer's `map`.
#[inline]
pub fn enrich(event: Event, regions: &[Str]) -> Enriched {
    static NOWHERE: Str = Str::new();
    let region = regions
        .get((event.user_id % 50) as usize)
        .unwrap_or(&NOWHERE);
    Enriched {
        user_id: event.user_id,
        category: event.category,
        amount_eur: event.amount * 0.92,
        region: region.clone(),
        page: event.page,
        ts: event.ts,
        emit_ns: event.emit_ns,
        sess_count: 0,
        sess_amount: 0.0,
        cat_count: 0,
    }
}
