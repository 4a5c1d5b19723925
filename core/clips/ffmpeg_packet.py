"""Packets whose bytes FFmpeg owns."""

from __future__ import annotations

import av


def ffmpeg_packet(content: bytes) -> av.Packet:
    """Return a packet with a copy of some bytes.

    A packet that PyAV makes of bytes keeps Python's object, and frees it under Python's lock. A
    decoder's thread that does so waits for ever for who frees the decoder, lock in hand.
    """
    packet = av.Packet(len(content))
    if content:
        packet.update(content)
    return packet
