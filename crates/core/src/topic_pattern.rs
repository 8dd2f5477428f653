//! Patterns of topic names: RE2's syntax, as Kafka's coordinator reads it, matched in linear time.
//!
//! A pattern is checked and written again in the syntax of the `regex` crate, for the two differ: RE2 knows
//! `\Q…\E`, octal escapes and braces that are plain characters; the crate knows set operations inside brackets,
//! verbose mode and other escapes, none of which may slip through.
//!
//! Always true: a pattern matches whole names only, and what is written again never means more than was read.

use regex::{Regex, RegexBuilder};

/// Most often that a part may be repeated by a count, as in RE2.
const REPEAT_MAX: u32 = 1000;
/// Largest compiled program, in bytes.
const PROGRAM_BYTES_MAX: usize = 2 << 20;
/// Deepest nesting of groups.
const NESTING_MAX: u32 = 250;

/// Why a pattern can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    /// A bracket expression without an end.
    #[error("a closing ']' is missing")]
    MissingBracket,
    /// A group without an end.
    #[error("a closing ')' is missing")]
    MissingParenthesis,
    /// An end without a group.
    #[error("a ')' closes nothing")]
    UnexpectedParenthesis,
    /// Nothing stands before a repetition.
    #[error("nothing to repeat before '{0}'")]
    NothingToRepeat(String),
    /// A repetition of a repetition.
    #[error("a repetition can't be repeated: '{0}'")]
    NestedRepeat(String),
    /// A count that is too large, or a lower count above the upper one.
    #[error("the repetition '{0}' is out of bounds")]
    RepeatBounds(String),
    /// An escape that RE2 doesn't have.
    #[error("the escape '\\{0}' is not supported")]
    Escape(String),
    /// A range of characters that ends before it begins, or a class that nobody knows.
    #[error("the range of characters '{0}' is not valid")]
    Range(String),
    /// A `(?` construct that RE2 doesn't have.
    #[error("the construct '(?{0}' is not supported")]
    Construct(String),
    /// What the engine itself refuses: classes it doesn't know, programs that are too large.
    #[error("{0}")]
    Engine(String),
}

/// A pattern ready to match.
#[derive(Debug)]
pub(crate) struct TopicPattern(Regex);

impl TopicPattern {
    /// Reads a pattern.
    pub(crate) fn new(pattern: &str) -> Result<Self, PatternError> {
        let written = format!(r"\A(?:{})\z", Reader::new(pattern).rewrite()?);
        let mut builder = RegexBuilder::new(&written);
        builder.size_limit(PROGRAM_BYTES_MAX).nest_limit(NESTING_MAX);
        builder.build().map(Self).map_err(|error| PatternError::Engine(plain(&error)))
    }

    /// Whether it matches the whole of a topic's name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// The engine's words without the pattern, which it shows in its own writing.
fn plain(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!("the pattern needs more than {limit} bytes"),
        other => {
            other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_string()
        }
    }
}

/// What was read last, for a repetition asks for it.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Nothing,
    Item,
    Repeat,
}

/// Goes through a pattern once.
struct Reader {
    input: Vec<char>,
    at: usize,
    output: String,
    depth: usize,
    last: Last,
    names: Vec<String>,
}

impl Reader {
    fn new(pattern: &str) -> Self {
        let input = pattern.chars().collect();
        Self { input, at: 0, output: String::new(), depth: 0, last: Last::Nothing, names: Vec::new() }
    }

    fn peek(&self) -> Option<char> {
        self.input.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += 1;
        Some(char)
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, char)| self.input.get(self.at + index) == Some(&char))
    }

    fn rewrite(mut self) -> Result<String, PatternError> {
        while let Some(char) = self.next() {
            match char {
                '(' => self.group()?,
                ')' => self.close()?,
                '|' => self.emit("|", Last::Nothing),
                '^' | '$' => self.emit(&format!("(?:{char})"), Last::Item),
                '.' => self.emit(".", Last::Item),
                '[' => self.class()?,
                '*' | '+' | '?' => self.repeat(&char.to_string())?,
                '{' => self.brace()?,
                '\\' => self.escape()?,
                literal => self.literal(literal),
            }
        }
        if self.depth > 0 {
            return Err(PatternError::MissingParenthesis);
        }
        Ok(self.output)
    }

    fn emit(&mut self, text: &str, last: Last) {
        self.output.push_str(text);
        self.last = last;
    }

    fn literal(&mut self, char: char) {
        push_char(&mut self.output, char);
        self.last = Last::Item;
    }

    fn close(&mut self) -> Result<(), PatternError> {
        self.depth = self.depth.checked_sub(1).ok_or(PatternError::UnexpectedParenthesis)?;
        self.emit(")", Last::Item);
        Ok(())
    }

    fn group(&mut self) -> Result<(), PatternError> {
        if self.peek() != Some('?') {
            self.depth += 1;
            self.emit("(?:", Last::Nothing);
            return Ok(());
        }
        self.at += 1;
        for opening in ["P<", "<"] {
            if self.looking_at(opening) && !self.looking_at("<=") && !self.looking_at("<!") {
                self.at += opening.len();
                return self.group_name(opening);
            }
        }
        self.flags()
    }

    /// A group with a name; the name is checked and dropped, for nothing asks for what a group has matched.
    fn group_name(&mut self, opening: &str) -> Result<(), PatternError> {
        let mut name = String::new();
        loop {
            match self.next() {
                Some('>') => break,
                Some(char) if char.is_ascii_alphanumeric() || char == '_' => name.push(char),
                _ => return Err(PatternError::Construct(format!("{opening}{name}"))),
            }
        }
        if name.is_empty() || self.names.contains(&name) {
            return Err(PatternError::Construct(format!("{opening}{name}>")));
        }
        self.names.push(name);
        self.depth += 1;
        self.emit("(?:", Last::Nothing);
        Ok(())
    }

    /// `(?flags)` and `(?flags:`.
    fn flags(&mut self) -> Result<(), PatternError> {
        let mut flags = String::new();
        let mut seen = false;
        loop {
            let char = self.next();
            match char {
                Some(flag @ ('i' | 'm' | 's' | 'U')) => {
                    let (set, unset) = flags.split_once('-').unwrap_or((&flags, ""));
                    let group = if flags.contains('-') { unset } else { set };
                    if !group.contains(flag) {
                        flags.push(flag);
                    }
                    seen = true;
                }
                Some('-') if !flags.contains('-') => {
                    flags.push('-');
                    seen = false;
                }
                Some(end @ (':' | ')')) if seen || !flags.contains('-') => {
                    return self.flags_end(&flags, end)
                }
                other => {
                    flags.extend(other);
                    return Err(PatternError::Construct(flags));
                }
            }
        }
    }

    fn flags_end(&mut self, flags: &str, end: char) -> Result<(), PatternError> {
        // What is both set and unset is unset in RE2, for unsetting comes last; the engine refuses it.
        let (set, unset) = flags.split_once('-').unwrap_or((flags, ""));
        let mut both: String = set.chars().filter(|flag| !unset.contains(*flag)).collect();
        if !unset.is_empty() {
            both.push('-');
            both.push_str(unset);
        }
        if end == ':' {
            self.depth += 1;
            self.emit(&format!("(?{both}:"), Last::Nothing);
        } else if !both.is_empty() {
            self.output.push_str(&format!("(?{both})"));
            self.last = Last::Nothing;
        }
        Ok(())
    }

    fn repeat(&mut self, operator: &str) -> Result<(), PatternError> {
        let lazy = self.peek() == Some('?');
        if lazy {
            self.at += 1;
        }
        match self.last {
            Last::Nothing => Err(PatternError::NothingToRepeat(operator.to_string())),
            Last::Repeat => Err(PatternError::NestedRepeat(operator.to_string())),
            Last::Item => {
                self.emit(operator, Last::Repeat);
                Ok(())
            }
        }
    }

    /// A brace begins a count, or is itself.
    fn brace(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        let Some((low, high)) = self.counts() else {
            self.at = start;
            self.literal('{');
            return Ok(());
        };
        let shown: String = self.input[start - 1..self.at].iter().collect();
        let bounds = PatternError::RepeatBounds(shown.clone());
        let (Some(low), Some(high)) = (low, high) else { return Err(bounds) };
        if low > REPEAT_MAX || high.is_some_and(|high| high > REPEAT_MAX || high < low) {
            return Err(bounds);
        }
        self.repeat(&shown)
    }

    /// `n}`, `n,}` or `n,m}`. None: this is no count; an inner None: a number that is too large to read.
    #[allow(clippy::type_complexity)]
    fn counts(&mut self) -> Option<(Option<u32>, Option<Option<u32>>)> {
        let low = self.number()?;
        let high = match self.next()? {
            '}' => return Some((low, Some(low))),
            ',' if self.peek() == Some('}') => Some(None),
            ',' => self.number()?.map(Some),
            _ => return None,
        };
        (self.next()? == '}').then_some((low, high))
    }

    /// Digits without a leading zero.
    fn number(&mut self) -> Option<Option<u32>> {
        let start = self.at;
        while self.peek().is_some_and(|char| char.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = &self.input[start..self.at];
        if digits.is_empty() || (digits.len() > 1 && digits[0] == '0') {
            return None;
        }
        Some(digits.iter().collect::<String>().parse().ok())
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        match self.peek() {
            Some('Q') => {
                self.at += 1;
                while self.peek().is_some() && !self.looking_at("\\E") {
                    let quoted = self.next().unwrap_or_default();
                    self.literal(quoted);
                }
                self.at = (self.at + 2).min(self.input.len());
            }
            Some(place @ ('A' | 'z' | 'b' | 'B')) => {
                self.at += 1;
                self.emit(&format!("(?:\\{place})"), Last::Item);
            }
            Some('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P') => {
                let class = self.class_escape()?;
                self.emit(&class, Last::Item);
            }
            _ => {
                let char = self.escaped_char()?;
                self.literal(char);
            }
        }
        Ok(())
    }

    /// `\d`, `\pL`, `\p{Greek}` and their like, after the backslash.
    fn class_escape(&mut self) -> Result<String, PatternError> {
        let kind = self.next().unwrap_or_default();
        if !matches!(kind, 'p' | 'P') {
            return Ok(perl_class(kind).to_string());
        }
        let mut name = String::new();
        match self.next() {
            Some('{') => loop {
                match self.next() {
                    Some('}') => break,
                    Some(char) if char.is_ascii_alphanumeric() || matches!(char, '_' | '^') => {
                        name.push(char)
                    }
                    _ => return Err(PatternError::Range(format!("\\{kind}{{{name}"))),
                }
            },
            Some(char) if char.is_ascii_alphabetic() => name.push(char),
            _ => return Err(PatternError::Range(format!("\\{kind}"))),
        }
        let (negated, bare) = match name.strip_prefix('^') {
            Some(bare) => (kind == 'p', bare),
            None => (kind == 'P', name.as_str()),
        };
        if bare.is_empty() || bare.contains('^') {
            return Err(PatternError::Range(format!("\\{kind}{{{name}}}")));
        }
        Ok(format!("\\{}{{{bare}}}", if negated { 'P' } else { 'p' }))
    }

    /// An escaped character, after the backslash.
    fn escaped_char(&mut self) -> Result<char, PatternError> {
        let Some(char) = self.next() else { return Err(PatternError::Escape(String::new())) };
        let octal = |char: Option<char>| char.and_then(|char| char.to_digit(8));
        match char {
            '0'..='7' => {
                // A digit alone other than zero would be a reference to a group.
                if char != '0' && octal(self.peek()).is_none() {
                    return Err(PatternError::Escape(char.to_string()));
                }
                let mut value = octal(Some(char)).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = octal(self.peek()) else { break };
                    value = value * 8 + digit;
                    self.at += 1;
                }
                char::from_u32(value).ok_or_else(|| PatternError::Escape(char.to_string()))
            }
            'x' => self.hex_char(),
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            char if !char.is_ascii_alphanumeric() => Ok(char),
            char => Err(PatternError::Escape(char.to_string())),
        }
    }

    /// `\x7f` or `\x{10ffff}`, after the x.
    fn hex_char(&mut self) -> Result<char, PatternError> {
        let mut digits = String::new();
        if self.peek() == Some('{') {
            self.at += 1;
            loop {
                match self.next() {
                    Some('}') => break,
                    Some(char) if char.is_ascii_hexdigit() => digits.push(char),
                    _ => return Err(PatternError::Escape(format!("x{{{digits}"))),
                }
            }
        } else {
            for _ in 0..2 {
                digits.extend(self.next().filter(char::is_ascii_hexdigit));
            }
            if digits.len() < 2 {
                return Err(PatternError::Escape(format!("x{digits}")));
            }
        }
        let char = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
        char.ok_or_else(|| PatternError::Escape(format!("x{{{digits}}}")))
    }

    /// A bracket expression, after its opening bracket.
    fn class(&mut self) -> Result<(), PatternError> {
        let mut class = String::from("[");
        if self.peek() == Some('^') {
            self.at += 1;
            class.push('^');
        }
        let mut first = true;
        loop {
            let char = self.peek().ok_or(PatternError::MissingBracket)?;
            if char == ']' && !first {
                break;
            }
            first = false;
            if self.looking_at("[:") && self.named_class(&mut class)? {
                continue;
            }
            let escaped = self.input.get(self.at + 1).copied();
            if char == '\\' && matches!(escaped, Some('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P')) {
                self.at += 1;
                class.push_str(&self.class_escape()?);
                continue;
            }
            self.class_range(&mut class)?;
        }
        self.at += 1;
        class.push(']');
        self.emit(&class, Last::Item);
        Ok(())
    }

    /// `[:alpha:]` inside brackets. False when what begins so doesn't end so: then it is plain characters.
    fn named_class(&mut self, class: &mut String) -> Result<bool, PatternError> {
        let rest: String = self.input[self.at + 2..].iter().collect();
        let Some(end) = rest.find(":]") else { return Ok(false) };
        let name = &rest[..end];
        let known = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        if !known.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(PatternError::Range(format!("[:{name}:]")));
        }
        class.push_str(&format!("[:{name}:]"));
        self.at += 2 + name.chars().count() + 2;
        Ok(true)
    }

    /// A character inside brackets, or a range of them.
    fn class_range(&mut self, class: &mut String) -> Result<(), PatternError> {
        let low = self.class_char()?;
        push_char(class, low);
        if self.peek() == Some('-') && self.input.get(self.at + 1) != Some(&']') {
            self.at += 1;
            let high = self.class_char()?;
            if high < low {
                return Err(PatternError::Range(format!("{low}-{high}")));
            }
            class.push('-');
            push_char(class, high);
        }
        Ok(())
    }

    fn class_char(&mut self) -> Result<char, PatternError> {
        match self.next() {
            Some('\\') => self.escaped_char(),
            Some(char) => Ok(char),
            None => Err(PatternError::MissingBracket),
        }
    }
}

/// A character that stands for itself wherever it is written.
fn push_char(output: &mut String, char: char) {
    if char.is_ascii_alphanumeric() || !char.is_ascii() {
        output.push(char);
    } else {
        output.push_str(&format!("\\x{{{:x}}}", u32::from(char)));
    }
}

/// RE2's `\d`, `\s` and `\w` know ASCII only.
fn perl_class(kind: char) -> &'static str {
    match kind {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        _ => "[^0-9A-Za-z_]",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        TopicPattern::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        assert!(matches("orders-.*", "orders-eu"));
        assert!(!matches("orders", "orders-eu"));
        assert!(!matches("eu", "orders-eu"));
        assert!(matches("a|b", "b"));
        assert!(matches("", ""));
    }

    #[test]
    fn what_re2_knows_and_the_engine_does_not_is_understood() {
        assert!(matches(r"\Qa.b\E+", "a.bb"));
        assert!(!matches(r"\Qa.b\E", "axb"));
        assert!(matches(r"\Qa.b", "a.b"));
        assert!(matches("a{,2}", "a{,2}"));
        assert!(matches("{", "{"));
        assert!(matches(r"\101\x42", "AB"));
        assert!(matches(r"\<a\>", "<a>"));
        assert!(matches(r"\p{^Greek}", "a"));
    }

    #[test]
    fn what_only_the_engine_knows_is_taken_by_the_letter_or_refused() {
        assert!(matches("[a&&b]", "&"));
        assert!(matches("[a[b]", "["));
        assert!(matches("[a~~b]", "~"));
        for refused in [r"(?x)a", r"\u0041", r"(?u)a", r"\C", r"\Z", r"(?R)a", r"\b{start}a{2,1}"] {
            assert!(TopicPattern::new(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn what_would_not_be_linear_or_is_malformed_is_refused() {
        let refused = [
            r"(a)\1",
            "(?=a)",
            "(?<=a)b",
            "(?<!a)b",
            "(?!a)",
            "a**",
            "a{2}{3}",
            "*a",
            "(|*)",
            "a{1001}",
            "a{2,1}",
            "(",
            ")",
            "[a",
            "[z-a]",
            "[[:nobody:]]",
            r"\",
            r"\q",
            "(?P<n>a)(?P<n>b)",
            "(?P<>a)",
            "(?i-)a",
        ];
        for pattern in refused {
            assert!(TopicPattern::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_would_take_much_memory_is_refused() {
        assert!(matches!(TopicPattern::new(r"(\pL{1000}){100}"), Err(PatternError::Engine(_))));
        assert!(TopicPattern::new(&"(".repeat(10_000)).is_err());
        let deep = format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(matches!(TopicPattern::new(&deep), Err(PatternError::Engine(_))));
    }
}
