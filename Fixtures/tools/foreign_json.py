"""Writes spans in the JSON of Jaeger's UI and in Zipkin's, version 2, and documents of both kinds that are broken.

    python foreign_json.py JAEGER_DIRECTORY ZIPKIN_DIRECTORY CORRUPT_DIRECTORY

Needs nothing beyond Python's own library.
"""

import base64
import json
import os
import sys

NOON = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z in microseconds
MILLISECOND = 1_000


def pretty(value):
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def line(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


# Jaeger.


def tag(key, value, type_name=None):
    if type_name is None:
        type_name = {bool: "bool", int: "int64", float: "float64", str: "string"}[type(value)]
    return {"key": key, "type": type_name, "value": value}


def jaeger_span(trace_id, span_id, name, start, duration, process, parent=None, tags=(), logs=(), **members):
    references = [{"refType": "CHILD_OF", "traceID": trace_id, "spanID": parent}] if parent else []
    span = {
        "traceID": trace_id,
        "spanID": span_id,
        "flags": 1,
        "operationName": name,
        "references": references + members.pop("more_references", []),
        "startTime": start,
        "duration": duration,
        "tags": list(tags),
        "logs": list(logs),
        "processID": process,
        "warnings": None,
    }
    return span | members


def log(timestamp, *fields):
    return {"timestamp": timestamp, "fields": list(fields)}


def rental():
    """A bicycle hire as clients of Jaeger's own time wrote it: 64-bit ids, hostname and client version on processes."""
    trace = "00000000b1c7c1e5"
    processes = {
        "p1": {
            "serviceName": "hire-desk",
            "tags": [tag("hostname", "desk-1"), tag("ip", "10.1.0.4"), tag("jaeger.version", "Go-2.30.0")],
        },
        "p2": {"serviceName": "fleet", "tags": [tag("hostname", "fleet-1")]},
    }
    spans = [
        jaeger_span(
            trace, "0000000000000001", "POST /hire", NOON, 84 * MILLISECOND, "p1",
            tags=[
                tag("span.kind", "server"), tag("http.method", "POST"), tag("http.status_code", 500),
                tag("sampler.type", "const"), tag("sampler.param", True), tag("deposit", 12.5),
            ],
            logs=[log(NOON + 2_000, tag("event", "found customer"), tag("customer", "Žofie"))],
        ),
        jaeger_span(
            trace, "0000000000000002", "fleet.Reserve", NOON + 3_000, 70 * MILLISECOND, "p1",
            parent="0000000000000001",
            tags=[tag("span.kind", "client"), tag("error", True), tag("peer.service", "fleet")],
        ),
        jaeger_span(
            trace, "0000000000000003", "fleet.Reserve", NOON + 4_000, 60 * MILLISECOND, "p2",
            parent="0000000000000002",
            tags=[
                tag("span.kind", "server"), tag("bicycle", str(2**53 + 1), "int64"),
                tag("token", base64.b64encode(bytes([0, 255, 16])).decode(), "binary"), tag("error", True),
                tag("http.status_message", "no bicycle left"),
            ],
            logs=[
                log(NOON + 9_000, tag("event", "error"), tag("error.kind", "Empty"), tag("retries", 3)),
                log(NOON + 10_000, tag("message", "gave up")),
            ],
            warnings=["clock skew adjustment disabled; not applying calculated delta of 1.2ms"],
        ),
        jaeger_span(
            trace, "0000000000000004", "send receipt", NOON + 90_000, 0, "p1",
            tags=[tag("span.kind", "producer")],
            more_references=[
                {"refType": "FOLLOWS_FROM", "traceID": trace, "spanID": "0000000000000001"},
                {"refType": "FOLLOWS_FROM", "traceID": "0af7651916cd43dd8448eb211c80319c", "spanID": "00000000000000aa"},
            ],
        ),
    ]
    return {"traceID": trace, "spans": spans, "processes": processes, "warnings": None}


def report():
    """A nightly report as Jaeger shows what OpenTelemetry's SDKs sent: scope and status among the tags."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    scope = [tag("otel.scope.name", "reports"), tag("otel.scope.version", "1.4.0")]
    spans = [
        jaeger_span(
            trace, "00000000000000aa", "nightly report", NOON - 3_600_000_000, 5_000_000, "p1",
            tags=scope + [tag("rows", 120_000), tag("span.kind", "internal"), tag("otel.status_code", "OK")],
        ),
        jaeger_span(
            trace, "00000000000000ab", "SELECT hires", NOON - 3_599_000_000, 1_234_567, "p1",
            parent="00000000000000aa",
            tags=scope + [
                tag("db.statement", "SELECT day, count(*) FROM hires GROUP BY day"), tag("span.kind", "client"),
                tag("otel.status_code", "ERROR"), tag("error", True), tag("otel.status_description", "timed out"),
                tag("w3c.tracestate", "desk=1"),
            ],
        ),
    ]
    processes = {"p1": {"serviceName": "reports", "tags": [tag("service.version", "1.4.0")]}}
    return {"traceID": trace, "spans": spans, "processes": processes, "warnings": None}


def loose():
    """A trace as people and old tools write it: short ids, numbers in quotes, no types, a parent without a reference."""
    return {
        "processes": {"p1": {"serviceName": "by-hand"}},
        "spans": [
            {"traceID": "b", "spanID": "1", "operationName": "root", "startTime": str(NOON), "duration": 10,
             "processID": "p1", "depth": 0, "hasChildren": True},
            {"traceID": "b", "spanID": "2", "parentSpanID": "1", "operationName": "child", "startTime": NOON + 1,
             "duration": "2", "process": {"serviceName": "inside"},
             "tags": [{"key": "n", "value": 7}, {"key": "on", "value": True}, {"key": "x", "value": 0.5},
                      {"key": "s", "value": "text"}, {"value": "9", "type": "int64", "key": "behind"}]},
        ],
    }


def envelope(traces):
    return {"data": traces, "total": 0, "limit": 0, "offset": 0, "errors": None}


# Zipkin.


def checkout():
    """A checkout: a shared span, both halves of a message, addresses of both kinds, a span without a beginning."""
    trace = "5af7183fb1d4cf5f"
    shop = {"serviceName": "shop", "ipv4": "10.2.0.1", "port": 8080}
    stock = {"serviceName": "stock", "ipv4": "10.2.0.2", "ipv6": "2001:db8::2", "port": 9000}
    return [
        {
            "traceId": trace, "id": "0000000000000010", "kind": "SERVER", "name": "post /checkout",
            "timestamp": NOON, "duration": 40 * MILLISECOND, "localEndpoint": shop,
            "remoteEndpoint": {"ipv4": "192.0.2.7", "port": 51234},
            "tags": {"http.method": "POST", "http.path": "/checkout", "http.status_code": "500", "error": "500"},
        },
        {
            "traceId": trace, "parentId": "0000000000000010", "id": "0000000000000011", "kind": "CLIENT",
            "name": "reserve", "timestamp": NOON + 1_000, "duration": 30 * MILLISECOND, "localEndpoint": shop,
            "remoteEndpoint": stock,
            "annotations": [{"timestamp": NOON + 1_100, "value": "wire send"},
                            {"timestamp": NOON + 30_500, "value": "wire receive"}],
        },
        {
            "traceId": trace, "parentId": "0000000000000010", "id": "0000000000000011", "kind": "SERVER",
            "name": "reserve", "timestamp": NOON + 2_000, "duration": 28 * MILLISECOND, "localEndpoint": stock,
            "tags": {"sql.query": "UPDATE stock SET n = n - 1", "error": ""}, "shared": True,
        },
        {
            "traceId": trace, "parentId": "0000000000000010", "id": "0000000000000012", "kind": "PRODUCER",
            "name": "ordered", "timestamp": NOON + 35_000, "localEndpoint": shop,
            "remoteEndpoint": {"serviceName": "kafka"}, "debug": True,
        },
        {
            "traceId": trace, "parentId": "0000000000000012", "id": "0000000000000013", "kind": "CONSUMER",
            "name": "ordered", "timestamp": NOON + 36_000, "duration": 1,
            "localEndpoint": {"serviceName": "rechnung-ß", "ipv6": "2001:db8::3"},
            "remoteEndpoint": {"serviceName": "kafka"},
        },
        {
            "traceId": trace, "parentId": "0000000000000012", "id": "0000000000000014", "name": "late",
            "duration": 250, "localEndpoint": {"serviceName": "rechnung-ß"},
        },
    ]


def exported():
    """A trace as the OpenTelemetry Collector's Zipkin exporter writes it."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    worker = {"serviceName": "worker"}
    return [
        {
            "traceId": trace, "id": "00f067aa0ba902b7", "name": "run", "timestamp": NOON, "duration": 9_000,
            "localEndpoint": worker,
            "annotations": [
                {"timestamp": NOON + 10, "value": "started"},
                {"timestamp": NOON + 20, "value": 'exception|{"exception.message":"a|b","attempt":2}|1'},
            ],
            "tags": {
                "otel.scope.name": "jobs", "otel.scope.version": "2.0", "span.kind": "internal",
                "otel.status_code": "STATUS_CODE_ERROR", "otel.status_description": "a|b", "error": "true",
                "w3c.tracestate": "vendor=1",
                "otlp.link.0": '0af7651916cd43dd8448eb211c80319c|00000000000000aa|desk=1|{"batch":"7"}|0',
            },
        },
        {
            "traceId": trace, "parentId": "00f067aa0ba902b7", "id": "00f067aa0ba902b8", "kind": "CLIENT",
            "name": "GET", "timestamp": NOON + 1_000, "duration": 2_000, "localEndpoint": worker,
            "tags": {"otel.library.name": "http", "otel.library.version": "1.0", "otel.status_code": "OK"},
        },
    ]


def write(directory, name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text)


def main():
    jaeger, zipkin, corrupt = sys.argv[1:4]
    for directory in (jaeger, zipkin, corrupt):
        os.makedirs(directory, exist_ok=True)

    write(jaeger, "answer.json", pretty(envelope([rental(), report()])))
    write(jaeger, "trace.json", line(rental()))
    write(jaeger, "list.json", pretty([rental(), report()]))
    write(jaeger, "lines.jsonl", line(rental()) + "\n" + line(report()))
    write(jaeger, "loose.json", pretty(loose()))

    write(zipkin, "spans.json", pretty(checkout()))
    write(zipkin, "traces.json", line([checkout(), exported()]))
    write(zipkin, "lines.jsonl", "".join(line(span) for span in checkout() + exported()))
    write(zipkin, "exported.json", pretty(exported()))

    broken = rental()
    broken["spans"][2]["startTime"] = "soon"
    write(corrupt, "jaeger-bad-time.json", pretty(envelope([report(), broken])))
    broken = rental()
    broken["spans"][1]["processID"] = "p9"
    write(corrupt, "jaeger-no-process.json", pretty(envelope([broken])))
    write(corrupt, "jaeger-half.json", pretty(envelope([rental()]))[:2500])
    zero = rental()
    zero["spans"][1]["spanID"] = "0000000000000000"
    write(corrupt, "jaeger-zero-id.json", pretty(envelope([zero])))
    write(corrupt, "zipkin-bad-line.jsonl", line(checkout()[:1]) + '[{"traceId":"zz"}]\n' + line(checkout()[1:]))
    broken = checkout()
    broken[4]["localEndpoint"]["port"] = 70_000
    write(corrupt, "zipkin-bad-port.json", pretty(broken))
    write(corrupt, "zipkin-bomb.json", '[{"traceId":"1","id":"1","unheardOf":' + "[" * 5000 + "]" * 5000 + "}]\n")


main()
