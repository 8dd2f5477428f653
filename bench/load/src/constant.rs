//! Bare hyper with one constant reply, on one thread: what HTTP costs by itself.

use std::convert::Infallible;
use std::io::Write;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::Response;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::arguments::Arguments;
use crate::error::LoadError;
use crate::figures::Figures;

/// Prints its address, and answers until it is killed.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let body = Bytes::from(arguments.text_or("body", "{}").to_owned());
    let media_type = arguments.text_or("type", "application/json");
    let media_type =
        HeaderValue::from_str(media_type).map_err(|error| LoadError::Usage(error.to_string()))?;
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(serve(body, media_type))
}

async fn serve(body: Bytes, media_type: HeaderValue) -> Result<Figures, LoadError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (body, media_type) = (body.clone(), media_type.clone());
        let service = service_fn(move |_| {
            let mut response = Response::new(Full::new(body.clone()));
            response.headers_mut().insert(CONTENT_TYPE, media_type.clone());
            async { Ok::<_, Infallible>(response) }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client that goes away is no concern of the others.
        tokio::spawn(async move { connection.await.ok() });
    }
}
