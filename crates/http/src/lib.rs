//! HTTP/1.1 for all services of the platform: connections, limits and hot replies.
//!
//! An application publishes replies ([`Published`]), which are given from here; every other request waits in an
//! [`Inbox`] that the application drains in batches and answers in batches. Nothing here calls the application, but
//! for what it leaves here to see to requests without waiting ([`Taker`]).
//!
//! Always true:
//!   a connection has at most one request in the inbox, so that the inbox is bounded by connections
//!   bodies that are held, in the inbox or on their way there, are bounded together by one budget
//!   whoever is slow to send a head or a body, or to take a reply, is given up after a named time

#![warn(missing_docs)]

mod body;
mod compression;
mod courier;
mod exchange;
mod figures;
mod inbox;
mod patience;
mod published;
mod refusal;
mod reply;
mod server;
mod settings;
mod streams;
mod subject;
mod tls;
mod websocket;
mod worker;

pub use figures::Figures;
pub use inbox::{Inbox, Notify, Request, Taker};
pub use published::Published;
pub use reply::Reply;
pub use server::{HttpServer, Service, Serving};
pub use settings::HttpSettings;
pub use streams::{BodyEnd, BodyReader, BodyWriter, OUTFLOW_BYTES_MAX};
pub use tls::{Tls, TlsError, TlsTexts};
