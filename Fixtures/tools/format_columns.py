"""The columns of a segment as FORMAT.md defines them: checksums, hashes, integers, texts, filters."""

import struct

import zstandard

MASK = 2**64 - 1


class Damaged(Exception):
    """The file breaks a rule of FORMAT.md, or FORMAT.md does not say what the file does."""


def need(condition, message):
    if not condition:
        raise Damaged(message)


# Integers, checksums and hashes


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc(data, after=0):
    value = after ^ 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ CRC_TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def mixed_crc(data):
    whole = len(data) // 8 * 8
    groups = (int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8))
    mixed = (group * 0x9E3779B97F4A7C15 & MASK for group in groups)
    return crc(b"".join(group.to_bytes(8, "little") for group in mixed) + data[whole:])


def mix(value):
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def hash128(data):
    """MurmurHash3_x64_128 with the seed 0, as its two words."""
    rotate = lambda value, by: (value << by | value >> 64 - by) & MASK  # noqa: E731
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    scramble1 = lambda k: rotate(k * c1 & MASK, 31) * c2 & MASK  # noqa: E731
    scramble2 = lambda k: rotate(k * c2 & MASK, 33) * c1 & MASK  # noqa: E731
    h1 = h2 = 0
    whole = len(data) // 16 * 16
    for k1, k2 in struct.iter_unpack("<QQ", data[:whole]):
        h1 = ((rotate(h1 ^ scramble1(k1), 27) + h2) * 5 + 0x52DCE729) & MASK
        h2 = ((rotate(h2 ^ scramble2(k2), 31) + h1) * 5 + 0x38495AB5) & MASK
    tail = data[whole:]
    h2 ^= scramble2(int.from_bytes(tail[8:], "little"))
    h1 ^= scramble1(int.from_bytes(tail[:8], "little"))
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = (h1 + h2) & MASK
    h2 = (h2 + h1) & MASK
    h1, h2 = mix(h1), mix(h2)
    h1 = (h1 + h2) & MASK
    return h1, (h2 + h1) & MASK


def unzigzag(value):
    return (value >> 1 ^ -(value & 1)) & MASK


def signed(value):
    return value - 2**64 if value >> 63 else value


class Reader:
    """A place in some bytes; every read is checked against their end."""

    def __init__(self, data, offset=0):
        self.data, self.offset = data, offset

    def take(self, count):
        need(0 <= count <= len(self.data) - self.offset, f"{count} bytes at {self.offset} run past the end")
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def integer(self, byte_count):
        return int.from_bytes(self.take(byte_count), "little")

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.integer(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                need(value <= MASK, "a varint of more than 64 bits")
                return value
        raise Damaged("a varint of more than ten bytes")

    def block(self):
        return self.take(self.varint())

    def checksum(self, start):
        """The crc32c that ends what began at `start`."""
        expected = crc(self.data[start : self.offset])
        need(self.integer(4) == expected, f"the checksum at {self.offset - 4} does not match")

    def end(self):
        need(self.offset == len(self.data), f"{len(self.data) - self.offset} bytes left over")


# Columns


def bit_run(reader, count, width):
    need(width <= 64, f"a width of {width}")
    byte_count = (count * width + 7) // 8
    bits = reader.integer(byte_count)
    need(bits >> count * width == 0, "bits behind a run are set")
    mask = (1 << width) - 1
    return [bits >> index * width & mask for index in range(count)]


def patched_run(reader, count, width):
    exceptions = reader.varint()
    need(exceptions <= count, "more exceptions than values")
    high_width = reader.integer(1) if exceptions else 0
    need(width + high_width <= 64, "a patched width above 64")
    values = bit_run(reader, count, width)
    if exceptions:
        positions = bit_run(reader, exceptions, 10)
        need(positions == sorted(set(positions)) and positions[-1] < count, "exceptions out of order")
        for position, high in zip(positions, bit_run(reader, exceptions, high_width)):
            values[position] += high << width
    return values


def table(reader):
    distinct = reader.varint()
    need(distinct <= 256, "a table of more than 256 values")
    return bit_run(reader, distinct, reader.integer(1))


def huffman(reader, count):
    values = table(reader)
    lengths = bit_run(reader, len(values), 4)
    need(all(lengths) and sum(2**-length for length in lengths) == 1, "code lengths do not fill the code space")
    codes, code, previous = {}, 0, 0
    for length, index in sorted((length, index) for index, length in enumerate(lengths)):
        code <<= length - previous
        previous = length
        codes[length, code] = values[index]
        code += 1
    rest = reader.take(len(reader.data) - reader.offset)
    bits = iter("".join(f"{byte:08b}" for byte in rest))
    out = []
    used = 0
    for _ in range(count):
        code = length = 0
        while (length, code) not in codes or length == 0:
            bit = next(bits, None)
            need(bit is not None and length < 15, "a huffman code without an end")
            code, length = code << 1 | (bit == "1"), length + 1
        used += length
        out.append(codes[length, code])
    need(len(rest) == (used + 7) // 8 and "1" not in bits, "bits behind the codes")
    return out


def steps(reader, count, width):
    cycle, values = reader.varint(), [reader.varint()]
    step_width = reader.integer(1)
    known = bit_run(reader, reader.varint(), step_width)
    codes = bit_run(reader, count - 1, width)
    rare = iter(bit_run(reader, sum(code == len(known) for code in codes), step_width))
    need(cycle <= 2**62 and values[0] < cycle and len(known) <= 255, "steps beyond their limits")
    for code in codes:
        need(code <= len(known), "a step that is not there")
        step = known[code] if code < len(known) else next(rare)
        need(step < cycle, "a step past its cycle")
        values.append((values[-1] + step) % cycle)
    return values


def text_order(text):
    """The key that sorts texts as a sorted text list has them."""
    return len(text), text


def integer_page(reader):
    start = reader.offset
    encoding, scale, width, count = (reader.integer(size) for size in (1, 1, 1, 2))
    need(width <= 64 and count <= 1024, "an integer page beyond its limits")
    if scale <= 9:
        factor = 10**scale
    else:
        need(0x41 <= scale <= 0x7F, f"a scale of {scale}")
        factor = 2 ** (scale - 0x40)
    body = Reader(reader.block())
    reader.checksum(start)
    base = body.varint()
    if encoding == 0:
        values = [0] * count
    elif encoding == 1:
        values = bit_run(body, count, width)
    elif encoding == 2:
        values = patched_run(body, count, width)
    elif encoding in (3, 4):
        values = [body.varint()]
        step = unzigzag(body.varint()) if encoding == 3 else 0
        for residual in patched_run(body, count - 1, width):
            values.append(values[-1] + (step + residual if encoding == 3 else unzigzag(residual)) & MASK)
    elif encoding == 5:
        runs = body.varint()
        length_width = body.integer(1)
        heads = bit_run(body, runs, width)
        lengths = bit_run(body, runs, length_width)
        values = [head for head, length in zip(heads, lengths) for _ in range(length + 1)]
    elif encoding == 6:
        distinct = table(body)
        indices = bit_run(body, count, width)
        need(all(index < len(distinct) for index in indices), "an index past its table")
        values = [distinct[index] for index in indices]
    elif encoding == 7:
        values = huffman(body, count)
    elif encoding == 8:
        values = steps(body, count, width)
    else:
        raise Damaged(f"integer encoding {encoding}")
    body.end()
    need(len(values) == count, "an integer page that disagrees about its count")
    return [base + factor * value & MASK for value in values]


def integer_column(reader):
    if reader.data[reader.offset : reader.offset + 1] != b"\x81":
        return integer_page(reader)
    start = reader.offset
    reader.integer(1)
    count = reader.varint()
    need(1024 < count <= 2**28, f"an integer column of {count} values")
    pages = (count + 1023) // 1024
    ends = [reader.integer(4) for _ in range(pages)]
    reader.checksum(start)
    first, values = reader.offset, []
    for end in ends:
        values += integer_page(reader)
        need(reader.offset == first + end, "a page does not end where its column says")
    need(len(values) == count, "a column that disagrees about its count")
    return values


def decompress(frame, byte_count):
    out = zstandard.ZstdDecompressor().decompress(frame, max_output_size=byte_count)
    need(len(out) == byte_count, "a block that disagrees about its byte count")
    return out


def text_block(reader, text_byte_count, stored_byte_count):
    stored = reader.take(stored_byte_count)
    need(reader.integer(4) == crc(stored), f"the checksum of the text block at {reader.offset} does not match")
    if text_byte_count == stored_byte_count:
        return stored
    return decompress(b"\x28\xb5\x2f\xfd" + stored, text_byte_count)


def sorted_text_list(reader):
    start = reader.offset
    count, chunk_count = reader.varint(), reader.varint()
    chunks = [
        (reader.varint(), reader.varint(), reader.varint(), reader.varint(), reader.block()) for _ in range(chunk_count)
    ]
    reader.checksum(start)
    need(sum(chunk[0] for chunk in chunks) == count, "the chunks of a text list disagree about its count")
    texts = []
    for entry_count, text_count, stored_count, separator_byte_count, prefix in chunks:
        separator = (separator_byte_count, prefix.ljust(separator_byte_count, b"\0"))
        need(len(prefix) <= separator_byte_count, "a separator longer than it says")
        block = Reader(text_block(reader, text_count, stored_count))
        groups = (entry_count + 15) // 16
        sizes = [block.varint() for _ in range(groups - 1)]
        chunk = []
        for group in range(groups):
            from_offset = block.offset
            for index in range(min(16, entry_count - group * 16)):
                shared = block.varint() if index else 0
                need(not index or shared <= len(chunk[-1]), "a shared prefix longer than its string")
                chunk.append((chunk[-1][:shared] if index else b"") + block.block())
            need(group == groups - 1 or block.offset - from_offset == sizes[group], "a group of another size")
        block.end()
        need(not texts or text_order(texts[-1]) < separator <= text_order(chunk[0]), "a separator that does not separate")
        texts += chunk
    need(all(text_order(left) < text_order(right) for left, right in zip(texts, texts[1:])), "a text list out of order")
    return texts


def raw_texts(reader, count):
    if not count:
        return []
    lengths = integer_column(reader)
    need(len(lengths) == count, "a raw column that disagrees about its count")
    uniform = reader.integer(1)
    ends, stored = integer_column(reader), integer_column(reader)
    need(uniform in (0, 1) and bool(ends) != bool(uniform), "block ends that contradict is-uniform")
    if uniform:
        ends = [min(end + 64, count) for end in range(0, count, 64)]
    need(len(ends) == len(stored) and ends[-1] == count, "blocks that disagree about their count")
    texts = []
    for end, stored_count in zip(ends, stored):
        sizes = lengths[len(texts) : end]
        need(1 <= len(sizes) <= 64, "a block of no or of too many strings")
        block = Reader(text_block(reader, sum(sizes), stored_count))
        texts += [block.take(size) for size in sizes]
        block.end()
    return texts


def template_parts(template):
    """Literals (bytes) and marks (mark, width) of a template."""
    parts, reader = [], Reader(template)
    while reader.offset < len(template):
        byte = reader.integer(1)
        if byte in (1, 3):
            parts.append((byte, 0))
        elif byte in (2, 4):
            parts.append((byte, reader.integer(1)))
        else:
            parts.append(bytes([byte]))
    return parts


def render(parts, numbers):
    out = b""
    for part in parts:
        if isinstance(part, bytes):
            out += part
            continue
        mark, width = part
        if mark == 1:
            out += b"%d" % next(numbers)
        elif mark == 2:
            out += (b"%016x" % next(numbers))[-width:]
        elif mark == 3:
            digits = b"%016x%016x" % (next(numbers), next(numbers))
            out += b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        else:
            out += (b"%019d" % next(numbers))[-width:]
    return out


def text_column(reader):
    start = reader.offset
    encoding, count = reader.integer(1), reader.varint()
    reader.checksum(start)
    if encoding == 0:
        return raw_texts(reader, count)
    if encoding == 1:
        texts, indices = sorted_text_list(reader), integer_column(reader)
        need(len(indices) == count and all(index < len(texts) for index in indices), "indices past their texts")
        return [texts[index] for index in indices]
    need(encoding == 2, f"text encoding {encoding}")
    templates = [template_parts(template) for template in sorted_text_list(reader)]
    choices, ranks = integer_column(reader), integer_column(reader)
    need(len(choices) == count and all(choice <= len(templates) for choice in choices), "templates of other rows")
    pages = range(1, (count + 1023) // 1024)
    need(ranks == [choices[: page * 1024].count(choice) for choice in range(len(templates) + 1) for page in pages],
         "ranks that do not count the rows before a page")
    sizes = integer_column(reader)
    plain = iter(text_column(reader))
    slots, at = [], iter(sizes)
    for index, parts in enumerate(templates):
        columns = []
        for part in parts:
            for _ in range(0 if isinstance(part, bytes) else 2 if part[0] == 3 else 1):
                begin = reader.offset
                columns.append(integer_column(reader))
                need(reader.offset - begin == next(at, None), "a slot column of another size")
                need(len(columns[-1]) == choices.count(index), "a slot column of other rows")
        slots.append(iter(zip(*columns)) if columns else None)
    need(next(at, None) is None, "sizes of slot columns that are not there")
    texts = []
    for choice in choices:
        if choice == len(templates):
            texts.append(next(plain))
        else:
            numbers = next(slots[choice]) if slots[choice] else ()
            texts.append(render(templates[choice], iter(numbers)))
    need(next(plain, None) is None, "texts without a template that no row has")
    return texts


class Filter:
    """Says whether a hash may be a member."""

    def __init__(self, reader):
        start = reader.offset
        self.width, self.attempt, self.exponent = (reader.integer(1) for _ in range(3))
        need(self.width in (4, 8, 16) and self.exponent <= 18, "a filter beyond its limits")
        self.count, self.segments = reader.varint(), reader.varint()
        need((self.count == 0) == (self.segments == 0), "a filter without segments")
        count = self.segments + 2 << self.exponent if self.count else 0
        if self.width == 4:
            self.fingerprints = bit_run(reader, count, 4)
        else:
            size = self.width // 8
            fingerprints = reader.take(count * size)
            self.fingerprints = [int.from_bytes(fingerprints[at : at + size], "little")
                                 for at in range(0, len(fingerprints), size)]
        reader.checksum(start)

    def __contains__(self, key):
        if not self.count:
            return False
        length = 1 << self.exponent
        h = mix(key + self.attempt * 0x9E3779B97F4A7C15 & MASK)
        p0 = h * (self.segments * length) >> 64
        p1 = (p0 + length) ^ (h >> 18) % length
        p2 = (p0 + 2 * length) ^ h % length
        found = self.fingerprints[p0] ^ self.fingerprints[p1] ^ self.fingerprints[p2]
        return found == (h ^ h >> 32) & (1 << self.width) - 1


def text_hash(text):
    return hash128(text)[0]


def part_list(data, count):
    reader, parts = Reader(data), []
    while reader.offset < len(data):
        parts.append(Reader(reader.block()))
    need(len(parts) >= count, f"a part list of fewer than {count} parts")
    return parts[:count]


def whole(read, reader):
    value = read(reader)
    reader.end()
    return value


def compressed_block(reader):
    start = reader.offset
    raw, stored_count = reader.integer(4), reader.integer(4)
    checksum = reader.integer(4)
    stored = reader.take(stored_count)
    need(checksum == crc(stored, crc(reader.data[start : start + 8])), "the checksum of a block does not match")
    return stored if raw == stored_count else decompress(stored, raw)


def ascending_list(reader):
    head = reader.varint()
    if head == 0:
        return []
    count, values = head >> 1, [reader.varint()]
    if head & 1:
        span = reader.varint()
        bits = reader.integer((span + 7) // 8)
        values += [values[0] + 1 + bit for bit in range(span) if bits >> bit & 1]
    else:
        for _ in range(count - 1):
            values.append(values[-1] + reader.varint())
    need(len(values) == count and values == sorted(set(values)), "a list that disagrees about its count")
    return values
