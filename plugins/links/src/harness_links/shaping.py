"""Limiting the rate of an interface, one direction of a link, with ``tc``'s token bucket.

The bucket holds two frames, or half a millisecond's worth: so much passes at once, the rest at the
rate. Frames are large, so that headers take under one per cent. The queue before the bucket is that of
a switch's port: what does not fit is dropped, and TCP sends it again.
"""

from __future__ import annotations

FRAME_BYTES = 9000
HEADER_BYTES = 14
BUCKET_SECONDS = 0.0005
QUEUE_SECONDS = 0.05
LEAST_QUEUE_BYTES = 256 * 2**10
SLOWEST = 1000.0
FASTEST = 12.5e9


def limit(interface: str, bytes_per_second: float) -> str:
    """The line for ``tc`` that limits what leaves through an interface."""
    bucket = max(2 * (FRAME_BYTES + HEADER_BYTES), round(bytes_per_second * BUCKET_SECONDS))
    queue = bucket + max(LEAST_QUEUE_BYTES, round(bytes_per_second * QUEUE_SECONDS))
    return f"qdisc add dev {interface} root tbf rate {8 * bytes_per_second:.0f}bit burst {bucket} limit {queue}"


def refuse_rate(bytes_per_second: float) -> None:
    """Refuse a rate that no bucket keeps."""
    if not SLOWEST <= bytes_per_second <= FASTEST:
        raise ValueError(f"no link of {8 * bytes_per_second:g} bit/s can be made: 8 kbit/s to 100 Gbit/s can")
