import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main methods of Kafka's command line tools, one after another, in one Java virtual machine.
 *
 * <p>Each line of the standard input is a command as JSON (main, arguments, stdin); each line of the standard
 * output its outcome (code, output). What a tool prints, to either stream, is its output.
 */
public class Tools {
    /** Thrown in place of ending the process. */
    static class Exited extends Error {
        Exited() {
            super("the tool exits", null, false, false);
        }
    }

    static final ObjectMapper JSON = new ObjectMapper();
    /** What the tool wants done at the end: the console producer sends its last batches there. */
    static final List<Runnable> HOOKS = new ArrayList<>();
    /** The first code that the tool has asked to exit with: some catch what stops them and exit again. */
    static Integer code;

    public static void main(String[] arguments) throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream outcomes = System.out;
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        PrintStream stream = new PrintStream(output, true, StandardCharsets.UTF_8) {
            @Override
            public void close() {
                flush(); // The next tool prints here too.
            }
        };
        System.setOut(stream);
        System.setErr(stream);
        Exit.setExitProcedure((status, message) -> exited(status));
        Exit.setHaltProcedure((status, message) -> exited(status));
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            JsonNode command = JSON.readTree(line);
            output.reset();
            int status = run(command);
            HOOKS.forEach(Runnable::run);
            HOOKS.clear();
            stream.flush();
            outcomes.println(JSON.writeValueAsString(
                    Map.of("code", status, "output", output.toString(StandardCharsets.UTF_8))));
            outcomes.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    static int run(JsonNode command) throws Exception {
        List<String> arguments = new ArrayList<>();
        command.get("arguments").forEach(argument -> arguments.add(argument.asText()));
        System.setIn(new ByteArrayInputStream(command.get("stdin").asText().getBytes(StandardCharsets.UTF_8)));
        code = null;
        try {
            Class.forName(command.get("main").asText())
                    .getMethod("main", String[].class)
                    .invoke(null, (Object) arguments.toArray(new String[0]));
        } catch (InvocationTargetException stopped) {
            if (!(stopped.getCause() instanceof Exited)) {
                stopped.getCause().printStackTrace();
                return 1;
            }
        }
        return code == null ? 0 : code;
    }

    static void exited(int status) {
        if (code == null) code = status;
        throw new Exited();
    }
}
