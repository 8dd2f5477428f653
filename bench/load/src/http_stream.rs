//! One request whose body goes on for long, and a reply to each record of it while it does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::connecting::connect;
use crate::error::LoadError;
use crate::figures::{cpu_seconds, Figures};

const REPLY: &[u8] = b"\"error_code\":200";
const ERROR: &[u8] = b"\"error_code\":";
/// The last chunk, behind the line end of the one before it.
const END: &[u8] = b"\r\n0\r\n\r\n";
/// Longest wait for more of the replies.
const PATIENCE: Duration = Duration::from_secs(60);
const READ_BYTES: usize = 1 << 18;

/// Sends `--records` times the body, until all are answered.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let address = arguments.text("bootstrap")?;
    let records: usize = arguments.number("records", 100_000)?;
    let per_chunk: usize = arguments.number("per-chunk", 100)?;
    let record = arguments.text("body")?;
    let path = arguments.text("path")?;
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reading = stream.try_clone()?;
    let cpu = cpu_seconds();
    let begun = Instant::now();
    let replies = std::thread::spawn(move || replies(&mut reading));
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let piece = chunk(record, per_chunk);
    for _ in 0..records / per_chunk {
        stream.write_all(&piece)?;
    }
    if records % per_chunk > 0 {
        stream.write_all(&chunk(record, records % per_chunk))?;
    }
    stream.write_all(b"0\r\n\r\n")?;
    let (answered, refused) = replies.join().map_err(|_| LoadError::Panic)??;
    if answered != records || refused > 0 {
        return Err(LoadError::Stream { records, answered, refused });
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut figures = Figures::default();
    figures.add("seconds", seconds);
    figures.add("records_per_s", records as f64 / seconds);
    figures.add("load_cpu_s", cpu_seconds() - cpu);
    Ok(figures)
}

/// So many records as a chunk of a body.
fn chunk(record: &str, records: usize) -> Vec<u8> {
    let body = format!("{record}\n").repeat(records);
    format!("{:x}\r\n{body}\r\n", body.len()).into_bytes()
}

/// Replies that tell of a record, and those that tell of an error, until the response has ended.
fn replies(stream: &mut TcpStream) -> Result<(usize, usize), LoadError> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut kept, mut tail): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    let (mut good, mut all) = (0, 0);
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(LoadError::Closed);
        }
        kept.extend_from_slice(&buffer[..count]);
        tail.extend_from_slice(&buffer[..count]);
        tail.drain(..tail.len().saturating_sub(END.len()));
        // Each reply ends a line, so that none is counted twice or cut.
        let lines = kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        good += found(&kept[..lines], REPLY);
        all += found(&kept[..lines], ERROR);
        kept.drain(..lines);
        if tail == END {
            return Ok((good, all - good));
        }
    }
}

fn found(text: &[u8], wanted: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        rest = &rest[at..];
        let hit = rest.starts_with(wanted);
        count += usize::from(hit);
        rest = &rest[if hit { wanted.len() } else { 1 }..];
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_their_length_before_them() {
        assert_eq!(chunk("{}", 6), b"12\r\n{}\n{}\n{}\n{}\n{}\n{}\n\r\n");
    }

    #[test]
    fn replies_and_errors_are_told_apart() {
        let text = b"{\"error_code\":200,\"a\":1}\r\n{\"error_code\":404}\r\n";
        assert_eq!((found(text, REPLY), found(text, ERROR)), (1, 2));
    }
}
