import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.coordinator.group.GroupCoordinatorConfig;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Judges what it reads by Kafka's own classes. A line is `topic`, `tiered-topic` or `group` with what would be
 * set (hex=hex pairs), or `properties` with the bytes of a file. The answer is a line: `ok`, `refused` and why,
 * or the properties that were read.
 */
public class Configs {
    private static final HexFormat HEX = HexFormat.of();

    public static void main(String[] arguments) throws Exception {
        AbstractConfig broker = new AbstractConfig(
            AbstractKafkaConfig.CONFIG_DEF,
            Map.of("node.id", "1", "process.roles", "broker,controller", "controller.listener.names", "C"),
            false);
        GroupCoordinatorConfig groups = new GroupCoordinatorConfig(broker);
        ShareGroupConfig shares = new ShareGroupConfig(broker);
        Map<String, Object> logs = new HashMap<>(LogConfig.fromProps(Map.of(), new Properties()).values());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split(" ");
            try {
                switch (parts[0]) {
                    case "topic" -> LogConfig.validate(Map.of(), pairs(parts), logs, false);
                    case "tiered-topic" ->
                        LogConfig.validate(Map.of("remote.storage.enable", "true"), pairs(parts), logs, true);
                    case "group" -> GroupConfig.validate(pairs(parts), groups, shares);
                    case "properties" -> {
                        System.out.println(read(parts.length > 1 ? HEX.parseHex(parts[1]) : new byte[0]));
                        continue;
                    }
                    default -> throw new IllegalStateException(line);
                }
                System.out.println("ok");
            } catch (RuntimeException error) {
                System.out.println("refused " + error.getMessage().replace('\n', ' '));
            }
        }
    }

    private static Map<String, String> pairs(String[] parts) {
        Map<String, String> pairs = new HashMap<>();
        for (int i = 1; i < parts.length; i++) {
            String[] pair = parts[i].split("=", 2);
            pairs.put(text(pair[0]), text(pair[1]));
        }
        return pairs;
    }

    private static String text(String hex) {
        return new String(HEX.parseHex(hex), StandardCharsets.UTF_8);
    }

    private static String read(byte[] file) throws Exception {
        Properties properties = new Properties();
        try {
            properties.load(new ByteArrayInputStream(file));
        } catch (IllegalArgumentException error) {
            return "refused";
        }
        TreeMap<String, String> sorted = new TreeMap<>();
        for (String name : properties.stringPropertyNames()) {
            sorted.put(hex(name), hex(properties.getProperty(name)));
        }
        return "read " + sorted;
    }

    private static String hex(String text) {
        return HEX.formatHex(text.getBytes(StandardCharsets.UTF_16BE));
    }
}
