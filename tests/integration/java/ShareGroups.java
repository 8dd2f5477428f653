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

/** Share groups (KIP-932): sharing one partition, what becomes of records, and where groups stand. */
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
        }
        System.out.println("all held");
    }

    static String topic(int records) throws Exception {
        String topic = "java-" + UUID.randomUUID();
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 0),
                new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < records; i++)
                producer.send(new ProducerRecord<>(topic, "" + i));
        }
        return topic;
    }

    static String group() throws Exception {
        String group = "share-" + UUID.randomUUID();
        var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        var earliest = new ConfigEntry("share.auto.offset.reset", "earliest");
        admin.incrementalAlterConfigs(
            Map.of(resource, List.of(new AlterConfigOp(earliest, AlterConfigOp.OpType.SET)))).all().get();
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
}
