//! Configs as the Python faces hand them over: checked there, by name.

use barnabas_client::accumulator::AccumulatorConfig;
use barnabas_client::caller::CallerConfig;
use barnabas_client::calls::CallsConfig;
use barnabas_client::cluster::ClusterConfig;
use barnabas_client::consumer::ConsumerConfig;
use barnabas_client::fetcher::FetcherConfig;
use barnabas_client::link::LinkConfig;
use barnabas_client::partitioner::Strategy;
use barnabas_client::producer::ProducerConfig;
use barnabas_client::sender::SenderConfig;
use barnabas_client::share::config::ShareConfig;
use barnabas_client::share_consumer::ShareConsumerConfig;
use barnabas_client::transactor::TransactorConfig;
use barnabas_protocol::compression::Compression;
use barnabas_protocol::Millis;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::clock;

/// Configs by their Kafka names.
pub(crate) struct Options<'a, 'py>(pub(crate) &'a Bound<'py, PyDict>);

impl<'py> Options<'_, 'py> {
    pub(crate) fn get<T>(&self, name: &str) -> PyResult<T>
    where
        T: for<'b> FromPyObject<'b, 'py, Error = PyErr>,
    {
        let value = self.0.get_item(name)?;
        let value = value.ok_or_else(|| PyValueError::new_err(format!("{name} is missing")))?;
        value.extract()
    }

    pub(crate) fn text(&self, name: &str) -> PyResult<String> {
        self.get(name)
    }

    fn cluster(&self, auto_create: bool) -> PyResult<ClusterConfig> {
        let bootstrap = self.0.get_item("bootstrap.servers")?;
        let bootstrap = bootstrap.ok_or_else(|| PyValueError::new_err("bootstrap.servers is missing"))?;
        Ok(ClusterConfig {
            bootstrap: bootstrap.extract()?,
            max_age_ms: self.get("metadata.max.age.ms")?,
            retry_backoff_ms: self.get("retry.backoff.ms")?,
            auto_create,
        })
    }

    fn link(&self) -> PyResult<LinkConfig> {
        Ok(LinkConfig {
            client_id: self.text("client.id")?,
            request_timeout_ms: self.get("request.timeout.ms")?,
            reconnect_backoff_ms: self.get("reconnect.backoff.ms")?,
            reconnect_backoff_max_ms: self.get("reconnect.backoff.max.ms")?,
            setup_timeout_ms: self.get("socket.connection.setup.timeout.ms")?,
            security: self.security()?,
        })
    }

    fn accumulator(&self, seed: u64) -> PyResult<AccumulatorConfig> {
        let compression = Compression::from_name(&self.text("compression.type")?);
        let compression = compression.ok_or_else(|| PyValueError::new_err("compression.type is unknown"))?;
        let level = match compression {
            Compression::None | Compression::Snappy => None,
            codec => Some(self.get(&format!("compression.{}.level", codec.name()))?),
        };
        let round_robin = self.text("partitioner")? == "round_robin";
        Ok(AccumulatorConfig {
            batch_size: self.get("batch.size")?,
            linger_ms: self.get("linger.ms")?,
            buffer_memory: self.get("buffer.memory")?,
            max_request_size: self.get("max.request.size")?,
            compression,
            level,
            strategy: if round_robin { Strategy::RoundRobin } else { Strategy::Default },
            ignore_keys: self.get("partitioner.ignore.keys")?,
            seed,
            transactional: !self.text("transactional.id")?.is_empty(),
        })
    }

    fn transactor(&self) -> PyResult<Option<TransactorConfig>> {
        let transactional_id = self.text("transactional.id")?;
        if transactional_id.is_empty() {
            return Ok(None);
        }
        Ok(Some(TransactorConfig {
            transactional_id,
            timeout_ms: self.get("transaction.timeout.ms")?,
            retry_backoff_ms: self.get("retry.backoff.ms")?,
        }))
    }

    /// All of a producer's.
    pub(crate) fn producer(&self, seed: u64) -> PyResult<ProducerConfig> {
        let sender = SenderConfig {
            acks: self.get("acks")?,
            idempotent: self.get("enable.idempotence")?,
            retries: self.get("retries")?,
            in_flight_max: self.get("max.in.flight.requests.per.connection")?,
            max_request_size: self.get("max.request.size")?,
            delivery_timeout_ms: self.get("delivery.timeout.ms")?,
            retry_backoff_ms: self.get("retry.backoff.ms")?,
            retry_backoff_max_ms: self.get("retry.backoff.max.ms")?,
            transactions: self.transactor()?,
        };
        Ok(ProducerConfig {
            accumulator: self.accumulator(seed)?,
            sender,
            cluster: self.cluster(true)?,
            link: self.link()?,
            max_block_ms: self.get("max.block.ms")?,
        })
    }

    /// All of those who send requests now and then.
    pub(crate) fn caller(&self) -> PyResult<CallerConfig> {
        let calls = CallsConfig {
            retry_backoff_ms: self.get("retry.backoff.ms")?,
            retry_backoff_max_ms: self.get("retry.backoff.max.ms")?,
        };
        Ok(CallerConfig { calls, cluster: self.cluster(false)?, link: self.link()? })
    }

    /// All of a consumer's.
    pub(crate) fn consumer(&self) -> PyResult<ConsumerConfig> {
        let fetcher = FetcherConfig {
            fetch_min_bytes: self.get("fetch.min.bytes")?,
            fetch_max_bytes: self.get("fetch.max.bytes")?,
            fetch_max_wait_ms: self.get("fetch.max.wait.ms")?,
            max_partition_fetch_bytes: self.get("max.partition.fetch.bytes")?,
            read_committed: self.text("isolation.level")? == "read_committed",
            check_crcs: self.get("check.crcs")?,
            client_rack: self.text("client.rack")?,
            reset: self.reset()?,
            retry_backoff_ms: self.get("retry.backoff.ms")?,
            clock_zero: clock::now(),
        };
        let auto_create = self.get("allow.auto.create.topics")?;
        let auto_commit: bool = self.get("enable.auto.commit")?;
        let interval: Millis = self.get("auto.commit.interval.ms")?;
        let group = self.group()?;
        Ok(ConsumerConfig {
            fetcher,
            cluster: self.cluster(auto_create)?,
            link: self.link()?,
            auto_commit_interval_ms: group.as_ref().and(auto_commit.then_some(interval)),
            group,
            api_timeout_ms: self.get("default.api.timeout.ms")?,
            tells_commits: self.get("tells.commits")?,
        })
    }

    /// All of a share consumer's.
    pub(crate) fn share_consumer(&self) -> PyResult<ShareConsumerConfig> {
        let is = |name: &str, value: &str| Ok::<bool, PyErr>(self.text(name)?.eq_ignore_ascii_case(value));
        let share = ShareConfig {
            group_id: self.text("group.id")?,
            member_id: self.text("member.id")?,
            rack: self.text("client.rack")?,
            is_explicit: is("share.acknowledgement.mode", "explicit")?,
            is_limited: is("share.acquire.mode", "record_limit")?,
            max_poll_records: self.get("max.poll.records")?,
            max_poll_interval_ms: self.get("max.poll.interval.ms")?,
            fetch_min_bytes: self.get("fetch.min.bytes")?,
            fetch_max_bytes: self.get("fetch.max.bytes")?,
            fetch_max_wait_ms: self.get("fetch.max.wait.ms")?,
            check_crcs: self.get("check.crcs")?,
            retry_backoff_ms: self.get("retry.backoff.ms")?,
        };
        Ok(ShareConsumerConfig { share, cluster: self.cluster(false)?, link: self.link()? })
    }
}
