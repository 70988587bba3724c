import org.apache.kafka.connect.cli.ConnectStandalone;

/** java Worker worker.properties: Kafka's own standalone worker, which here also ends with its standard input, so that none outlives a bench. */
public class Worker {
  public static void main(String[] args) {
    Thread untilEnd = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {}
      } catch (Exception closed) {
        // The same as its end.
      }
      System.exit(0);
    });
    untilEnd.setDaemon(true);
    untilEnd.start();
    ConnectStandalone.main(args);
  }
}
