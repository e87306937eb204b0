"""From framed OTLP to rows in the shape of Jaeger's ClickHouse table, and to facts from which questions are made.

Nothing here is timed: the peers get their rows for nothing, only tracestore's own figures include decoding.
"""

import base64
import json
import struct
from array import array
from collections import Counter

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BATCH = 100_000
TYPES = ("bool", "double", "int", "str", "complex")
ARROW = {"bool": pa.bool_(), "double": pa.float64(), "int": pa.int64(), "str": pa.string(), "complex": pa.string()}
KINDS = ("", "internal", "server", "client", "producer", "consumer")
STATUSES = ("Unset", "Ok", "Error")
EMPTY = ()
NANOSECONDS = pa.timestamp("ns")


def schema():
    """The columns of a row. A level's attributes are a list of keys and a list of values for each type."""

    def flat(prefix):
        for name in TYPES:
            yield pa.field(f"{prefix}{name}_attributes.key", pa.list_(pa.string()))
            yield pa.field(f"{prefix}{name}_attributes.value", pa.list_(ARROW[name]))

    def nested(prefix):
        for name in TYPES:
            pair = pa.struct([("key", pa.string()), ("value", ARROW[name])])
            yield pa.field(f"{prefix}{name}_attributes", pa.list_(pa.list_(pair)))

    text = pa.string()
    return pa.schema(
        [pa.field(name, text) for name in ("id", "trace_id", "trace_state", "parent_span_id", "name", "kind")]
        + [pa.field("start_time", NANOSECONDS), pa.field("status_code", text), pa.field("status_message", text)]
        + [pa.field("duration", pa.int64()), *flat("")]
        + [pa.field("events.name", pa.list_(text)), pa.field("events.timestamp", pa.list_(NANOSECONDS))]
        + [*nested("events.")]
        + [pa.field(f"links.{name}", pa.list_(text)) for name in ("trace_id", "span_id", "trace_state")]
        + [*nested("links.")]
        + [pa.field("service_name", text), *flat("resource_")]
        + [pa.field("scope_name", text), pa.field("scope_version", text), *flat("scope_")]
        + [pa.field("resource_id", pa.int32())]
    )


def plain(value):
    """The value of a list or map inside an attribute, for its JSON text."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(element) for element in value.array_value.values]
    if kind == "kvlist_value":
        return {entry.key: plain(entry.value) for entry in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind else None


def by_type(attributes):
    """Ten lists: keys and values for each type."""
    lists = [EMPTY] * 10
    for attribute in attributes:
        key, value = attribute.key, attribute.value
        kind = value.WhichOneof("value")
        if kind == "string_value":
            slot, content = 6, value.string_value
        elif kind == "int_value":
            slot, content = 4, value.int_value
        elif kind == "double_value":
            slot, content = 2, value.double_value
        elif kind == "bool_value":
            slot, content = 0, value.bool_value
        else:
            slot = 8
            word = {"bytes_value": "bytes", "array_value": "slice", "kvlist_value": "map"}.get(kind, "slice")
            key, content = f"@{word}@{key}", json.dumps(plain(value))
        if lists[slot] is EMPTY:
            lists[slot], lists[slot + 1] = [], []
        lists[slot].append(key)
        lists[slot + 1].append(content)
    return lists


def nested_by_type(owners):
    """Five lists with one list of pairs for each event or link."""
    columns = ([], [], [], [], [])
    for owner in owners:
        lists = by_type(owner.attributes)
        for number, column in enumerate(columns):
            column.append([{"key": k, "value": v} for k, v in zip(lists[2 * number], lists[2 * number + 1])])
    return columns


def requests(path):
    """The messages of a file, each after its length in four big-endian bytes."""
    with open(path, "rb") as file:
        while head := file.read(4):
            yield ExportTraceServiceRequest.FromString(file.read(struct.unpack(">I", head)[0]))


class Facts:
    """What questions need to know about the data. Everything is taken at fixed steps, so nothing depends on chance."""

    def __init__(self, span_count):
        self.step = max(1, span_count // 4000)
        self.span_count = 0
        self.operations = Counter()
        self.durations = array("q")
        self.first = 1 << 63
        self.last = 0
        self.samples = []
        self.values = {"enduser.id": {}, "k8s.pod.ip": {}, "exception.type": {}}

    def add(self, span, trace_id, service, lists, events):
        start, duration = span.start_time_unix_nano, span.end_time_unix_nano - span.start_time_unix_nano
        self.operations[service, span.name] += 1
        self.durations.append(duration)
        self.first = min(self.first, start)
        self.last = max(self.last, start)
        if self.span_count % self.step == 0:
            pair = (lists[6][0], lists[7][0]) if lists[6] else None
            self.samples.append((trace_id, service, span.name, start, duration, pair))
        if "enduser.id" in lists[6]:
            self.values["enduser.id"][lists[7][lists[6].index("enduser.id")]] = None
        for pairs in events[3]:
            for pair in pairs:
                if pair["key"] == "exception.type":
                    self.values["exception.type"][pair["value"]] = None
        self.span_count += 1

    def add_resource(self, lists):
        for key, value in zip(lists[6], lists[7]):
            if key == "k8s.pod.ip":
                self.values[key][value] = None

    def quantiles(self, *shares):
        ordered = sorted(self.durations)
        return [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in shares]


def convert(path, folder, span_count):
    """Writes `folder`/rows-NNN.arrow of BATCH rows each, in the order of the file, and `folder`/resources.arrow."""
    shape = schema()
    columns = [[] for _ in shape]
    facts = Facts(span_count)
    resource_ids, resource_rows = {}, []
    files = []

    def flush():
        if columns[0]:
            name = f"{folder}/rows-{len(files):03d}.arrow"
            table = pa.table([pa.array(c, f.type) for c, f in zip(columns, shape)], schema=shape)
            with pa.OSFile(name, "wb") as sink, pa.ipc.new_file(sink, shape) as writer:
                writer.write_table(table)
            files.append(name)
            for column in columns:
                column.clear()

    none = nested_by_type(())
    for request in requests(path):
        for resource_spans in request.resource_spans:
            resource = by_type(resource_spans.resource.attributes)
            identity = resource_spans.resource.SerializeToString()
            if identity not in resource_ids:
                resource_ids[identity] = len(resource_ids)
                resource_rows.append(resource)
                facts.add_resource(resource)
            number = resource_ids[identity]
            service = dict(zip(resource[6], resource[7])).get("service.name", "")
            for scope_spans in resource_spans.scope_spans:
                scope = scope_spans.scope
                tail = [service, *resource, scope.name, scope.version, *by_type(scope.attributes), number]
                for span in scope_spans.spans:
                    lists = by_type(span.attributes)
                    events = nested_by_type(span.events) if span.events else none
                    links = nested_by_type(span.links) if span.links else none
                    trace_id = span.trace_id.hex()
                    row = [
                        span.span_id.hex(), trace_id, span.trace_state, span.parent_span_id.hex(), span.name,
                        KINDS[span.kind], span.start_time_unix_nano, STATUSES[span.status.code], span.status.message,
                        span.end_time_unix_nano - span.start_time_unix_nano, *lists,
                        [e.name for e in span.events], [e.time_unix_nano for e in span.events], *events,
                        [k.trace_id.hex() for k in span.links], [k.span_id.hex() for k in span.links],
                        [k.trace_state for k in span.links], *links, *tail,
                    ]  # fmt: skip
                    for column, value in zip(columns, row):
                        column.append(value)
                    facts.add(span, trace_id, service, lists, events)
                    if len(columns[0]) == BATCH:
                        flush()
    flush()
    fields = [f for f in shape if f.name.startswith("resource_") and f.name != "resource_id"]
    table = {f.name: pa.array([row[i] for row in resource_rows], f.type) for i, f in enumerate(fields)}
    table["resource_id"] = pa.array(range(len(resource_rows)), pa.int32())
    table = pa.table(table)
    with pa.OSFile(f"{folder}/resources.arrow", "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return files, facts
