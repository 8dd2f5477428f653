"""Rust tables of APIs and error codes."""

from __future__ import annotations

from codegen.facts import Api, ErrorFact
from codegen.rust import HEADER

NEVER_FLEXIBLE = "i16::MAX"


def api_file(apis: list[Api]) -> str:
    """The enum of API keys and its table."""
    lines = [HEADER, "//! The APIs of Apache Kafka 4.4.0.\n", "use crate::api::ApiFacts;\n"]
    lines += [
        "/// An API by its key on the wire.",
        "#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]",
    ]
    lines += ["#[repr(i16)]", "#[allow(missing_docs)]", "pub enum ApiKey {"]
    lines += [f"    {api.name} = {api.key}," for api in apis]
    lines += [
        "}",
        "",
        "impl ApiKey {",
        "    /// All APIs, by key.",
        f"    pub const ALL: [ApiKey; {len(apis)}] = [",
    ]
    lines += [f"        ApiKey::{api.name}," for api in apis]
    lines += [
        "    ];",
        "",
        "    /// The API of a key of the wire.",
        "    pub fn from_code(code: i16) -> Option<ApiKey> {",
    ]
    lines += ["        Some(match code {", *(f"            {api.key} => ApiKey::{api.name}," for api in apis)]
    lines += ["            _ => return None,", "        })", "    }", "", "    /// What is known of the API."]
    lines += ["    pub fn facts(self) -> &'static ApiFacts {", "        match self {"]
    lines += [f"            ApiKey::{api.name} => {facts(api)}," for api in apis]
    lines += ["        }", "    }", "}", ""]
    return "\n".join(lines)


def facts(api: Api) -> str:
    """The entry of one API."""
    request = api.request
    flexible = str(request.flexible.lowest) if request.flexible else NEVER_FLEXIBLE
    values = [
        f'name: "{api.name}"',
        f"lowest: {request.versions.lowest}",
        f"highest: {request.versions.highest}",
        f"latest_unstable: {rust_bool(request.latest_unstable)}",
        f"lowest_flexible: {flexible}",
        f"broker: {rust_bool('broker' in request.listeners)}",
        f"controller: {rust_bool('controller' in request.listeners)}",
        f"forwardable: {rust_bool(api.forwardable)}",
        f"cluster_action: {rust_bool(api.cluster_action)}",
    ]
    return f"&ApiFacts {{ {', '.join(values)} }}"


def rust_bool(value: bool) -> str:
    """A bool literal."""
    return "true" if value else "false"


def error_file(errors: list[ErrorFact]) -> str:
    """The constants of ErrorCode and its table."""
    lines = [
        HEADER,
        "//! The error codes of Apache Kafka 4.4.0.\n",
        "use crate::error::{ErrorCode, ErrorFacts};\n",
    ]
    lines += ["impl ErrorCode {"]
    for error in errors:
        lines += [
            f"    /// {error.message}",
            f"    pub const {error.name}: ErrorCode = ErrorCode({error.code});",
        ]
    lines += ["}", "", "/// Name, whether retriable, and text of each code, from -1 on."]
    lines.append(f"pub(crate) static ERRORS: [ErrorFacts; {len(errors)}] = [")
    for error in errors:
        retriable = rust_bool(error.retriable)
        lines.append(
            f'    ErrorFacts {{ name: "{error.name}", retriable: {retriable}, message: "{error.message}" }},'
        )
    lines += ["];", ""]
    return "\n".join(lines)
