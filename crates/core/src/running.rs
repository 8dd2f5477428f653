//! A node put together: directories, metadata log, broker, threads. No Python in here.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use barnabas_broker::{
    ApiRange, Broker, BrokerSettings, Effect, Endpoint, SupportedFeature, COLD_READ_THREADS,
};
use barnabas_disk::{Disk, Lock, OpenFiles, OsDisk};
use barnabas_image::MetadataImage;
use barnabas_log::{DirectoryError, LoadProgress, LogConfig, LogManagerSettings};
use barnabas_net::{
    BindError, BoundListener, HttpServer, ListenerSettings, Network, NetworkSettings, SystemClock,
};
use barnabas_protocol::api::ApiKey;
use barnabas_protocol::compression::Compression;
use barnabas_protocol::{Millis, Uuid};
use barnabas_raft::{RaftError, ReplicaKey, StartOptions, VoterEndpoint};
use parking_lot::{Condvar, Mutex};
use pyo3::exceptions::PyValueError;

use crate::cleaners::Cleaners;
use crate::clock::{self, NodeClock};
use crate::directories::{self, DirectoriesError};
use crate::faults::Faults;
use crate::figures::Figures;
use crate::inbox::{Event, Inbox};
use crate::metadata::{describe, Metadata};
use crate::metrics::MetricsPage;
use crate::service::{served_at, NodeService};
use crate::settings::{DynamicConfigs, NodeSettings};

/// Threads that sync the partitions of topics with `barnabas.durability=fsync`: while one waits for the disk,
/// another partition's sync joins it there.
const SYNC_THREADS_PER_DIRECTORY: usize = 2;
/// Files that the metadata log keeps open.
const METADATA_FILES_MAX: usize = 16;
/// Time between two lines that tell how far loading has come.
const LOAD_PROGRESS_MS: Millis = 1_000;

/// Why a node can't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Directories(#[from] DirectoriesError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Raft(#[from] RaftError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("the operating system gives no thread or descriptor: {0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    Settings(#[from] pyo3::PyErr),
}

/// A node that is up.
pub(crate) struct Running {
    clock: Arc<NodeClock>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) service: Arc<NodeService>,
    pub(crate) cluster_id: String,
    previous_broker_epoch: i64,
    broker_epoch: Mutex<i64>,
    network_settings: Mutex<NetworkSettings>,
    bound: Mutex<Vec<BoundListener>>,
    network: Arc<Mutex<Option<Network>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    housekeeping: Arc<Housekeeping>,
    metrics: Mutex<Option<HttpServer>>,
    pub(crate) cleaners: Cleaners,
    pub(crate) figures: Arc<Figures>,
    _metadata_lock: Option<Box<dyn Lock>>,
}

#[derive(Default)]
struct Housekeeping {
    stopping: Mutex<bool>,
    wake: Condvar,
}

impl Running {
    /// Opens directories and logs and takes the leadership of the metadata log.
    pub(crate) fn open(
        settings: &NodeSettings,
        inbox: &Arc<Inbox>,
        clock: &Arc<NodeClock>,
    ) -> Result<Running, StartError> {
        let now = clock.wall();
        let disk: Arc<dyn Disk> = match &settings.memory {
            Some(disk) => Arc::new(disk.get().0.clone()),
            None => Arc::new(OsDisk::new()),
        };
        let log_settings = LogManagerSettings { ..LogManagerSettings::new("", settings.node_id) };
        // First: a port that somebody else has is told before anything is touched, and the quorum is told the
        // port that this one got.
        let bound = bind(&settings.controller_listeners()?)?;
        let endpoints = voter_endpoints(settings, &bound);
        let found = directories::open(&disk, settings, &endpoints, log_settings, now)?;
        let started = barnabas_raft::start(
            Arc::new(OpenFiles::new(disk, METADATA_FILES_MAX)),
            &settings.metadata_log_dir,
            start_options(settings, found.metadata_directory, endpoints)?,
            now,
        )?;
        let (image, log) = (started.image, started.log);
        let defaults = crate::settings::log_config(&settings.log_defaults)?;
        let mut logs = found.logs;
        let dynamic = |name| settings.number_in_force(name, &image);
        logs.set_recovery_threads(dynamic("num.recovery.threads.per.data.dir")? as usize);
        logs.set_producer_id_expiration_ms(dynamic("producer.id.expiration.ms")?);
        logs.measure_flushes(clock::micros);
        let logs = Arc::new(logs);
        let previous_broker_epoch = logs.previous_broker_epoch().unwrap_or(-1);
        let broker_settings = broker_settings(settings, &found.cluster_id, log.kraft_version())?;
        let broker = Arc::new(Broker::new(broker_settings, logs, defaults, inbox.clone(), now));
        load_logs(&broker, &image, now)?;
        broker.apply(image.clone(), now);
        let mut hash_key = [0; 2];
        for word in &mut hash_key {
            *word = getrandom::u64().map_err(std::io::Error::other)?;
        }
        let metadata = Metadata::new(log, image, clock.clone());
        Ok(Running {
            clock: clock.clone(),
            cleaners: Cleaners::new(broker.clone(), clock.clone(), hash_key),
            figures: Arc::default(),
            service: Arc::new(NodeService {
                broker: broker.clone(),
                inbox: inbox.clone(),
                controller_listeners: settings.controller_listeners.iter().map(|one| one.0.clone()).collect(),
                cold_apis: settings.cold_apis.clone(),
                clock: clock.clone(),
                metadata: metadata.clone(),
                faults: Faults::default(),
                response_errors: Arc::default(),
            }),
            broker,
            metadata,
            cluster_id: found.cluster_id,
            previous_broker_epoch,
            broker_epoch: Mutex::new(-1),
            network_settings: Mutex::new(NetworkSettings { clock: clock.clone(), ..settings.network()? }),
            bound: Mutex::new(bound),
            network: Arc::default(),
            threads: Mutex::default(),
            housekeeping: Arc::default(),
            metrics: Mutex::default(),
            _metadata_lock: found.metadata_lock,
        })
    }

    /// Starts the threads that commit metadata and keep house.
    pub(crate) fn run(&self, inbox: &Arc<Inbox>) -> Result<(), StartError> {
        let broker = self.broker.clone();
        let apply =
            Arc::new(move |image: Arc<MetadataImage>, now| broker.apply(MetadataImage::clone(&image), now));
        let mut threads = self.threads.lock();
        threads.push(self.metadata.run(apply, inbox.clone())?);
        for directory in 0..self.broker.sync_queues() {
            for _ in 0..SYNC_THREADS_PER_DIRECTORY {
                let (broker, clock) = (self.broker.clone(), self.clock.clone());
                let thread = std::thread::Builder::new().name(format!("sync-{directory}"));
                threads.push(thread.spawn(move || broker.run_syncs(directory, &|| clock.wall()))?);
            }
        }
        for number in 0..COLD_READ_THREADS {
            let broker = self.broker.clone();
            let thread = std::thread::Builder::new().name(format!("cold-read-{number}"));
            threads.push(thread.spawn(move || broker.run_cold_reads())?);
        }
        let (broker, metadata, inbox) = (self.broker.clone(), self.metadata.clone(), inbox.clone());
        let housekeeping = self.housekeeping.clone();
        let thread = std::thread::Builder::new().name("housekeeping".to_string());
        let network = self.network.clone();
        let clock = self.clock.clone();
        let failure = move || network.lock().as_ref().and_then(Network::failure);
        threads.push(thread.spawn(move || housekeeping.run(&broker, &metadata, &clock, &failure, &inbox))?);
        Ok(())
    }

    /// Binds the broker's listeners; nobody is accepted yet. (name, host, port) with the real port of each
    /// listener, the controller's included.
    pub(crate) fn bind(&self, settings: &NodeSettings) -> Result<Vec<(String, String, u16)>, StartError> {
        let mut bound = self.bound.lock();
        bound.extend(bind(&settings.listeners()?)?);
        let address = |listener: &BoundListener| {
            let address = listener.address();
            (listener.name().to_string(), address.ip().to_string(), address.port())
        };
        Ok(bound.iter().map(address).collect())
    }

    /// Lets clients in.
    pub(crate) fn serve(&self) -> Result<(), StartError> {
        let bound = std::mem::take(&mut *self.bound.lock());
        let network = Network::start(self.network_settings.lock().clone(), bound, self.service.clone())?;
        *self.network.lock() = Some(network);
        Ok(())
    }

    /// Serves `/metrics` there; the port, which may have been 0.
    pub(crate) fn serve_metrics(&self, host: &str, port: u16, inbox: &Arc<Inbox>) -> Result<u16, StartError> {
        let listener = BoundListener::bind(&ListenerSettings::new("metrics", host, port))?;
        let page = MetricsPage::new(
            self.broker.clone(),
            self.network.clone(),
            inbox.clone(),
            self.cleaners.cleaner(),
            self.figures.clone(),
            self.service.response_errors.clone(),
            self.clock.clone(),
        );
        let content = Arc::new(move |path: &str| page.reply(path));
        let server = HttpServer::start(listener, Arc::new(SystemClock::new()), content)?;
        let port = server.address().port();
        *self.metrics.lock() = Some(server);
        Ok(port)
    }

    /// Lets nobody in any more; requests in hand may finish for at most `grace`.
    pub(crate) fn stop_serving(&self, grace: Duration) {
        let network = self.network.lock().take();
        if let Some(network) = network {
            network.stop(grace);
        }
        self.bound.lock().clear();
    }

    /// Ends the threads and closes all files, so that the next start needs no recovery.
    pub(crate) fn close(&self) -> Result<(), RaftError> {
        self.end_threads();
        self.broker.shutdown(*self.broker_epoch.lock(), self.clock.wall());
        self.metadata.close()
    }

    /// Ends as a process that is killed: nothing is written any more, and connections break.
    pub(crate) fn kill(&self) {
        self.end_threads();
    }

    /// Does at once all that depends on the wall clock, which was moved on.
    pub(crate) fn clock_moved(&self) {
        if let Some(network) = self.network.lock().as_ref() {
            network.clock_moved();
        }
        self.broker.tick_all(self.clock.wall());
        self.housekeeping.wake.notify_all();
    }

    fn end_threads(&self) {
        self.stop_serving(Duration::ZERO);
        drop(self.metrics.lock().take());
        self.metadata.stop();
        self.housekeeping.stop();
        self.cleaners.stop();
        self.broker.stop_syncs();
        self.broker.stop_cold_reads();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                log::error!("a thread of the node has panicked");
            }
        }
    }

    /// Epoch of the broker's registration at its last clean stop, -1 otherwise.
    pub(crate) fn previous_broker_epoch(&self) -> i64 {
        self.previous_broker_epoch
    }

    /// Notes the epoch of this registration, for the clean stop.
    pub(crate) fn set_broker_epoch(&self, epoch: i64) {
        *self.broker_epoch.lock() = epoch;
    }

    /// Acts on the dynamic configs that the parts of this node do not look up themselves.
    pub(crate) fn apply_configs(&self, configs: DynamicConfigs) -> std::io::Result<()> {
        self.broker.logs().set_producer_id_expiration_ms(configs.producer_id_expiration_ms);
        self.broker.set_transaction_verification(configs.transaction_verification);
        let mut settings = self.network_settings.lock();
        settings.connections = configs.connections;
        settings.reactors = configs.reactors;
        settings.slow_request = configs.slow_request;
        let network = self.network.lock();
        let Some(network) = network.as_ref() else { return Ok(()) };
        network.set_slow_request(settings.slow_request);
        network.set_connection_bounds(settings.connections.clone())?;
        network.set_reactors(settings.reactors)
    }

    /// Replaces what topics have that override nothing.
    pub(crate) fn set_log_defaults(&self, defaults: LogConfig) {
        self.broker.set_log_defaults(defaults, self.clock.wall());
    }
}

impl Housekeeping {
    fn run(
        &self,
        broker: &Broker,
        metadata: &Metadata,
        clock: &NodeClock,
        network_failure: &dyn Fn() -> Option<String>,
        inbox: &Inbox,
    ) {
        loop {
            if let Some(reason) = network_failure() {
                return inbox.tell(Event::Fatal(reason));
            }
            let next = broker.tick(clock.wall());
            if let Err(error) = metadata.snapshot_if_due(clock.wall()) {
                log::error!("the metadata snapshot has failed: {}", describe(&error));
            }
            for effect in broker.take_effects() {
                tell(effect, inbox);
            }
            let mut stopping = self.stopping.lock();
            if *stopping {
                return;
            }
            let pause = next.saturating_sub(clock.wall()).clamp(0, HOUSEKEEPING_PAUSE_MS_MAX);
            if !self.wake.wait_for(&mut stopping, Duration::from_millis(pause as u64)).timed_out()
                && *stopping
            {
                return;
            }
        }
    }

    fn stop(&self) {
        *self.stopping.lock() = true;
        self.wake.notify_all();
    }
}

/// Longest pause of housekeeping: the clock may jump.
const HOUSEKEEPING_PAUSE_MS_MAX: Millis = 10_000;

fn tell(effect: Effect, inbox: &Inbox) {
    match effect {
        Effect::AssignDirectory { topic_id, index, directory } => {
            inbox.tell(Event::ReplicaDirectory { topic_id, index, directory });
        }
        Effect::DirectoryFailed { directory } => inbox.tell(Event::DirectoryFailed { directory }),
        Effect::DirectoryReturned { directory } => inbox.tell(Event::DirectoryReturned { directory }),
        // A node alone is the only replica of everything: nobody can fall behind or catch up.
        Effect::AlterIsr { .. } => (),
    }
}

fn load_logs(broker: &Broker, image: &MetadataImage, now: Millis) -> Result<(), StartError> {
    let told = AtomicI64::new(now);
    let progress = |progress: LoadProgress<'_>| {
        let (now, last) = (clock::now(), told.load(Ordering::Relaxed));
        let due = progress.unclean && now - last >= LOAD_PROGRESS_MS;
        if due && told.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let (done, total) = (progress.logs_done, progress.logs_total);
            let checking = progress.checking.map_or_else(String::new, |(topic, partition, checked)| {
                let (segments, of) = (checked.segments_done, checked.segments_total);
                format!("; {topic}-{partition}: {segments} of {of} segments")
            });
            log::info!("recovering {}: {done} of {total} logs{checking}", progress.directory.display());
        }
    };
    broker.logs().load(&|topic| Arc::new(broker.topic_config(image, topic)), now, &progress)?;
    broker.logs().check_any_online()?;
    broker.set_strays_aside(image);
    Ok(())
}

fn bind(listeners: &[ListenerSettings]) -> Result<Vec<BoundListener>, BindError> {
    listeners.iter().map(BoundListener::bind).collect()
}

/// Where other voters would find this one: as told, with the ports that the system has chosen.
fn voter_endpoints(settings: &NodeSettings, bound: &[BoundListener]) -> Vec<VoterEndpoint> {
    let endpoint = |(name, host, port): &(String, String, u16)| {
        let listener = bound.iter().find(|listener| listener.name() == name);
        let chosen = listener.map_or(0, |listener| listener.address().port());
        VoterEndpoint {
            name: name.clone(),
            host: host.clone(),
            port: if *port == 0 { chosen } else { *port },
        }
    };
    settings.voter_endpoints.iter().map(endpoint).collect()
}

fn start_options(
    settings: &NodeSettings,
    directory_id: Uuid,
    endpoints: Vec<VoterEndpoint>,
) -> Result<StartOptions, StartError> {
    Ok(StartOptions {
        local: ReplicaKey { id: settings.node_id, directory_id },
        endpoints: Some(endpoints),
        static_voters: None,
        bootstrap_configs: settings.bootstrap_configs.clone(),
        election_timeout_ms: settings.number("controller.quorum.election.timeout.ms")?,
        seed: settings.node_id as u64,
        config: settings.metadata_log()?,
    })
}

/// A codec by its number; the configuration has none that is not known.
fn codec(settings: &NodeSettings, name: &str) -> Result<Compression, StartError> {
    let number = settings.number(name)?;
    let codec = i8::try_from(number).ok().and_then(|id| Compression::from_id(id).ok());
    let unknown = || PyValueError::new_err(format!("{name}: there is no codec {number}"));
    codec.ok_or_else(|| StartError::Settings(unknown()))
}

fn broker_settings(
    settings: &NodeSettings,
    cluster_id: &str,
    kraft_version: i16,
) -> Result<BrokerSettings, StartError> {
    let apis = |native: &[i16], endpoint| {
        let served = native.iter().chain(&settings.cold_apis).filter(|key| served_at(**key, endpoint));
        served.filter_map(|key| ApiKey::from_code(*key)).map(api_range).collect()
    };
    Ok(BrokerSettings {
        node_id: settings.node_id,
        cluster_id: cluster_id.into(),
        apis: apis(&Broker::NATIVE, Endpoint::Broker),
        controller_apis: apis(&Broker::NATIVE_OF_CONTROLLER, Endpoint::Controller),
        supported_features: settings
            .features
            .iter()
            .map(|(name, (lowest, highest))| SupportedFeature {
                name: name.clone(),
                min_version: *lowest,
                max_version: *highest,
            })
            .collect(),
        kraft_version,
        auto_create_topics_enable: settings.number("auto.create.topics.enable")? != 0,
        fetch_session_slots: settings.number("max.incremental.fetch.session.cache.slots")? as usize,
        fetch_session_seed: clock::now() as u32,
        fetch_max_bytes: settings.number("fetch.max.bytes")? as i32,
        max_request_partition_size_limit: settings.number("max.request.partition.size.limit")? as i32,
        request_timeout_ms: settings.number("request.timeout.ms")?,
        offsets_codec: codec(settings, "offsets.topic.compression.codec")?,
        share_state_codec: codec(settings, "share.coordinator.state.topic.compression.codec")?,
        transaction_verification: settings.number("transaction.partition.verification.enable")? != 0,
        replica_lag_time_max_ms: settings.number("replica.lag.time.max.ms")?,
        high_watermark_checkpoint_interval_ms: settings
            .number("replica.high.watermark.checkpoint.interval.ms")?,
        checkpoint_interval_ms: settings.number("log.flush.offset.checkpoint.interval.ms")?,
        retention_check_interval_ms: settings.number("log.retention.check.interval.ms")?,
        producer_expiration_check_interval_ms: settings.number("producer.id.expiration.check.interval.ms")?,
    })
}

fn api_range(api: ApiKey) -> ApiRange {
    ApiRange { api_key: api.code(), min_version: api.lowest(), max_version: api.highest_stable() }
}
