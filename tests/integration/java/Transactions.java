import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.*;

/** Transactions of the Java client: commit, abort, fencing, and offsets in a transaction. Exits 0 when all held. */
public class Transactions {
    static String bootstrap;

    static void that(boolean holds, Object what) {
        if (!holds) throw new AssertionError(String.valueOf(what));
    }

    static Map<String, Object> config(Object... pairs) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
        for (int i = 0; i < pairs.length; i += 2) config.put((String) pairs[i], pairs[i + 1]);
        return config;
    }

    static KafkaProducer<String, String> producer(String id) {
        var producer = new KafkaProducer<>(config("transactional.id", id), new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        return producer;
    }

    static KafkaConsumer<String, String> consumer(String group, String protocol) {
        return new KafkaConsumer<>(config("group.id", group, "group.protocol", protocol, "isolation.level", "read_committed",
                "auto.offset.reset", "earliest", "enable.auto.commit", "false"), new StringDeserializer(), new StringDeserializer());
    }

    static List<String> committed(String topic) {
        List<String> values = new ArrayList<>();
        try (var consumer = consumer("nobody", "classic")) {
            var partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end)
                consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
        }
        return values;
    }

    static void outcomes(Admin admin, String topic) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        List<String> expected = new ArrayList<>();
        try (var producer = producer(topic)) {
            for (int number = 0; number < 6; number++) {
                producer.beginTransaction();
                for (int i = 0; i < 5; i++) producer.send(new ProducerRecord<>(topic, number + "-" + i));
                if (number % 2 == 0) {
                    producer.commitTransaction();
                    for (int i = 0; i < 5; i++) expected.add(number + "-" + i);
                } else {
                    producer.flush();
                    producer.abortTransaction();
                }
            }
            try (var successor = producer(topic)) {
                producer.beginTransaction();
                try {
                    producer.send(new ProducerRecord<>(topic, "too late"));
                    producer.commitTransaction();
                    that(false, "a fenced producer has committed");
                } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
                    // Told by the coordinator or by the partition, whoever is asked first.
                }
                successor.beginTransaction();
                successor.send(new ProducerRecord<>(topic, "successor"));
                successor.commitTransaction();
                expected.add("successor");
            }
        }
        that(committed(topic).equals(expected), committed(topic));
        var state = admin.describeTransactions(List.of(topic)).description(topic).get().state();
        that(state == TransactionState.COMPLETE_COMMIT, state);
    }

    static void offsets(Admin admin, String protocol, String topic) throws Exception {
        String target = topic + "-out";
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1), new NewTopic(target, 1, (short) 1))).all().get();
        List<String> expected = new ArrayList<>();
        try (var producer = producer(topic + "-in")) {
            producer.beginTransaction();
            for (int i = 0; i < 20; i++) producer.send(new ProducerRecord<>(topic, "" + i));
            producer.commitTransaction();
            for (int i = 0; i < 20; i++) expected.add(i + "!");
        }
        var partition = new TopicPartition(topic, 0);
        try (var producer = producer(topic); var consumer = consumer(topic, protocol)) {
            consumer.subscribe(List.of(topic));
            int done = 0;
            boolean commit = false;
            while (done < 20) {
                var records = consumer.poll(Duration.ofMillis(500));
                if (records.isEmpty()) continue;
                producer.beginTransaction();
                records.forEach(record -> producer.send(new ProducerRecord<>(target, record.value() + "!")));
                var next = new OffsetAndMetadata(consumer.position(partition));
                producer.sendOffsetsToTransaction(Map.of(partition, next), consumer.groupMetadata());
                if (commit) {
                    producer.commitTransaction();
                    done += records.count();
                } else {
                    producer.abortTransaction();
                    var offset = consumer.committed(Set.of(partition)).get(partition);
                    consumer.seek(partition, offset == null ? 0 : offset.offset());
                }
                commit = !commit;
            }
        }
        that(committed(target).equals(expected), committed(target));
        var offsets = admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
        that(offsets.get(partition).offset() == 21, offsets);
    }

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        try (Admin admin = Admin.create(config())) {
            outcomes(admin, "java-transactions-" + System.nanoTime());
            for (String protocol : List.of("classic", "consumer")) offsets(admin, protocol, "java-" + protocol + "-" + System.nanoTime());
        } catch (Throwable failure) {
            failure.printStackTrace(); // Java's launcher of source files stumbles over causes.
            System.exit(1);
        }
        System.out.println("all held");
    }
}
