import java.time.Duration;
import java.util.*;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.entities.*;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;
import org.apache.flink.avro.registry.confluent.shaded.org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.flink.avro.registry.confluent.shaded.org.apache.kafka.clients.producer.*;
import org.apache.flink.avro.registry.confluent.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.avro.registry.confluent.shaded.org.apache.kafka.common.serialization.*;
import org.apache.flink.avro.shaded.org.apache.avro.Schema.Parser;
import org.apache.flink.avro.shaded.org.apache.avro.generic.*;
import org.apache.flink.formats.avro.registry.confluent.*;

/**
 * Confluent's client for its registry, and Flink's formats over it, as one jar has them: reads what is in one topic,
 * writes the same to another with a field more, and asks the registry for all kinds of things. Exits 0 when all held.
 */
public class SchemaRegistry {
    static final String READER = """
            {"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"},
             {"name":"note","type":["null","string"],"default":null},{"name":"by","type":"string","default":"java"}]}""";

    static void that(boolean holds, Object what) {
        if (!holds) throw new AssertionError(String.valueOf(what));
    }

    interface Asking {
        void ask() throws Exception;
    }

    static void refused(int status, int code, Asking asking) throws Exception {
        try {
            asking.ask();
        } catch (RestClientException error) {
            that(error.getStatus() == status && error.getErrorCode() == code, error);
            return;
        }
        throw new AssertionError("not refused with " + code);
    }

    static List<byte[]> read(String bootstrap, String topic) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", "false");
        List<byte[]> values = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            var partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end)
                consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
        }
        return values;
    }

    static void records(String bootstrap, String url, String from, String to) throws Exception {
        var schema = new Parser().parse(READER);
        var reads = ConfluentRegistryAvroDeserializationSchema.forGeneric(schema, url);
        var writes = ConfluentRegistryAvroSerializationSchema.forGeneric(to + "-value", schema, url);
        var values = read(bootstrap, from);
        that(values.size() == 2, values.size());
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int at = 0; at < values.size(); at++) {
                GenericRecord order = reads.deserialize(values.get(at));
                that(order.get("id").equals((long) at + 1), order);
                that(order.get("by").toString().equals("java"), order);
                producer.send(new ProducerRecord<>(to, writes.serialize(order))).get();
            }
        }
    }

    static AvroSchema avro(String fields) {
        return new AvroSchema("{\"type\":\"record\",\"name\":\"R\",\"fields\":[" + fields + "]}");
    }

    static void operations(String url, String subject) throws Exception {
        var client = new CachedSchemaRegistryClient(url, 100);
        var first = avro("{\"name\":\"a\",\"type\":\"int\"}");
        var second = avro("{\"name\":\"a\",\"type\":\"long\"},{\"name\":\"b\",\"type\":\"int\",\"default\":0}");
        var third = avro("{\"name\":\"a\",\"type\":\"string\"}");
        int id = client.register(subject, first);
        that(client.getSchemaById(id).canonicalString().equals(first.canonicalString()), id);
        that(client.testCompatibility(subject, second), "a field with a default");
        var why = client.testCompatibilityVerbose(subject, third).toString();
        that(why.contains("TYPE_MISMATCH") && why.contains("oldSchemaVersion"), why);
        refused(409, 40901, () -> client.register(subject, third));
        var rule = new Rule("small", null, RuleKind.CONDITION, RuleMode.WRITE, "CEL", null, null, "message.a < 9", null, null, false);
        var metadata = new Metadata(Map.of(), Map.of("owner", "java"), Set.of());
        var ruled = second.copy(metadata, new RuleSet(null, List.of(rule)));
        that(client.register(subject, ruled) > id, "an id of its own");
        that(client.getAllVersions(subject).equals(List.of(1, 2)), client.getAllVersions(subject));
        var latest = client.getLatestSchemaMetadata(subject);
        that(latest.getVersion() == 2 && latest.getRuleSet().getDomainRules().get(0).getExpr().equals("message.a < 9"), latest);
        that(client.getLatestWithMetadata(subject, Map.of("owner", "java"), false).getVersion() == 2, "by its metadata");
        that(client.getAllSubjectsById(id).contains(subject), id);
        that(client.getAllVersionsById(id).contains(new SubjectVersion(subject, 1)), id);
        that(client.getSchemas(subject, false, false).size() == 2, "both");
        client.updateConfig(subject, new Config("FULL_TRANSITIVE"));
        that(client.getConfig(subject).getCompatibilityLevel().equals("FULL_TRANSITIVE"), "its level");
        client.deleteConfig(subject);
        client.setMode("READONLY", subject);
        refused(422, 42205, () -> client.register(subject, third));
        client.deleteMode(subject);
        int inContext = client.register(":.java:" + subject, third);
        that(client.getSchemaBySubjectAndId(":.java:" + subject, inContext).canonicalString().equals(third.canonicalString()), inContext);
        that(client.deleteSchemaVersion(Map.of(), subject, "1", false) == 1, "gone");
        that(client.deleteSubject(Map.of(), subject, false).equals(List.of(2)), "the other too");
        refused(404, 40401, () -> client.getAllVersions(subject));
    }

    public static void main(String[] args) throws Exception {
        records(args[0], args[1], args[2], args[3]);
        operations(args[1], args[3] + "/java");
        System.out.println("all held");
    }
}
