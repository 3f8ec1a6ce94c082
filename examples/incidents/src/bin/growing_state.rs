//! Incident 2 with its two curves: `cargo run --release -p incidents --bin growing_state`.
//!
//! Each variant runs in a process of its own, since it is the process's memory that counts.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use incidents::figures::Figures;
use incidents::plot::{Curve, Plot};
use incidents::unbounded_state::{Course, run};
use rheos::prelude::BoxError;

/// State for keys that never come again, without a time-to-live and with one.
#[derive(Parser)]
struct Arguments {
    /// Where the figures and the plot go.
    #[arg(long, default_value = "out/incidents")]
    out: PathBuf,
    /// Sessions that begin a second.
    #[arg(long, default_value_t = 40_000)]
    rate: u64,
    /// `taskmanager.memory.process.size`.
    #[arg(long, default_value = "384m")]
    memory: String,
    /// Seconds that a run takes at most.
    #[arg(long, default_value_t = 90.0)]
    seconds: f64,
    /// Seconds that state is kept in the variant with a time-to-live.
    #[arg(long, default_value_t = 10)]
    ttl: u64,
    /// Only this variant, with its figures on stdout: none or ttl.
    #[arg(long, hide = true)]
    variant: Option<String>,
}

/// One variant in this process.
fn one(arguments: &Arguments, variant: &str) -> Result<(), BoxError> {
    // What the job says of its state is a part of what is shown.
    let _installed = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
    let course = Course {
        arriving: arguments.rate,
        memory: arguments.memory.clone(),
        ttl: (variant == "ttl").then(|| Duration::from_secs(arguments.ttl)),
        until: arguments.seconds,
        every: 0.5,
    };
    let (figures, growth, ended) = run(&course)?;
    eprintln!(
        "{variant}: state at most {:.0} MiB in {:.0} keys, {:.0} MiB at the end; resident at most {:.0} MiB; \
         ran {:.0} s",
        figures.most("state_mib"),
        figures.most("keys"),
        figures.last("state_mib"),
        figures.most("resident_mib"),
        figures.last("seconds")
    );
    eprintln!("  first forecast: {}", growth.as_deref().unwrap_or("none"));
    eprintln!("  ended: {}", ended.as_deref().unwrap_or("by the program"));
    print!("{}", figures.to_csv());
    Ok(())
}

/// One variant in a process of its own.
fn apart(arguments: &Arguments, variant: &str) -> Result<Figures, BoxError> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--variant", variant, "--memory", &arguments.memory])
        .args(["--rate", &arguments.rate.to_string()])
        .args(["--seconds", &arguments.seconds.to_string()])
        .args(["--ttl", &arguments.ttl.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the variant {variant} ended with {}", output.status).into());
    }
    let figures = Figures::of_csv(std::str::from_utf8(&output.stdout)?)?;
    let path = arguments.out.join(format!("growing_state-{variant}.csv"));
    figures.save(&path)?;
    Ok(figures)
}

fn draw(arguments: &Arguments, path: &Path) -> Result<(), BoxError> {
    let (without, with) = (apart(arguments, "none")?, apart(arguments, "ttl")?);
    let curve = |name: String, color, figures: &Figures, column| Curve {
        name,
        color,
        points: figures.series(column),
    };
    let plot = Plot {
        title: format!(
            "{} new sessions a second in a process of {}",
            arguments.rate, arguments.memory
        ),
        x: "seconds".to_owned(),
        y: "MiB of state".to_owned(),
        curves: vec![
            curve(
                "without a time-to-live".to_owned(),
                "#c0392b",
                &without,
                "state_mib",
            ),
            curve(
                format!("with one of {} s", arguments.ttl),
                "#1f77b4",
                &with,
                "state_mib",
            ),
        ],
        spans: Vec::new(),
        levels: Vec::new(),
    };
    std::fs::write(path, plot.to_svg())?;
    let forecast = Plot {
        title: "What was forecast while it grew".to_owned(),
        y: "seconds to the limit".to_owned(),
        curves: vec![curve(
            "forecast".to_owned(),
            "#c0392b",
            &without,
            "forecast_seconds",
        )],
        ..plot
    };
    std::fs::write(
        path.with_file_name("growing_state-forecast.svg"),
        forecast.to_svg(),
    )?;
    println!("{}", path.display());
    Ok(())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.variant {
        Some(variant) => one(&arguments, variant),
        None => std::fs::create_dir_all(&arguments.out)
            .map_err(BoxError::from)
            .and_then(|()| draw(&arguments, &arguments.out.join("growing_state.svg"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
