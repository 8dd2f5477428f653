import java.time.Duration;
import java.util.*;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

/**
 * Share groups (KIP-932): sharing one partition, what becomes of records, and where groups stand. With the argument
 * `beyond` also what Apache Kafka 4.3.1 has not: dead letters, and delivery by key, time and priority.
 */
public class ShareGroups {
    static final int RECORDS = 500;
    static String bootstrap;
    static Admin admin;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        try (Admin opened = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin = opened;
            share();
            acknowledge();
            administer();
            if (List.of(arguments).contains("beyond")) {
                orderByKey();
                deliverInTime();
                preferAndPause();
                bury();
            }
        }
        System.out.println("all held");
    }

    static String topic(int records) throws Exception {
        String topic = topic();
        try (var producer = producer()) {
            for (int i = 0; i < records; i++)
                producer.send(new ProducerRecord<>(topic, "" + i));
        }
        return topic;
    }

    static String topic() throws Exception {
        String topic = "java-" + UUID.randomUUID();
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        return topic;
    }

    static KafkaProducer<String, String> producer() {
        return new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 0),
            new StringSerializer(), new StringSerializer());
    }

    static ProducerRecord<String, String> record(String topic, String key, String value, Object... headers) {
        var record = new ProducerRecord<>(topic, key, value);
        for (int i = 0; i < headers.length; i += 2)
            record.headers().add((String) headers[i], headers[i + 1].toString().getBytes());
        return record;
    }

    static String group(String... configs) throws Exception {
        String group = "share-" + UUID.randomUUID();
        var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        List<AlterConfigOp> wanted = new ArrayList<>();
        wanted.add(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET));
        for (int i = 0; i < configs.length; i += 2)
            wanted.add(new AlterConfigOp(new ConfigEntry(configs[i], configs[i + 1]), AlterConfigOp.OpType.SET));
        admin.incrementalAlterConfigs(Map.of(resource, wanted)).all().get();
        return group;
    }

    static KafkaShareConsumer<String, String> consumer(String group, String topic, String... more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group));
        for (int i = 0; i < more.length; i += 2)
            config.put(more[i], more[i + 1]);
        var consumer = new KafkaShareConsumer<>(config, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    static void until(String what, BooleanSupplier holds) {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!holds.getAsBoolean())
            if (System.nanoTime() > end)
                throw new AssertionError(what);
    }

    static void that(boolean holds, Object what) {
        if (!holds)
            throw new AssertionError(what);
    }

    /** Two members read one partition: each record comes once, and both have some. */
    static void share() throws Exception {
        String topic = topic(RECORDS), group = group();
        Set<Long> seen = new HashSet<>();
        int[] each = new int[2];
        try (var one = consumer(group, topic, "max.poll.records", "20", "share.acquire.mode", "record_limit");
                var two = consumer(group, topic, "max.poll.records", "20", "share.acquire.mode", "record_limit")) {
            until("all records", () -> {
                for (int i = 0; i < 2; i++)
                    for (var record : (i == 0 ? one : two).poll(Duration.ofMillis(100))) {
                        that(seen.add(record.offset()), "twice: " + record.offset());
                        each[i]++;
                    }
                return seen.size() == RECORDS;
            });
            one.commitSync();
            two.commitSync();
        }
        that(each[0] > 0 && each[1] > 0, Arrays.toString(each));
    }

    /** Released records come again with a higher count, rejected and accepted ones don't. */
    static void acknowledge() throws Exception {
        String topic = topic(3), group = group();
        try (var consumer = consumer(group, topic, "share.acknowledgement.mode", "explicit")) {
            Map<Long, Short> counts = new HashMap<>();
            until("the released record again", () -> {
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    counts.put(record.offset(), record.deliveryCount().get());
                    consumer.acknowledge(record, record.offset() == 0 ? AcknowledgeType.ACCEPT
                        : record.offset() == 1 ? AcknowledgeType.REJECT
                        : record.deliveryCount().get() == 1 ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT);
                }
                that(consumer.commitSync().values().stream().allMatch(Optional::isEmpty), "commit");
                return counts.size() == 3 && counts.get(2L) == 2;
            });
            that(counts.equals(Map.of(0L, (short) 1, 1L, (short) 1, 2L, (short) 2)), counts);
        }
    }

    static Long lag(String group, TopicPartition partition) {
        try {
            var offsets = admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec()));
            var known = offsets.partitionsToOffsetInfo(group).get().get(partition);
            return known == null ? null : known.lag().orElse(null);
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    /** Groups are described, their offsets altered, and they are deleted. */
    static void administer() throws Exception {
        String topic = topic(10), group = group();
        var partition = new TopicPartition(topic, 0);
        int[] count = new int[1];
        try (var consumer = consumer(group, topic)) {
            until("ten records", () -> (count[0] += consumer.poll(Duration.ofMillis(100)).count()) == 10);
            consumer.commitSync();
            var described = admin.describeShareGroups(List.of(group)).all().get().get(group);
            that(described.groupState() == GroupState.STABLE && described.members().size() == 1, described);
        }
        until("no lag", () -> Objects.equals(lag(group, partition), 0L));
        admin.alterShareGroupOffsets(group, Map.of(partition, 4L)).all().get();
        try (var consumer = consumer(group, topic)) {
            List<Long> again = new ArrayList<>();
            until("six records again", () -> {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> again.add(record.offset()));
                return again.size() == 6;
            });
            that(again.get(0) == 4L, again);
        }
        admin.deleteShareGroups(List.of(group)).all().get();
        that(admin.listGroups(ListGroupsOptions.forShareGroups()).all().get().stream()
            .noneMatch(listed -> listed.groupId().equals(group)), "deleted");
    }

    /** Beyond Kafka: two members, and no record of a key before the one before it is done with. */
    static void orderByKey() throws Exception {
        String topic = topic(), group = group("share.ordering", "key");
        int keys = 4, each = 10;
        try (var producer = producer()) {
            for (int i = 0; i < keys * each; i++)
                producer.send(record(topic, "k" + i % keys, "" + i / keys));
        }
        int[] next = new int[keys], busy = new int[2];
        Set<String> held = new HashSet<>();
        int[] turn = new int[1];
        try (var one = consumer(group, topic, "share.acknowledgement.mode", "explicit");
                var two = consumer(group, topic, "share.acknowledgement.mode", "explicit")) {
            List<List<ConsumerRecord<String, String>>> has = List.of(new ArrayList<>(), new ArrayList<>());
            until("all keys to their ends", () -> {
                int at = turn[0]++ % 2;
                var member = at == 0 ? one : two;
                for (var record : has.get(at)) {
                    // Every seventh is released the first time: its followers have to wait for it.
                    boolean again = record.deliveryCount().get() == 1 && record.offset() % 7 == 0;
                    member.acknowledge(record, again ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT);
                    held.remove(record.key());
                    if (!again)
                        next[record.key().charAt(1) - '0']++;
                }
                if (!has.get(at).isEmpty())
                    that(member.commitSync().values().stream().allMatch(Optional::isEmpty), "commit");
                has.get(at).clear();
                for (var record : member.poll(Duration.ofMillis(100))) {
                    that(held.add(record.key()), "two records in flight of " + record.key());
                    that(record.value().equals("" + next[record.key().charAt(1) - '0']), record);
                    has.get(at).add(record);
                    busy[at]++;
                }
                return Arrays.stream(next).allMatch(count -> count == each);
            });
        }
        that(busy[0] > 0 && busy[1] > 0, Arrays.toString(busy));
    }

    /** Beyond Kafka: nothing before its time, nothing after its end; another group sees all of it at once. */
    static void deliverInTime() throws Exception {
        String topic = topic(), group = group("share.delivery.headers", "deliver-at,expires-at");
        long due = System.currentTimeMillis() + 2000;
        try (var producer = producer()) {
            producer.send(record(topic, null, "late", "deliver-at", due));
            producer.send(record(topic, null, "gone", "expires-at", due - 60_000));
            producer.send(record(topic, null, "now"));
        }
        List<String> values = new ArrayList<>(), all = new ArrayList<>();
        try (var consumer = consumer(group, topic); var other = consumer(group(), topic)) {
            until("all at once", () -> {
                other.poll(Duration.ofMillis(50)).forEach(record -> all.add(record.value()));
                consumer.poll(Duration.ofMillis(50)).forEach(record -> values.add(record.value()));
                return all.size() == 3 && !values.isEmpty();
            });
            until("the late one", () -> {
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    that(!record.value().equals("late") || System.currentTimeMillis() >= due, "too early");
                    values.add(record.value());
                }
                return values.size() == 2;
            });
        }
        that(values.equals(List.of("now", "late")), values);
    }

    /** Beyond Kafka: higher priorities first, and a pause before the next attempt. */
    static void preferAndPause() throws Exception {
        String topic = topic();
        String group = group("share.delivery.headers", "priority", "share.retry.backoff.ms", "1000");
        try (var producer = producer()) {
            for (int i = 0; i < 6; i++)
                producer.send(record(topic, null, "" + i, "priority", i % 3));
        }
        List<String> values = new ArrayList<>(), again = new ArrayList<>();
        long[] released = new long[1];
        try (var consumer = consumer(group, topic, "share.acknowledgement.mode", "explicit")) {
            until("the first again at last", () -> {
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    (record.deliveryCount().get() == 1 ? values : again).add(record.value());
                    boolean first = released[0] == 0;
                    consumer.acknowledge(record, first ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT);
                    if (first)
                        released[0] = System.nanoTime();
                    if (record.deliveryCount().get() == 2)
                        that(System.nanoTime() - released[0] > 990_000_000L, "too early");
                }
                consumer.commitSync();
                return values.size() + again.size() == 7;
            });
        }
        that(values.equals(List.of("2", "5", "1", "4", "0", "3")) && again.equals(List.of("2")), values);
    }

    static void alter(ConfigResource.Type type, String name, String... configs) throws Exception {
        List<AlterConfigOp> wanted = new ArrayList<>();
        for (int i = 0; i < configs.length; i += 2)
            wanted.add(new AlterConfigOp(new ConfigEntry(configs[i], configs[i + 1]), AlterConfigOp.OpType.SET));
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), wanted)).all().get();
    }

    static String text(ConsumerRecord<?, ?> record, String header) {
        return new String(record.headers().lastHeader("__dlq.errors." + header).value());
    }

    /** Dead letters (KIP-1191): what is rejected, or fails too often, is found in the group's topic. */
    static void bury() throws Exception {
        String topic = topic(), dead = "dlq." + topic;
        String group = group("errors.deadletterqueue.topic.name", dead, "share.delivery.count.limit", "2",
            "errors.deadletterqueue.copy.record.enable", "true");
        alter(ConfigResource.Type.BROKER, "", "errors.deadletterqueue.auto.create.topics.enable", "true");
        try (var producer = producer()) {
            for (String value : List.of("good", "rejected", "failing"))
                producer.send(record(topic, "k", value, "mine", "1"));
        }
        int[] done = new int[1];
        try (var consumer = consumer(group, topic, "share.acknowledgement.mode", "explicit")) {
            until("four deliveries", () -> {
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    consumer.acknowledge(record, record.value().equals("good") ? AcknowledgeType.ACCEPT
                        : record.value().equals("rejected") ? AcknowledgeType.REJECT : AcknowledgeType.RELEASE);
                    done[0]++;
                }
                consumer.commitSync();
                return done[0] == 4;
            });
        }
        Map<String, String> letters = new TreeMap<>();
        try (var reader = new KafkaConsumer<>(Map.of("bootstrap.servers", bootstrap), new StringDeserializer(),
                new StringDeserializer())) {
            var partition = new TopicPartition(dead, 0);
            reader.assign(List.of(partition));
            reader.seek(partition, 0);
            until("two dead letters", () -> {
                for (var record : reader.poll(Duration.ofMillis(100))) {
                    that(record.headers().toArray().length == 6 && text(record, "topic").equals(topic)
                        && text(record, "partition").equals("0") && text(record, "group").equals(group), record);
                    letters.put(record.key() + record.value(), text(record, "offset") + " "
                        + text(record, "delivery.count") + " " + text(record, "message"));
                }
                return letters.size() == 2;
            });
        }
        that(letters.equals(Map.of("krejected", "1 1 Offset rejected by client.",
            "kfailing", "2 2 Offset delivery count exceeded the threshold.")), letters);
    }
}
