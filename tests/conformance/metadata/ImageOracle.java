// Apache Kafka's own metadata image behind a line protocol.
//
//   R <hex>   replay one record, frame and body: answers "ok" or "error <class>"
//   S         write the image as a snapshot: one line of hex for each record, then "."
//   X         begin with an empty image: answers "ok"

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;

import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.image.MetadataDelta;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.MetadataProvenance;
import org.apache.kafka.image.writer.ImageWriterOptions;
import org.apache.kafka.image.writer.RecordListWriter;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

public class ImageOracle {
    private static final MetadataRecordSerde SERDE = MetadataRecordSerde.INSTANCE;

    public static void main(String[] args) throws Exception {
        try {
            serve();
        } catch (Throwable error) {
            error.printStackTrace(); // Java's launcher of source files would hide it.
            System.exit(1);
        }
    }

    private static void serve() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        PrintStream out = new PrintStream(System.out, false);
        MetadataImage image = MetadataImage.EMPTY;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            switch (line.charAt(0)) {
                case 'R' -> {
                    try {
                        image = replay(image, HexFormat.of().parseHex(line.substring(2)));
                        out.println("ok");
                    } catch (RuntimeException error) {
                        out.println("error " + error.getClass().getSimpleName());
                    }
                }
                case 'S' -> write(image, out);
                default -> {
                    image = MetadataImage.EMPTY;
                    out.println("ok");
                }
            }
            out.flush();
        }
    }

    private static MetadataImage replay(MetadataImage image, byte[] value) {
        ApiMessageAndVersion record = SERDE.read(new ByteBufferAccessor(ByteBuffer.wrap(value)), value.length);
        MetadataDelta delta = new MetadataDelta.Builder().setImage(image).build();
        delta.replay(record.message());
        return delta.apply(new MetadataProvenance(image.offset() + 1, 1, 0, true));
    }

    private static void write(MetadataImage image, PrintStream out) {
        RecordListWriter writer = new RecordListWriter();
        image.write(writer, new ImageWriterOptions.Builder(image).setLossHandler(loss -> { }).build());
        for (ApiMessageAndVersion record : writer.records()) {
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer buffer = ByteBuffer.allocate(SERDE.recordSize(record, cache));
            SERDE.write(record, cache, new ByteBufferAccessor(buffer));
            out.println(HexFormat.of().formatHex(buffer.array()));
        }
        out.println(".");
    }
}
