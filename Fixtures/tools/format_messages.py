"""The messages of a segment as FORMAT.md defines them: canonical protobuf, content hashes, and all of it as JSON."""

import functools
import struct

from format_columns import Damaged, Reader, hash128, need, signed

LEVELS = ("span", "event", "link", "resource", "scope")
ABSENT, EMPTY, STRING, BOOL, INT, DOUBLE, BYTES, ARRAY, MAP, OPAQUE, OPAQUE_ATTRIBUTE = range(11)
TEXT_TYPES = (STRING, BYTES, ARRAY, MAP, OPAQUE, OPAQUE_ATTRIBUTE)


# Writing


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(number, value, always=False):
    return varint(number << 3) + varint(value) if value or always else b""


def fixed64_field(number, value, always=False):
    return varint(number << 3 | 1) + struct.pack("<Q", value) if value or always else b""


def fixed32_field(number, value):
    return varint(number << 3 | 5) + struct.pack("<I", value) if value else b""


def bytes_field(number, value, always=False):
    return varint(number << 3 | 2) + varint(len(value)) + value if value or always else b""


def key_value(key, type_, value):
    """The `KeyValue` message of an attribute as a segment stores it."""
    if type_ == OPAQUE_ATTRIBUTE:
        return value
    if type_ == ABSENT:
        return bytes_field(1, key)
    if type_ == EMPTY:
        any_value = b""
    elif type_ in (STRING, BYTES):
        any_value = bytes_field(1 if type_ == STRING else 7, value, always=True)
    elif type_ == BOOL:
        any_value = number_field(2, value, always=True)
    elif type_ == INT:
        any_value = number_field(3, value ^ 1 << 63, always=True)
    elif type_ == DOUBLE:
        any_value = fixed64_field(4, value, always=True)
    else:
        any_value = value
    return bytes_field(1, key) + bytes_field(2, any_value, always=True)


# Reading


def fields(message):
    """(number, wire type, value, verbatim bytes) of each field; a number of None for bytes that are no field."""
    reader = Reader(message)
    while reader.offset < len(message):
        start = reader.offset
        try:
            key = reader.varint()
            number, wire = key >> 3, key & 7
            need(number > 0, "a field without a number")
            if wire == 0:
                value = reader.varint()
            elif wire == 2:
                value = reader.block()
            elif wire == 3:
                value = skip_group(reader, number)
            else:
                need(wire in (1, 5), "a wire type that is not there")
                value = reader.integer(8 if wire == 1 else 4)
        except Damaged:
            yield None, None, None, message[start:]
            return
        yield number, wire, value, message[start : reader.offset]


def skip_group(reader, number):
    while True:
        key = reader.varint()
        wire = key & 7
        if wire == 4:
            need(key >> 3 == number, "a group with another end")
            return None
        if wire == 3:
            skip_group(reader, key >> 3)
        elif wire == 0:
            reader.varint()
        elif wire == 2:
            reader.block()
        else:
            need(wire in (1, 5), "a wire type that is not there")
            reader.take(8 if wire == 1 else 4)


# The table of the document: number -> (wire type, name in JSON, message or None).
SCHEMA = {
    "ResourceSpans": {1: (2, "resource", "Resource"), 2: (2, "scopeSpans", None), 3: (2, "schemaUrl", None)},
    "Resource": {
        1: (2, "attributes", "KeyValue"), 2: (0, "droppedAttributesCount", None), 3: (2, "entityRefs", None)},
    "ScopeSpans": {1: (2, "scope", "InstrumentationScope"), 2: (2, "spans", None), 3: (2, "schemaUrl", None)},
    "InstrumentationScope": {
        1: (2, "name", None), 2: (2, "version", None), 3: (2, "attributes", "KeyValue"),
        4: (0, "droppedAttributesCount", None)},
    "Span": {
        1: (2, "traceId", None), 2: (2, "spanId", None), 3: (2, "traceState", None), 4: (2, "parentSpanId", None),
        5: (2, "name", None), 6: (0, "kind", None), 7: (1, "startTimeUnixNano", None), 8: (1, "endTimeUnixNano", None),
        9: (2, "attributes", "KeyValue"), 10: (0, "droppedAttributesCount", None), 11: (2, "events", "Event"),
        12: (0, "droppedEventsCount", None), 13: (2, "links", "Link"), 14: (0, "droppedLinksCount", None),
        15: (2, "status", "Status"), 16: (5, "flags", None)},
    "Event": {
        1: (1, "timeUnixNano", None), 2: (2, "name", None), 3: (2, "attributes", "KeyValue"),
        4: (0, "droppedAttributesCount", None)},
    "Link": {
        1: (2, "traceId", None), 2: (2, "spanId", None), 3: (2, "traceState", None), 4: (2, "attributes", "KeyValue"),
        5: (0, "droppedAttributesCount", None), 6: (5, "flags", None)},
    "Status": {2: (2, "message", None), 3: (0, "code", None)},
    "KeyValue": {1: (2, "key", None), 2: (2, "value", "AnyValue")},
    "AnyValue": {
        1: (2, "stringValue", None), 2: (0, "boolValue", None), 3: (0, "intValue", None), 4: (1, "doubleValue", None),
        5: (2, "arrayValue", "ArrayValue"), 6: (2, "kvlistValue", "KeyValueList"), 7: (2, "bytesValue", None)},
    "ArrayValue": {1: (2, "values", "AnyValue")},
    "KeyValueList": {1: (2, "values", "KeyValue")},
}
REPEATED = ("attributes", "events", "links", "values", "entityRefs", "unknownFields")
HEXADECIMAL = ("traceId", "spanId", "parentSpanId", "bytesValue", "entityRefs")
SIGNED = ("kind", "code", "intValue")


def is_known(message, number, wire, value):
    if number is None or SCHEMA[message].get(number, (None,))[0] != wire:
        return False
    # An id of a wrong length counts as an unknown field.
    if message == "Link" and number in (1, 2):
        return len(value) == (16 if number == 1 else 8)
    return not (message == "Span" and number == 4 and len(value) != 8)


def hash_form(message, data):
    """The canonical message with its unknown fields sorted: what a content hash is made of."""
    known, unknown, rest = b"", [], b""
    for number, wire, value, verbatim in fields(data):
        if number is None:
            rest = verbatim
        elif not is_known(message, number, wire, value):
            unknown.append((number, verbatim))
        elif child := SCHEMA[message][number][2]:
            known += bytes_field(number, hash_form(child, value), always=True)
        else:
            known += verbatim
    return known + b"".join(verbatim for _, verbatim in sorted(unknown)) + rest


@functools.lru_cache(maxsize=4096)
def hash_part(message, data):
    form = hash_form(message, data)
    return varint(len(form)) + form


def content_hash(resource, scope, span):
    parts = hash_part("ResourceSpans", resource) + hash_part("ScopeSpans", scope) + hash_part("Span", span)
    return "%016x%016x" % hash128(parts)


def as_json(message, data):
    """A message as JSON objects; what is no text is hexadecimal, and so are unknown fields."""
    out = {}
    for number, wire, value, verbatim in fields(data):
        if not is_known(message, number, wire, value):
            out.setdefault("unknownFields", []).append(verbatim.hex())
            continue
        _, name, child = SCHEMA[message][number]
        if child:
            value = as_json(child, value)
        elif wire == 2:
            value = value.hex() if name in HEXADECIMAL else value.decode()
        elif name == "doubleValue":
            (double,) = struct.unpack("<d", struct.pack("<Q", value))
            # JSON has no numbers for these.
            value = double if double - double == 0 else repr(double)
        elif name == "boolValue":
            value = value != 0
        elif name in SIGNED:
            value = signed(value)
        out.setdefault(name, []).append(value)
    return {name: values if name in REPEATED else values[-1] for name, values in out.items()}
