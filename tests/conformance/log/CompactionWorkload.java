import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Fills compacted topics: keys that come again, tombstones, records without some keys' values, headers, producers
 * that go and stay, transactions that are committed, aborted and left open. The argument `more` adds to them.
 */
public class CompactionWorkload {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final Random RANDOM = new Random(11);

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap, String transaction, String codec) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("compression.type", codec);
        settings.put("linger.ms", "20");
        if (transaction != null) {
            settings.put("transactional.id", transaction);
        }
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static byte[] value(int size) {
        byte[] value = new byte[size];
        for (int i = 0; i < size; i++) {
            value[i] = (byte) ('a' + RANDOM.nextInt(4)); // Worth compressing.
        }
        return value;
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, int key, int size) {
        byte[] value = size < 0 ? null : value(size);
        var record = new ProducerRecord<>(topic, 0, ("key-" + key).getBytes(), value);
        if (key % 7 == 0) {
            record.headers().add(new RecordHeader("header", value(5)));
        }
        producer.send(record);
    }

    private static void fill(String bootstrap, String topic, String codec, int records) {
        for (int round = 0; round < 3; round++) {
            try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, null, codec)) {
                for (int i = 0; i < records; i++) {
                    int key = RANDOM.nextInt(10) == 0 ? 1000 * round + i : RANDOM.nextInt(60);
                    send(producer, topic, key, RANDOM.nextInt(12) == 0 ? -1 : 20 + RANDOM.nextInt(300));
                    if (i % 40 == 0) {
                        producer.flush();
                    }
                }
            }
        }
    }

    private static void transactions(String bootstrap, String suffix, boolean leaveOpen) {
        KafkaProducer<byte[], byte[]> first = producer(bootstrap, "first" + suffix, "none");
        KafkaProducer<byte[], byte[]> second = producer(bootstrap, "second" + suffix, "lz4");
        first.initTransactions();
        second.initTransactions();
        for (int i = 0; i < 25; i++) {
            first.beginTransaction();
            second.beginTransaction();
            for (int j = 0; j < 12; j++) {
                send(first, "txn", RANDOM.nextInt(30), RANDOM.nextInt(9) == 0 ? -1 : RANDOM.nextInt(500));
                send(second, "txn", RANDOM.nextInt(30), 400);
            }
            end(first, i % 3 == 0);
            end(second, i % 4 == 0);
        }
        if (leaveOpen) {
            first.beginTransaction();
            send(first, "txn", 1, 10);
            first.flush();
        }
        second.close();
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
        boolean more = arguments.length > 1;
        if (!more) {
            Map<String, String> configs = Map.of(
                "cleanup.policy", "compact", "internal.segment.bytes", "40000", "index.interval.bytes", "500",
                "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "1", "file.delete.delay.ms", "0");
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
                List<NewTopic> topics = new ArrayList<>();
                for (String codec : CODECS) {
                    topics.add(new NewTopic(codec, 1, (short) 1).configs(configs));
                }
                topics.add(new NewTopic("txn", 1, (short) 1).configs(configs));
                admin.createTopics(topics).all().get();
            }
        }
        for (String codec : CODECS) {
            fill(bootstrap, codec, codec, more ? 500 : 600);
        }
        transactions(bootstrap, more ? "-more" : "", more);
        Runtime.getRuntime().halt(0); // Closing the producer would abort the open transaction.
    }
}
