//! Cuts JSON objects, which stand one after the other, out of pieces that end anywhere.
//!
//! Always true:
//!   a byte is looked at once, however small the pieces are; what is kept of an object is what has come of it
//!   nothing is judged but where an object ends: whether it is one is for those who read it

/// What may stand between objects.
const SPACE: &[u8] = b" \t\r\n";

/// What has come and was not cut yet.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    kept: Vec<u8>,
    /// Where the object that has begun begins, and how far it was looked at.
    begin: usize,
    at: usize,
    depth: u32,
    in_string: bool,
}

impl Cutter {
    /// Takes a piece in.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        self.kept.drain(..self.begin);
        self.at -= self.begin;
        self.begin = 0;
        self.kept.extend_from_slice(piece);
    }

    /// The next object that is complete. What begins with no brace is given as it is, all of it.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        if self.depth == 0 {
            let space = self.kept[self.begin..].iter().take_while(|byte| SPACE.contains(byte)).count();
            self.begin += space;
            self.at = self.begin;
        }
        if self.begin < self.kept.len() && self.kept[self.begin] != b'{' {
            return Some(self.rest());
        }
        while self.at < self.kept.len() {
            let byte = self.kept[self.at];
            self.at += 1;
            match byte {
                // What a backslash escapes may come with the next piece.
                b'\\' if self.in_string && self.at == self.kept.len() => {
                    self.at -= 1;
                    return None;
                }
                b'\\' if self.in_string => self.at += 1,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        let begin = std::mem::replace(&mut self.begin, self.at);
                        return Some(&self.kept[begin..self.at]);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Bytes that were not cut.
    pub(crate) fn len(&self) -> usize {
        self.kept.len() - self.begin
    }

    /// All that was not cut; nothing is left.
    pub(crate) fn rest(&mut self) -> &[u8] {
        let begin = std::mem::replace(&mut self.begin, self.kept.len());
        self.at = self.kept.len();
        (self.depth, self.in_string) = (0, false);
        &self.kept[begin..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> (Vec<String>, String) {
        let mut cutter = Cutter::default();
        let mut found = Vec::new();
        for piece in pieces {
            cutter.feed(piece);
            while let Some(object) = cutter.next() {
                found.push(String::from_utf8(object.to_vec()).unwrap());
            }
        }
        (found, String::from_utf8(cutter.rest().to_vec()).unwrap())
    }

    #[test]
    fn what_begins_with_no_brace_is_given_as_it_is() {
        assert_eq!(all(&[b"{} 1 {}"]).0, ["{}", "1 {}"]);
        assert_eq!(all(&[b"[{}]"]).0, ["[{}]"]);
    }

    #[test]
    fn end_within_an_object_is_left() {
        assert_eq!(all(&[b"{\"a\": \"}\\\""]), (vec![], "{\"a\": \"}\\\"".to_owned()));
        assert_eq!(all(&[b"{} \r\n"]).1, "");
    }

    #[test]
    fn pieces_do_not_matter() {
        let text: &[u8] = b" {\"a\":[{\"}\":\"\\\\\"}]}\n{}{\"\\\"\": \"\\\\\\\"{\"} \t{\"b\":{\"c\":[]}}\n";
        let whole = all(&[text]);
        assert_eq!(whole.0.len(), 4);
        for first in 0..=text.len() {
            for second in first..=text.len() {
                assert_eq!(all(&[&text[..first], &text[first..second], &text[second..]]), whole);
            }
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(all(&bytes), whole);
    }
}
