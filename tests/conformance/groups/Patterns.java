import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;

/** Reads lines of a pattern and names, parted by tabs; prints 1 or 0 for each name, or E for no pattern. */
public class Patterns {
    public static void main(String[] arguments) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        var out = new PrintStream(System.out, false, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split("\t", -1);
            try {
                var pattern = Pattern.compile(parts[0]);
                var matched = new StringBuilder();
                for (int i = 1; i < parts.length; i++) {
                    matched.append(pattern.matcher(parts[i]).matches() ? '1' : '0');
                }
                out.println(matched);
            } catch (PatternSyntaxException e) {
                out.println("E");
            }
        }
        out.flush();
    }
}
