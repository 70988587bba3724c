import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * java SqlJob flink.conf a.sql b.sql ...: runs the INSERTs of the files as one statement set in a local mini cluster.
 * Says "@@ ready", begins on a line of standard input, says "@@ done" or "@@ failed", and ends with its standard input.
 */
public class SqlJob {
  public static void main(String[] args) throws Exception {
    Configuration configuration = new Configuration();
    for (String line : read(args[0]).split("\n")) {
      int colon = line.indexOf(':');
      if (!line.startsWith("#") && colon > 0) configuration.setString(line.substring(0, colon).trim(), line.substring(colon + 1).trim());
    }
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    EnvironmentSettings settings = EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build();
    StreamTableEnvironment tables = StreamTableEnvironment.create(environment, settings);
    StatementSet inserts = tables.createStatementSet();
    for (int i = 1; i < args.length; i++) {
      for (String statement : read(args[i]).replaceAll("(?m)^--.*$", "").split(";\\s*(\n|$)")) {
        String sql = statement.trim();
        if (sql.isEmpty()) continue;
        if (sql.startsWith("INSERT")) inserts.addInsertSql(sql);
        else tables.executeSql(sql);
      }
    }
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    say("ready");
    if (input.readLine() == null) return;
    Thread untilEnd = new Thread(() -> awaitEnd(input));
    untilEnd.setDaemon(true);
    untilEnd.start();
    try {
      // Planning is part of what is measured: it happens here.
      JobClient job = inserts.execute().getJobClient().get();
      job.getJobExecutionResult().get();
      say("done");
    } catch (Exception failure) {
      failure.printStackTrace();
      say("failed");
    }
    untilEnd.join();
  }

  private static void awaitEnd(BufferedReader input) {
    try {
      while (input.readLine() != null) {}
    } catch (Exception closed) {
      // Nobody reads what this program says any more.
    }
    Runtime.getRuntime().halt(0);
  }

  private static void say(String what) {
    System.out.println("@@ " + what);
    System.out.flush();
  }

  private static String read(String file) throws Exception {
    return Pattern.compile("\\$\\{(\\w+)\\}").matcher(Files.readString(Path.of(file))).replaceAll(name -> {
      String value = System.getenv(name.group(1));
      if (value == null) throw new IllegalArgumentException("The variable " + name.group(1) + " is not set.");
      return Matcher.quoteReplacement(value);
    });
  }
}
