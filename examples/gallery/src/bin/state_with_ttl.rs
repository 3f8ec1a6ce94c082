//! State that forgets: a message is let through once a day.
//!
//! Flink: `StateTtlConfig.newBuilder(Time.days(1))…` on a state's descriptor. State ages by the clock,
//! not by event time, from when it was last written (or read, if so configured); an entry that is
//! too old is never shown, and is cleaned up on the way. The test moves the clock, which in a
//! harness stands still.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const DAY: Duration = Duration::from_hours(24);

struct FirstOfTheDay {
    seen: ValueState<bool>,
}

impl KeyedProcessFunction<String, String, String> for FirstOfTheDay {
    fn process(
        &mut self,
        message: String,
        _context: &KeyedContext<'_, String>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        if !self.seen.is_some() {
            self.seen.update(true);
            out.collect(message);
        }
        Ok(())
    }
}

fn first_of_the_day(messages: &DataStream<String>) -> DataStream<String> {
    let ttl = StateTtlConfig::new(DAY)
        .update_type(UpdateType::OnCreateAndWrite)
        .visibility(StateVisibility::NeverReturnExpired);
    let seen = ValueStateDescriptor::new("seen").ttl(ttl);
    messages
        .key_by(|message| message.clone())
        .process(move |open| {
            Ok(FirstOfTheDay {
                seen: open.value_state(seen.clone())?,
            })
        })
        .name("first-of-the-day")
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let messages = ["disk full", "fan broken", "disk full", "disk full"].map(String::from);
        let source = CollectionSource::from(messages.to_vec());
        let messages = env.from_source(source, WatermarkStrategy::no_watermarks(), "messages");
        first_of_the_day(&messages)
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rheos::harness::Harness;

    #[test]
    fn a_message_is_let_through_again_when_a_day_has_passed() {
        let harness = Harness::new();
        let (mut input, messages) = harness.input::<String>("messages");
        let output = harness.output(&first_of_the_day(&messages));
        let mut job = harness.start().unwrap();
        let mut say = |job: &mut rheos::harness::TestJob| {
            input.push("disk full".into(), 0);
            job.settle().unwrap();
            output.take_rows().len()
        };
        let day = DAY.as_millis() as Millis;
        assert_eq!(say(&mut job), 1);
        job.advance(day - 1).unwrap();
        assert_eq!(say(&mut job), 0);
        job.advance(1).unwrap();
        assert_eq!(say(&mut job), 1);
    }
}
