//! One blocking connection, a request at a time.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use barnabas_protocol::generated::find_coordinator_request::FindCoordinatorRequest;
use barnabas_protocol::generated::find_coordinator_response::FindCoordinatorResponse;
use barnabas_protocol::wire::Reader;

use crate::arguments::Arguments;
use crate::connecting::connect;
use crate::error::LoadError;
use crate::frames;

const FIND_COORDINATOR_VERSION: i16 = 1;
/// How often something that a broker may need time for is asked again, and the pause between.
const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);
/// COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS.
const NOT_YET: [i16; 4] = [14, 15, 16, 51];

/// A connection.
#[derive(Debug)]
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn connect(address: &str) -> Result<Client, LoadError> {
        Ok(Client(connect(address)?))
    }

    /// To the broker of the command line.
    pub(crate) fn of(arguments: &Arguments) -> Result<Client, LoadError> {
        Client::connect(arguments.text("bootstrap")?)
    }

    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<(), LoadError> {
        Ok(self.0.write_all(frame)?)
    }

    /// The next response, without length and correlation id.
    pub(crate) fn receive(&mut self) -> Result<Vec<u8>, LoadError> {
        let mut start = [0; 8];
        self.0.read_exact(&mut start)?;
        let length = u32::from_be_bytes([start[0], start[1], start[2], start[3]]) as usize;
        let mut body = vec![0; length.saturating_sub(4)];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }

    pub(crate) fn call(&mut self, frame: &[u8]) -> Result<Vec<u8>, LoadError> {
        self.send(frame)?;
        self.receive()
    }

    /// Another handle of the same connection.
    pub(crate) fn try_clone(&self) -> Result<Client, LoadError> {
        Ok(Client(self.0.try_clone()?))
    }

    /// Ends the connection, also for whoever waits on another handle of it.
    pub(crate) fn shut_down(&self) {
        // Fails only where it has ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// Asks again while a coordinator is not ready. `read` takes the response apart and gives its error code.
    pub(crate) fn call_until_ready<T>(
        &mut self,
        api: &'static str,
        frame: &[u8],
        read: impl Fn(&mut Reader<'_>) -> Result<(i16, T), LoadError>,
    ) -> Result<T, LoadError> {
        let mut last = 0;
        for _ in 0..ATTEMPTS {
            let response = self.call(frame)?;
            let (code, value) = read(&mut Reader::new(&response))?;
            if !NOT_YET.contains(&code) {
                return LoadError::of(api, code).map(|()| value);
            }
            last = code;
            thread::sleep(PAUSE);
        }
        Err(LoadError::Refused { api, code: last })
    }

    /// Waits until the one node is coordinator of a group (type 0) or of a transactional id (type 1): who never
    /// asks for a coordinator finds none, since the question is what makes the internal topic.
    pub(crate) fn await_coordinator(&mut self, key: &str, key_type: i8) -> Result<(), LoadError> {
        let version = FIND_COORDINATOR_VERSION;
        let asked = FindCoordinatorRequest { key, key_type, ..FindCoordinatorRequest::default() };
        let frame =
            frames::request(FindCoordinatorRequest::KEY, version, |writer| asked.encode(writer, version))?;
        self.call_until_ready("FindCoordinator", &frame, |reader| {
            Ok((FindCoordinatorResponse::decode(reader, version)?.error_code, ()))
        })
    }

    /// Indices of the topic's partitions, once all have leaders.
    pub(crate) fn partitions(&mut self, topic: &str) -> Result<Vec<i32>, LoadError> {
        let frame = frames::metadata(topic)?;
        for _ in 0..ATTEMPTS {
            let response = self.call(&frame)?;
            if let Some(partitions) = frames::led_partitions(&response)? {
                return Ok(partitions);
            }
            thread::sleep(PAUSE);
        }
        Err(LoadError::NoLeaders(topic.to_owned()))
    }
}
