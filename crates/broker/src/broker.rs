//! The broker as a whole: where requests come in and where partitions are found.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use arc_swap::ArcSwap;
use barnabas_image::MetadataImage;
use barnabas_log::{LogConfig, LogError, LogManager};
use barnabas_protocol::generated::api_versions_response::ApiVersion;
use barnabas_protocol::{Millis, PartitionIndex, TopicId, Uuid};
use parking_lot::Mutex;

use crate::cold_reads::ColdReads;
use crate::coordinator::CoordinatorEvents;
use crate::coordinator_markers::CoordinatorMarkers;
use crate::error_code;
use crate::fetch_session::FetchSessionCache;
use crate::housekeeping::Timers;
use crate::leader::IsrProposal;
use crate::lent_groups::LentGroups;
use crate::lent_transactions::LentTransactions;
use crate::metrics::Gone;
use crate::open_transactions::OpenTransactions;
use crate::partition::{Partition, Role};
use crate::read::{log_error_code, ReadFailure};
use crate::request::{BrokerRequest, Endpoint, Handled, Parked, Waiting};
use crate::schema_table::SchemaTables;
use crate::settings::BrokerSettings;
use crate::share_read::ShareWatches;
use crate::steady::SteadyMembers;
use crate::syncs::SyncQueues;
use crate::transaction_checks::TransactionChecks;
use crate::{
    api_versions, delete_records, describe_producers, fetch, list_offsets, markers, metadata, offset_commit,
    offset_for_leader_epoch, plain_transactions, produce, steady, topic_partitions,
};

/// A replica that should be on this node.
#[derive(Debug, Clone)]
pub(crate) enum Hosted {
    /// It is.
    Online(Arc<Partition>),
    /// It can't be, and is answered with this error.
    Failed(i16),
}

/// The replicas of each topic on this node, by partition index.
pub(crate) type HostedTopics = imbl::HashMap<TopicId, Arc<Vec<Option<Hosted>>>>;

/// Something that the controller should be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// AlterPartition: the ISR should change.
    AlterIsr {
        /// The topic.
        topic_id: TopicId,
        /// The partition.
        index: PartitionIndex,
        /// What is wanted.
        proposal: IsrProposal,
    },
    /// AssignReplicasToDirs: this node's replica lies in that directory.
    AssignDirectory {
        /// The topic.
        topic_id: TopicId,
        /// The partition.
        index: PartitionIndex,
        /// The directory.
        directory: Uuid,
    },
    /// A log directory has failed: to be named in heartbeats.
    DirectoryFailed {
        /// The directory.
        directory: Uuid,
    },
    /// A log directory that had failed is back, with its replicas.
    DirectoryReturned {
        /// The directory.
        directory: Uuid,
    },
}

/// The partitions of this node and everything that is answered without Python. Shared by all threads.
pub struct Broker {
    settings: BrokerSettings,
    served: Vec<ApiVersion>,
    served_by_controller: Vec<ApiVersion>,
    pub(crate) image: ArcSwap<MetadataImage>,
    pub(crate) hosted: ArcSwap<HostedTopics>,
    pub(crate) logs: Arc<LogManager>,
    pub(crate) log_defaults: ArcSwap<LogConfig>,
    sessions: FetchSessionCache,
    pub(crate) effects: Mutex<Vec<Effect>>,
    /// Who hears of the coordinators' partitions.
    pub(crate) events: Arc<dyn CoordinatorEvents>,
    pub(crate) transaction_checks: Arc<TransactionChecks>,
    pub(crate) schema_tables: SchemaTables,
    pub(crate) open_transactions: OpenTransactions,
    pub(crate) lent: LentTransactions,
    pub(crate) lent_groups: LentGroups,
    pub(crate) coordinator_markers: CoordinatorMarkers,
    transaction_verification: AtomicBool,
    pub(crate) steady: SteadyMembers,
    pub(crate) share_watches: ShareWatches,
    pub(crate) failed_directories: Mutex<BTreeSet<Uuid>>,
    /// Held while an image is applied, so that one follows the other.
    pub(crate) applying: Mutex<()>,
    pub(crate) timers: Mutex<Timers>,
    pub(crate) gone: Gone,
    pub(crate) syncs: Arc<SyncQueues>,
    pub(crate) cold_reads: ColdReads,
}

impl Broker {
    /// A broker over `logs`, which have been loaded. It knows no topic before the first `apply`.
    pub fn new(
        settings: BrokerSettings,
        logs: Arc<LogManager>,
        log_defaults: LogConfig,
        events: Arc<dyn CoordinatorEvents>,
        now: Millis,
    ) -> Broker {
        let syncs = Arc::new(SyncQueues::new(logs.clone()));
        Broker {
            served: api_versions::served(&settings.apis),
            served_by_controller: api_versions::served(&settings.controller_apis),
            image: ArcSwap::from_pointee(MetadataImage::default()),
            hosted: ArcSwap::from_pointee(HostedTopics::new()),
            logs,
            log_defaults: ArcSwap::from_pointee(log_defaults),
            sessions: FetchSessionCache::new(settings.fetch_session_slots, settings.fetch_session_seed),
            effects: Mutex::default(),
            schema_tables: SchemaTables::new(events.clone()),
            events,
            transaction_checks: Arc::default(),
            open_transactions: OpenTransactions::default(),
            lent: LentTransactions::default(),
            lent_groups: LentGroups::default(),
            coordinator_markers: CoordinatorMarkers::default(),
            steady: SteadyMembers::default(),
            share_watches: ShareWatches::default(),
            transaction_verification: AtomicBool::new(settings.transaction_verification),
            failed_directories: Mutex::default(),
            applying: Mutex::default(),
            timers: Mutex::new(Timers::new(&settings, now)),
            gone: Gone::default(),
            syncs,
            cold_reads: ColdReads::default(),
            settings,
        }
    }

    /// Answers a request, or says who will.
    pub fn handle(&self, request: &BrokerRequest<'_>) -> Handled {
        match request.api_key {
            // Fetch on a controller's listener is of the metadata log, none of this broker's partitions.
            key if request.endpoint == Endpoint::Controller && key != api_versions::KEY => Handled::Cold,
            produce::KEY => self.produce(request),
            fetch::KEY => self.fetch(request),
            list_offsets::KEY => self.list_offsets(request),
            metadata::KEY => self.metadata(request),
            api_versions::KEY => self.api_versions(request),
            delete_records::KEY => self.delete_records(request),
            offset_for_leader_epoch::KEY => self.offset_for_leader_epoch(request),
            describe_producers::KEY => self.describe_producers(request),
            steady::CLASSIC => self.classic_heartbeat(request),
            steady::CONSUMER => self.consumer_group_heartbeat(request),
            offset_commit::KEY => self.offset_commit(request),
            markers::KEY => self.write_txn_markers(request),
            plain_transactions::ADD_PARTITIONS => self.add_partitions_to_txn(request),
            plain_transactions::END => self.end_txn(request),
            topic_partitions::KEY => self.describe_topic_partitions(request),
            _ => Handled::Cold,
        }
    }

    /// Goes on with a request that was parked.
    pub fn resume(&self, state: Parked, now: Millis) -> Handled {
        match state.0 {
            Waiting::Fetch(parked) => self.resume_fetch(*parked, now),
            Waiting::Produce(parked) => self.resume_produce(*parked, now),
            Waiting::Markers(parked) => self.resume_markers(*parked, now),
            Waiting::Verification(parked) => self.resume_verification(*parked, now),
            Waiting::Schemas(parked) => self.resume_unjudged(*parked, now),
            Waiting::DeleteRecords(parked) => self.resume_delete_records(*parked, now),
        }
    }

    /// API keys that `handle` answers (Metadata at times only after Python has created a topic).
    pub const NATIVE: [i16; 10] = [
        produce::KEY,
        fetch::KEY,
        list_offsets::KEY,
        metadata::KEY,
        api_versions::KEY,
        delete_records::KEY,
        offset_for_leader_epoch::KEY,
        describe_producers::KEY,
        markers::KEY,
        topic_partitions::KEY,
    ];

    /// Those of them that are answered on a controller's listener.
    pub const NATIVE_OF_CONTROLLER: [i16; 1] = [api_versions::KEY];

    /// The metadata that requests are answered from.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.image.load_full()
    }

    /// The log directories.
    pub fn logs(&self) -> &Arc<LogManager> {
        &self.logs
    }

    /// What the controller should be told, in order; each is given once.
    pub fn take_effects(&self) -> Vec<Effect> {
        std::mem::take(&mut self.effects.lock())
    }

    /// Fetch sessions, and the partitions they remember.
    pub fn fetch_sessions(&self) -> (usize, usize) {
        self.sessions.size()
    }

    pub(crate) fn settings(&self) -> &BrokerSettings {
        &self.settings
    }

    /// `transaction.partition.verification.enable`.
    pub(crate) fn transaction_verification(&self) -> bool {
        self.transaction_verification.load(Ordering::Relaxed)
    }

    /// Sets `transaction.partition.verification.enable`, for the batches that come from now on.
    pub fn set_transaction_verification(&self, enable: bool) {
        self.transaction_verification.store(enable, Ordering::Relaxed);
    }

    pub(crate) fn served(&self, endpoint: Endpoint) -> &[ApiVersion] {
        match endpoint {
            Endpoint::Broker => &self.served,
            Endpoint::Controller => &self.served_by_controller,
        }
    }

    pub(crate) fn sessions(&self) -> &FetchSessionCache {
        &self.sessions
    }

    /// The replica of a partition here; or the error for a client that asks for it.
    pub(crate) fn partition(&self, topic_id: TopicId, index: PartitionIndex) -> Result<Arc<Partition>, i16> {
        let place = usize::try_from(index).map_err(|_| error_code::UNKNOWN_TOPIC_OR_PARTITION)?;
        let hosted = self.hosted.load();
        match hosted.get(&topic_id).and_then(|topic| topic.get(place)?.as_ref()) {
            Some(Hosted::Online(partition)) => Ok(partition.clone()),
            Some(Hosted::Failed(error)) => Err(*error),
            None if self.image.load().topics.partition(topic_id, index).is_some() => {
                Err(error_code::NOT_LEADER_OR_FOLLOWER)
            }
            None => Err(error_code::UNKNOWN_TOPIC_OR_PARTITION),
        }
    }

    /// The controller has refused an [`Effect::AlterIsr`], or can't be asked: the committed ISR counts again.
    pub fn isr_proposal_failed(&self, topic_id: TopicId, index: PartitionIndex) {
        if let Ok(partition) = self.partition(topic_id, index) {
            if let Role::Leader(leader) = &mut *partition.role.write() {
                leader.proposal_failed();
            }
        }
    }

    /// The error code of a read that failed; a directory that has failed is taken offline.
    pub(crate) fn code_of(&self, partition: &Partition, failure: ReadFailure) -> i16 {
        match failure {
            ReadFailure::Code(code) => code,
            ReadFailure::Log(error) => {
                if error.is_storage_failure() {
                    self.storage_failed(partition, &error);
                }
                match error {
                    // Of a batch that does not have its checksum any more: other batches are served.
                    LogError::Corrupt { .. } => error_code::CORRUPT_MESSAGE,
                    error => log_error_code(&error),
                }
            }
        }
    }

    pub(crate) fn propose_isr(&self, partition: &Partition, proposal: IsrProposal) {
        let (topic_id, index) = (partition.topic_id, partition.index);
        self.effects.lock().push(Effect::AlterIsr { topic_id, index, proposal });
    }

    /// The disk under a partition has failed.
    pub(crate) fn storage_failed(&self, partition: &Partition, error: &LogError) {
        if let Some(directory) = self.logs.directory_of(&partition.topic, partition.index) {
            self.fail_directory(directory, error);
        }
    }

    /// Takes a log directory offline (KIP-112): its replicas answer KAFKA_STORAGE_ERROR from now on.
    pub(crate) fn fail_directory(&self, directory: Uuid, error: &LogError) {
        if !self.failed_directories.lock().insert(directory) {
            return;
        }
        let hosted = self.hosted.load();
        for (topic, index) in self.logs.take_offline(directory, &error.to_string()) {
            let id = self.image.load().topics.by_name(&topic).map(|topic| topic.id);
            let slot = id.and_then(|id| hosted.get(&id)?.get(index as usize)?.clone());
            if let Some(Hosted::Online(partition)) = slot {
                partition.take_offline(error_code::KAFKA_STORAGE_ERROR);
            }
        }
        self.effects.lock().push(Effect::DirectoryFailed { directory });
    }
}
