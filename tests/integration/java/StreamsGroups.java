import java.nio.file.Files;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.Stores;

/** Streams groups (KIP-1071): words are counted exactly once by two instances, one of which goes; and what
 *  administrators see of it. */
public class StreamsGroups {
    static final int LINES = 200;
    static String bootstrap;
    static Admin admin;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        try (Admin opened = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin = opened;
            countWords("exactly_once_v2");
            waitForSource();
        }
        System.out.println("all held");
    }

    static void countWords(String guarantee) throws Exception {
        String in = topic(4), out = topic(1), app = "app-" + UUID.randomUUID();
        standbys(app, 1);
        try (var counts = new Counts(out); var first = start(app, counter(in, out), guarantee)) {
            try (var second = start(app, counter(in, out), guarantee)) {
                until("two processes", () -> describe(app).members().size() == 2
                    && describe(app).groupState() == GroupState.STABLE);
                send(in, LINES);
                counts.until(Map.of("a", 2L * LINES, "b", 1L * LINES));
                check(describe(app).subtopologies().size() == 2, "subtopologies");
                long owners = describe(app).members().stream().filter(m -> !m.assignment().activeTasks().isEmpty()).count();
                check(owners == 2, "each process has tasks");
                long standbys = describe(app).members().stream().filter(m -> !m.assignment().standbyTasks().isEmpty()).count();
                check(standbys == 2, "each process stands by for the other");
            }
            send(in, LINES);
            counts.until(Map.of("a", 4L * LINES, "b", 2L * LINES));
            until("one process", () -> describe(app).members().size() == 1);
            var topics = admin.listTopics().names().get();
            for (String end : List.of("-words-repartition", "-counts-changelog"))
                check(admin.describeTopics(List.of(app + end)).allTopicNames().get().get(app + end).partitions().size() == 4,
                    end + " of " + topics);
            check(admin.listGroups(ListGroupsOptions.forStreamsGroups()).all().get().stream().anyMatch(g -> g.groupId().equals(app)), "listed");
            var offsets = admin.listStreamsGroupOffsets(Map.of(app, new ListStreamsGroupOffsetsSpec()));
            long committed = offsets.partitionsToOffsetAndMetadata(app).get().entrySet().stream()
                .filter(e -> e.getKey().topic().equals(in)).mapToLong(e -> e.getValue().offset()).sum();
            check(committed >= LINES, "committed " + committed);
        }
        until("deleted", () -> {
            admin.deleteStreamsGroups(List.of(app)).all().get();
            return admin.listGroups(ListGroupsOptions.forStreamsGroups()).all().get().stream().noneMatch(g -> g.groupId().equals(app));
        });
    }

    /** An application whose source topic comes later than itself has its tasks then. */
    static void waitForSource() throws Exception {
        String in = "later-" + UUID.randomUUID(), out = topic(1), app = "app-" + UUID.randomUUID();
        try (var counts = new Counts(out); var streams = start(app, counter(in, out), "at_least_once")) {
            until("not ready", () -> describe(app).groupState() == GroupState.NOT_READY);
            admin.createTopics(List.of(new NewTopic(in, 2, (short) 1))).all().get();
            until("stable", () -> describe(app).groupState() == GroupState.STABLE);
            send(in, 1);
            counts.until(Map.of("a", 2L, "b", 1L));
        }
    }

    static Topology counter(String in, String out) {
        var builder = new StreamsBuilder();
        builder.<String, String>stream(in)
            .flatMap((key, line) -> Arrays.stream(line.split(" ")).map(word -> KeyValue.pair(word, word)).toList())
            .repartition(Repartitioned.as("words"))
            .groupByKey()
            .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts")).withValueSerde(Serdes.Long()))
            .toStream().to(out, Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    static KafkaStreams start(String app, Topology topology, String guarantee) throws Exception {
        Properties config = new Properties();
        config.putAll(Map.of("bootstrap.servers", bootstrap, "application.id", app, "group.protocol", "streams",
            "processing.guarantee", guarantee, "num.stream.threads", 1, "commit.interval.ms", 100,
            "state.dir", Files.createTempDirectory("streams").toString(),
            "default.key.serde", Serdes.StringSerde.class, "default.value.serde", Serdes.StringSerde.class));
        config.put("auto.offset.reset", "earliest");
        var streams = new KafkaStreams(topology, config);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        return streams;
    }

    static StreamsGroupDescription describe(String app) throws Exception {
        return admin.describeStreamsGroups(List.of(app)).all().get().get(app);
    }

    static void standbys(String app, int count) throws Exception {
        var entry = new ConfigEntry("streams.num.standby.replicas", "" + count);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, app),
            List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET)))).all().get();
    }

    static String topic(int partitions) throws Exception {
        String topic = "java-" + UUID.randomUUID();
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        return topic;
    }

    static void send(String topic, int lines) {
        try (var producer = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", bootstrap, "linger.ms", 0),
            new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < lines; i++)
                producer.send(new ProducerRecord<>(topic, "" + i, "a b a"));
        }
    }

    /** The last count of each word. */
    static class Counts implements AutoCloseable {
        final KafkaConsumer<String, Long> consumer;
        final Map<String, Long> last = new HashMap<>();

        Counts(String topic) {
            consumer = new KafkaConsumer<>(Map.<String, Object>of("bootstrap.servers", bootstrap,
                "isolation.level", "read_committed", "auto.offset.reset", "earliest"), new StringDeserializer(), new LongDeserializer());
            var partition = new org.apache.kafka.common.TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
        }

        void until(Map<String, Long> wanted) throws Exception {
            StreamsGroups.until("counts " + wanted, () -> {
                for (var record : consumer.poll(Duration.ofMillis(100)))
                    last.put(record.key(), record.value());
                for (var entry : last.entrySet())
                    check(entry.getValue() <= wanted.get(entry.getKey()), "counted too much: " + last);
                return last.equals(wanted);
            });
        }

        public void close() { consumer.close(); }
    }

    static void until(String what, Callable<Boolean> holds) throws Exception {
        long end = System.nanoTime() + Duration.ofSeconds(90).toNanos();
        while (true) {
            Exception seen = null;
            try {
                if (holds.call()) return;
            } catch (Exception error) {
                seen = error;
            }
            if (System.nanoTime() > end) throw new AssertionError("never: " + what, seen);
            Thread.sleep(50);
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }
}
