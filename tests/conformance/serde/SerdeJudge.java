import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;

/**
 * Writes values by Kafka's own serdes. A line is a kind and a value, with a tab between: a number, `-` for null,
 * text and bytes in hexadecimal; a list is `list:kind`, `[` and its elements,
 * each with a `;` behind it. The answer is the
 * bytes in hexadecimal, or `-`. With `read:kind` the value is bytes, and the answer `ok` or `refused`.
 */
public class SerdeJudge {
    private static final HexFormat HEX = HexFormat.of();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        StringBuilder out = new StringBuilder();
        for (String line; (line = in.readLine()) != null; ) {
            String[] parts = line.split("\t", -1);
            out.append(parts[0].startsWith("read:") ? read(parts[0].substring(5), parts[1]) : write(parts[0], parts[1]));
            out.append('\n');
        }
        System.out.print(out);
    }

    private static String read(String kind, String hex) {
        try (Deserializer<?> deserializer = serde(kind).deserializer()) {
            deserializer.deserialize("topic", HEX.parseHex(hex));
            return "ok";
        } catch (RuntimeException error) {
            return "refused";
        }
    }

    @SuppressWarnings("unchecked")
    private static String write(String kind, String text) {
        try (Serde<Object> serde = (Serde<Object>) serde(kind)) {
            byte[] bytes = serde.serializer().serialize("topic", value(kind, text));
            return bytes == null ? "-" : HEX.formatHex(bytes);
        }
    }

    private static Object value(String kind, String text) {
        if (text.equals("-")) {
            return null;
        }
        if (kind.startsWith("list:")) {
            List<Object> list = new ArrayList<>();
            String[] elements = text.substring(1).split(";", -1);
            for (int index = 0; index < elements.length - 1; index++) {
                list.add(value(kind.substring(5), elements[index]));
            }
            return list;
        }
        switch (kind) {
            case "boolean": return Boolean.valueOf(text);
            case "short": return Short.valueOf(text);
            case "integer": return Integer.valueOf(text);
            case "long": return Long.valueOf(text);
            case "float": return Float.valueOf(text);
            case "double": return Double.valueOf(text);
            case "uuid": return UUID.fromString(text);
            case "string": return new String(HEX.parseHex(text), StandardCharsets.UTF_8);
            case "bytearray": return HEX.parseHex(text);
            case "bytes": return Bytes.wrap(HEX.parseHex(text));
            case "bytebuffer": return ByteBuffer.wrap(HEX.parseHex(text));
            default: throw new IllegalArgumentException(kind);
        }
    }

    private static Serde<?> serde(String kind) {
        if (kind.startsWith("list:")) {
            return listOf(serde(kind.substring(5)));
        }
        switch (kind) {
            case "boolean": return Serdes.Boolean();
            case "short": return Serdes.Short();
            case "integer": return Serdes.Integer();
            case "long": return Serdes.Long();
            case "float": return Serdes.Float();
            case "double": return Serdes.Double();
            case "uuid": return Serdes.UUID();
            case "string": return Serdes.String();
            case "bytearray": return Serdes.ByteArray();
            case "bytes": return Serdes.Bytes();
            case "bytebuffer": return Serdes.ByteBuffer();
            case "void": return Serdes.Void();
            default: throw new IllegalArgumentException(kind);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T> Serde<List<T>> listOf(Serde<?> inner) {
        return Serdes.ListSerde(ArrayList.class, (Serde<T>) inner);
    }
}
