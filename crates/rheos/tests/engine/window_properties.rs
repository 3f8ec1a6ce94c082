//! Windows of event time against a model that keeps every row and computes each firing from scratch,
//! over random streams with disorder and lateness, at one to three subtasks; and the operator that
//! gathers by pane against the general one.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rheos::harness::Harness;
use rheos::prelude::*;

/// Key, value, timestamp.
type Event = (i64, i64, i64);
/// Count, sum, least and greatest value.
type Sums = (i64, i64, i64, i64);

#[derive(Debug, Clone, Copy)]
enum Item {
    Row(Event),
    Watermark(i64),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Tumbling { size: i64, offset: i64 },
    Sliding { size: i64, slide: i64, offset: i64 },
    Session { gap: i64 },
}

struct Summing;

impl AggregateFunction for Summing {
    type In = Event;
    type Acc = Sums;
    type Out = Sums;

    fn create_accumulator(&self) -> Sums {
        (0, 0, i64::MAX, i64::MIN)
    }

    fn add(&self, sums: &mut Sums, event: Event) {
        self.merge(sums, (1, event.1, event.1, event.1));
    }

    fn get_result(&self, sums: &Sums) -> Sums {
        *sums
    }

    fn merge(&self, into: &mut Sums, from: Sums) {
        *into = (
            into.0 + from.0,
            into.1 + from.1,
            into.2.min(from.2),
            into.3.max(from.3),
        );
    }
}

fn sums(values: &[i64]) -> Sums {
    (
        values.len() as i64,
        values.iter().sum(),
        *values.iter().min().unwrap(),
        *values.iter().max().unwrap(),
    )
}

/// The firings of each key and window in order, and the late rows in order.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    fired: BTreeMap<(i64, i64, i64), Vec<Sums>>,
    late: Vec<Event>,
}

/// A window of the model.
struct Kept {
    key: i64,
    start: i64,
    end: i64,
    values: Vec<i64>,
}

fn windows_of(kind: Kind, ts: i64) -> Vec<(i64, i64)> {
    match kind {
        Kind::Tumbling { size, offset } => {
            let start = ts - (ts - offset).rem_euclid(size);
            vec![(start, start + size)]
        }
        Kind::Sliding {
            size,
            slide,
            offset,
        } => {
            let last = ts - (ts - offset).rem_euclid(slide);
            (0..)
                .map(|back| last - back * slide)
                .take_while(|start| *start > ts - size)
                .map(|start| (start, start + size))
                .collect()
        }
        Kind::Session { gap } => vec![(ts, ts + gap)],
    }
}

fn model(kind: Kind, lateness: i64, items: &[Item]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut kept: Vec<Kept> = Vec::new();
    let mut watermark = i64::MIN;
    for item in items {
        match *item {
            Item::Row((key, value, ts)) => {
                let mut taken = false;
                for (start, end) in windows_of(kind, ts) {
                    let mut window = Kept {
                        key,
                        start,
                        end,
                        values: Vec::new(),
                    };
                    let merging = matches!(kind, Kind::Session { .. });
                    let (joined, others) = kept.into_iter().partition(|other| {
                        other.key == key
                            && if merging {
                                other.start <= end && other.end >= start
                            } else {
                                other.start == start
                            }
                    });
                    kept = others;
                    let joined: Vec<Kept> = joined;
                    for other in joined {
                        window.start = window.start.min(other.start);
                        window.end = window.end.max(other.end);
                        window.values.extend(other.values);
                    }
                    if window.end - 1 + lateness <= watermark {
                        // Late: what was kept is cleaned up, so it has joined nothing.
                        assert!(window.values.is_empty());
                        continue;
                    }
                    taken = true;
                    window.values.push(value);
                    if window.end - 1 <= watermark {
                        let id = (key, window.start, window.end);
                        outcome
                            .fired
                            .entry(id)
                            .or_default()
                            .push(sums(&window.values));
                    }
                    kept.push(window);
                }
                if !taken && ts + lateness <= watermark {
                    outcome.late.push((key, value, ts));
                }
            }
            Item::Watermark(to) if to > watermark => {
                for window in &kept {
                    if window.end - 1 > watermark && window.end - 1 <= to {
                        let id = (window.key, window.start, window.end);
                        outcome
                            .fired
                            .entry(id)
                            .or_default()
                            .push(sums(&window.values));
                    }
                }
                watermark = to;
                kept.retain(|window| (window.end - 1).saturating_add(lateness) > watermark);
            }
            Item::Watermark(_) => {}
        }
    }
    outcome
}

#[derive(Debug, Clone, Copy)]
struct Running {
    parallelism: u32,
    slicing: bool,
    /// Keeps all rows instead of sums.
    listing: bool,
}

fn run_with<A>(assigner: A, lateness: i64, items: &[Item], running: Running) -> Outcome
where
    A: WindowAssigner<Event, Window = TimeWindow>,
{
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<Event>("input");
    let tag = OutputTag::<Event>::new("late");
    let mut windowed = stream
        .key_by(|event| event.0)
        .window(assigner)
        .allowed_lateness(Duration::from_millis(lateness as u64))
        .side_output_late_data(&tag);
    if !running.slicing {
        windowed = windowed.without_slicing();
    }
    let fired = if running.listing {
        windowed.apply(|key, window, rows: &[Event], _, out| {
            let values: Vec<i64> = rows.iter().map(|row| row.1).collect();
            out.collect((*key, (window.start, window.end), sums(&values)));
            Ok(())
        })
    } else {
        windowed.aggregate_apply(Summing, |key, window, sums, _, out| {
            out.collect((*key, (window.start, window.end), sums));
            Ok(())
        })
    };
    let fired = fired.parallelism(running.parallelism);
    let late = harness.output(&fired.side_output(&tag));
    let output = harness.output(&fired);
    let mut job = harness.start().unwrap();
    let mut outcome = Outcome::default();
    let mut last_ends: BTreeMap<i64, i64> = BTreeMap::new();
    for item in items {
        match *item {
            Item::Row(event) => input.push(event, event.2),
            Item::Watermark(watermark) => input.watermark(watermark),
        }
        // Late rows of several subtasks have no order but that of their arrival.
        job.settle().unwrap();
        last_ends.clear();
        for ((key, (start, end), sums), timestamp) in output.take() {
            assert_eq!(timestamp, end - 1);
            if matches!(item, Item::Watermark(_)) {
                let before = last_ends.insert(key, end);
                assert!(
                    before.is_none_or(|before| before <= end),
                    "windows fire in order"
                );
            }
            outcome
                .fired
                .entry((key, start, end))
                .or_default()
                .push(sums);
        }
        outcome
            .late
            .extend(late.take().into_iter().map(|(row, timestamp)| {
                assert_eq!(timestamp, row.2);
                row
            }));
    }
    outcome
}

fn run(kind: Kind, lateness: i64, items: &[Item], running: Running) -> Outcome {
    let millis = |millis: i64| Duration::from_millis(millis as u64);
    match kind {
        Kind::Tumbling { size, offset } => {
            let windows = TumblingEventTimeWindows::of(millis(size)).offset_millis(offset);
            run_with(windows, lateness, items, running)
        }
        Kind::Sliding {
            size,
            slide,
            offset,
        } => {
            let windows = SlidingEventTimeWindows::of(millis(size), millis(slide));
            run_with(windows.offset_millis(offset), lateness, items, running)
        }
        Kind::Session { gap } => {
            let windows = EventTimeSessionWindows::with_gap(millis(gap));
            run_with(windows, lateness, items, running)
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (1i64..20).prop_flat_map(|size| {
            (Just(size), 1 - size..size).prop_map(|(size, offset)| Kind::Tumbling { size, offset })
        }),
        (1i64..25, 1i64..15).prop_flat_map(|(size, slide)| {
            (Just(size), Just(slide), 1 - slide..slide).prop_map(|(size, slide, offset)| {
                Kind::Sliding {
                    size,
                    slide,
                    offset,
                }
            })
        }),
        (1i64..8).prop_map(|gap| Kind::Session { gap }),
    ]
}

/// A stream that advances by small steps, its rows up to `disorder` behind, some watermarks in
/// between, the last of them the end of time.
fn streams() -> impl Strategy<Value = Vec<Item>> {
    let step = (0i64..4, 0i64..4, -50i64..50, 0i64..30, 0u8..5, 0i64..12);
    (prop::collection::vec(step, 1..80), -40i64..10).prop_map(|(steps, start)| {
        let mut now = start;
        let mut items = Vec::new();
        for (advance, key, value, behind, watermark, bound) in steps {
            now += advance;
            items.push(Item::Row((
                key,
                value,
                now - behind * i64::from(behind < 20),
            )));
            if watermark == 0 {
                items.push(Item::Watermark(now - bound));
            }
        }
        items.push(Item::Watermark(MAX_WATERMARK));
        items
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn windows_fire_with_what_a_batch_would_compute(
        kind in kinds(),
        lateness in prop_oneof![Just(0i64), 0i64..15],
        items in streams(),
        parallelism in 1u32..=3,
    ) {
        let expected = model(kind, lateness, &items);
        for (slicing, listing) in [(true, false), (false, false), (false, true)] {
            let running = Running { parallelism, slicing, listing };
            prop_assert_eq!(&run(kind, lateness, &items, running), &expected, "{:?}", running);
        }
    }
}
