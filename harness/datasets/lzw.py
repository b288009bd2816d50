"""The LZW of the Unix program compress, of which Python's library has no reader.

A code stands for a string seen before, and each code read adds one: the string of the code before it
and one byte more. Codes grow from 9 to 16 bits as the table does. They come in groups of eight; when
their width changes, what is left of a group is skipped. Code 256 empties the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import HarnessError

MAGIC = b"\x1f\x9d"
CLEAR = 256
NARROWEST = 9


def decompress(data: bytes) -> bytes:
    """What a ``.Z`` file holds."""
    if data[:2] != MAGIC or not NARROWEST <= data[2] & 0x1F <= 16 or not data[2] & 0x80:
        raise HarnessError("this is no file of compress: it begins with other bytes than 1f 9d")
    return b"".join(_strings(data[3:], widest=data[2] & 0x1F))


def _strings(data: bytes, widest: int) -> Iterator[bytes]:
    table = [bytes([byte]) for byte in range(256)] + [b""]
    previous, width, position, group = b"", NARROWEST, 0, 0
    while position + width <= 8 * len(data):
        code = int.from_bytes(data[position // 8 : position // 8 + 3], "little") >> position % 8 & (1 << width) - 1
        position += width
        if code == CLEAR:
            del table[CLEAR + 1 :]
            previous, wanted = b"", NARROWEST
        else:
            if code > len(table) or (code == len(table) and not previous):
                raise HarnessError(f"this file of compress is damaged: it has code {code} of {len(table)}")
            string = table[code] if code < len(table) else previous + previous[:1]
            if previous and len(table) < 1 << widest:
                table.append(previous + string[:1])
            yield string
            previous, wanted = string, min(widest, max(width, len(table).bit_length()))
        if wanted != width:
            position = group + -(-(position - group) // (8 * width)) * 8 * width
            group, width = position, wanted
