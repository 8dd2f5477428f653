import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Fills five topics: plain, compressed, transactional with one transaction left open, idle, many producers. */
public class LogWorkload {
    private static final Random RANDOM = new Random(7);

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap, String transaction, String codec) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("compression.type", codec);
        if (transaction != null) {
            settings.put("transactional.id", transaction);
        }
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static byte[] value(int size) {
        byte[] value = new byte[size];
        RANDOM.nextBytes(value);
        return value;
    }

    private static void fill(String bootstrap, String topic, String codec) {
        for (int round = 0; round < 2; round++) {
            try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, null, codec)) {
                for (int i = 0; i < 6000; i++) {
                    long timestamp = 1_700_000_000_000L + i * 37L % 50_000 + i * 10L + round * 1_000_000L;
                    byte[] key = ("k" + i % 100).getBytes();
                    producer.send(new ProducerRecord<>(topic, 0, timestamp, key, value(50 + RANDOM.nextInt(500))));
                    if (i % 50 == 0) {
                        producer.flush();
                    }
                }
            }
        }
    }

    private static void end(KafkaProducer<byte[], byte[]> producer, boolean abort) {
        producer.flush();
        if (abort) {
            producer.abortTransaction();
        } else {
            producer.commitTransaction();
        }
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            List<NewTopic> topics = new ArrayList<>();
            for (String topic : List.of("plain", "lz4", "txn", "idle", "many")) {
                Map<String, String> configs = Map.of("segment.bytes", "1048576", "retention.ms", "-1");
                topics.add(new NewTopic(topic, 1, (short) 1).configs(configs));
            }
            admin.createTopics(topics).all().get();
        }
        fill(bootstrap, "plain", "none");
        fill(bootstrap, "lz4", "lz4");
        for (int i = 0; i < 20; i++) {
            try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, null, "none")) {
                producer.send(new ProducerRecord<>("many", value(1)));
            }
        }
        KafkaProducer<byte[], byte[]> first = producer(bootstrap, "first", "none");
        KafkaProducer<byte[], byte[]> second = producer(bootstrap, "second", "zstd");
        first.initTransactions();
        second.initTransactions();
        for (int i = 0; i < 40; i++) {
            first.beginTransaction();
            second.beginTransaction();
            for (int j = 0; j < 40; j++) {
                first.send(new ProducerRecord<>("txn", value(400)));
                second.send(new ProducerRecord<>("txn", value(900)));
            }
            end(first, i % 3 == 0);
            end(second, i % 4 == 0);
        }
        first.beginTransaction();
        first.send(new ProducerRecord<>("txn", value(4)));
        first.flush();
        Runtime.getRuntime().halt(0); // Closing the producer would abort the transaction.
    }
}
