//! A node that answers every request with nothing but its header, to measure the network alone:
//! `cargo run --release --example null_reply -- 127.0.0.1:29092`. Metadata of version 4 names one partition,
//! so that load generators find it.

use std::any::Any;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use barnabas_net::{
    BoundListener, Chunk, ConnectionId, ListenerSettings, Millis, Network, NetworkSettings, Outcome, Request,
    Service,
};

struct NullReply;

/// Response of Metadata version 4: this node, and one topic with one partition that it leads.
fn metadata(request: &Request) -> Vec<u8> {
    let string = |text: &str| [&(text.len() as i16).to_be_bytes(), text.as_bytes()].concat();
    let int = |value: i32| value.to_be_bytes().to_vec();
    let (host, port) = (request.peer.local.ip().to_string(), i32::from(request.peer.local.port()));
    // The first topic asked for: behind the number of topics.
    let name = &request.frame[request.body + 4..request.frame.len() - 1];
    let partition = [vec![0; 2], int(0), int(1), int(1), int(1), int(1), int(1)].concat();
    let topic = [vec![0; 2], name.to_vec(), vec![0], int(1), partition].concat();
    let broker = [int(1), string(&host), int(port), vec![0xff, 0xff]].concat();
    [int(request.correlation_id), int(0), int(1), broker, vec![0xff, 0xff], int(1), int(1), topic].concat()
}

impl Service for NullReply {
    fn handle(&self, request: Request) -> Outcome {
        if (request.api_key, request.api_version) == (3, 4) {
            return Outcome::Reply(vec![Chunk::Bytes(metadata(&request))]);
        }
        let mut reply = Vec::with_capacity(10);
        reply.extend_from_slice(&request.correlation_id.to_be_bytes());
        reply.extend_from_slice(&[0; 6]);
        Outcome::Reply(vec![Chunk::Bytes(reply)])
    }

    fn resume(&self, _: Box<dyn Any + Send>, _: Millis) -> Outcome {
        Outcome::NoReply
    }

    fn disconnected(&self, _: ConnectionId) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:29092".to_owned());
    let reactors = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let (host, port) = address.rsplit_once(':').ok_or("HOST:PORT expected")?;
    let listener = BoundListener::bind(&ListenerSettings::new("PLAINTEXT", host, port.parse()?))?;
    let settings = NetworkSettings { reactors, ..NetworkSettings::default() };
    let network = Network::start(settings, vec![listener], Arc::new(NullReply))?;
    println!("serving {address} until the standard input ends");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let metrics = network.metrics();
    let (requests, calls) =
        (metrics.sum(|reactor| &reactor.requests), metrics.sum(|reactor| &reactor.socket_calls));
    let turns = metrics.sum(|reactor| &reactor.turns);
    println!("{requests} requests, {calls} reads and writes, {turns} turns");
    network.stop(Duration::from_secs(1));
    Ok(())
}
