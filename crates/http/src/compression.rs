//! Gzip for replies, when the client takes it and it is worth it.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::Compression;
use hyper::header::{self, HeaderMap};

/// Below this a reply fits into one packet anyway.
const BYTES_MIN: usize = 1024;
/// Above this compressing would keep other connections of the thread waiting.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Whether `Accept-Encoding` names gzip, and not with a weight of nothing.
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING);
    lists.iter().filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        named && !parts.any(refused)
    })
}

/// Whether a parameter says `q=0`.
fn refused(parameter: &str) -> bool {
    let Some(weight) = parameter.strip_prefix("q=") else { return false };
    weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0)
}

/// `body` in gzip; None where that is not worth it.
pub(crate) fn gzip(body: &[u8]) -> Option<Bytes> {
    if !(BYTES_MIN..=BYTES_MAX).contains(&body.len()) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    encoder.write_all(body).ok()?;
    let encoded = encoder.finish().ok()?;
    (encoded.len() < body.len()).then(|| encoded.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use std::io::Read;

    fn accepts(value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        accepted(&headers)
    }

    #[test]
    fn gzip_is_used_for_those_who_name_it() {
        assert!(accepts("gzip"));
        assert!(accepts("br, GZIP;q=0.5"));
        assert!(accepts("*"));
        assert!(!accepts("br"));
        assert!(!accepts("gzip;q=0"));
        assert!(!accepts("gzip; q=0.0, br"));
        assert!(!accepted(&HeaderMap::new()));
    }

    #[test]
    fn small_bodies_stay_as_they_are_and_large_ones_come_back_whole() {
        assert_eq!(gzip(&[b'a'; BYTES_MIN - 1]), None);
        let body = [b'a'; BYTES_MIN];
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&gzip(&body).unwrap()[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, body);
    }
}
