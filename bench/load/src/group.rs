//! Requests by which a member joins a classic group.

use barnabas_protocol::wire::Reader;

use crate::error::LoadError;
use crate::frames::request;

pub(crate) const HEARTBEAT_VERSION: i16 = 1;
const JOIN_GROUP: i16 = 11;
const JOIN_GROUP_VERSION: i16 = 2;
const SYNC_GROUP: i16 = 14;
const SYNC_GROUP_VERSION: i16 = 1;
const SESSION_MS: i32 = 45_000;

/// What JoinGroup is answered.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) generation_id: i32,
    pub(crate) leader: String,
    pub(crate) member_id: String,
}

/// JoinGroup, with an empty member id the first time.
pub(crate) fn join_frame(group_id: &str, member_id: &str) -> Result<Vec<u8>, LoadError> {
    request(JOIN_GROUP, JOIN_GROUP_VERSION, |writer| {
        writer.string(false, group_id)?;
        writer.i32(SESSION_MS);
        writer.i32(SESSION_MS);
        writer.string(false, member_id)?;
        writer.string(false, "consumer")?;
        writer.array_length(false, 1)?;
        writer.string(false, "range")?;
        writer.bytes(false, &[])
    })
}

/// The answer to JoinGroup, after its error code.
pub(crate) fn joined(reader: &mut Reader<'_>) -> Result<(i16, Joined), LoadError> {
    reader.i32()?;
    let code = reader.i16()?;
    let generation_id = reader.i32()?;
    reader.string(false)?;
    let leader = reader.string(false)?.to_owned();
    Ok((code, Joined { generation_id, leader, member_id: reader.string(false)?.to_owned() }))
}

/// SyncGroup; `assigned` is the member that gets an (empty) assignment, told by the leader.
pub(crate) fn sync_frame(
    group_id: &str,
    generation_id: i32,
    member_id: &str,
    assigned: Option<&str>,
) -> Result<Vec<u8>, LoadError> {
    request(SYNC_GROUP, SYNC_GROUP_VERSION, |writer| {
        writer.string(false, group_id)?;
        writer.i32(generation_id);
        writer.string(false, member_id)?;
        writer.array_length(false, assigned.iter().count())?;
        if let Some(assigned) = assigned {
            writer.string(false, assigned)?;
            writer.bytes(false, &[])?;
        }
        Ok(())
    })
}
