"""Broker configs of listeners, sockets, connections and requests.

The columns are described in `definition`.
"""

TABLE = """
listeners | list | PLAINTEXT://:9092 | list non-empty | per-broker | effective
    Addresses to bind, as NAME://host:port; an empty host binds every interface. Change it with a restart.
advertised.listeners | list | null | list non-empty nullable | read-only | effective
    Addresses told to clients, when they differ from listeners.
listener.security.protocol.map | string |
  SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT | - | per-broker | effective
    Security protocol of each listener name, as NAME:PROTOCOL pairs. Change it with a restart.
inter.broker.listener.name | string | null | - | read-only | quorum
    Listener over which brokers talk to one another.
early.start.listeners | list | null | list nullable | read-only | security
    Listeners that accept requests before the authorizer is ready.
socket.listen.backlog.size | int | 50 | 1.. | read-only | effective
    How many connections the system may queue before they are accepted.
socket.receive.buffer.bytes | int | 102400 | - | read-only | effective
    Receive buffer of accepted sockets; -1 leaves it to the system.
socket.send.buffer.bytes | int | 102400 | - | read-only | effective
    Send buffer of accepted sockets; -1 leaves it to the system.
socket.request.max.bytes | int | 104857600 | 1.. | read-only | effective
    Largest request in bytes; a larger one closes its connection.
socket.connection.setup.timeout.ms | long | 10000 | - | read-only | quorum
    First timeout of a connection that this node opens to another.
socket.connection.setup.timeout.max.ms | long | 30000 | - | read-only | quorum
    Longest timeout of a connection that this node opens to another, after repeated failures.
connections.max.idle.ms | long | 600000 | - | read-only | effective
    Connections without traffic for this long are closed.
connections.max.reauth.ms | long | 0 | - | read-only | sasl
    How long a SASL session lasts before the client must authenticate again; 0 never ends it.
connection.failed.authentication.delay.ms | int | 100 | 0.. | read-only | sasl
    Pause before a failed authentication is answered, to slow down guessing.
max.connections | int | 2147483647 | 0.. | cluster-wide | effective
    Most connections at once on this broker.
max.connections.per.ip | int | 2147483647 | 0.. | cluster-wide | effective
    Most connections at once from one address.
max.connections.per.ip.overrides | string | '' | - | cluster-wide | effective
    Exceptions to max.connections.per.ip, as address:count pairs.
max.connection.creation.rate | int | 2147483647 | 0.. | cluster-wide | unread
    Most new connections in a second.
num.network.threads | int | 3 | 1.. | cluster-wide | effective
    Threads that read requests, answer most of them and write responses, of all listeners together.
num.io.threads | int | 8 | 1.. | cluster-wide | threads
    Threads that process requests.
queued.max.requests | int | 500 | 1.. | read-only | unread
    How many requests may wait for processing before sockets are no longer read.
queued.max.request.bytes | long | -1 | - | read-only | effective
    How many bytes of requests may wait before sockets are no longer read; -1 sets no bound.
request.timeout.ms | int | 30000 | - | read-only | quorum
    How long this node waits for the answer to a request of its own.
fetch.max.bytes | int | 57671680 | 1024.. | read-only | effective
    Most bytes of records in one Fetch response.
barnabas.metrics.port | int | -1 | -1..65535 | read-only | effective
    Own to barnabas. Port where /metrics is served for Prometheus; 0 takes a free one, -1 serves none.
barnabas.metrics.host | string | 127.0.0.1 | - | read-only | effective
    Own to barnabas. Address where /metrics is served.
barnabas.schema.registry.url | string | null | http servers | read-only | effective
    Own to barnabas. Schema registries, separated by commas, for topics whose records' schemas are checked.
barnabas.schema.registry.user.info | password | null | - | read-only | effective
    Own to barnabas. User and password for the schema registries, a colon between them.
barnabas.slow.request.ms | long | 1000 | 0.. | cluster-wide | effective
    Own to barnabas. Requests that take this long get a line in the log; 0 gives none.
max.incremental.fetch.session.cache.slots | int | 1000 | 0.. | read-only | effective
    How many incremental fetch sessions are remembered.
fetch.purgatory.purge.interval.requests | int | 1000 | - | read-only | internals
    After how many requests finished fetches are swept from the waiting list.
producer.purgatory.purge.interval.requests | int | 1000 | - | read-only | internals
    After how many requests finished produces are swept from the waiting list.
delete.records.purgatory.purge.interval.requests | int | 1 | - | read-only | internals
    After how many requests finished DeleteRecords are swept from the waiting list.
"""
