//! Replies that are given without asking the application.
//!
//! Always true:
//!   a reply is found by the exact bytes of its method, target and body, never by their meaning
//!   what is held is at most the bound that it was made with; what was published last stays longest
//!   nothing that was published before [`Published::withdraw_all`] is found after it

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{self, HeaderMap};
use parking_lot::RwLock;

use crate::reply::Reply;

type Table = HashMap<Box<[u8]>, Arc<Reply>>;

/// Published replies of one service.
#[derive(Debug)]
pub struct Published {
    generations: RwLock<Generations>,
    bytes_max: usize,
}

/// When the young ones have taken half of the room they become the old ones, who go.
#[derive(Debug, Default)]
struct Generations {
    young: Table,
    old: Table,
    young_bytes: usize,
}

impl Published {
    /// Room for `bytes_max` bytes of replies and what they are found by.
    pub fn new(bytes_max: usize) -> Published {
        Published { generations: RwLock::default(), bytes_max }
    }

    /// Publishes `reply` for requests with this method, target (path and query as they are sent) and body. What
    /// is larger than a quarter of the room is not kept.
    pub fn publish(&self, method: &str, target: &str, body: &[u8], reply: Arc<Reply>) {
        let key = key(method, target, body);
        // A compressed body may come to it.
        let bytes = key.len() + reply.bytes() + reply.body.len();
        if bytes > self.bytes_max / 4 {
            return;
        }
        let mut generations = self.generations.write();
        if generations.young_bytes + bytes > self.bytes_max / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        generations.old.remove(key.as_slice());
        generations.young_bytes += bytes;
        // The bytes of one that is replaced stay counted until its generation goes: the bound holds.
        generations.young.insert(key.into(), reply);
    }

    /// Takes everything back.
    pub fn withdraw_all(&self) {
        *self.generations.write() = Generations::default();
    }

    /// Replies that are held.
    pub fn count(&self) -> usize {
        let generations = self.generations.read();
        generations.young.len() + generations.old.len()
    }

    /// The reply to this request, if there is one that the client takes.
    pub(crate) fn find(
        &self,
        method: &str,
        target: &str,
        body: &Bytes,
        headers: &HeaderMap,
    ) -> Option<Arc<Reply>> {
        let key = key(method, target, body);
        let generations = self.generations.read();
        let reply = generations.young.get(key.as_slice()).or_else(|| generations.old.get(key.as_slice()))?;
        accepts(headers, reply).then(|| reply.clone())
    }
}

fn key(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(method.len() + target.len() + body.len() + 2);
    key.extend_from_slice(method.as_bytes());
    key.push(b' ');
    key.extend_from_slice(target.as_bytes());
    // Neither a method nor a target has a line end in it.
    key.push(b'\n');
    key.extend_from_slice(body);
    key
}

/// Whether a client that sends these headers gets the type of `reply`: it names the type first, or takes all.
/// Who wants it otherwise is answered by the application, which knows its other types.
fn accepts(headers: &HeaderMap, reply: &Reply) -> bool {
    let (Some(accepted), Some(content_type)) = (headers.get(header::ACCEPT), reply.content_type()) else {
        return true;
    };
    let (accepted, content_type) = (accepted.as_bytes(), content_type.as_bytes());
    let first = accepted.split(|byte| *byte == b',').next().unwrap_or_default();
    accepted == b"*/*" || first == content_type
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use hyper::StatusCode;

    fn reply(size: usize) -> Arc<Reply> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Arc::new(Reply::new(StatusCode::OK, headers, vec![b'x'; size].into()))
    }

    fn found(published: &Published, target: &str, body: &'static [u8]) -> bool {
        published.find("GET", target, &Bytes::from_static(body), &HeaderMap::new()).is_some()
    }

    #[test]
    fn reply_is_found_by_its_whole_request_until_it_is_withdrawn() {
        let published = Published::new(1 << 20);
        published.publish("GET", "/a?b=1", b"body", reply(10));
        assert!(found(&published, "/a?b=1", b"body"));
        assert!(!found(&published, "/a?b=1", b""));
        assert!(!found(&published, "/a", b"body"));
        assert!(published.find("PUT", "/a?b=1", &Bytes::from_static(b"body"), &HeaderMap::new()).is_none());
        published.withdraw_all();
        assert!(!found(&published, "/a?b=1", b"body"));
    }

    #[test]
    fn room_is_bounded_and_the_newest_stay() {
        let published = Published::new(100_000);
        for number in 0..1_000 {
            published.publish("GET", &format!("/{number}"), b"", reply(2_000));
        }
        assert!(published.count() * 4_000 <= 100_000, "{}", published.count());
        assert!(found(&published, "/999", b""));
        assert!(!found(&published, "/0", b""));
        published.publish("GET", "/large", b"", reply(30_000));
        assert!(!found(&published, "/large", b""));
    }

    #[test]
    fn who_wants_another_type_is_left_to_the_application() {
        let published = Published::new(1 << 20);
        published.publish("GET", "/", b"", reply(10));
        let with = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            published.find("GET", "/", &Bytes::new(), &headers).is_some()
        };
        assert!(with("*/*"));
        assert!(with("application/json, text/html"));
        assert!(!with("text/html, application/json"));
        assert!(!with("application/jsonish"));
    }
}
