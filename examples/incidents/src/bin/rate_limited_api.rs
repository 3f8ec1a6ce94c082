//! Incident 1 with its two curves: `cargo run --release -p incidents --bin rate_limited_api`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use incidents::plot::{Curve, Plot};
use incidents::rate_limited::{Course, Variant, run};
use rheos::prelude::BoxError;

/// An API that refuses more than it can take, behind look-ups without limits and with them.
#[derive(Parser)]
struct Arguments {
    /// Where the figures and the plot go.
    #[arg(long, default_value = "out/incidents")]
    out: PathBuf,
}

fn carry_out(arguments: &Arguments) -> Result<(), BoxError> {
    let course = Course::default();
    std::fs::create_dir_all(&arguments.out)?;
    let mut curves = Vec::new();
    for (variant, name, color) in [
        (Variant::Naive, "naive", "#c0392b"),
        (Variant::Guarded, "guarded", "#1f77b4"),
    ] {
        let (figures, said) = run(variant, &course)?;
        figures.save(&arguments.out.join(format!("rate_limited_api-{name}.csv")))?;
        println!(
            "{name}: lag at most {:.0}, at the end {:.0}; {:.0} rows done; refused at most {:.0}/s; \
             fallbacks {:.0}\n  {said}",
            figures.most("lag"),
            figures.last("lag"),
            figures.last("done"),
            figures.most("refused_per_second"),
            figures.last("fallbacks"),
        );
        let name = match variant {
            Variant::Naive => "without breaker and limits",
            Variant::Guarded => "with breaker, limits and a fallback",
        };
        curves.push(Curve {
            name: name.to_owned(),
            color,
            points: figures.series("lag"),
        });
    }
    let plot = Plot {
        title: format!(
            "{} rows/s behind an API that takes {}/s, and {}/s while it is ill",
            course.arriving, course.limit, course.ill_limit
        ),
        x: "seconds".to_owned(),
        y: "rows that have arrived and are not done".to_owned(),
        curves,
        spans: vec![(
            course.ill_from,
            course.ill_until,
            "the API is ill".to_owned(),
        )],
        levels: Vec::new(),
    };
    let path = arguments.out.join("rate_limited_api.svg");
    std::fs::write(&path, plot.to_svg())?;
    println!("{}", path.display());
    Ok(())
}

fn main() -> ExitCode {
    match carry_out(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
