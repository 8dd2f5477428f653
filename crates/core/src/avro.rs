//! Avro schemas that are plain: the text in which a registry keeps them, found without Python.
//!
//! Always true:
//!   what is read here `barnabas.schema_registry.formats.avro` reads too, and keeps in the very same text
//!   all else is left to it: names before they are defined, aliases, numbers with fractions, control characters,
//!   defaults of nested types, and whatever is wrong, of which it knows how to tell

use std::collections::{HashMap, HashSet};

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::json::{Json, Reader};

/// Bytes of a schema that is read here.
const TEXT_BYTES_MAX: usize = 256 * 1024;
const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
/// Kinds of types that are no names.
const KINDS: [&str; 7] = ["record", "error", "enum", "fixed", "array", "map", "union"];
const TYPE_ATTRIBUTES: [&str; 10] =
    ["doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"];
const FIELD_ATTRIBUTES: [&str; 6] = ["aliases", "default", "doc", "name", "order", "type"];
const ORDERS: [&str; 3] = ["ascending", "descending", "ignore"];

/// The text in which an Avro schema without references is kept; None where it is not plain, or no schema.
#[pyfunction]
pub(crate) fn plain_avro(text: &Bound<'_, PyString>) -> Option<String> {
    // Half a character is no UTF-8.
    kept(text.to_str().ok()?)
}

fn kept(text: &str) -> Option<String> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let mut reader = Reader::new(text);
    reader.space();
    let schema = reader.tree(0)?;
    if !reader.ends() {
        return None;
    }
    let mut schemas = Schemas { defined: HashMap::new(), out: Vec::with_capacity(text.len() + 64) };
    schemas.kind(&schema, "")?;
    let text = String::from_utf8(schemas.out).ok()?;
    // Java writes control characters in capitals, and Python's writer, which the one here follows, does not.
    (!text.contains("\\u")).then_some(text)
}

/// A full name: the namespace, which is empty for a name without one, and what follows it.
type Name<'a> = (&'a str, &'a str);
type Members<'a> = [(&'a str, Json<'a>)];

/// What has to be known of a type elsewhere.
#[derive(Clone)]
enum Kind<'a> {
    Primitive(&'static str),
    Array,
    Map,
    Record(Name<'a>),
    /// Of which any text is a value, as far as defaults are looked at: enum and fixed.
    Symbols(Name<'a>),
    Union(Vec<Kind<'a>>),
}

/// What is defined so far, and what is written.
struct Schemas<'a> {
    defined: HashMap<Name<'a>, Kind<'a>>,
    out: Vec<u8>,
}

impl<'a> Schemas<'a> {
    /// Writes a type that stands in a namespace.
    fn kind(&mut self, json: &Json<'a>, space: &'a str) -> Option<Kind<'a>> {
        match json {
            Json::Text(text) => self.reference(text.plain()?, space),
            Json::Array(branches) => self.union(branches, space),
            Json::Object(members) => self.object(members, space),
            Json::Word(_) | Json::Number(_) => None,
        }
    }

    fn object(&mut self, members: &Members<'a>, space: &'a str) -> Option<Kind<'a>> {
        let kind = text(members, "type")?;
        if let Some(primitive) = primitive(kind) {
            let is_bare = members.iter().all(|(name, _)| TYPE_ATTRIBUTES.contains(name));
            if is_bare {
                self.quoted(primitive);
            } else {
                self.begin(primitive);
                self.end(members, &TYPE_ATTRIBUTES);
            }
            return Some(Kind::Primitive(primitive));
        }
        match kind {
            "record" | "error" => self.record(kind, members, space),
            "enum" => self.symbols(members, space),
            "fixed" => self.fixed(members, space),
            "array" | "map" => self.collection(kind, members, space),
            _ => self.reference(kind, space),
        }
    }

    fn reference(&mut self, text: &'a str, space: &'a str) -> Option<Kind<'a>> {
        if let Some(primitive) = primitive(text) {
            self.quoted(primitive);
            return Some(Kind::Primitive(primitive));
        }
        let name = name(text, space)?;
        // Texts of old versions name types without their namespaces.
        let found = self.defined.get(&name).or_else(|| self.defined.get(&("", name.1)))?.clone();
        if let Kind::Record(name) | Kind::Symbols(name) = found {
            self.named(name, space);
        }
        Some(found)
    }

    fn union(&mut self, branches: &[Json<'a>], space: &'a str) -> Option<Kind<'a>> {
        let mut kinds: Vec<Kind<'a>> = Vec::with_capacity(branches.len());
        let mut seen = HashSet::new();
        self.out.push(b'[');
        for branch in branches {
            if !kinds.is_empty() {
                self.out.push(b',');
            }
            let kind = self.kind(branch, space)?;
            let key = match kind {
                Kind::Primitive(name) => ("", name),
                Kind::Array => ("", "array"),
                Kind::Map => ("", "map"),
                Kind::Record(name) | Kind::Symbols(name) => name,
                Kind::Union(_) => return None,
            };
            seen.insert(key).then(|| kinds.push(kind))?;
        }
        self.out.push(b']');
        Some(Kind::Union(kinds))
    }

    fn collection(&mut self, kind: &str, members: &Members<'a>, space: &'a str) -> Option<Kind<'a>> {
        let (member_of, made) = if kind == "array" { ("items", Kind::Array) } else { ("values", Kind::Map) };
        self.begin(kind);
        self.member(member_of);
        self.kind(member(members, member_of)?, space)?;
        self.end(members, &TYPE_ATTRIBUTES);
        Some(made)
    }

    fn record(&mut self, kind: &str, members: &Members<'a>, space: &'a str) -> Option<Kind<'a>> {
        let Json::Array(fields) = member(members, "fields")? else { return None };
        let name = declared(members, space)?;
        let record = Kind::Record(name);
        self.define(kind, members, name, space, &record)?;
        self.member("fields");
        self.out.push(b'[');
        let mut seen = HashSet::new();
        for field in fields {
            let Json::Object(field) = field else { return None };
            if !seen.is_empty() {
                self.out.push(b',');
            }
            seen.insert(self.field(field, name.0)?).then_some(())?;
        }
        self.out.push(b']');
        self.end(members, &TYPE_ATTRIBUTES);
        Some(record)
    }

    /// Writes a field; its name.
    fn field(&mut self, members: &Members<'a>, space: &'a str) -> Option<&'a str> {
        let name = text(members, "name").filter(|name| is_name(name))?;
        if member(members, "aliases").is_some() {
            return None;
        }
        self.out.extend_from_slice(b"{\"name\":");
        self.quoted(name);
        self.member("type");
        let kind = self.kind(member(members, "type")?, space)?;
        self.doc(members);
        if let Some(default) = member(members, "default") {
            fits(&kind, default).then_some(())?;
            self.member("default");
            default.write(&mut self.out);
        }
        if member(members, "order").is_some() {
            let order = text(members, "order").filter(|order| ORDERS.contains(order))?;
            if order != "ascending" {
                self.member("order");
                self.quoted(order);
            }
        }
        self.end(members, &FIELD_ATTRIBUTES);
        Some(name)
    }

    fn symbols(&mut self, members: &Members<'a>, space: &'a str) -> Option<Kind<'a>> {
        let Json::Array(symbols) = member(members, "symbols")? else { return None };
        let mut seen = HashSet::new();
        for symbol in symbols {
            let Json::Text(symbol) = symbol else { return None };
            let symbol = symbol.plain().filter(|symbol| is_name(symbol))?;
            seen.insert(symbol).then_some(())?;
        }
        let name = declared(members, space)?;
        let made = Kind::Symbols(name);
        self.define("enum", members, name, space, &made)?;
        self.member("symbols");
        Json::Array(symbols.clone()).write(&mut self.out);
        if member(members, "default").is_some() {
            let default = text(members, "default").filter(|default| seen.contains(default))?;
            self.member("default");
            self.quoted(default);
        }
        let known: Vec<&str> = TYPE_ATTRIBUTES.into_iter().chain(["default"]).collect();
        self.end(members, &known);
        Some(made)
    }

    fn fixed(&mut self, members: &Members<'a>, space: &'a str) -> Option<Kind<'a>> {
        let Json::Number(digits) = member(members, "size")? else { return None };
        let size: u32 = digits.parse().ok()?;
        (size <= i32::MAX as u32).then_some(())?;
        let name = declared(members, space)?;
        let made = Kind::Symbols(name);
        self.define("fixed", members, name, space, &made)?;
        self.member("size");
        self.out.extend_from_slice(digits.as_bytes());
        self.end(members, &TYPE_ATTRIBUTES);
        Some(made)
    }

    /// Begins a named type that is defined here: what all of them have.
    fn define(
        &mut self,
        kind: &str,
        members: &Members<'a>,
        name: Name<'a>,
        space: &str,
        made: &Kind<'a>,
    ) -> Option<()> {
        if member(members, "aliases").is_some() || self.defined.insert(name, made.clone()).is_some() {
            return None;
        }
        self.begin(kind);
        self.member("name");
        self.quoted(name.1);
        if name.0 != space {
            self.member("namespace");
            self.quoted(name.0);
        }
        self.doc(members);
        Some(())
    }

    fn doc(&mut self, members: &Members<'a>) {
        if let Some(doc @ Json::Text(_)) = member(members, "doc") {
            self.member("doc");
            doc.write(&mut self.out);
        }
    }

    /// A name as it is written inside a namespace.
    fn named(&mut self, (before, simple): Name<'a>, space: &str) {
        if before == space || before.is_empty() {
            return self.quoted(simple);
        }
        self.out.push(b'"');
        for part in [before, ".", simple, "\""] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn begin(&mut self, kind: &str) {
        self.out.extend_from_slice(b"{\"type\":");
        self.quoted(kind);
    }

    fn member(&mut self, name: &str) {
        self.out.push(b',');
        self.quoted(name);
        self.out.push(b':');
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    /// Writes the attributes that mean nothing here, and ends the object.
    fn end(&mut self, members: &Members<'a>, known: &[&str]) {
        for (name, value) in members.iter().filter(|(name, _)| !known.contains(name)) {
            self.member(name);
            value.write(&mut self.out);
        }
        self.out.push(b'}');
    }
}

fn primitive(text: &str) -> Option<&'static str> {
    PRIMITIVES.into_iter().find(|primitive| *primitive == text)
}

fn member<'m, 'a>(members: &'m Members<'a>, name: &str) -> Option<&'m Json<'a>> {
    members.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// A member that is a text without escapes.
fn text<'a>(members: &Members<'a>, name: &str) -> Option<&'a str> {
    match member(members, name)? {
        Json::Text(text) => text.plain(),
        _ => None,
    }
}

/// The name that a text means inside a namespace.
fn name<'a>(text: &'a str, space: &'a str) -> Option<Name<'a>> {
    if text.is_empty() {
        return None;
    }
    Some(text.rsplit_once('.').unwrap_or((space, text)))
}

/// The name of a type that is defined here.
fn declared<'a>(members: &Members<'a>, space: &'a str) -> Option<Name<'a>> {
    let space = match member(members, "namespace") {
        Some(Json::Text(space)) => space.plain()?,
        _ => space,
    };
    let name = name(text(members, "name")?, space)?;
    let is_good = (name.0.is_empty() || name.0.split('.').all(is_name)) && is_name(name.1);
    let is_taken = PRIMITIVES.contains(&name.1) || KINDS.contains(&name.1);
    (is_good && !is_taken).then_some(name)
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a default is sure to be a value of a type.
fn fits(kind: &Kind<'_>, default: &Json<'_>) -> bool {
    match (kind, default) {
        (Kind::Union(branches), _) => branches.iter().any(|branch| fits(branch, default)),
        (Kind::Primitive("null"), Json::Word(word)) => *word == "null",
        (Kind::Primitive("boolean"), Json::Word(word)) => *word != "null",
        (Kind::Primitive("int"), Json::Number(digits)) => digits.parse::<i32>().is_ok(),
        (Kind::Primitive("long" | "float" | "double"), Json::Number(_)) => true,
        (Kind::Primitive("bytes" | "string") | Kind::Symbols(_), Json::Text(_)) => true,
        (Kind::Array, Json::Array(items)) => items.is_empty(),
        (Kind::Map, Json::Object(members)) => members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_schemas_are_kept_in_the_order_of_java() {
        for (given, text) in [
            (r#" "string" "#, r#""string""#),
            (r#"{"type":"int","name":"x","size":3,"default":2}"#, r#"{"type":"int","default":2}"#),
            (
                r#"{"fields":[{"type":["null",{"type":"Node"}],"name":"next","default":null}],"name":"a.b.Node",
                    "type":"record","x":{"y":[1,true]}}"#,
                concat!(
                    r#"{"type":"record","name":"Node","namespace":"a.b","fields":[{"name":"next","#,
                    r#""type":["null","Node"],"default":null}],"x":{"y":[1,true]}}"#
                ),
            ),
            (
                r#"{"type":"array","items":{"type":"enum","symbols":["A","B"],"default":"A","name":"E","doc":"\/\n"}}"#,
                r#"{"type":"array","items":{"type":"enum","name":"E","doc":"/\n","symbols":["A","B"],"default":"A"}}"#,
            ),
            (
                r#"[{"type":"fixed","name":"n.F","size":2},"null",{"type":"map","values":"n.F"}]"#,
                r#"[{"type":"fixed","name":"F","namespace":"n","size":2},"null",{"type":"map","values":"n.F"}]"#,
            ),
        ] {
            assert_eq!(kept(given).as_deref(), Some(text), "{given}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left() {
        for given in [
            "string",
            r#""Unknown""#,
            r#"["int","int"]"#,
            r#"[["int"]]"#,
            r#"{"type":"record","name":"R"}"#,
            r#"{"type":"record","name":"int","fields":[]}"#,
            r#"{"type":"record","name":"a..R","fields":[]}"#,
            r#"{"type":"record","name":"R","fields":[],"aliases":["Q"]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":3000000000}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
            r#"{"type":"enum","name":"E","symbols":["A","A"]}"#,
            r#"{"type":"enum","name":"E","symbols":["A"],"default":"B"}"#,
            r#"{"type":"fixed","name":"F","size":-1}"#,
            r#"{"type":"int","precision":1.5}"#,
        ] {
            assert_eq!(kept(given), None, "{given}");
        }
    }
}
