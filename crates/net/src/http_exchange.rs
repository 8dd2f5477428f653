//! One HTTP connection as a state machine: bytes go in, responses come out. It knows no socket.

/// Longest request line and headers together.
pub(crate) const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What a path is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// Status code: 200, 404, …
    pub status: u16,
    /// Content-Type.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// A line of text.
    pub fn text(status: u16, line: &str) -> HttpReply {
        let body = format!("{line}\n").into_bytes();
        HttpReply { status, content_type: "text/plain; charset=utf-8", body }
    }
}

/// What is received and not yet answered, and what is to be sent.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    received: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    over: bool,
}

impl Exchange {
    /// Takes bytes of the other side. To be called when [`Exchange::answer_next`] had nothing to answer.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Bytes to send.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.output[self.sent..]
    }

    /// So many of them were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.output.len() {
            // A large response is not kept for as long as the connection is.
            (self.output, self.sent) = (Vec::new(), 0);
        }
    }

    /// Whether the connection ends once everything is sent.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Answers the next complete request, if there is one.
    pub(crate) fn answer_next(&mut self, content: &dyn Fn(&str) -> HttpReply) -> bool {
        let end = self.received.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end.filter(|end| *end <= HEAD_BYTES_MAX) else {
            let too_long = self.received.len() > HEAD_BYTES_MAX;
            if too_long {
                self.refuse(&HttpReply::text(431, "the request's head is too long"));
            }
            return too_long;
        };
        let head: Vec<u8> = self.received.drain(..end + 4).take(end).collect();
        match Request::parse(&head) {
            Err(reply) => self.refuse(&reply),
            Ok(request) => {
                self.over = !request.keep_alive;
                let reply = content(request.path);
                self.write(&reply, request.method == "HEAD");
            }
        }
        true
    }

    fn refuse(&mut self, reply: &HttpReply) {
        self.over = true;
        self.received = Vec::new();
        self.write(reply, false);
    }

    fn write(&mut self, reply: &HttpReply, without_body: bool) {
        let HttpReply { status, content_type, body } = reply;
        let reason = reason(*status);
        let connection = if self.over { "close" } else { "keep-alive" };
        let allow = if *status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}\
             Connection: {connection}\r\nX-Content-Type-Options: nosniff\r\n\r\n",
            body.len()
        );
        self.output.extend_from_slice(head.as_bytes());
        if !without_body {
            self.output.extend_from_slice(body);
        }
    }
}

#[derive(Debug)]
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    keep_alive: bool,
}

impl<'a> Request<'a> {
    /// Reads a head without its end. What can't be answered is told by an error's reply.
    fn parse(head: &'a [u8]) -> Result<Request<'a>, HttpReply> {
        let bad = || HttpReply::text(400, "not a request of HTTP/1.1");
        let head = std::str::from_utf8(head).map_err(|_| bad())?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(bad());
        };
        let mut keep_alive = match version {
            "HTTP/1.1" => true,
            "HTTP/1.0" => false,
            _ => return Err(bad()),
        };
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(bad)?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "connection" if value.eq_ignore_ascii_case("close") => keep_alive = false,
                "content-length" if value != "0" => return Err(HttpReply::text(413, "no body is taken")),
                "transfer-encoding" => return Err(HttpReply::text(413, "no body is taken")),
                _ => {}
            }
        }
        if !matches!(method, "GET" | "HEAD") {
            return Err(HttpReply::text(405, "GET and HEAD are served"));
        }
        if !target.starts_with('/') {
            return Err(bad());
        }
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        Ok(Request { method, path, keep_alive })
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(path: &str) -> HttpReply {
        match path {
            "/metrics" => HttpReply::text(200, "up 1"),
            _ => HttpReply::text(404, "nothing is here"),
        }
    }

    /// Everything that comes back for these bytes, and whether the connection ends.
    fn ask(bytes: &[u8]) -> (String, bool) {
        let mut exchange = Exchange::default();
        exchange.receive(bytes);
        while !exchange.is_over() && exchange.answer_next(&content) {}
        (String::from_utf8_lossy(exchange.unsent()).into_owned(), exchange.is_over())
    }

    #[test]
    fn path_is_answered_and_the_connection_stays() {
        let (said, over) = ask(b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain"), "{said}");
        assert!(said.contains("\r\nContent-Length: 5\r\n"), "{said}");
        assert!(said.ends_with("\r\n\r\nup 1\n"), "{said}");
        assert!(!over);
    }

    #[test]
    fn head_has_no_body_and_tells_its_length() {
        let (said, _) = ask(b"HEAD /metrics HTTP/1.1\r\n\r\n");
        assert!(said.contains("Content-Length: 5\r\n") && said.ends_with("\r\n\r\n"), "{said}");
    }

    #[test]
    fn requests_in_a_row_are_answered_in_order() {
        let (said, _) = ask(b"GET /metrics HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n");
        let statuses: Vec<&str> = said.lines().filter(|line| line.starts_with("HTTP/1.1")).collect();
        assert_eq!(statuses, ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"]);
    }

    #[test]
    fn connection_ends_where_the_client_wants_it_and_after_what_can_not_be_told_apart() {
        for (request, status) in [
            ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
            ("GET /metrics HTTP/1.0\r\n\r\n", 200),
            ("POST /metrics HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", 413),
            ("POST /metrics HTTP/1.1\r\n\r\n", 405),
            ("GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
            ("GET metrics HTTP/1.1\r\n\r\n", 400),
            ("GET /metrics HTTP/2\r\n\r\n", 400),
            ("GET /metrics\r\n\r\n", 400),
            ("\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ] {
            let (said, over) = ask(request.as_bytes());
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {said}");
            assert!(over && said.contains("\r\nConnection: close\r\n"), "{request}: {said}");
        }
    }

    #[test]
    fn head_without_end_is_refused_when_it_is_too_long() {
        assert_eq!(ask(&vec![b'a'; HEAD_BYTES_MAX]), (String::new(), false));
        let (said, over) = ask(&vec![b'a'; HEAD_BYTES_MAX + 1]);
        assert!(said.starts_with("HTTP/1.1 431 ") && over, "{said}");
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_parts_are_answered_alike(
            bytes in prop::collection::vec(
                prop_oneof![any::<u8>(), prop::sample::select(b"GET / HTTP/1.1\r\n: ".to_vec())],
                0..200,
            ),
            cut in 0_usize..200,
        ) {
            let mut bytes = bytes;
            bytes.extend_from_slice(b"\r\n\r\n");
            let cut = cut.min(bytes.len());
            let mut exchange = Exchange::default();
            for part in [&bytes[..cut], &bytes[cut..]] {
                if !exchange.is_over() {
                    exchange.receive(part);
                    while !exchange.is_over() && exchange.answer_next(&content) {}
                }
            }
            let said = String::from_utf8_lossy(exchange.unsent()).into_owned();
            prop_assert_eq!((said, exchange.is_over()), ask(&bytes));
        }
    }
}
