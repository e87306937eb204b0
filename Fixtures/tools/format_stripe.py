"""One stripe of a segment, and what the stripe index says of it."""

import itertools
import struct

from format_columns import (
    MASK, Filter, Reader, ascending_list, compressed_block, crc, hash128, integer_column, mix, need,
    mixed_crc, signed, sorted_text_list, text_column, text_hash, text_order, unzigzag, whole)
from format_messages import (
    BOOL, BYTES, DOUBLE, INT, STRING, TEXT_TYPES, bytes_field, content_hash, fixed32_field, fixed64_field, key_value,
    number_field)

BASE_GRANULE = 1_000_000
FIRST_ATTRIBUTE_CHUNK = 65_536


class StripeRecord:
    """What the stripe index says of one stripe."""

    def __init__(self, reader):
        self.offset, self.byte_count = reader.varint(), reader.varint()
        self.hash = struct.unpack("<QQ", reader.take(16))
        self.counts = [reader.varint() for _ in range(6)]
        self.bounds = [reader.varint() for _ in range(5)]
        self.services, self.names, self.kinds, self.resources, self.scopes = (
            ascending_list(reader) for _ in range(5))
        self.texts, self.numbers = {}, {}
        for _ in range(reader.varint()):
            chunk, count, form = reader.varint(), reader.varint(), reader.integer(1)
            self.texts[chunk] = (count, form, ascending_list(reader), *(reader.varint() for _ in range(3)))
        for _ in range(reader.varint()):
            chunk, count = reader.varint(), reader.varint()
            self.numbers[chunk] = (count, reader.integer(8), reader.integer(8))
        for listed in (self.texts, self.numbers):
            need(list(listed) == sorted(listed), "chunks of the stripe index out of order")
        self.distances, self.listed = None, {}
        if reader.offset < len(reader.data):
            self.distances = tuple(signed(unzigzag(reader.varint())) for _ in range(2))
            self.listed = {chunk: self.listed_values(reader, *bounds) for chunk, (_, *bounds) in self.numbers.items()}

    @staticmethod
    def listed_values(reader, least, greatest):
        """The distinct values of a column, if they are listed."""
        count = reader.varint()
        if count == 0:
            return None
        values = list(itertools.accumulate([least, *(reader.varint() for _ in range(count - 1))]))
        need(values == sorted(set(values)) and values[-1] == greatest, "a list that is not its zone")
        return values


def trace_hash(trace):
    high, low = trace
    return mix(low + mix(high + 0x9E3779B97F4A7C15 & MASK) & MASK)


def lasting(row):
    """max(0, end - start)."""
    return row.duration if row.start + row.duration <= MASK else 0


class Row:
    """A span with the messages it is made of."""

    def __init__(self, trace, span_id, start, end, service, name, resource, scope, span):
        self.trace = trace
        self.trace_id, self.span_id = "%016x%016x" % trace, "%016x" % span_id
        self.start, self.end, self.duration = start, end, end - start & MASK
        self.service, self.name = service, name
        self.resource, self.scope, self.span = resource, scope, span
        self.hash = content_hash(resource, scope, span)


class Stripe:
    def __init__(self, segment, number, record):
        self.segment, self.number, self.record = segment, number, record
        self.data = segment.data[record.offset : record.offset + record.byte_count]
        reader = Reader(self.data)
        need(reader.take(4) == b"TSST", "not a stripe")
        (self.row_count, self.event_count, self.link_count, self.trace_count, self.run_count,
         self.shape_count, chunk_count) = (reader.integer(4) for _ in range(7))
        self.chunks = {}
        for _ in range(chunk_count):
            kind, offset, byte_count, checksum = (reader.integer(4) for _ in range(4))
            need(kind > max(self.chunks, default=0), "chunks out of order")
            check = mixed_crc if segment.has_mixed_checksums else crc
            need(check(self.data[offset : offset + byte_count]) == checksum, f"chunk {kind} misses its checksum")
            self.chunks[kind] = (offset, byte_count)
        reader.checksum(0)
        need(hash128(self.data[: reader.offset]) == record.hash, f"the hash of stripe {number} does not match")
        end = reader.offset
        for offset, byte_count in self.chunks.values():
            need(offset == end, f"a gap before the chunk at {offset}")
            end = offset + byte_count
        need(end == len(self.data), "bytes behind the last chunk")
        need([self.row_count, self.event_count, self.link_count, self.trace_count, self.run_count]
             == record.counts[:5], "a stripe index that disagrees about counts")
        self.key_counts = {}

    # Chunks

    def chunk(self, kind):
        offset, byte_count = self.chunks[kind]
        return Reader(self.data[offset : offset + byte_count])

    def integers(self, kind, count):
        if kind not in self.chunks:
            return [0] * count
        values = whole(integer_column, self.chunk(kind))
        need(len(values) == count, f"chunk {kind} has {len(values)} values, not {count}")
        return values

    def places(self, kind):
        """Ascending and distinct, so that a list of zeros, which is left out, is one zero."""
        return whole(integer_column, self.chunk(kind)) if kind in self.chunks else [0]

    def texts(self, kind, count):
        summary = self.record.texts.get(kind)
        if summary is None:
            need(kind not in self.chunks, f"chunk {kind} is not in the stripe index")
            return [b""] * count
        value_count, form, codes, local_count, filter_offset, filter_bytes = summary
        shared = [self.segment.strings[code] for code in codes]
        need((form == 2) == (kind not in self.chunks), f"the stripe index gives chunk {kind} another form")
        values = self.read_texts(kind, form, shared) if kind in self.chunks else [b""] * count
        need(len(values) == count == value_count, f"chunk {kind} has {len(values)} values, not {count}")
        need(set(shared) <= set(values), f"shared texts of chunk {kind} that do not occur")
        local = set(values) - set(shared)
        need(form == 2 or len(local) == local_count, f"chunk {kind} has {len(local)} local texts, not {local_count}")
        if filter_bytes:
            key = self.segment.keys[kind - FIRST_ATTRIBUTE_CHUNK][2] if kind >= FIRST_ATTRIBUTE_CHUNK else None
            need(kind in (30, 31, 51) or key in (STRING, BYTES), f"chunk {kind} has a filter")
            held = whole(Filter, Reader(self.segment.section(8)[filter_offset : filter_offset + filter_bytes]))
            need(all(text_hash(text) in held for text in local), f"the filter of chunk {kind} denies a text")
        return values

    def read_texts(self, kind, expected_form, shared):
        reader = self.chunk(kind)
        form, _, first, second = (reader.integer(size) for size in (1, 3, 4, 4))
        reader.checksum(0)
        first, second = Reader(reader.take(first)), Reader(reader.take(second))
        reader.end()
        need(form == expected_form, f"the stripe index gives chunk {kind} another form")
        if form == 1:
            second.end()
            return whole(text_column, first)
        local = whole(sorted_text_list, second)
        need(not set(local) & set(shared), f"a text of chunk {kind} is shared and local")
        known = shared + local
        return [known[index] for index in whole(integer_column, first)]

    def doubles(self, kind, count):
        """The 64 bits of each value."""
        if kind not in self.chunks:
            return [0] * count
        reader = self.chunk(kind)
        form, exponent, _, *sizes = (reader.integer(size) for size in (1, 1, 2, 4, 4, 4))
        reader.checksum(0)
        parts = [Reader(reader.take(size)) for size in sizes]
        reader.end()
        values = whole(integer_column, parts[0])
        need(len(values) == count, f"chunk {kind} has {len(values)} values, not {count}")
        if form == 0:
            return values
        need(form == 1 and exponent <= 6, f"double form {form}")
        bits = [struct.unpack("<Q", struct.pack("<d", float(signed(unzigzag(value))) / 10.0**exponent))[0]
                for value in values]
        if sizes[1]:
            positions, escaped = whole(integer_column, parts[1]), whole(integer_column, parts[2])
            need(positions == sorted(set(positions)), "escapes out of order")
            for position, value in zip(positions, escaped, strict=True):
                need(values[position] == 0, "an escape over a value")
                bits[position] = value
        return bits

    def shapes(self):
        reader = Reader(compressed_block(self.chunk(70)) if 70 in self.chunks else b"")
        shapes = [[reader.varint() for _ in range(reader.varint())] for _ in range(self.shape_count)]
        reader.end()
        need(shapes == sorted(shapes), "shapes out of order")
        return shapes

    def attributes(self, level, places):
        """For each row, event or link its attributes as `KeyValue` messages, in order."""
        if not places:
            return []
        shapes = self.shapes()
        chosen = [shapes[place] for place in places]
        totals = {}
        for shape in chosen:
            for place in shape:
                totals[place] = totals.get(place, 0) + 1
        values = {place: iter(self.attribute(place, level, total)) for place, total in totals.items()}
        self.key_counts.update(totals)
        return [[next(values[place]) for place in shape] for shape in chosen]

    def attribute(self, place, level, count):
        key_level, code, type_, _ = self.segment.keys[place]
        need(key_level == level, "a shape with a key of another level")
        kind = FIRST_ATTRIBUTE_CHUNK + place
        if type_ in TEXT_TYPES:
            need(kind in self.record.texts, f"chunk {kind} is missing in the stripe index")
            values = ordered = self.texts(kind, count)
        elif type_ == DOUBLE:
            values = self.doubles(kind, count)
            ordered = [bits ^ MASK if bits >> 63 else bits | 1 << 63 for bits in values]
        else:
            need(type_ in (BOOL, INT) or kind not in self.chunks, "a chunk for a value that has none")
            values = ordered = self.integers(kind, count)
        if type_ not in TEXT_TYPES:
            bounds = (count, min(ordered), max(ordered))
            need(self.record.numbers.get(kind) == bounds, f"the stripe index bounds chunk {kind} otherwise")
            listed = self.record.listed.get(kind)
            need(listed is None or listed == sorted(set(ordered)), f"the stripe index lists other values of chunk {kind}")
        return [key_value(self.segment.strings[code], type_, value) for value in values]

    # Rows

    def rows(self):
        """The rows in the order of the file; everything else in the stripe is compared with them."""
        segment, n, traces, runs = self.segment, self.row_count, self.trace_count, self.run_count
        high, low, base = (self.integers(kind, traces) for kind in (1, 2, 3))
        first, service, name, kind = (self.integers(chunk, runs) for chunk in (10, 11, 12, 13))
        need(first and first[0] == 0 and first == sorted(set(first)), "runs out of order")
        run_of = [run for run, begin in enumerate(first) for _ in range(begin, [*first[1:], n][run])]
        ordinal, start, duration, span_id, parent = (self.integers(chunk, n) for chunk in range(20, 25))
        escaped = iter(self.integers(25, parent.count(1)))
        resource, scope = self.indirect(26, 71, self.record.resources), self.indirect(27, 72, self.record.scopes)
        code, no_status = self.integers(28, n), self.integers(29, n)
        message, state = self.texts(30, n), self.texts(31, n)
        flags, dropped, dropped_events, dropped_links = (self.integers(chunk, n) for chunk in (32, 33, 34, 35))
        unknown, status_unknown = self.texts(36, n), self.texts(37, n)
        attributes = self.attributes(0, self.integers(38, n))
        event_counts, link_counts = self.integers(39, n), self.integers(40, n)
        need(sum(event_counts) == self.event_count and sum(link_counts) == self.link_count, "children of no row")
        starts = [base[trace] + start[row] & MASK for row, trace in enumerate(ordinal)]
        events = iter(self.events([begin for begin, count in zip(starts, event_counts) for _ in range(count)]))
        links = iter(self.links())
        of_trace = [[] for _ in range(traces)]
        for row, trace in enumerate(ordinal):
            of_trace[trace].append(row)

        rows = []
        for row in range(n):
            trace, run = ordinal[row], run_of[row]
            end = starts[row] + duration[row] & MASK
            if parent[row] == 0:
                parent_id = b""
            elif parent[row] == 1:
                parent_id = struct.pack(">Q", next(escaped))
            else:
                parent_id = struct.pack(">Q", span_id[of_trace[trace][parent[row] - 2]])
            status = b"" if no_status[row] else bytes_field(
                15, bytes_field(2, message[row]) + number_field(3, unzigzag(code[row])) + status_unknown[row],
                always=True)
            span = b"".join((
                bytes_field(1, struct.pack(">QQ", high[trace], low[trace])),
                bytes_field(2, struct.pack(">Q", span_id[row])),
                bytes_field(3, state[row]),
                bytes_field(4, parent_id),
                bytes_field(5, segment.strings[name[run]]),
                number_field(6, unzigzag(kind[run])),
                fixed64_field(7, starts[row]),
                fixed64_field(8, end),
                *(bytes_field(9, attribute, always=True) for attribute in attributes[row]),
                number_field(10, dropped[row]),
                *(bytes_field(11, next(events), always=True) for _ in range(event_counts[row])),
                number_field(12, dropped_events[row]),
                *(bytes_field(13, next(links), always=True) for _ in range(link_counts[row])),
                number_field(14, dropped_links[row]),
                status,
                fixed32_field(16, flags[row]),
                unknown[row]))
            found = Row((high[trace], low[trace]), span_id[row], starts[row], end, segment.strings[service[run]],
                        segment.strings[name[run]], segment.resources[resource[row]], segment.scopes[scope[row]], span)
            need(segment.services[resource[row]] == found.service, "a run of another service")
            found.kind, found.is_error = signed(unzigzag(kind[run])), unzigzag(code[row]) == 2
            found.resource_place, found.scope_place = resource[row], scope[row]
            rows.append(found)
        need(next(escaped, None) is None, "parents that no row has")
        self.check_order(rows)
        self.check_runs(rows, first, run_of)
        self.check_traces([[rows[row] for row in members] for members in of_trace], list(zip(high, low)), base)
        return rows

    def indirect(self, chunk, list_chunk, expected):
        places = self.places(list_chunk)
        values = [places[value] for value in self.integers(chunk, self.row_count)]
        need(places == expected == sorted(set(values)), "resources or scopes that do not occur")
        return values

    def events(self, starts):
        n = self.event_count
        times, names, dropped, unknown = (
            self.integers(50, n), self.texts(51, n), self.integers(52, n), self.texts(53, n))
        distances = [signed(unzigzag(time)) for time in times] or [0]
        need(self.record.distances in (None, (min(distances), max(distances))), "events at other distances")
        attributes = self.attributes(1, self.integers(54, n))
        return [
            fixed64_field(1, starts[event] + unzigzag(times[event]) & MASK) + bytes_field(2, names[event])
            + b"".join(bytes_field(3, attribute, always=True) for attribute in attributes[event])
            + number_field(4, dropped[event]) + unknown[event]
            for event in range(n)]

    def links(self):
        n = self.link_count
        high, low, span, absence = (self.integers(kind, n) for kind in (60, 61, 62, 63))
        state, flags, dropped, unknown = (
            self.texts(64, n), self.integers(65, n), self.integers(66, n), self.texts(67, n))
        attributes = self.attributes(2, self.integers(68, n))
        return [
            (b"" if absence[link] & 1 else bytes_field(1, struct.pack(">QQ", high[link], low[link])))
            + (b"" if absence[link] & 2 else bytes_field(2, struct.pack(">Q", span[link])))
            + bytes_field(3, state[link])
            + b"".join(bytes_field(4, attribute, always=True) for attribute in attributes[link])
            + number_field(5, dropped[link]) + fixed32_field(6, flags[link]) + unknown[link]
            for link in range(n)]

    # What follows from the rows

    def check_order(self, rows):
        order = [
            (text_order(row.service), text_order(row.name), row.kind, row.start, row.trace_id, row.span_id)
            for row in rows
        ]
        need(order == sorted(order), "rows out of order")
        durations = [lasting(row) for row in rows]
        starts = [row.start for row in rows]
        bounds = [min(starts), max(starts), max(row.end for row in rows), min(durations), max(durations)]
        need(self.record.bounds == bounds, "other bounds in the stripe index")
        strings = self.segment.strings
        zigzags = {(kind << 1 ^ kind >> 63) & MASK for kind in (row.kind for row in rows)}
        need([strings[place] for place in self.record.services] == sorted({row.service for row in rows}, key=text_order)
             and [strings[place] for place in self.record.names] == sorted({row.name for row in rows}, key=text_order)
             and self.record.kinds == sorted(zigzags), "other services, names or kinds in the stripe index")
        need(self.record.counts[5] == sum(row.is_error for row in rows), "another error count in the stripe index")

    def check_runs(self, rows, first, run_of):
        keys = [(row.service, row.name, row.kind) for row in rows]
        need(first == [at for at in range(len(rows)) if at == 0 or keys[at] != keys[at - 1]], "runs of other rows")
        errors, minimum, maximum, longest = (self.integers(kind, self.run_count) for kind in (14, 15, 16, 17))
        of_run = [[] for _ in first]
        for row, run in zip(rows, run_of):
            of_run[run].append(row)
        for run, members in enumerate(of_run):
            starts = [row.start - self.record.bounds[0] for row in members]
            need((errors[run], minimum[run], maximum[run], longest[run])
                 == (sum(row.is_error for row in members), min(starts), max(starts), max(map(lasting, members))),
                 f"run {run} says something else than its rows")

    def check_traces(self, members, ids, base):
        counts, ends, flags, starts = (self.integers(kind, self.trace_count) for kind in (4, 5, 6, 7))
        order = []
        for trace, rows in enumerate(members):
            need(len(rows) == counts[trace] > 0, "a trace with another span count")
            start = min(row.start for row in rows)
            need(base[trace] == start // BASE_GRANULE * BASE_GRANULE, "a base that is not the least start")
            need(not self.segment.knows_trace_starts or base[trace] + starts[trace] == start, "a trace with another start")
            need((base[trace] + ends[trace]) & MASK == max(row.end for row in rows), "a trace with another end")
            order.append((start, *ids[trace]))
            places = self.segment.places_of(ids[trace])
            need((self.number, trace) in places, "a trace that the index does not find")
            elsewhere = any(self.segment.trace_at(place) == ids[trace] for place in places if place[0] != self.number)
            need(flags[trace] == int(elsewhere), "a trace with another fragment flag")
        need(order == sorted(order), "traces out of order")
