import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

/** The Java client against a cluster: produce with each codec, consume by assignment and in groups, admin. Exits 0 when all held. */
public class Clients {
    static String bootstrap;

    static void that(boolean holds, Object what) {
        if (!holds) throw new AssertionError(String.valueOf(what));
    }

    static Map<String, Object> config(Object... pairs) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
        for (int i = 0; i < pairs.length; i += 2) config.put((String) pairs[i], pairs[i + 1]);
        return config;
    }

    static List<ConsumerRecord<String, String>> read(String topic, int partitions, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(config("auto.offset.reset", "earliest", "isolation.level", "read_committed"),
                new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> all = new ArrayList<>();
            for (int p = 0; p < partitions; p++) all.add(new TopicPartition(topic, p));
            consumer.assign(all);
            long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (records.size() < count && System.nanoTime() < end)
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
            long ends = consumer.endOffsets(all).values().stream().mapToLong(Long::longValue).sum();
            that(ends == count, "end offsets " + ends);
            var times = consumer.offsetsForTimes(Map.of(all.get(0), 1L));
            that(times.get(all.get(0)).offset() == 0, times);
        }
        return records;
    }

    static void codec(Admin admin, String codec) throws Exception {
        String topic = "java-" + codec + "-" + System.nanoTime();
        admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1))).all().get();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = new KafkaProducer<>(config("compression.type", codec, "acks", "all", "linger.ms", "5"),
                new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < 3000; i++) {
                var record = new ProducerRecord<>(topic, i % 3, "key-" + i, "value-" + i);
                record.headers().add("n", Integer.toString(i).getBytes(StandardCharsets.UTF_8));
                sent.add(producer.send(record));
            }
            for (int i = 0; i < 3000; i++) that(sent.get(i).get().offset() == i / 3, sent.get(i).get());
        }
        var records = read(topic, 3, 3000);
        that(records.size() == 3000, "records " + records.size());
        long[] next = new long[3];
        for (var record : records) {
            that(record.offset() == next[record.partition()]++, record);
            long i = record.offset() * 3 + record.partition();
            that(record.key().equals("key-" + i) && record.value().equals("value-" + i), record);
            that(new String(record.headers().lastHeader("n").value(), StandardCharsets.UTF_8).equals("" + i), record);
        }
        admin.deleteTopics(List.of(topic)).all().get();
        that(!admin.listTopics().names().get().contains(topic), "deleted topic is listed");
    }

    /** Two members share a topic; who comes after them goes on where they have stopped. */
    static void group(Admin admin, Class<?> assignor) throws Exception {
        String topic = "java-group-" + System.nanoTime();
        admin.createTopics(List.of(new NewTopic(topic, 4, (short) 1))).all().get();
        send(topic, 0, 400);
        Map<String, Object> config = config("group.id", topic, "auto.offset.reset", "earliest", "enable.auto.commit", "false",
                "heartbeat.interval.ms", "300", "partition.assignment.strategy", assignor.getName());
        Set<Integer> read = new TreeSet<>();
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        try (var first = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
                var second = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            first.subscribe(List.of(topic));
            second.subscribe(List.of(topic));
            while (read.size() < 400 || first.assignment().size() != 2 || second.assignment().size() != 2) {
                that(System.nanoTime() < end, read.size() + " read, " + first.assignment() + second.assignment());
                for (var consumer : List.of(first, second))
                    consumer.poll(Duration.ofMillis(100)).forEach(record -> read.add(Integer.parseInt(record.value())));
            }
            that(Collections.disjoint(first.assignment(), second.assignment()), first.assignment());
            Map<TopicPartition, OffsetAndMetadata> all = new HashMap<>();
            for (int p = 0; p < 4; p++) all.put(new TopicPartition(topic, p), new OffsetAndMetadata(100, "note"));
            first.commitSync();
            second.commitSync();
            second.unsubscribe();
            while (first.assignment().size() != 4) first.poll(Duration.ofMillis(100));
            first.commitSync(all);
            that(first.committed(all.keySet()).equals(all), first.committed(all.keySet()));
        }
        var offsets = admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
        that(offsets.size() == 4 && offsets.values().stream().allMatch(at -> at.offset() == 100), offsets);
        send(topic, 400, 404);
        try (var next = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            next.subscribe(List.of(topic));
            Set<Integer> rest = new TreeSet<>();
            while (rest.size() < 4 && System.nanoTime() < end)
                next.poll(Duration.ofMillis(100)).forEach(record -> rest.add(Integer.parseInt(record.value())));
            that(rest.equals(Set.of(400, 401, 402, 403)), rest);
            var described = admin.describeClassicGroups(List.of(topic)).all().get().get(topic);
            that(described.members().size() == 1 && described.members().iterator().next().host().equals("/127.0.0.1"), described);
        }
        admin.deleteConsumerGroups(List.of(topic)).all().get();
        that(admin.listGroups().all().get().stream().noneMatch(one -> one.groupId().equals(topic)), "deleted group is listed");
    }

    static void send(String topic, int from, int to) {
        try (var producer = new KafkaProducer<>(config(), new StringSerializer(), new StringSerializer())) {
            for (int i = from; i < to; i++) producer.send(new ProducerRecord<>(topic, i % 4, null, "" + i));
        }
    }

    static void configs(Admin admin) throws Exception {
        String topic = "java-configs-" + System.nanoTime();
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(Map.of("cleanup.policy", "compact")))).all().get();
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var set = new AlterConfigOp(new ConfigEntry("retention.ms", "5000"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
        Config described = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        that(described.get("retention.ms").value().equals("5000"), described.get("retention.ms"));
        that(described.get("retention.ms").source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, described);
        that(described.get("cleanup.policy").value().equals("compact"), described.get("cleanup.policy"));
        that(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 1, topic);
        that(!admin.describeCluster().nodes().get().isEmpty(), "no nodes");
        that(admin.describeMetadataQuorum().quorumInfo().get().leaderId() >= 0, "no quorum leader");
        that(admin.describeFeatures().featureMetadata().get().finalizedFeatures().containsKey("metadata.version"), "features");
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        try (Admin admin = Admin.create(config())) {
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) codec(admin, codec);
            configs(admin);
            group(admin, RangeAssignor.class);
            group(admin, CooperativeStickyAssignor.class);
        }
        System.out.println("all held");
    }
}
