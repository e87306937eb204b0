"""Writes and reads OTLP trace files in the framings that people meet: the one place that knows them."""

import base64
import gzip
import json
import struct

import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def framed(payloads):
    """The Collector file exporter's `format: proto`: a 4-byte big-endian length before each request."""
    return b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads)


def varint_delimited(payloads):
    return b"".join(varint(len(payload)) + payload for payload in payloads)


def as_json(request):
    """OTLP/JSON: protobuf's JSON with hexadecimal ids and enums as numbers."""
    tree = json_format.MessageToDict(request, use_integers_for_enums=True)
    for resource_spans in tree.get("resourceSpans", []):
        for scope_spans in resource_spans.get("scopeSpans", []):
            for span in scope_spans.get("spans", []):
                for item in [span, *span.get("links", [])]:
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in item:
                            item[key] = base64.b64decode(item[key]).hex()
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


def json_lines(requests):
    return "".join(as_json(request) + "\n" for request in requests).encode()


def gzipped(content):
    return gzip.compress(content, compresslevel=9, mtime=0)


def zstd_compressed(content):
    return zstandard.ZstdCompressor(level=19).compress(content)


def read_framed(content):
    """The payloads of a framed file."""
    payloads, offset = [], 0
    while offset < len(content):
        (length,) = struct.unpack_from(">I", content, offset)
        offset += 4
        if offset + length > len(content):
            raise ValueError(f"frame at {offset - 4} runs past the end of the file")
        payloads.append(content[offset : offset + length])
        offset += length
    return payloads


def read_varint_delimited(content):
    payloads, offset = [], 0
    while offset < len(content):
        length = shift = 0
        while True:
            byte = content[offset]
            offset += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if offset + length > len(content):
            raise ValueError(f"message at {offset} runs past the end of the file")
        payloads.append(content[offset : offset + length])
        offset += length
    return payloads


def request_from_json(text):
    """Reads OTLP/JSON, either naming style, through protobuf's own JSON reader."""
    tree = json.loads(text)

    def normal(node):
        if isinstance(node, list):
            return [normal(item) for item in node]
        if not isinstance(node, dict):
            return node
        out = {}
        for key, value in node.items():
            head, *rest = key.split("_")
            name = head + "".join(word.capitalize() for word in rest)
            if name in ("traceId", "spanId", "parentSpanId") and isinstance(value, str):
                value = base64.b64encode(bytes.fromhex(value)).decode()
            out[name] = normal(value)
        return out

    return json_format.ParseDict(normal(tree), ExportTraceServiceRequest(), ignore_unknown_fields=True)


def read_requests(path):
    """Every request of a file, whatever its framing and compression, told from its name and content."""
    with open(path, "rb") as file:
        content = file.read()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    elif content[:4] == b"\x28\xb5\x2f\xfd":
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    if content.lstrip()[:1] == b"{":
        text = content.decode()
        try:
            return [request_from_json(text)]
        except json.JSONDecodeError:
            return [request_from_json(line) for line in text.splitlines() if line.strip()]
    if ".varint." in path:
        payloads = read_varint_delimited(content)
    elif ".single." in path:
        payloads = [content]
    else:
        payloads = read_framed(content)
    return [ExportTraceServiceRequest.FromString(payload) for payload in payloads]
