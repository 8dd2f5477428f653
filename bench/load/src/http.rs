//! Requests of HTTP/1.1 that are known beforehand, as many as are answered, on so many connections.

use crate::arguments::Arguments;
use crate::closed_loop::{self, Answer, Limits};
use crate::error::LoadError;
use crate::figures::{cpu_seconds, Figures};

const OK: std::ops::Range<i16> = 200..300;
/// Stands for the number of a request in its path and body.
const NUMBER: &str = "{n}";

/// Asks for `--seconds`, or until there were so many `--requests`.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let address = arguments.text("bootstrap")?;
    let connections: usize = arguments.number("connections", 1)?;
    let count: usize = arguments.number("count", 1)?;
    let first: usize = arguments.number("first", 1)?;
    let frames: Vec<Vec<u8>> =
        (first..first + count).map(|number| frame(arguments, address, number)).collect::<Result<_, _>>()?;
    // Each connection has requests of its own, where there are enough.
    let step = if count < connections { 1 } else { connections };
    let plan = (0..connections).map(|index| (index % step..count).step_by(step).collect());
    let limits = Limits {
        requests: arguments.number("requests", u64::MAX)?,
        rate: arguments.number("rate", f64::INFINITY)?,
        ..Limits::of(arguments.number("seconds", 4.0)?, arguments.number("depth", 1)?)
    };
    let cpu = cpu_seconds();
    let answers = closed_loop::run(address, plan.collect(), &frames, limits, first_answer)?;
    let mut figures = answers.figures("HTTP")?;
    figures.add("load_cpu_s", cpu_seconds() - cpu);
    Ok(figures)
}

fn frame(arguments: &Arguments, address: &str, number: usize) -> Result<Vec<u8>, LoadError> {
    let filled = |text: &str| text.replace(NUMBER, &number.to_string());
    let method = arguments.text_or("method", "GET");
    let path = filled(arguments.text_or("path", "/"));
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\naccept: */*\r\n");
    if let Ok(body) = arguments.text("body") {
        let body = filled(body);
        let media_type = arguments.text_or("type", "application/json");
        text += &format!("content-type: {media_type}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    } else {
        text += "\r\n";
    }
    Ok(text.into_bytes())
}

/// The first response in what was received. Its code is its status, unless that tells of success.
fn first_answer(received: &[u8]) -> Result<Option<Answer>, LoadError> {
    let Some(head) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&received[..head]).map_err(|_| LoadError::NotHttp)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let lengths = lines.filter_map(|line| line.split_once(": "));
    let length = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body = length.last().and_then(|(_, length)| length.parse::<usize>().ok());
    let (Some(status), Some(body)) = (status, body) else { return Err(LoadError::NotHttp) };
    let length = head + 4 + body;
    if received.len() < length {
        return Ok(None);
    }
    Ok(Some(Answer { length, code: if OK.contains(&status) { 0 } else { status } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_cut_where_they_end() {
        let received =
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
        let cut = |received: &[u8]| first_answer(received).unwrap().map(|one| (one.length, one.code));
        assert_eq!(cut(received), Some((40, 0)));
        assert_eq!(cut(&received[40..]), Some((38, 404)));
        assert_eq!(cut(&received[..39]), None);
        assert!(first_answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
