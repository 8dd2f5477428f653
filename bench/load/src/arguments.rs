//! `--name value` pairs of the command line.

use std::collections::HashMap;
use std::str::FromStr;

use crate::error::LoadError;

/// What follows the command.
#[derive(Debug)]
pub(crate) struct Arguments(HashMap<String, String>);

impl Arguments {
    /// The command, and its arguments.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<(String, Arguments), LoadError> {
        let mut words = words;
        let command = words.next().ok_or_else(|| LoadError::Usage("a command is missing".to_owned()))?;
        let mut named = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").map(str::to_owned);
            match (name, words.next()) {
                (Some(name), Some(value)) => named.insert(name, value),
                _ => return Err(LoadError::Usage(format!("'{word}' is not --name value"))),
            };
        }
        Ok((command, Arguments(named)))
    }

    /// A text that must be there.
    pub(crate) fn text(&self, name: &str) -> Result<&str, LoadError> {
        self.0.get(name).map(String::as_str).ok_or_else(|| LoadError::Usage(format!("--{name} is missing")))
    }

    /// A text.
    pub(crate) fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.0.get(name).map_or(default, String::as_str)
    }

    /// A number.
    pub(crate) fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T, LoadError> {
        match self.0.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| LoadError::Usage(format!("--{name} {text}: not a number of its kind"))),
        }
    }
}
