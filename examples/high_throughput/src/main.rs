//! The main job as a command: see the library of this package.

use std::process::ExitCode;

use high_throughput::arguments::Arguments;
use high_throughput::job::describe;
use high_throughput::summary::Summary;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rheos::main_then(
        |env, arguments: Arguments| {
            describe(env, &arguments)?;
            Ok(arguments)
        },
        |arguments, finished| {
            let summary = Summary::of(&arguments, finished)?;
            eprint!("{}", summary.text());
            println!("{}", summary.json());
            summary.verdict()
        },
    )
}
