import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.requests.AbstractResponse;

/**
 * Apache Kafka's own message classes, by name.
 *
 *   generate SEED COUNT NAMES OUT   COUNT random messages of each version of each message named in the file
 *                                   NAMES, as lines "name version hex"
 *   recode IN OUT                   reads such lines and writes them again as Kafka's classes have them
 *   errors IN OUT                   reads responses as lines "API key version hex" and writes "API key version
 *                                   code=count ...": what a broker counts in ErrorsPerSec when it sends them
 *   facts OUT                       API keys and error codes
 */
public class Codec {
    static final String[] PACKAGES = {
        "org.apache.kafka.common.message.",
        "org.apache.kafka.common.metadata.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.",
        "org.apache.kafka.coordinator.share.generated.",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.",
        "org.apache.kafka.raft.generated.",
    };
    static final HexFormat HEX = HexFormat.of();

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "generate" -> generate(
                Long.parseLong(arguments[1]), Integer.parseInt(arguments[2]), arguments[3], arguments[4]);
            case "recode" -> recode(arguments[1], arguments[2]);
            case "errors" -> errors(arguments[1], arguments[2]);
            case "facts" -> facts(arguments[1]);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    static Class<?> classOf(String name) {
        for (String prefix : PACKAGES) {
            for (String suffix : new String[] {"Data", ""}) {
                try {
                    return Class.forName(prefix + name + suffix);
                } catch (ClassNotFoundException e) {
                    // The next place.
                }
            }
        }
        throw new IllegalArgumentException("no class for " + name);
    }

    static Message read(Class<?> cls, byte[] bytes, short version) throws Exception {
        Message message = (Message) cls.getConstructor().newInstance();
        ByteBufferAccessor readable = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
        message.read(readable, version);
        if (readable.remaining() != 0) {
            throw new IllegalStateException(readable.remaining() + " bytes are left");
        }
        return message;
    }

    static byte[] write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer.array();
    }

    static void generate(long seed, int count, String names, String out) throws Exception {
        Random random = new Random(seed);
        try (PrintWriter lines = new PrintWriter(Files.newBufferedWriter(Path.of(out)))) {
            for (String name : Files.readAllLines(Path.of(names))) {
                Class<?> cls = classOf(name);
                Schema[] schemas = (Schema[]) cls.getField("SCHEMAS").get(null);
                short lowest = cls.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
                short highest = cls.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
                for (short version = lowest; version <= highest; version++) {
                    for (int i = 0; i < count; i++) {
                        Object value = value(schemas[version], random);
                        ByteBuffer buffer = ByteBuffer.allocate(schemas[version].sizeOf(value));
                        schemas[version].write(buffer, value);
                        // The generic writer keeps tagged fields that have their default; the class does not.
                        byte[] bytes = write(read(cls, buffer.array(), version), version);
                        lines.println(name + " " + version + " " + HEX.formatHex(bytes));
                    }
                }
            }
        }
    }

    static Object value(Type type, Random random) {
        if (type.isNullable() && random.nextInt(4) == 0) {
            return null;
        }
        if (type instanceof Schema schema) {
            Struct struct = new Struct(schema);
            for (BoundField field : schema.fields()) {
                struct.set(field, value(field.def.type, random));
            }
            return struct;
        }
        if (type instanceof TaggedFields tagged) {
            Map<Integer, Object> values = new TreeMap<>();
            for (Map.Entry<Integer, Field> entry : tagged.fields().entrySet()) {
                Object value = value(entry.getValue().type, random);
                // The generic writer marks an absent struct with -1 here, too; the classes mark it with 0.
                boolean absentStruct = value == null && entry.getValue().type instanceof Schema;
                if (random.nextBoolean() && !absentStruct) {
                    values.put(entry.getKey(), value);
                }
            }
            return values;
        }
        if (type.isArray()) {
            Object[] values = new Object[random.nextInt(4)];
            for (int i = 0; i < values.length; i++) {
                values[i] = value(type.arrayElementType().get(), random);
            }
            return values;
        }
        long bits = random.nextInt(3) == 0 ? random.nextInt(3) - 1 : random.nextLong();
        return switch (type.toString()) {
            case "BOOLEAN" -> random.nextBoolean();
            case "INT8" -> (byte) bits;
            case "INT16" -> (short) bits;
            case "UINT16" -> (int) (bits & 0xffff);
            case "INT32" -> (int) bits;
            case "UINT32" -> bits & 0xffffffffL;
            case "INT64" -> bits;
            case "FLOAT64" -> random.nextGaussian() * 1e9;
            case "UUID" -> random.nextInt(4) == 0 ? Uuid.ZERO_UUID : new Uuid(bits, random.nextLong());
            case "STRING", "COMPACT_STRING", "NULLABLE_STRING", "COMPACT_NULLABLE_STRING" -> text(random);
            case "BYTES", "COMPACT_BYTES", "NULLABLE_BYTES", "COMPACT_NULLABLE_BYTES" -> bytes(random);
            case "RECORDS", "COMPACT_RECORDS", "NULLABLE_RECORDS", "COMPACT_NULLABLE_RECORDS" ->
                MemoryRecords.readableRecords(bytes(random));
            default -> throw new IllegalArgumentException("type " + type);
        };
    }

    static ByteBuffer bytes(Random random) {
        byte[] bytes = new byte[random.nextInt(12) == 0 ? 300 : random.nextInt(9)];
        random.nextBytes(bytes);
        return ByteBuffer.wrap(bytes);
    }

    static String text(Random random) {
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(12) == 0 ? 150 : random.nextInt(9);
        for (int i = 0; i < length; i++) {
            // ASCII, two and three bytes, and beyond the basic plane.
            int[] firsts = {0x20, 0xa1, 0x4e00, 0x1f600};
            text.appendCodePoint(firsts[random.nextInt(4)] + random.nextInt(64));
        }
        return text.toString();
    }

    static void recode(String in, String out) throws IOException {
        try (BufferedReader lines = Files.newBufferedReader(Path.of(in));
             PrintWriter results = new PrintWriter(Files.newBufferedWriter(Path.of(out)))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ", -1);
                short version = Short.parseShort(words[1]);
                try {
                    Message message = read(classOf(words[0]), HEX.parseHex(words[2]), version);
                    results.println(words[0] + " " + version + " " + HEX.formatHex(write(message, version)));
                } catch (Exception e) {
                    results.println(words[0] + " " + version + " " + e);
                }
            }
        }
    }

    static void errors(String in, String out) throws IOException {
        try (BufferedReader lines = Files.newBufferedReader(Path.of(in));
             PrintWriter results = new PrintWriter(Files.newBufferedWriter(Path.of(out)))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ", -1);
                ApiKeys api = ApiKeys.forId(Integer.parseInt(words[0]));
                ByteBufferAccessor bytes = new ByteBufferAccessor(ByteBuffer.wrap(HEX.parseHex(words[2])));
                StringBuilder counts = new StringBuilder(words[0] + " " + words[1]);
                try {
                    AbstractResponse response =
                        AbstractResponse.parseResponse(api, bytes, Short.parseShort(words[1]));
                    new TreeMap<>(response.errorCounts()).forEach(
                        (error, count) -> counts.append(" " + error.code() + "=" + count));
                } catch (RuntimeException e) {
                    counts.append(" ").append(e);
                }
                results.println(counts);
            }
        }
    }

    static void facts(String out) throws IOException {
        try (PrintWriter lines = new PrintWriter(Files.newBufferedWriter(Path.of(out)))) {
            for (ApiKeys api : ApiKeys.values()) {
                if (!api.hasValidVersion()) {
                    continue;
                }
                List<String> words = new ArrayList<>();
                words.add("api " + api.id + " " + api.name + " " + api.oldestVersion());
                words.add(api.latestVersion(true) + " " + api.latestVersion(false));
                words.add(api.forwardable + " " + api.clusterAction);
                words.add(api.inScope(ApiMessageType.ListenerType.BROKER) + "");
                words.add(api.inScope(ApiMessageType.ListenerType.CONTROLLER) + "");
                for (short version = api.oldestVersion(); version <= api.latestVersion(true); version++) {
                    words.add(api.requestHeaderVersion(version) + "" + api.responseHeaderVersion(version));
                }
                lines.println(String.join(" ", words));
            }
            for (Errors error : Errors.values()) {
                boolean retriable = error.exception()
                    instanceof org.apache.kafka.common.errors.RetriableException;
                lines.println("error " + error.code() + " " + error.name() + " " + retriable);
            }
        }
    }
}
