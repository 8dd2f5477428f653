//! Many members of many groups, each with a connection of its own, that do nothing but stay members: the classic
//! protocol, a heartbeat every `--heartbeat-ms`. What is counted begins when all groups are stable.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use barnabas_protocol::generated::heartbeat_request::HeartbeatRequest;
use barnabas_protocol::wire::Reader;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::arguments::Arguments;
use crate::client::Client;
use crate::connecting::connect;
use crate::error::LoadError;
use crate::figures::Figures;
use crate::frames::request;
use crate::group::{join_frame, joined, sync_frame, HEARTBEAT_VERSION};
use crate::process::cpu_seconds_of;

const EVENTS_PER_TURN: usize = 1024;
const READ_BYTES: usize = 1 << 16;
/// REBALANCE_IN_PROGRESS: the member is to join again.
const REBALANCE: i16 = 27;
/// Coordinators that are not ready.
const NOT_YET: [i16; 3] = [14, 15, 16];
/// Pause before something is asked again.
const PAUSE: Duration = Duration::from_millis(100);
/// Members that join in one go, so that the broker's queue of connections is not what is measured.
const JOINING_AT_ONCE: usize = 2_500;

/// What a member has asked, or asks next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Join,
    Sync,
    Heartbeat,
}

struct Member {
    stream: TcpStream,
    group: String,
    member_id: String,
    is_leader: bool,
    generation_id: i32,
    step: Step,
    asked_at: Option<Instant>,
    received: Vec<u8>,
}

struct Crowd {
    members: Vec<Member>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    heartbeat: Duration,
    buffer: Vec<u8>,
    microseconds: Vec<u32>,
    expelled: u64,
    rebalances: u64,
}

/// Runs `--members` in `--groups` for `--seconds`; `--pid` is the broker's process.
pub(crate) fn run(arguments: &Arguments) -> Result<Figures, LoadError> {
    let members: usize = arguments.number("members", 10_000)?;
    let groups: usize = arguments.number("groups", 1_000)?;
    let seconds: f64 = arguments.number("seconds", 20.0)?;
    let pid: u32 = arguments.number("pid", std::process::id())?;
    let heartbeat = Duration::from_millis(arguments.number("heartbeat-ms", 3_000)?);
    Client::of(arguments)?.await_coordinator("load", 0)?;
    let mut poll = Poll::new()?;
    let mut crowd = Crowd {
        members: Vec::with_capacity(members),
        due: BinaryHeap::new(),
        heartbeat,
        buffer: vec![0; READ_BYTES],
        microseconds: Vec::new(),
        expelled: 0,
        rebalances: 0,
    };
    let begun = Instant::now();
    while crowd.members.len() < members {
        for _ in 0..JOINING_AT_ONCE.min(members - crowd.members.len()) {
            let number = crowd.members.len();
            // The members of a group come one after another, so that each joins one rebalance.
            let group = format!("load-{}-{}", std::process::id(), number * groups / members);
            crowd.add(arguments.text("bootstrap")?, group, &mut poll)?;
        }
        while !crowd.is_stable() {
            crowd.turn(&mut poll)?;
        }
    }
    let join_s = begun.elapsed().as_secs_f64();
    // Once round, so that each member has told that it is steady.
    crowd.run_for(heartbeat + heartbeat / 2, &mut poll)?;
    (crowd.microseconds, crowd.rebalances, crowd.expelled) = (Vec::new(), 0, 0);
    let (begun, cpu) = (Instant::now(), cpu_seconds_of(pid)?);
    crowd.run_for(Duration::from_secs_f64(seconds), &mut poll)?;
    let elapsed = begun.elapsed().as_secs_f64();
    let mut figures = Figures::default();
    figures.add("join_s", join_s);
    figures.add("cpu_percent", 100.0 * (cpu_seconds_of(pid)? - cpu) / elapsed);
    figures.add("heartbeats_per_s", crowd.microseconds.len() as f64 / elapsed);
    figures.add("expelled", crowd.expelled as f64);
    figures.add("rebalances", crowd.rebalances as f64);
    figures.add_quantiles("heartbeat", crowd.microseconds);
    Ok(figures)
}

impl Crowd {
    fn add(&mut self, address: &str, group: String, poll: &mut Poll) -> Result<(), LoadError> {
        let stream = connect(address)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let index = self.members.len();
        poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        self.members.push(Member {
            stream,
            group,
            member_id: String::new(),
            is_leader: false,
            generation_id: -1,
            step: Step::Join,
            asked_at: None,
            received: Vec::new(),
        });
        self.due.push(Reverse((Instant::now(), index)));
        Ok(())
    }

    /// Whether everybody has nothing to do but heartbeat.
    fn is_stable(&self) -> bool {
        self.members.iter().all(|member| member.step == Step::Heartbeat)
    }

    fn run_for(&mut self, time: Duration, poll: &mut Poll) -> Result<(), LoadError> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(poll)?;
        }
        Ok(())
    }

    /// Asks what is due, and takes in what is answered.
    fn turn(&mut self, poll: &mut Poll) -> Result<(), LoadError> {
        let now = Instant::now();
        while let Some(&Reverse((at, index))) = self.due.peek() {
            if at > now {
                break;
            }
            self.due.pop();
            self.members[index].ask(now)?;
        }
        let wait =
            self.due.peek().map_or(PAUSE, |Reverse((at, _))| at.saturating_duration_since(now).min(PAUSE));
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        for event in &events {
            self.receive(event.token().0)?;
        }
        Ok(())
    }

    fn receive(&mut self, index: usize) -> Result<(), LoadError> {
        let member = &mut self.members[index];
        loop {
            match member.stream.read(&mut self.buffer) {
                Ok(0) => return Err(LoadError::Closed),
                Ok(count) => member.received.extend_from_slice(&self.buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some(length) = member.received.first_chunk::<4>() else { return Ok(()) };
        let end = 4 + u32::from_be_bytes(*length) as usize;
        if member.received.len() < end {
            return Ok(());
        }
        let response: Vec<u8> = member.received.drain(..end).skip(8).collect();
        self.answered(index, &response)
    }

    /// The one answer that the member waits for.
    fn answered(&mut self, index: usize, response: &[u8]) -> Result<(), LoadError> {
        let member = &mut self.members[index];
        let (now, asked_at) = (Instant::now(), member.asked_at.take());
        let mut reader = Reader::new(response);
        let step = member.step;
        let code = match step {
            Step::Join => {
                let (code, answer) = joined(&mut reader)?;
                if code == 0 {
                    member.is_leader = answer.leader == answer.member_id;
                    (member.member_id, member.generation_id) = (answer.member_id, answer.generation_id);
                }
                code
            }
            Step::Sync | Step::Heartbeat => {
                reader.i32()?;
                reader.i16()?
            }
        };
        let (next, pause) = match (step, code) {
            (Step::Join, 0) => (Step::Sync, Duration::ZERO),
            (Step::Sync, 0) => (Step::Heartbeat, self.heartbeat),
            (Step::Heartbeat, 0) => {
                let asked_at = asked_at.unwrap_or(now);
                self.microseconds.push(now.duration_since(asked_at).as_micros() as u32);
                (Step::Heartbeat, self.heartbeat.saturating_sub(now.duration_since(asked_at)))
            }
            (_, code) if NOT_YET.contains(&code) => (step, PAUSE),
            (_, REBALANCE) => {
                self.rebalances += 1;
                (Step::Join, Duration::ZERO)
            }
            (_, _) => {
                self.expelled += 1;
                member.member_id.clear();
                (Step::Join, Duration::ZERO)
            }
        };
        member.step = next;
        self.due.push(Reverse((now + pause, index)));
        Ok(())
    }
}

impl Member {
    fn ask(&mut self, now: Instant) -> Result<(), LoadError> {
        let frame = match self.step {
            Step::Join => join_frame(&self.group, &self.member_id)?,
            Step::Sync => {
                let leads = self.is_leader.then_some(self.member_id.as_str());
                sync_frame(&self.group, self.generation_id, &self.member_id, leads)?
            }
            Step::Heartbeat => self.heartbeat_frame()?,
        };
        self.asked_at = Some(now);
        // A small frame on a connection with nothing in flight: the socket's buffer is empty.
        Ok(self.stream.write_all(&frame)?)
    }

    fn heartbeat_frame(&self) -> Result<Vec<u8>, LoadError> {
        let asked = HeartbeatRequest {
            group_id: &self.group,
            generation_id: self.generation_id,
            member_id: &self.member_id,
            ..HeartbeatRequest::default()
        };
        request(HeartbeatRequest::KEY, HEARTBEAT_VERSION, |writer| asked.encode(writer, HEARTBEAT_VERSION))
    }
}
