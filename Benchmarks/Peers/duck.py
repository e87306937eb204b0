"""DuckDB with a schema that somebody who knows it would choose: ids as numbers, resources in a table of their own.

    duck.py stage FOLDER              rows to tables of the final types, in a database beside
    duck.py load FOLDER               a new database from those tables
    duck.py parquet FOLDER            the same rows as Parquet, for their size alone
    duck.py ask FOLDER QUESTIONS      the questions
"""

import glob
import os
import sys
import time

import duckdb
import pyarrow as pa

from process import ask, emit, peak_memory

TYPES = {"bool": "BOOLEAN", "double": "DOUBLE", "int": "BIGINT", "str": "VARCHAR", "complex": "VARCHAR"}


def maps(prefix=""):
    return ", ".join(f"{prefix}{name}_attributes MAP(VARCHAR, {kind})" for name, kind in TYPES.items())


SPANS = f"""CREATE TABLE spans (
    trace_id UUID, span_id UBIGINT, parent_span_id UBIGINT, trace_state VARCHAR, service_name VARCHAR, name VARCHAR,
    kind VARCHAR, start_time TIMESTAMP_NS, duration BIGINT, status_code VARCHAR, status_message VARCHAR, {maps()},
    events STRUCT(name VARCHAR, time TIMESTAMP_NS, {maps()})[],
    links STRUCT(trace_id UUID, span_id UBIGINT, trace_state VARCHAR, {maps()})[],
    resource_id INTEGER, scope_name VARCHAR, scope_version VARCHAR, {maps("scope_")})"""


def converted(source):
    """Rows in Jaeger's shape as rows of `spans`."""

    def flat(prefix):
        return ", ".join(
            f'map("{prefix}{name}_attributes.key", "{prefix}{name}_attributes.value")::MAP(VARCHAR, {kind})'
            for name, kind in TYPES.items()
        )

    def number(text):
        return f"('0x' || {text})::UBIGINT"

    def nested(owner):
        pair = "struct_pack(k := p.key, v := p.value)"
        return ", ".join(
            f'{name}_attributes := map_from_entries(list_transform("{owner}.{name}_attributes"[i], lambda p: {pair}))'
            for name in TYPES
        )

    return f"""SELECT trace_id::UUID, {number("id")}, {number("nullif(parent_span_id, '')")}, trace_state, service_name,
        name, kind, start_time::TIMESTAMP_NS, duration, status_code, status_message, {flat("")},
        list_transform(range(1, len("events.name") + 1), lambda i: struct_pack(
          name := "events.name"[i], time := "events.timestamp"[i]::TIMESTAMP_NS, {nested("events")})),
        list_transform(range(1, len("links.span_id") + 1), lambda i: struct_pack(
          trace_id := "links.trace_id"[i]::UUID, span_id := {number('"links.span_id"[i]')},
          trace_state := "links.trace_state"[i], {nested("links")})),
        resource_id, scope_name, scope_version, {flat("scope_")} FROM {source}"""


def table(path):
    return pa.ipc.open_file(pa.memory_map(path)).read_all()


def remove(path):
    for name in (path, path + ".wal"):
        if os.path.exists(name):
            os.remove(name)


def stage(folder):
    remove(f"{folder}/stage.duckdb")
    connection = duckdb.connect(f"{folder}/stage.duckdb")
    resources = table(f"{folder}/resources.arrow")
    connection.register("source", resources)
    columns = ", ".join(
        f'map("resource_{name}_attributes.key", "resource_{name}_attributes.value")::MAP(VARCHAR, {kind})'
        f" AS resource_{name}_attributes"
        for name, kind in TYPES.items()
    )
    connection.execute(f"CREATE TABLE resources AS SELECT resource_id, {columns} FROM source")
    connection.unregister("source")
    for number, path in enumerate(sorted(glob.glob(f"{folder}/rows-*.arrow"))):
        rows = table(path)
        connection.register("source", rows)
        connection.execute(SPANS.replace("TABLE spans", f"TABLE rows_{number:03d}"))
        connection.execute(f"INSERT INTO rows_{number:03d} " + converted("source"))
        connection.unregister("source")
    connection.close()
    emit({})


def load(folder):
    path = f"{folder}/spans.duckdb"
    remove(path)
    connection = duckdb.connect(path)
    connection.execute(f"ATTACH '{folder}/stage.duckdb' AS stage (READ_ONLY)")
    tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'rows_%' ORDER BY 1")
    batches = [name for (name,) in tables.fetchall()]
    connection.execute(SPANS)
    connection.execute("CREATE TABLE resources AS FROM stage.resources LIMIT 0")
    started = time.monotonic()
    connection.execute("INSERT INTO resources FROM stage.resources")
    for name in batches:
        connection.execute(f"INSERT INTO spans FROM stage.{name}")
    connection.execute("CHECKPOINT")
    seconds = time.monotonic() - started
    (span_count,) = connection.execute("SELECT count(*) FROM spans").fetchone()
    connection.close()
    size = os.path.getsize(path)
    emit({
        "writeSeconds": seconds, "spanCount": span_count, "byteCount": size, "compactedByteCount": size,
        "peakMemoryByteCount": peak_memory(), "version": f"DuckDB {duckdb.__version__}",
    })  # fmt: skip


def parquet(folder):
    connection = duckdb.connect(f"{folder}/spans.duckdb", read_only=True)
    sizes = {}
    columns = "s.* EXCLUDE (resource_id), r.* EXCLUDE (resource_id)"
    joined = f"SELECT {columns} FROM spans s JOIN resources r USING (resource_id)"
    for name, order, level in (("loaded", "", 3), ("sorted", "ORDER BY service_name, name, start_time", 19)):
        path = f"{folder}/spans.parquet"
        options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {level}"
        connection.execute(f"COPY ({joined} {order}) TO '{path}' ({options})")
        sizes[name] = os.path.getsize(path)
        os.remove(path)
    connection.close()
    emit({"byteCount": sizes["loaded"], "compactedByteCount": sizes["sorted"]})


def instant(nanoseconds):
    return f"make_timestamp_ns({nanoseconds})"


def holds(condition):
    """One attribute, at one level or at all five, and what stands for its question marks."""
    kind = condition["type"]
    pair = [condition["key"], condition["text"] if kind == "str" else int(condition["text"])]
    equal = f"{kind}_attributes[?] = ?"
    tests = {
        "span": equal,
        "resource": f"resource_id IN (SELECT resource_id FROM resources WHERE resource_{equal})",
        "scope": f"scope_{equal}",
        "event": f"len(list_filter(events, lambda x: x.{equal})) > 0",
        "link": f"len(list_filter(links, lambda x: x.{equal})) > 0",
    }
    if condition["level"] in tests:
        return tests[condition["level"]], pair
    return "(" + " OR ".join(tests.values()) + ")", pair * len(tests)


def conditions(instance):
    found, values = [], []
    for key, test in (
        ("service", "service_name = ?"), ("operation", "name = ?"), ("minimumDuration", "duration >= ?"),
        ("maximumDuration", "duration <= ?"),
    ):  # fmt: skip
        if key in instance:
            found.append(test)
            values.append(instance[key])
    for key, sign in (("start", ">="), ("end", "<=")):
        if key in instance:
            found.append(f"start_time {sign} {instant(instance[key])}")
    for condition in instance.get("attributes", ()):
        test, pair = holds(condition)
        found.append(test)
        values += pair
    return " AND ".join(found), values


def newest(instance):
    test, values = conditions(instance)
    query = f"""SELECT trace_id, max(start_time) AS newest FROM spans WHERE {test}
        GROUP BY trace_id ORDER BY newest DESC, trace_id LIMIT 20"""
    return query, values


def summaries(instance):
    query, values = newest(instance)
    return f"""WITH l AS ({query})
        SELECT trace_id, count(*), count(*) FILTER (status_code = 'Error'),
          arg_min(service_name, start_time) FILTER (parent_span_id IS NULL),
          arg_min(name, start_time) FILTER (parent_span_id IS NULL), min(start_time),
          max(epoch_ns(start_time) + duration), histogram(service_name)
        FROM spans WHERE trace_id IN (SELECT trace_id FROM l) GROUP BY trace_id""", values


def latencies(instance):
    name = ", name" if instance["isByOperation"] else ""
    return f"""SELECT epoch_ns(start_time) // 60000000000 AS step, service_name{name},
          quantile_cont(duration, 0.95) / 1000000
        FROM spans WHERE start_time >= {instant(instance["start"])} AND start_time < {instant(instance["end"])}
        GROUP BY ALL ORDER BY service_name{name}, step""", []


def graph(instance):
    start, end = instant(instance["start"]), instant(instance["end"])
    return f"""SELECT p.service_name AS parent, c.service_name AS child, count(*)
        FROM spans c JOIN spans p ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id
        WHERE c.service_name != p.service_name AND c.start_time >= {start} AND c.start_time < {end}
        GROUP BY parent, child""", []


QUERIES = {"search": newest, "summaries": summaries, "latencies": latencies, "graph": graph}


def main():
    phase, folder = sys.argv[1:3]
    if phase != "ask":
        {"stage": stage, "load": load, "parquet": parquet}[phase](folder)
        return
    connection = duckdb.connect(f"{folder}/spans.duckdb", read_only=True)

    def prepare(question, instance):
        if question["kind"] == "trace":
            query = "SELECT * FROM spans JOIN resources USING (resource_id) WHERE trace_id = ?"
            values = [instance["traceID"]]
        else:
            query, values = QUERIES[question["kind"]](instance)
        return lambda: connection.sql(query, params=values).to_arrow_table()

    def check(question, instance, result):
        if question["kind"] == "trace":
            return [str(result.num_rows)]
        columns = [column.to_pylist() for column in result.columns]
        if question["kind"] == "latencies":
            return [str(result.num_rows), str(sum(columns[-1]))]
        ids = [str(value).replace("-", "") for value in columns[0]]
        if question["kind"] == "summaries":
            return [f"{a} {b} {c} {d}" for a, b, c, d in zip(ids, *columns[1:4])]
        return ids

    ask(sys.argv[3], prepare, check)
    connection.close()


main()
