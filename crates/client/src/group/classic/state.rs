//! Where a member of a classic group is on its way into it, and out.

use barnabas_protocol::Millis;

use crate::group::subscription::Member;

/// The stations of a member.
#[derive(Debug, PartialEq)]
pub(super) enum State {
    /// In no generation; joins when it may.
    Away,
    /// The user gives up partitions before it joins.
    Preparing,
    /// JoinGroup is on its way.
    Joining,
    /// It leads, and waits to know how many partitions there are.
    Leading(Vec<Member>),
    /// It has to ask for its share.
    Following,
    /// SyncGroup is on its way.
    Syncing,
    Stable,
    /// It has left, for the user did not poll; it joins once that changes.
    Idle,
    /// Something went wrong that the user was told at this time; it joins once the user polls again.
    Failed(Millis),
    /// LeaveGroup is due.
    Leaving,
    /// LeaveGroup is on its way.
    Parting,
    Left,
}
