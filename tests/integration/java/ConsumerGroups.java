import java.time.Duration;
import java.util.*;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/** Consumer groups (KIP-848): sharing, commits, patterns, static members, and groups of both protocols. */
public class ConsumerGroups {
    static String bootstrap;
    static Admin admin;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        try (Admin opened = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin = opened;
            String topic = topic(4);
            share(topic);
            pattern(topic);
            staticMember(topic);
            bothProtocols(topic);
        }
        System.out.println("all held");
    }

    static String topic(int partitions) throws Exception {
        String topic = "java-" + UUID.randomUUID();
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new StringSerializer(),
                new StringSerializer())) {
            for (int i = 0; i < 40; i++)
                producer.send(new ProducerRecord<>(topic, i % partitions, null, "" + i));
        }
        return topic;
    }

    static KafkaConsumer<String, String> consumer(String group, String protocol, String... more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group,
            "group.protocol", protocol, "auto.offset.reset", "earliest", "enable.auto.commit", "false"));
        for (int i = 0; i < more.length; i += 2)
            config.put(more[i], more[i + 1]);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static void until(String what, BooleanSupplier holds, KafkaConsumer<?, ?>... consumers) {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() > end)
                throw new AssertionError(what);
            for (var consumer : consumers)
                consumer.poll(Duration.ofMillis(50));
        }
    }

    static ConsumerGroupDescription described(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).describedGroups().get(group).get();
    }

    static void same(Object expected, Object found) {
        if (!Objects.equals(expected, found))
            throw new AssertionError("expected " + expected + ", found " + found);
    }

    static void share(String topic) throws Exception {
        String group = "share-" + UUID.randomUUID();
        try (var one = consumer(group, "consumer"); var two = consumer(group, "consumer")) {
            one.subscribe(List.of(topic));
            until("everything", () -> one.assignment().size() == 4, one);
            int[] read = {0};
            until("records", () -> (read[0] += one.poll(Duration.ofMillis(50)).count()) == 40);
            one.commitSync();
            two.subscribe(List.of(topic));
            until("half", () -> one.assignment().size() == 2 && two.assignment().size() == 2, one, two);
            until("stable", () -> {
                try {
                    return described(group).groupState() == GroupState.STABLE;
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            }, one, two);
            same(GroupType.CONSUMER, described(group).type());
            same(2, described(group).members().size());
            same(10L, one.committed(Set.of(new TopicPartition(topic, 0))).get(new TopicPartition(topic, 0)).offset());
        }
        same(GroupState.EMPTY, described(group).groupState());
        admin.deleteConsumerGroups(List.of(group)).all().get();
    }

    static void pattern(String topic) {
        try (var one = consumer("pattern-" + UUID.randomUUID(), "consumer")) {
            one.subscribe(new SubscriptionPattern(topic.substring(0, topic.length() - 4) + "[0-9a-f]+"));
            until("pattern", () -> one.assignment().size() == 4, one);
        }
    }

    static void staticMember(String topic) {
        String group = "static-" + UUID.randomUUID();
        try (var other = consumer(group, "consumer")) {
            other.subscribe(List.of(topic));
            var one = consumer(group, "consumer", "group.instance.id", "one");
            one.subscribe(List.of(topic));
            until("half", () -> one.assignment().size() == 2 && other.assignment().size() == 2, one, other);
            Set<TopicPartition> had = Set.copyOf(one.assignment());
            one.close();
            try (var again = consumer(group, "consumer", "group.instance.id", "one")) {
                again.subscribe(List.of(topic));
                until("the same again", () -> again.assignment().equals(had), again, other);
            }
        }
    }

    static void bothProtocols(String topic) throws Exception {
        String group = "both-" + UUID.randomUUID();
        try (var classic = consumer(group, "classic", "heartbeat.interval.ms", "200")) {
            classic.subscribe(List.of(topic));
            until("classic", () -> classic.assignment().size() == 4, classic);
            same(GroupType.CLASSIC, described(group).type());
            try (var consumer = consumer(group, "consumer")) {
                consumer.subscribe(List.of(topic));
                until("both", () -> classic.assignment().size() == 2 && consumer.assignment().size() == 2,
                    classic, consumer);
                same(GroupType.CONSUMER, described(group).type());
            }
            until("classic again", () -> classic.assignment().size() == 4, classic);
            same(GroupType.CLASSIC, described(group).type());
        }
    }
}
