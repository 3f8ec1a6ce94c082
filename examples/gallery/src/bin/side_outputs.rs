//! Side outputs: one operator, several streams of different types.
//!
//! Flink: `OutputTag`, `ctx.output(tag, row)`, `stream.getSideOutput(tag)`. Here the factory asks for
//! the handle of a side output, so a tag that is used with two types of row is an error before the
//! first row, not a cast that fails at run time.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

#[derive(Row, Clone)]
struct Payment {
    from: String,
    cents: i64,
}

#[derive(Row, Clone)]
struct Refused {
    line: String,
    why: String,
}

fn parse(line: &str) -> Result<Payment, String> {
    let (from, amount) = line.split_once(' ').ok_or("no amount")?;
    let cents = amount
        .parse()
        .map_err(|error| format!("amount '{amount}': {error}"))?;
    Ok(Payment {
        from: from.to_owned(),
        cents,
    })
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let refused = OutputTag::<Refused>::new("refused");
        let large = OutputTag::<Payment>::new("large");

        let lines = ["ann 1200", "bob", "cid 99000", "dora 12x"].map(String::from);
        let source = CollectionSource::from(lines.to_vec());
        let payments = env
            .from_source(source, WatermarkStrategy::no_watermarks(), "lines")
            .process({
                let (refused, large) = (refused.clone(), large.clone());
                // Called once on each subtask; what it returns is called for each row.
                move |open| {
                    let refused = open.side_output(&refused)?;
                    let large = open.side_output(&large)?;
                    let function =
                        move |line: String,
                              context: &ProcessContext<'_>,
                              out: &mut Collector<'_, Payment>| {
                            let at = context.timestamp().unwrap_or(MIN_TIMESTAMP);
                            match parse(&line) {
                                Ok(payment) if payment.cents > 50_000 => large.emit(payment, at),
                                Ok(payment) => out.collect(payment),
                                Err(why) => refused.emit(Refused { line, why }, at),
                            }
                            Ok(())
                        };
                    Ok(function)
                }
            })
            .name("parse");
        payments
            .side_output(&refused)
            .sink_to(PrintSink::new().identifier("refused"))
            .parallelism(1);
        payments
            .side_output(&large)
            .sink_to(PrintSink::new().identifier("large"))
            .parallelism(1);
        payments
            .sink_to(PrintSink::new().identifier("payment"))
            .parallelism(1);
        Ok(())
    })
}
