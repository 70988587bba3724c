import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.transforms.Transformation;

/** Turns array fields into JSON text, because Debezium's UNNEST inserts cannot take arrays. The items are plain ids and numbers: nothing to escape. */
public class ArraysToJson<R extends ConnectRecord<R>> implements Transformation<R> {
  private Schema from;
  private Schema to;

  @Override
  public R apply(R record) {
    if (!(record.value() instanceof Struct in)) return record;
    if (in.schema() != from) {
      SchemaBuilder builder = SchemaBuilder.struct();
      for (Field field : in.schema().fields()) {
        builder.field(field.name(), field.schema().type() == Schema.Type.ARRAY ? Schema.OPTIONAL_STRING_SCHEMA : field.schema());
      }
      to = builder.build();
      from = in.schema();
    }
    Struct out = new Struct(to);
    for (Field field : to.fields()) {
      Object value = in.getWithoutDefault(field.name());
      out.put(field, value instanceof List<?> list ? json(list) : value);
    }
    return record.newRecord(record.topic(), record.kafkaPartition(), record.keySchema(), record.key(), to, out, record.timestamp());
  }

  private static String json(List<?> list) {
    StringJoiner items = new StringJoiner(",", "[", "]");
    for (Object item : list) items.add(item instanceof String ? '"' + (String) item + '"' : String.valueOf(item));
    return items.toString();
  }

  @Override
  public ConfigDef config() {
    return new ConfigDef();
  }

  @Override
  public void configure(Map<String, ?> settings) {}

  @Override
  public void close() {}
}
