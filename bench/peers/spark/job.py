"""One bench job in Spark Structured Streaming, in one process. Its settings are JSON in the variable WEIR_PEER_JOB.

Says "@@ ready" once the session is up, begins on a line of standard input, says "@@ done" or "@@ failed", and ends with its
standard input. Settings: job, topic, brokers, jdbc, user, password, scratch, jars, cores, heap."""
import json
import os
import sys
import threading

from pyspark.sql import SparkSession, functions as F

S = json.loads(os.environ["WEIR_PEER_JOB"])
LIVE = S["job"] == "live"
WATERMARK = "5 minutes"
TYPES = ["user_login", "page_view", "item_click", "purchase", "cart_add", "search"]
EVENT = """event_id STRING, event_type STRING, user_id STRING, `timestamp` TIMESTAMP, device STRING, location STRING,
 session_id STRING, login_method STRING, success BOOLEAN, page STRING, referrer STRING, duration_seconds INT, item_id STRING,
 category STRING, position INT, quantity INT, price DECIMAL(12, 2), search_query STRING, results_count INT, clicked_position INT,
 order_id STRING, items ARRAY<STRING>, quantities ARRAY<INT>, total_amount DECIMAL(12, 2), currency STRING, payment_method STRING,
 _corrupt STRING"""

spark = (
    SparkSession.builder.master(f"local[{S['cores']}]").appName("weir-peers")
    .config("spark.jars", S["jars"])
    .config("spark.driver.memory", S["heap"])
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
    .config("spark.sql.session.timeZone", "UTC")
    # One task a core: the default of 200 would be mostly overhead here.
    .config("spark.sql.shuffle.partitions", S["cores"])
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.local.dir", f"{S['scratch']}/local")
    .config("spark.sql.warehouse.dir", f"{S['scratch']}/warehouse")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("WARN")


def say(what):
    print(f"@@ {what}", flush=True)


def messages():
    source = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", S["brokers"]).option("subscribe", S["topic"])
              .option("startingOffsets", "earliest"))
    # Bounds what a micro-batch holds in memory, and moves the watermark between batches; live, the default.
    return (source if LIVE else source.option("maxOffsetsPerTrigger", 500000)).load()


def events(once):
    event = F.from_json(F.col("value").cast("string"), EVENT, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "_corrupt"})
    # inline(array(..)) parses each message once; select("e.*") would let the optimizer parse it again in the filter.
    parsed = messages().select(F.inline(F.array(event)))
    valid = parsed.where("_corrupt is null and event_id is not null and `timestamp` is not null").drop("_corrupt")
    if not once:
        return valid
    return valid.withWatermark("timestamp", WATERMARK).dropDuplicatesWithinWatermark(["event_id"])


def write(name):
    """foreachBatch: one JDBC transaction for each partition of the micro-batch."""
    def save(rows, _):
        (rows.write.format("jdbc").mode("append").option("url", S["jdbc"]).option("dbtable", name).option("user", S["user"])
         .option("password", S["password"]).option("driver", "org.postgresql.Driver").option("batchsize", 5000)
         .option("numPartitions", S["cores"]).save())
    return save


def query(rows, name):
    writer = (rows.writeStream.queryName(name).outputMode("append").option("checkpointLocation", f"{S['scratch']}/checkpoints/{name}")
              .foreachBatch(write(name)))
    return (writer if LIVE else writer.trigger(availableNow=True)).start()


def by_type():
    """{type: count} of the types that are there; to_json leaves out what is null."""
    counts = [F.nullif(F.count_if(F.col("event_type") == t), F.lit(0)).alias(t) for t in TYPES]
    return F.to_json(F.struct(*counts)).alias("events_by_type")


def results(once):
    """The five results of pipeline/aggregates.ts. count(distinct) is not there for streams: approx_count_distinct in its place."""
    def taken():
        rows = events(once)
        return rows if once else rows.withWatermark("timestamp", WATERMARK)

    def closed(rows):
        rest = [c for c in rows.columns if c != "w"]
        return rows.select(F.col("w.start").alias("window_start"), F.col("w.end").alias("window_end"), *rest)

    def unique(column, name):
        return F.approx_count_distinct(column).alias(name)

    amount = F.col("total_amount")
    first, last = F.min("timestamp"), F.max("timestamp")
    yield "event_counts", closed(taken().groupBy(F.window("timestamp", "1 minute").alias("w"), "event_type").agg(
        F.count("*").alias("event_count"), unique("user_id", "unique_users")))
    yield "user_activity", closed(taken().groupBy(F.window("timestamp", "5 minutes", "1 minute").alias("w"), "user_id").agg(
        F.count("*").alias("event_count"), by_type(), first.alias("first_event"), last.alias("last_event")))
    yield "purchase_metrics", closed(taken().where("event_type = 'purchase'").groupBy(F.window("timestamp", "10 minutes").alias("w"), "currency").agg(
        F.count("*").alias("total_orders"), F.sum(amount).alias("total_revenue"), F.avg(amount).alias("avg_order_value"),
        F.max(amount).alias("max_order_value"), F.min(amount).alias("min_order_value"), unique("user_id", "unique_buyers")))
    yield "session_metrics", closed(taken().groupBy(F.window("timestamp", "5 minutes").alias("w"), "session_id").agg(
        F.min("user_id").alias("user_id"), F.count("*").alias("events_in_session"), by_type(), first.alias("session_start"),
        last.alias("session_end")))
    yield "device_stats", closed(taken().groupBy(F.window("timestamp", "10 minutes").alias("w"), "device", "location").agg(
        F.count("*").alias("event_count"), unique("user_id", "unique_users"), unique("session_id", "unique_sessions")))


def run():
    job = S["job"]
    queries = [query(events(once=job in ("raw", "results-once")), "raw")]
    if job.startswith("results"):
        queries += [query(rows, name) for name, rows in results(once=job == "results-once")]
    for each in queries:
        each.awaitTermination()
    say("done")


def begin():
    try:
        run()
    except Exception as failure:
        print(failure, flush=True)
        say("failed")


say("ready")
if sys.stdin.readline():
    threading.Thread(target=begin, daemon=True).start()
    while sys.stdin.readline():
        pass
# The JVM ends with this process: its standard input is a pipe from here.
os._exit(0)
