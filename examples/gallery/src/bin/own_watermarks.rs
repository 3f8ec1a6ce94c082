//! Watermarks of one's own: a gateway says how far its sensors have reported.
//!
//! Flink: `WatermarkStrategy.forGenerator(context -> new WatermarkGenerator…)`, with `onEvent` and
//! `onPeriodicEmit`. A generator belongs to one split of the source and sees its rows only. Here no
//! bound on disorder is guessed: a *mark* in the stream says that all readings up to its time have
//! been sent.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

#[derive(Row, Clone)]
enum Message {
    Reading {
        at: Millis,
        celsius: f64,
    },
    /// Everything up to this time has been sent.
    Mark {
        at: Millis,
    },
}

struct Marks;

impl WatermarkGenerator<Message> for Marks {
    fn on_event(&mut self, message: &Message, _timestamp: Millis, out: &mut WatermarkOutput) {
        if let Message::Mark { at } = message {
            out.emit_watermark(*at);
        }
    }

    /// Asked every `pipeline.auto-watermark-interval`; for generators that go by the clock.
    fn on_periodic(&mut self, _now: Millis, _out: &mut WatermarkOutput) {}
}

fn at(message: &Message) -> Millis {
    match message {
        Message::Reading { at, .. } | Message::Mark { at } => *at,
    }
}

fn messages() -> Vec<Message> {
    let reading = |at, celsius| Message::Reading { at, celsius };
    vec![
        reading(1_000, 20.0),
        // Nine seconds early: it says nothing about what is still to come of the first window.
        reading(19_000, 26.0),
        reading(8_000, 22.0),
        Message::Mark { at: 9_999 },
        // Behind the mark, so it is late.
        reading(9_000, 99.0),
        reading(12_000, 24.0),
    ]
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let time = WatermarkStrategy::for_generator(|| Marks)
            .with_timestamp_assigner(|message: &Message, _| at(message));
        env.from_source(CollectionSource::from(messages()), time, "gateway")
            .parallelism(1)
            .flat_map(|message| match message {
                Message::Reading { celsius, .. } => Some(celsius),
                Message::Mark { .. } => None,
            })
            // One subtask too: by way of several, the late row could overtake the mark and be in time.
            .parallelism(1)
            .window_all(TumblingEventTimeWindows::of(Duration::from_secs(10)))
            .apply(|(), window, readings, _context, out| {
                let mean = readings.iter().sum::<f64>() / readings.len() as f64;
                out.collect(format!("until second {}: {mean} °C", window.end / 1_000));
                Ok(())
            })
            .name("mean")
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
