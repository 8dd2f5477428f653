//! The load of `make bench`: raw requests to one Kafka-compatible broker, and what came of them as one line of
//! JSON.
//!
//! It speaks old, inflexible versions of few messages, so that any broker gets the same bytes, and prepares what
//! it sends beforehand: on a small machine every cycle that the load takes is missing to the broker.

#![allow(clippy::disallowed_methods, reason = "a measuring tool reads clocks and waits")]

mod arguments;
mod batches;
mod client;
mod closed_loop;
mod connecting;
mod constant;
mod consume;
mod error;
mod figures;
mod first_record;
mod frames;
mod group;
mod http;
mod http_stream;
mod members;
mod neighbour;
mod open_loop;
mod process;
mod processors;
mod produce;
mod requests;
mod transactions;

use crate::arguments::Arguments;
use crate::error::LoadError;
use crate::figures::Figures;
use crate::processors::ProcessorTime;

const USAGE: &str = "barnabas-load COMMAND --bootstrap HOST:PORT --topic TOPIC [--name value]…

first-record  [--create 1] [--seconds 120]   (asks until one record is acknowledged)
produce       --mib N [--seconds 300] [--acks -1] [--record-bytes 1024] [--batch-bytes 262144] [--depth 5]
              [--compression none|gzip|snappy|lz4|zstd] [--payload letters|orders]
consume       [--loops 1] [--check 0|1]
latency       [--rate 1000] [--seconds 20] [--warm-up 5] [--record-bytes 1024] [--acks -1] [--depth 5]
requests      --kind api-versions|metadata|produce|offset-commit|heartbeat [--connections 1] [--depth 1]
              [--seconds 4] [--record-bytes 100] [--acks -1]
transactions  [--producers 1] [--records 1] [--seconds 8] [--record-bytes 100]
members       [--members 10000] [--groups 1000] [--heartbeat-ms 3000] [--seconds 20] [--pid N]   (the broker's)
http          [--method GET] [--path /] [--body TEXT] [--type application/json] [--count 1] [--first 1]
              [--connections 1] [--depth 1] [--seconds 4] [--requests N] [--rate N]
              (no topic; {n} in path and body is one of --count numbers)
http-stream   --path PATH --body TEXT [--records 100000] [--per-chunk 100]      (a POST whose body has no length)
constant      [--body TEXT] [--type application/json]      (bare hyper: prints its address, answers until killed)
neighbour     --file FILE [--seconds 20]     (keeps the disk busy; no broker)";

fn main() -> std::process::ExitCode {
    sharpen_timers();
    match run() {
        Ok(figures) => {
            println!("{}", figures.to_json());
            std::process::ExitCode::SUCCESS
        }
        Err(error @ LoadError::Usage(_)) => {
            eprintln!("{error}\n\n{USAGE}");
            std::process::ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Figures, LoadError> {
    let (command, arguments) = Arguments::parse(std::env::args().skip(1))?;
    let before = ProcessorTime::of_machine();
    let mut figures = run_command(&command, &arguments)?;
    if let Some(share) = before.zip(ProcessorTime::of_machine()).and_then(|(a, b)| b.stolen_since(&a)) {
        figures.add("stolen_share", share);
    }
    Ok(figures)
}

fn run_command(command: &str, arguments: &Arguments) -> Result<Figures, LoadError> {
    match command {
        "produce" => produce::run(arguments),
        "first-record" => first_record::run(arguments),
        "consume" => consume::run(arguments),
        "latency" => open_loop::run(arguments),
        "requests" => requests::run(arguments),
        "transactions" => transactions::run(arguments),
        "members" => members::run(arguments),
        "http" => http::run(arguments),
        "http-stream" => http_stream::run(arguments),
        "constant" => constant::run(arguments),
        "neighbour" => neighbour::run(arguments),
        other => Err(LoadError::Usage(format!("there is no command '{other}'"))),
    }
}

/// Lets sleeps end on time: Linux rounds them up by 50 microseconds otherwise, which an open loop would count.
fn sharpen_timers() {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a number of this process; no memory is passed.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_usize);
    }
}
