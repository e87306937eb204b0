"""ClickHouse, embedded as chDB, with the tables, indexes, views and query shapes of Jaeger's storage backend.

    clickhouse.py stage FOLDER              rows to blocks in ClickHouse's own Native format
    clickhouse.py load FOLDER               a new database from those blocks
    clickhouse.py ask FOLDER QUESTIONS      the questions
"""

import glob
import shutil
import sys
import time

import chdb
import chdb.session

from process import ask, emit, peak_memory

TYPES = {"bool": "Bool", "double": "Float64", "int": "Int64", "str": "String", "complex": "String"}
LEVELS = {"span": "", "resource": "resource_", "scope": "scope_"}


def attributes(prefix=""):
    return ", ".join(f"{prefix}{name}_attributes Nested(key String, value {kind})" for name, kind in TYPES.items())


def found_keys(level, column):
    """Every (key, type, level) of a block of rows, each once: a view runs on every insert, so it has to be cheap."""

    def distinct(name):
        return f"groupUniqArrayArray({column(name)})"

    simple = [f"arrayMap(k -> (k, '{name}', '{level}'), {distinct(name)})" for name in TYPES if name != "complex"]
    # The key of a list, map or bytes says which after its first sign.
    word, key = "splitByChar('@', k)[2]", "substring(k, position(k, '@', 2) + 1)"
    return ", ".join([*simple, f"arrayMap(k -> ({key}, {word}, '{level}'), {distinct('complex')})"])


def flat_keys(level):
    return found_keys(level, lambda name: f"{LEVELS[level]}{name}_attributes.key")


def nested_keys(level, owner):
    return found_keys(level, lambda name: f"tupleElement(arrayFlatten({owner}.{name}_attributes), 'key')")


def metadata_view(name, expression):
    return f"""CREATE MATERIALIZED VIEW {name} TO attribute_metadata AS
        SELECT entry.1 AS attribute_key, entry.2 AS type, entry.3 AS level
        FROM (SELECT arrayJoin(arrayConcat({expression})) AS entry FROM spans)"""


SCHEMA = [
    f"""CREATE TABLE spans (
        id String, trace_id String, trace_state String, parent_span_id String, name String, kind String,
        start_time DateTime64(9), status_code String, status_message String, duration Int64, {attributes()},
        events Nested(name String, timestamp DateTime64(9), {attributes()}),
        links Nested(trace_id String, span_id String, trace_state String, {attributes()}),
        service_name String, {attributes("resource_")},
        scope_name String, scope_version String, {attributes("scope_")},
        INDEX idx_trace_id trace_id TYPE bloom_filter GRANULARITY 1,
        INDEX idx_duration duration TYPE minmax GRANULARITY 1)
        ENGINE = MergeTree PARTITION BY toDate(start_time) ORDER BY (service_name, name, toDateTime(start_time))""",
    "CREATE TABLE services (name String) ENGINE = AggregatingMergeTree ORDER BY (name)",
    """CREATE MATERIALIZED VIEW services_mv TO services AS
        SELECT service_name AS name FROM spans GROUP BY service_name""",
    """CREATE TABLE operations (service_name String, name String, span_kind String)
        ENGINE = AggregatingMergeTree ORDER BY (service_name, span_kind)""",
    """CREATE MATERIALIZED VIEW operations_mv TO operations AS
        SELECT DISTINCT service_name, name, kind AS span_kind FROM spans""",
    """CREATE TABLE trace_id_timestamps (trace_id String,
        start SimpleAggregateFunction(min, DateTime64(9)), end SimpleAggregateFunction(max, DateTime64(9)))
        ENGINE = AggregatingMergeTree ORDER BY (trace_id)""",
    """CREATE MATERIALIZED VIEW trace_id_timestamps_mv TO trace_id_timestamps AS
        SELECT trace_id, min(start_time) AS start, max(start_time) AS end FROM spans GROUP BY trace_id""",
    """CREATE TABLE attribute_metadata (attribute_key String, type String, level String)
        ENGINE = AggregatingMergeTree ORDER BY (attribute_key, type, level)""",
    metadata_view("attribute_metadata_mv", ", ".join(map(flat_keys, LEVELS))),
    metadata_view("event_attribute_metadata_mv", nested_keys("event", "events")),
    metadata_view("link_attribute_metadata_mv", nested_keys("link", "links")),
]


def connect(path, create=False):
    if create:
        shutil.rmtree(path, ignore_errors=True)
    session = chdb.session.Session(path)
    if create:
        session.query("CREATE DATABASE jaeger")
    session.query("USE jaeger")
    for statement in SCHEMA if create else ():
        session.query(statement)
    # Different questions are asked, so what it remembers of earlier ones only makes equal conditions look fast.
    session.query("SET use_query_condition_cache = 0")
    return session


def rows(session, query):
    text = session.query(query, "TSV").data().strip("\n")
    return [line.split("\t") for line in text.split("\n")] if text else []


def structure(session):
    columns = "SELECT name, type FROM system.columns WHERE database = 'jaeger' AND table = 'spans' ORDER BY position"
    parts = (f"`{name}` {kind}" for name, kind in rows(session, columns))
    return ", ".join(parts).replace("\\'", "'").replace("'", "\\'")


def stage(folder):
    session = connect(f"{folder}/clickhouse-stage", create=True)
    shape = structure(session)
    for path in sorted(glob.glob(f"{folder}/rows-*.arrow")):
        source = f"SELECT * FROM file('{path}', Arrow, '{shape}')"
        whole = "SETTINGS max_threads = 1, max_block_size = 100000, preferred_block_size_bytes = 0"
        with open(path.replace(".arrow", ".native"), "wb") as file:
            file.write(session.query(f"{source} {whole}", "Native").bytes())
    session.close()
    shutil.rmtree(f"{folder}/clickhouse-stage")
    emit({})


def byte_count(session):
    total = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'jaeger'"
    return int(rows(session, total)[0][0])


def load(folder):
    session = connect(f"{folder}/clickhouse", create=True)
    shape = structure(session)
    blocks = sorted(glob.glob(f"{folder}/rows-*.native"))
    for path in blocks:  # into the page cache
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass
    started = time.monotonic()
    for path in blocks:
        session.query(f"INSERT INTO spans SELECT * FROM file('{path}', Native, '{shape}')")
    seconds = time.monotonic() - started
    span_count = int(rows(session, "SELECT count() FROM spans")[0][0])
    loaded = byte_count(session)
    started = time.monotonic()
    for name in ("spans", "services", "operations", "trace_id_timestamps", "attribute_metadata"):
        session.query(f"OPTIMIZE TABLE {name} FINAL")
    merge_seconds = time.monotonic() - started
    time.sleep(1)
    merged = byte_count(session)
    version = rows(session, "SELECT version()")[0][0]
    session.close()
    emit({
        "writeSeconds": seconds, "spanCount": span_count, "byteCount": loaded, "compactedByteCount": merged,
        "compactSeconds": merge_seconds, "peakMemoryByteCount": peak_memory(),
        "version": f"chDB {chdb.__version__} (ClickHouse {version})",
    })  # fmt: skip


def text(value):
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def instant(nanoseconds):
    return f"fromUnixTimestamp64Nano({nanoseconds}, 'UTC')"


def holds(condition):
    """One attribute: array tests on key and value, at one level or at all five."""
    kind = condition["type"]
    value = text(condition["text"]) if kind == "str" else condition["text"]
    pair = f"key = {text(condition['key'])} AND value = {value}"

    def flat(prefix):
        columns = f"s.{prefix}{kind}_attributes.key, s.{prefix}{kind}_attributes.value"
        return f"arrayExists((key, value) -> {pair}, {columns})"

    def nested(owner):
        inner = f"arrayExists((key, value) -> {pair}, x.{kind}_attributes.key, x.{kind}_attributes.value)"
        return f"arrayExists(x -> {inner}, s.{owner})"

    tests = {level: flat(prefix) for level, prefix in LEVELS.items()}
    tests |= {"event": nested("events"), "link": nested("links")}
    return tests.get(condition["level"]) or "(" + " OR ".join(tests.values()) + ")"


def conditions(instance):
    found = []
    for key, test in (
        ("service", lambda v: f"s.service_name = {text(v)}"), ("operation", lambda v: f"s.name = {text(v)}"),
        ("minimumDuration", lambda v: f"s.duration >= {v}"), ("maximumDuration", lambda v: f"s.duration <= {v}"),
        ("start", lambda v: f"s.start_time >= {instant(v)}"), ("end", lambda v: f"s.start_time <= {instant(v)}"),
    ):  # fmt: skip
        if key in instance:
            found.append(test(instance[key]))
    found += [holds(condition) for condition in instance.get("attributes", ())]
    return " AND ".join(found)


def newest(instance):
    return f"""SELECT s.trace_id AS trace_id, max(s.start_time) AS newest FROM spans s WHERE {conditions(instance)}
        GROUP BY s.trace_id ORDER BY newest DESC, trace_id LIMIT 20"""


def search(instance):
    return f"""WITH l AS ({newest(instance)})
        SELECT l.trace_id, min(t.start), max(t.end) FROM l LEFT JOIN trace_id_timestamps t ON l.trace_id = t.trace_id
        GROUP BY l.trace_id ORDER BY any(l.newest) DESC, l.trace_id"""


def summaries(instance):
    return f"""WITH l AS ({newest(instance)})
        SELECT s.trace_id, count(), countIf(s.status_code = 'Error'),
          argMinIf(s.service_name, s.start_time, s.parent_span_id = ''),
          argMinIf(s.name, s.start_time, s.parent_span_id = ''), min(s.start_time),
          max(s.start_time + toIntervalNanosecond(s.duration)), sumMap(map(s.service_name, 1))
        FROM spans s WHERE s.trace_id IN (SELECT trace_id FROM l) GROUP BY s.trace_id"""


def latencies(instance):
    """Jaeger's query for a quantile, of all services and kinds."""
    name = ", s.name" if instance["isByOperation"] else ""
    return f"""SELECT toStartOfInterval(s.start_time, INTERVAL 60 SECOND) AS step, s.service_name{name},
          quantile(0.95)(s.duration) / 1000000
        FROM spans s WHERE s.start_time >= {instant(instance["start"])} AND s.start_time < {instant(instance["end"])}
        GROUP BY step, s.service_name{name} ORDER BY s.service_name{name}, step"""


def graph(instance):
    start, end = instant(instance["start"]), instant(instance["end"])
    return f"""SELECT p.service_name AS parent, c.service_name AS child, count()
        FROM spans c JOIN spans p ON c.trace_id = p.trace_id AND c.parent_span_id = p.id
        WHERE c.service_name != p.service_name AND c.start_time >= {start} AND c.start_time < {end}
        GROUP BY parent, child"""


QUERIES = {"search": search, "summaries": summaries, "latencies": latencies, "graph": graph}


def main():
    phase, folder = sys.argv[1:3]
    if phase == "stage":
        stage(folder)
    elif phase == "load":
        load(folder)
    else:
        session = connect(f"{folder}/clickhouse")

        def prepare(question, instance):
            if question["kind"] == "trace":
                # Every column, as Jaeger reads a trace; it has no use for rows as text.
                columns = "SELECT * FROM spans s WHERE s.trace_id = " + text(instance["traceID"])
                return lambda: session.query(columns, "Native").bytes()
            query = QUERIES[question["kind"]](instance)
            return lambda: session.query(query, "TSV").data()

        def check(question, instance, result):
            if question["kind"] == "trace":
                count = f"SELECT count() FROM spans WHERE trace_id = {text(instance['traceID'])}"
                return [rows(session, count)[0][0]]
            lines = [line.split("\t") for line in result.strip("\n").split("\n") if line]
            if question["kind"] == "summaries":
                return [" ".join(line[:4]) for line in lines]
            if question["kind"] == "latencies":
                return [str(len(lines)), str(sum(float(line[-1]) for line in lines))]
            return [line[0] for line in lines]

        ask(sys.argv[3], prepare, check)
        session.close()


main()
