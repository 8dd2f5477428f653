//! Members of one group against a coordinator that loses connections and answers, moves, and expels: no partition
//! has two owners among members that the coordinator knows, positions never go back, and in the end all is shared.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;
mod support;

use model::{Model, PARTITIONS};
use proptest::prelude::*;

use barnabas_client::group::config::Protocol;

fn run(protocol: Protocol, assignor: &str, seed: u64) {
    let mut model = Model::new(protocol, assignor, seed);
    model.run(4_000, true);
    // Without faults everything settles.
    model.run(4_000, false);
    model.assert_settled();
    assert!(model.commits > 0 && model.read.iter().sum::<i64>() > PARTITIONS as i64);
}

#[test]
fn what_has_failed_once_does_not_fail_again() {
    // Who was about to leave got a share on top of what it was giving up, and was told to give that up twice.
    run(Protocol::Classic, "cooperative-sticky", 12_606_743_940_205_229_588);
    // Who got a share that was another before the user knew of it told nobody, and the partition was nobody's.
    run(Protocol::Consumer, "range", 7_018_719_309_568_729_322);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn eager_members_never_share_a_partition(seed in any::<u64>(), range in any::<bool>()) {
        run(Protocol::Classic, if range { "range" } else { "sticky" }, seed);
    }

    #[test]
    fn cooperative_members_never_share_a_partition(seed in any::<u64>()) {
        run(Protocol::Classic, "cooperative-sticky", seed);
    }

    #[test]
    fn members_of_the_consumer_protocol_never_share_a_partition(seed in any::<u64>()) {
        run(Protocol::Consumer, "range", seed);
    }
}
