"""Writes the fixtures that no SDK produces: every corner of the OTLP trace model, and files that are broken.

    python edge_cases.py OTLP_DIRECTORY CORRUPT_DIRECTORY
"""

import os
import struct
import sys

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, EntityRef, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

import otlp_files

NOON = 1_767_268_800_000_000_000  # 2026-01-01T12:00:00Z
MILLISECOND = 1_000_000


def trace_id(number):
    return struct.pack(">QQ", 0xED6E_CA5E_0000_0000 | number, 0x0102_0304_0506_0708 + number)


def span_id(number):
    return struct.pack(">Q", 0x5BA0_0000_0000_0000 | number)


def field(number, wire_type, content):
    """A protobuf field by hand, for what the classes cannot say."""
    head = otlp_files.varint(number << 3 | wire_type)
    return head + (otlp_files.varint(len(content)) + content if wire_type == 2 else content)


# One field of each wire type, with numbers that OTLP does not use.
UNKNOWN = (
    field(2001, 0, otlp_files.varint(300))
    + field(2002, 1, struct.pack("<Q", 0xDEAD_BEEF))
    + field(2003, 2, b"later version")
    + field(2004, 5, struct.pack("<I", 7))
)


def text(value):
    return AnyValue(string_value=value)


def pair(key, value):
    return KeyValue(key=key, value=value)


def double(value=None, bits=None):
    return AnyValue(double_value=struct.unpack("<d", struct.pack("<Q", bits))[0] if bits is not None else value)


def array(*values):
    return AnyValue(array_value=ArrayValue(values=values))


def map_of(*pairs):
    return AnyValue(kvlist_value=KeyValueList(values=pairs))


def span(number, name="span", trace=1, start=NOON, duration=MILLISECOND, **rest):
    return Span(
        trace_id=trace_id(trace), span_id=span_id(number), name=name, start_time_unix_nano=start,
        end_time_unix_nano=start + duration, **rest)


def group(spans, service="edge", scopes=None):
    resource_spans = ResourceSpans(scope_spans=scopes or [ScopeSpans(spans=spans)])
    resource_spans.resource.attributes.append(pair("service.name", text(service)))
    return resource_spans


def request(*groups):
    return ExportTraceServiceRequest(resource_spans=groups)


def values_request():
    """Every value that an attribute can have, where order and repetition are content."""
    attributes = [
        pair("text", text("plain")),
        pair("text.empty", text("")),
        pair("text.unicode", text("naïve café / nai\u0308ve cafe\u0301 / 日本語 / 👩‍👩‍👧 / \u0000 / \ufffd")),
        pair("text.long", text("abcdefghij" * 1200)),
        pair("", text("the key is empty")),
        pair("é", text("key composed")),
        pair("e\u0301", text("key decomposed")),
        pair("bool.true", AnyValue(bool_value=True)),
        pair("bool.false", AnyValue(bool_value=False)),
        pair("int.zero", AnyValue(int_value=0)),
        pair("int.minimum", AnyValue(int_value=-(2**63))),
        pair("int.maximum", AnyValue(int_value=2**63 - 1)),
        pair("int.past.double", AnyValue(int_value=2**53 + 1)),
        pair("double", double(0.1)),
        pair("double.zero", double(0.0)),
        pair("double.minus.zero", double(-0.0)),
        pair("double.infinity", double(float("inf"))),
        pair("double.minus.infinity", double(float("-inf"))),
        pair("double.nan", double(bits=0x7FF8_0000_0000_0000)),
        pair("double.nan.payload", double(bits=0xFFF8_0000_0000_BEEF)),
        pair("double.subnormal", double(bits=1)),
        pair("double.maximum", double(bits=0x7FEF_FFFF_FFFF_FFFF)),
        pair("bytes", AnyValue(bytes_value=bytes(range(256)))),
        pair("bytes.empty", AnyValue(bytes_value=b"")),
        pair("array.empty", array()),
        pair("array.mixed", array(text("a"), AnyValue(int_value=1), AnyValue(), double(-0.0), array(text("inner")))),
        pair("map.empty", map_of()),
        pair("map.duplicate.keys", map_of(pair("k", text("1")), pair("k", text("2")), pair("k", text("1")))),
        pair("map.nested", map_of(pair("a", map_of(pair("b", array(map_of(pair("c", AnyValue(bool_value=True))))))))),
        pair("value.empty", AnyValue()),
        KeyValue(key="value.absent"),
        pair("twice", text("first")),
        pair("between", text("order is content")),
        pair("twice", AnyValue(int_value=2)),
        pair("twice", text("first")),
    ]
    deep = text("the bottom")
    for _ in range(40):
        deep = array(deep)
    everywhere = span(2, "values everywhere", attributes=[pair("deep", deep)])
    everywhere.events.add(name="event", time_unix_nano=NOON + 1, attributes=attributes, dropped_attributes_count=3)
    everywhere.links.add(trace_id=trace_id(9), span_id=span_id(9), attributes=attributes)
    resource_spans = group([], scopes=[ScopeSpans(spans=[span(1, "values", attributes=attributes), everywhere])])
    resource_spans.resource.attributes.extend(attributes)
    resource_spans.scope_spans[0].scope.attributes.extend(attributes)
    return request(resource_spans)


def shapes_request():
    """Times, kinds, states, counts and ids at their corners."""
    spans = [
        span(1, "zero duration", duration=0),
        span(2, "ends before it starts", duration=-5 * MILLISECOND, parent_span_id=span_id(1)),
        Span(trace_id=trace_id(1), span_id=span_id(3), name="open, end is zero", start_time_unix_nano=NOON),
        Span(trace_id=trace_id(1), span_id=span_id(4), name="no times at all"),
        Span(
            trace_id=trace_id(1), span_id=span_id(5), name="to the end of time", start_time_unix_nano=1,
            end_time_unix_nano=2**64 - 1),
        span(6, "", parent_span_id=span_id(1)),
        span(7, "parent is itself", parent_span_id=span_id(7)),
        span(8, "parent is unknown", parent_span_id=span_id(999)),
        span(9, "parent id is all zero", parent_span_id=bytes(8)),
        span(10, "kind of a later version", kind=17),
        span(11, "status of a later version", status=Status(code=9, message="later")),
        span(12, "status present and unset", status=Status()),
        span(13, "status unset with a message", status=Status(message="no code")),
        span(14, "ok", status=Status(code=1)),
        span(15, "error", status=Status(code=2, message="went wrong: ошибка"), kind=2),
        span(16, "flags", flags=0x0000_0301, trace_state="a=1,b=2,vendor@host=x-y"),
        span(17, "all flags", flags=2**32 - 1),
        span(
            18, "dropped", dropped_attributes_count=2**32 - 1, dropped_events_count=1, dropped_links_count=70_000),
    ]
    for kind in range(6):
        spans.append(span(20 + kind, f"kind {kind}", kind=kind))
    eventful = span(30, "events and links")
    eventful.events.add()
    eventful.events.add(name="before the span", time_unix_nano=NOON - 60 * MILLISECOND)
    eventful.events.add(name="same time", time_unix_nano=NOON)
    eventful.events.add(name="same time", time_unix_nano=NOON)
    eventful.events.add(name="after the span", time_unix_nano=NOON + 60 * MILLISECOND, dropped_attributes_count=9)
    eventful.links.add()
    eventful.links.add(trace_id=trace_id(1), span_id=span_id(1), trace_state="x=y", flags=0x101)
    eventful.links.add(trace_id=trace_id(2), span_id=span_id(1), dropped_attributes_count=4)
    eventful.links.add(trace_id=b"short", span_id=b"also")
    spans.append(eventful)
    odd_parent = span(31, "parent id of three bytes", parent_span_id=b"abc")
    spans.append(odd_parent)
    short = span(1, "64-bit trace id")
    short.trace_id = bytes(8) + struct.pack(">Q", 0x00AB_CDEF_0123_4567)
    spans.append(short)
    return request(group(spans))


def equal_ids_request():
    """The same ids more than once: equal spans are one, different spans are all kept."""
    base = span(1, "checkout", trace=3, attributes=[pair("try", AnyValue(int_value=1))])
    retried = span(1, "checkout", trace=3, attributes=[pair("try", AnyValue(int_value=2))])
    reordered = span(2, "order", trace=3, attributes=[pair("a", text("1")), pair("b", text("2"))])
    swapped = span(2, "order", trace=3, attributes=[pair("b", text("2")), pair("a", text("1"))])
    zero = span(3, "zero", trace=3, attributes=[pair("z", double(0.0))])
    minus_zero = span(3, "zero", trace=3, attributes=[pair("z", double(-0.0))])
    composed = span(4, "é", trace=3)
    decomposed = span(4, "e\u0301", trace=3)
    unset = span(5, "status", trace=3)
    present = span(5, "status", trace=3, status=Status())
    spans = [base, base, retried, reordered, swapped, zero, minus_zero, composed, decomposed, unset, present, base]
    other_scope = ScopeSpans(spans=[base])
    other_scope.scope.name = "elsewhere"
    return request(
        group([], scopes=[ScopeSpans(spans=spans), other_scope]), group(spans, service="edge-twin"), group([base]))


def unknown_fields_requests():
    """What a later OTLP might add, on every message, and entity references."""
    known = span(1, "unknown fields", trace=4, attributes=[pair("k", text("v"))])
    message = known.SerializeToString() + UNKNOWN
    message += field(9, 2, pair("unknown.in.pair", text("v")).SerializeToString() + UNKNOWN)
    message += field(9, 2, field(1, 2, b"unknown.in.value") + field(2, 2, text("v").SerializeToString() + UNKNOWN))
    nested = field(5, 2, field(1, 2, text("item").SerializeToString() + UNKNOWN))
    message += field(9, 2, field(1, 2, b"unknown.in.array") + field(2, 2, nested))
    message += field(11, 2, Span.Event(name="event", time_unix_nano=NOON).SerializeToString() + UNKNOWN)
    message += field(13, 2, Span.Link(trace_id=trace_id(1), span_id=span_id(1)).SerializeToString() + UNKNOWN)
    message += field(15, 2, Status(code=2, message="m").SerializeToString() + UNKNOWN)
    scope = field(1, 2, b"scope") + UNKNOWN
    scope_spans = field(1, 2, scope) + field(2, 2, message) + field(3, 2, b"https://example.com/scope/1") + UNKNOWN
    resource = group([]).resource
    resource.dropped_attributes_count = 12
    for type_name in ("service", "host"):
        resource.entity_refs.append(
            EntityRef(
                schema_url="https://example.com/entity/1", type=type_name, id_keys=[f"{type_name}.name"],
                description_keys=["service.version", ""]))
    resource_spans = (
        field(1, 2, resource.SerializeToString() + UNKNOWN) + field(2, 2, scope_spans)
        + field(3, 2, b"https://example.com/resource/1") + UNKNOWN)
    return [field(1, 2, resource_spans)]


def wire_order_requests():
    """Legal protobuf that no encoder writes: fields backwards, split, and repeated where the last one wins."""
    known = span(1, "the last name wins", trace=5)
    backwards = (
        field(8, 1, struct.pack("<Q", NOON + MILLISECOND)) + field(7, 1, struct.pack("<Q", NOON))
        + field(5, 2, b"the first name loses") + field(15, 2, field(2, 2, b"split "))
        + field(2, 2, span_id(2)) + field(9, 2, pair("a", text("1")).SerializeToString())
        + field(15, 2, field(3, 0, otlp_files.varint(2))) + field(1, 2, trace_id(5))
        + field(9, 2, pair("b", text("2")).SerializeToString()) + field(5, 2, b"the last name wins")
        + field(6, 0, otlp_files.varint(1)) + field(6, 0, otlp_files.varint(3)))
    # A value whose arm is set twice: the last one wins; two map arms merge.
    rearmed = field(1, 2, b"text") + field(3, 0, otlp_files.varint(42))
    merged = field(6, 2, map_of(pair("x", text("1"))).kvlist_value.SerializeToString()) * 2
    armed = known.SerializeToString()
    armed += field(9, 2, field(1, 2, b"rearmed") + field(2, 2, rearmed))
    armed += field(9, 2, field(2, 2, merged) + field(1, 2, b"merged"))
    # A varint that is longer than it needs to be.
    padded = span(3, "padded varint", trace=5).SerializeToString() + b"\x30\x82\x80\x80\x00"
    scope_spans = b"".join(field(2, 2, one) for one in (backwards, armed, padded))
    resource = group([]).resource.SerializeToString()
    split = field(1, 2, resource) + field(2, 2, scope_spans) + field(1, 2, field(2, 0, otlp_files.varint(5)))
    return [field(1, 2, split)]


def empty_requests():
    """Containers that hold nothing, among them a request of no bytes at all."""
    return [
        b"",
        request(ResourceSpans()).SerializeToString(),
        request(group([]), group([], scopes=[ScopeSpans(), ScopeSpans(schema_url="https://example.com")]))
        .SerializeToString(),
        # No resource, no scope.
        request(ResourceSpans(scope_spans=[ScopeSpans(spans=[span(1, "bare", trace=6)])])).SerializeToString(),
    ]


def refused_spans_request():
    """Spans whose ids cannot be addressed, between spans that are fine: these alone are refused."""
    spans = [span(1, "accepted before", trace=7)]
    for trace, identity, name in [
        (b"", span_id(2), "trace id missing"), (bytes(16), span_id(3), "trace id all zero"),
        (b"\x01" * 8, span_id(4), "trace id of 8 bytes"), (b"\x01" * 17, span_id(5), "trace id of 17 bytes"),
        (trace_id(7), b"", "span id missing"), (trace_id(7), bytes(8), "span id all zero"),
        (trace_id(7), b"\x01" * 7, "span id of 7 bytes"), (trace_id(7), b"\x01" * 16, "span id of 16 bytes"),
    ]:
        refused = span(1, name)
        refused.trace_id, refused.span_id = trace, identity
        spans.append(refused)
    return request(group([*spans, span(8, "accepted after", trace=7)]))


def corrupt_files():
    """Name → content: one fault each, named for it. A good request stands before the fault where there is room."""
    good = request(group([span(1, "good", trace=8)])).SerializeToString()
    frame = otlp_files.framed([good])

    def broken(payload):
        return frame + otlp_files.framed([payload]) + frame

    def in_span(content):
        return field(1, 2, field(2, 2, field(2, 2, span(2, "bad", trace=8).SerializeToString() + content)))

    bomb = b""
    for _ in range(5_000):
        bomb = field(5, 2, field(1, 2, bomb))
    json_bomb = b'{"a":' * 5_000
    json_good = otlp_files.as_json(request(group([span(1, "good", trace=8)]))).encode()
    bad_id = json_good.replace(trace_id(8).hex().encode(), b"not hexadecimal at all, not one bit")
    return {
        "empty.otlp": b"",
        "truncated-length.otlp": frame + b"\x00\x00",
        "truncated-frame.otlp": frame + otlp_files.framed([good])[:-7],
        "absurd-length.otlp": frame + b"\x7f\xff\xff\xff" + good,
        "absurd-varint-length.varint.otlp": otlp_files.varint_delimited([good, good]) + b"\xff" * 9 + b"\x01",
        "field-past-end.otlp": broken(good + b"\x0a\x7f"),
        "inner-length-past-end.otlp": broken(in_span(b"\x2a\xff\x01abc")),
        "truncated-varint.otlp": broken(in_span(b"\x30\x80")),
        "varint-of-eleven-bytes.otlp": broken(in_span(b"\x30" + b"\x80" * 10 + b"\x01")),
        "wrong-wire-type.otlp": broken(in_span(b"\x28\x01")),
        "wire-type-7.otlp": broken(in_span(b"\x2f\x01")),
        "field-number-zero.otlp": broken(in_span(b"\x02\x01x")),
        "group-never-ends.otlp": broken(in_span(field(2001, 3, b""))),
        "bad-utf8-name.otlp": broken(in_span(field(5, 2, b"caf\xe9"))),
        "bad-utf8-key.otlp": broken(in_span(field(9, 2, field(1, 2, b"\xff\xfe")))),
        "bad-utf8-surrogate.otlp": broken(in_span(field(9, 2, field(1, 2, b"k") + field(2, 2, field(1, 2, b"\xed\xa0\x80"))))),
        "nested-bomb.otlp": broken(in_span(field(9, 2, field(1, 2, b"bomb") + field(2, 2, bomb)))),
        "not-otlp.otlp": b"\x89PNG\r\n\x1a\n" + bytes(range(64)),
        "half.json": json_good[: len(json_good) // 2],
        "trailing-text.json": json_good + b" }",
        "bad-line.jsonl": json_good + b"\n" + b'{"resourceSpans":[{"scopeSpans":[}]}\n' + json_good + b"\n",
        "bad-id.json": bad_id,
        "lone-surrogate.json": json_good.replace(b'"good"', b'"\\ud800"'),
        "bad-base64.json": json_good.replace(
            b'"stringValue":"edge"', b'"bytesValue":"*not base64*"'),
        "bad-number.json": json_good.replace(str(NOON).encode(), b"18446744073709551616"),
        "nested-bomb.json": json_bomb,
        "truncated.otlp.gz": otlp_files.gzipped(frame * 8)[:-12],
        "bad-checksum.otlp.gz": flipped(otlp_files.gzipped(frame * 8), -6),
        "truncated.otlp.zst": otlp_files.zstd_compressed(frame * 8)[:-5],
    }


JSON_DIALECTS = r"""
{"resource_spans":[{"resource":{"attributes":[{"key":"service.name","value":{"string_value":"edge-json"}}],"dropped_attributes_count":1},"schema_url":"https://example.com/snake","scope_spans":[{"scope":{"name":"snake","version":"1"},"spans":[{"trace_id":"ED6ECA5E0000000A0102030405060712","span_id":"5BA0000000000001","parent_span_id":"","name":"snake case, upper-case ids","kind":"SPAN_KIND_SERVER","start_time_unix_nano":1767268800000000000,"end_time_unix_nano":"1767268800001000000","status":{"code":"STATUS_CODE_ERROR","message":"named enum"},"dropped_attributes_count":"7"}]}]}]}

  { "resourceSpans" : [ { "scopeSpans" : [ { "spans" : [ { "traceId" : "ed6eca5e0000000a0102030405060712", "spanId" : "5ba0000000000002", "parentSpanId" : "5BA0000000000001", "name" : "spaces, escapes \u00e9 \uD83D\uDE00 \"\\/\b\f\n\r\t", "kind" : 3, "startTimeUnixNano" : "1767268800000000000", "endTimeUnixNano" : "1767268800001000000", "attributes" : [ { "key" : "nan", "value" : { "doubleValue" : "NaN" } }, { "key" : "infinity", "value" : { "doubleValue" : "-Infinity" } }, { "key" : "minus zero", "value" : { "doubleValue" : -0.0 } }, { "key" : "exponent", "value" : { "doubleValue" : 1.5E+3 } }, { "key" : "double as text", "value" : { "doubleValue" : "0.1" } }, { "key" : "int as number", "value" : { "intValue" : -42 } }, { "key" : "int as text", "value" : { "intValue" : "9223372036854775807" } }, { "key" : "false", "value" : { "boolValue" : false } }, { "key" : "base64", "value" : { "bytesValue" : "+/8=" } }, { "key" : "base64 for URLs", "value" : { "bytesValue" : "-_8" } }, { "key" : "empty text", "value" : { "stringValue" : "" } }, { "key" : "empty value", "value" : {} }, { "key" : "absent value" }, { "key" : "array", "value" : { "arrayValue" : { "values" : [ { "intValue" : "1" }, {} ] } } }, { "key" : "empty array", "value" : { "arrayValue" : {} } }, { "key" : "map", "value" : { "kvlistValue" : { "values" : [ { "key" : "k", "value" : { "stringValue" : "v" } } ] } } } ], "fieldOfALaterVersion" : { "a" : [ 1, { "b" : null } ] }, "events" : [ { "name" : "event", "timeUnixNano" : "1767268800000500000" } ], "links" : [ { "traceId" : "ed6eca5e0000000a0102030405060712", "spanId" : "5ba0000000000001", "flags" : 257 } ], "status" : {}, "flags" : 769 } ] } ] } ] }
{}
"""


def flipped(content, index):
    out = bytearray(content)
    out[index] ^= 0x55
    return bytes(out)


def main(directory, corrupt_directory):
    def write(folder, name, content):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)

    def serialised(message):
        return message.SerializeToString(deterministic=True)

    framed = {
        "edge-values.otlp": [serialised(values_request())],
        "edge-shapes.otlp": [serialised(shapes_request())],
        "edge-equal-ids.otlp": [serialised(equal_ids_request())] * 2,
        "edge-unknown-fields.otlp": unknown_fields_requests(),
        "edge-wire-order.otlp": wire_order_requests(),
        "edge-empty.otlp": empty_requests(),
    }
    for name, payloads in framed.items():
        for payload in payloads:
            ExportTraceServiceRequest.FromString(payload)
        write(directory, name, otlp_files.framed(payloads))
    write(directory, "edge-dialects.jsonl", JSON_DIALECTS.lstrip("\n").encode())
    write(corrupt_directory, "refused-spans.otlp", otlp_files.framed([serialised(refused_spans_request())]))
    for name, content in corrupt_files().items():
        write(corrupt_directory, name, content)


if __name__ == "__main__":
    main(*sys.argv[1:3])
