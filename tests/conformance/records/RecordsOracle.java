import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.compress.GzipCompression;
import org.apache.kafka.common.compress.Lz4Compression;
import org.apache.kafka.common.compress.ZstdCompression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.storage.log.FetchIsolation;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogAppendInfo;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.RecordValidationException;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Answers on standard output, line by line, what Apache Kafka's own classes make of the record batches named on
 * standard input. Driven by crates/protocol/tests/against_kafka.rs, which documents the lines.
 */
public class RecordsOracle {
    private static final HexFormat HEX = HexFormat.of();

    /** Time stands where the question says. */
    private static final class StoppedTime implements Time {
        long now = 0;

        public long milliseconds() {
            return now;
        }

        public long nanoseconds() {
            return now * 1_000_000;
        }

        public void sleep(long ms) {
        }

        public void waitObject(Object object, Supplier<Boolean> condition, long deadline) {
            throw new UnsupportedOperationException();
        }
    }

    private final StoppedTime time = new StoppedTime();
    private final UnifiedLog log;

    private RecordsOracle() throws Exception {
        var directory = Files.createTempDirectory("records-oracle").resolve("topic-0");
        Files.createDirectory(directory);
        var scheduler = new KafkaScheduler(1, true);
        scheduler.startup();
        log = UnifiedLog.create(directory.toFile(), new LogConfig(new Properties()), 0, 0, scheduler,
            new BrokerTopicStats(), time, 60_000, new ProducerStateManagerConfig(60_000, false), 60_000,
            new LogDirFailureChannel(1), true, Optional.of(Uuid.randomUuid()));
    }

    public static void main(String[] arguments) throws Exception {
        var oracle = new RecordsOracle();
        var input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            System.out.println(switch (words[0]) {
                case "build" -> oracle.build(words);
                case "read" -> oracle.read(words[1]);
                case "produce" -> oracle.produce(words);
                default -> throw new IllegalArgumentException(line);
            });
        }
        Runtime.getRuntime().halt(0);
    }

    private static Compression compression(String name, String level) {
        if (level.equals("-")) {
            return Compression.of(name).build();
        }
        int number = Integer.parseInt(level);
        return switch (name) {
            case "gzip" -> new GzipCompression.Builder().level(number).build();
            case "lz4" -> new Lz4Compression.Builder().level(number).build();
            case "zstd" -> new ZstdCompression.Builder().level(number).build();
            default -> Compression.of(name).build();
        };
    }

    private static byte[] bytes(String word) {
        return word.equals("-") ? null : HEX.parseHex(word);
    }

    private static String hex(ByteBuffer buffer) {
        if (buffer == null) {
            return "-";
        }
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return HEX.formatHex(bytes);
    }

    /** build codec level timestampType appendTime baseOffset pid epoch sequence txn control leaderEpoch horizon record... */
    private String build(String[] w) {
        var stream = new ByteBufferOutputStream(1 << 20);
        long horizon = w[12].equals("-") ? RecordBatch.NO_TIMESTAMP : Long.parseLong(w[12]);
        var builder = new MemoryRecordsBuilder(stream, RecordBatch.MAGIC_VALUE_V2, compression(w[1], w[2]),
            TimestampType.forName(w[3]), Long.parseLong(w[5]), Long.parseLong(w[4]), Long.parseLong(w[6]),
            Short.parseShort(w[7]), Integer.parseInt(w[8]), w[9].equals("1"), w[10].equals("1"),
            Integer.parseInt(w[11]), 1 << 20, horizon);
        for (int i = 13; i < w.length; i++) {
            // offset:timestamp:key:value:header=value,...
            String[] parts = w[i].split(":", -1);
            List<Header> headers = new ArrayList<>();
            for (String header : parts[4].isEmpty() ? new String[0] : parts[4].split(",")) {
                String[] pair = header.split("=", -1);
                headers.add(new RecordHeader(new String(HEX.parseHex(pair[0])), bytes(pair[1])));
            }
            var record = new SimpleRecord(Long.parseLong(parts[1]), bytes(parts[2]), bytes(parts[3]),
                headers.toArray(new Header[0]));
            if (w[10].equals("1")) {
                builder.appendControlRecordWithOffset(Long.parseLong(parts[0]), record);
            } else {
                builder.appendWithOffset(Long.parseLong(parts[0]), record);
            }
        }
        return hex(builder.build().buffer());
    }

    private String read(String batch) {
        var out = new StringBuilder("ok");
        try {
            for (Record record : MemoryRecords.readableRecords(ByteBuffer.wrap(HEX.parseHex(batch))).records()) {
                var headers = new ArrayList<String>();
                for (Header header : record.headers()) {
                    String value = header.value() == null ? "-" : HEX.formatHex(header.value());
                    headers.add(HEX.formatHex(header.key().getBytes()) + "=" + value);
                }
                out.append(' ').append(record.offset()).append(':').append(record.timestamp()).append(':')
                    .append(record.sequence()).append(':').append(hex(record.key())).append(':')
                    .append(hex(record.value())).append(':').append(String.join(",", headers));
            }
        } catch (RuntimeException error) {
            return "error";
        }
        return out.toString();
    }

    /** produce version now leaderEpoch config=value,... batch */
    private String produce(String[] w) throws Exception {
        var properties = new Properties();
        for (String pair : w[4].split(",")) {
            properties.put(pair.split("=")[0], pair.split("=")[1]);
        }
        log.updateConfig(new LogConfig(properties));
        log.truncateFullyAndStartAt(0, Optional.empty());
        time.now = Long.parseLong(w[2]);
        var records = MemoryRecords.readableRecords(ByteBuffer.wrap(HEX.parseHex(w.length > 5 ? w[5] : "")));
        try {
            ProduceRequest.validateRecords(Short.parseShort(w[1]), records);
            LogAppendInfo info = log.appendAsLeader(records, Integer.parseInt(w[3]), AppendOrigin.CLIENT);
            var stored = (FileRecords) log.read(0, Integer.MAX_VALUE, FetchIsolation.LOG_END, true).records;
            var buffer = ByteBuffer.allocate(stored.sizeInBytes());
            stored.readInto(buffer, 0);
            return "ok " + info.maxTimestamp() + " " + hex(buffer);
        } catch (RecordValidationException error) {
            String indexes = error.recordErrors().stream().map(e -> Integer.toString(e.batchIndex))
                .collect(Collectors.joining(","));
            return "error " + Errors.forException(error.invalidException()).code() + " " + indexes;
        } catch (Throwable error) {
            return "error " + Errors.forException(error).code() + " - " + error.toString().replaceAll("\\s+", " ");
        }
    }
}
