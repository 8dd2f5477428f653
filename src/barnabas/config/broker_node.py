"""Broker configs of the node itself: its id and roles, controller quorum, metadata log, metrics, plugins.

The columns are described in `definition`.
"""

TABLE = """
node.id | int | required | 0.. | read-only | effective
    Number that names this node in the cluster; never changes once its directory is formatted.
broker.id | int | -1 | - | read-only | effective
    Older name of node.id; where both are set they must agree.
process.roles | list | required | list non-empty of broker controller | read-only | effective
    Which parts this process runs: broker, controller, or both.
controller.listener.names | list | required | list non-empty | read-only | effective
    The controller's listeners. With none of them in listeners, the first gets a free port on loopback.
controller.quorum.voters | list | '' | voters | read-only | quorum
    The fixed set of controllers as id@host:port, for a quorum whose members do not change.
controller.quorum.bootstrap.servers | list | '' | servers | read-only | quorum
    Addresses at which a node finds the controllers of its cluster.
controller.quorum.auto.join.enable | boolean | false | - | read-only | quorum
    Whether a controller adds itself to the voters when it starts.
controller.quorum.append.linger.ms | int | 25 | 0.. | read-only | quorum
    How long the active controller collects metadata records before it appends them together.
controller.quorum.election.backoff.max.ms | int | 1000 | 0.. | read-only | quorum
    Longest random pause between two election attempts, so that candidates do not collide for ever.
controller.quorum.election.timeout.ms | int | 1000 | 0.. | read-only | quorum
    How long a candidate collects votes before it starts a new election.
controller.quorum.fetch.max.bytes | int | 1048576 | 1.. | read-only | quorum
    Most bytes of metadata log in one answer to a follower.
controller.quorum.fetch.snapshot.max.bytes | int | 1048576 | 1.. | read-only | quorum
    Most bytes of a metadata snapshot in one answer to a follower.
controller.quorum.fetch.timeout.ms | int | 2000 | 0.. | read-only | quorum
    How long a follower goes without word from the leader before it becomes a candidate.
controller.quorum.request.timeout.ms | int | 2000 | 0.. | read-only | quorum
    How long a controller waits for the answer to a quorum request.
controller.quorum.retry.backoff.ms | int | 20 | 0.. | read-only | quorum
    Pause before a quorum request is tried again.
controller.socket.timeout.ms | int | 30000 | - | read-only | quorum
    Socket timeout of connections from a broker to the controller.
controller.performance.always.log.threshold.ms | long | 2000 | 0.. | read-only | internals | internal
    Controller events slower than this are always logged.
controller.performance.sample.period.ms | long | 60000 | 100.. | read-only | internals | internal
    How often the controller logs its slowest event.
controller.quota.window.num | int | 11 | 1.. | read-only | quotas
    How many windows the controller mutation quota remembers.
controller.quota.window.size.seconds | int | 1 | 1.. | read-only | quotas
    Length of one window of the controller mutation quota.
broker.heartbeat.interval.ms | int | 2000 | - | read-only | quorum
    How often a broker tells the controller that it lives.
broker.session.timeout.ms | int | 9000 | - | read-only | quorum
    How long the controller waits for a heartbeat before it fences a broker.
broker.rack | string | null | - | read-only | effective
    Rack or zone of this broker; consumers with the same client.rack may read from it.
initial.broker.registration.timeout.ms | int | 60000 | - | read-only | quorum
    How long a starting broker tries to register before it gives up.
controlled.shutdown.enable | boolean | true | - | read-only | quorum
    Whether a stopping broker first hands its leaderships to others.
server.max.startup.time.ms | long | 9223372036854775807 | 0.. | read-only | unread | internal
    A start that takes longer than this is given up.
background.threads | int | 10 | 1.. | cluster-wide | threads
    Threads for housekeeping work.
metadata.log.dir | string | null | - | read-only | effective
    Directory of the metadata log; when unset, the first of log.dirs.
metadata.log.segment.bytes | int | 1073741824 | 8388608.. | read-only | effective
    Size at which a segment of the metadata log is closed.
metadata.log.segment.ms | long | 604800000 | - | read-only | effective
    Age at which a segment of the metadata log is closed.
metadata.log.max.record.bytes.between.snapshots | long | 20971520 | 1.. | read-only | effective
    Bytes of metadata records after which a new snapshot is written.
metadata.log.max.snapshot.interval.ms | long | 3600000 | 0.. | read-only | effective
    Longest time without a new snapshot while there are uncovered records; 0 turns the clock off.
metadata.max.idle.interval.ms | int | 500 | 0.. | read-only | unread
    How often an idle active controller appends a no-op record; 0 never.
metadata.max.retention.bytes | long | 104857600 | - | read-only | effective
    Metadata log and snapshots above this size lose their oldest part.
metadata.max.retention.ms | long | 604800000 | - | read-only | effective
    Metadata log and snapshots older than this are deleted.
internal.metadata.delete.delay.millis | long | 60000 | - | read-only | unread | internal
    Pause before a deleted metadata file leaves the disk.
internal.metadata.log.segment.bytes | int | null | - | read-only | unread | internal
    Metadata segment size for tests, below the public minimum.
internal.metadata.max.batch.size.in.bytes | int | 8388608 | - | read-only | effective | internal
    Largest batch of metadata records.
max.request.partition.size.limit | int | 2000 | 1.. | read-only | effective
    Most partitions that one DescribeTopicPartitions answer holds.
create.topic.policy.class.name | class | null | - | read-only | java
    Java class that may veto the creation of topics.
alter.config.policy.class.name | class | null | - | read-only | java
    Java class that may veto changes of configs.
client.quota.callback.class | class | null | - | read-only | java
    Java class that computes client quotas.
config.providers | list | '' | list | cluster-wide | java
    Names of the Java config providers that resolve ${provider:...} placeholders.
metric.reporters | list | org.apache.kafka.common.metrics.JmxReporter | list | cluster-wide | java
    Java classes that publish metrics.
metrics.num.samples | int | 2 | 1.. | read-only | java
    How many samples a metric keeps.
metrics.sample.window.ms | long | 30000 | 1.. | read-only | java
    Length of one metric sample.
metrics.recording.level | string | INFO | - | read-only | java
    Lowest level of metrics that are recorded.
kafka.metrics.reporters | list | '' | list | read-only | java
    Java classes that publish the older Yammer metrics.
kafka.metrics.polling.interval.secs | int | 10 | 1.. | read-only | java
    How often the older Yammer reporters look.
telemetry.max.bytes | int | 1048576 | 1.. | read-only | effective
    Largest metrics payload that a client may push.
quota.window.num | int | 11 | 1.. | read-only | quotas
    How many windows the client quotas remember.
quota.window.size.seconds | int | 1 | 1.. | read-only | quotas
    Length of one window of the client quotas.
unstable.api.versions.enable | boolean | false | - | read-only | unread | internal
    Whether versions of APIs that are still in the works are offered to clients.
unstable.feature.versions.enable | boolean | false | - | read-only | unread | internal
    Whether feature levels that are still in the works may be chosen.
"""
