from __future__ import annotations

import subprocess
import sys

import pytest

from brushreel.core.clips.ffmpeg_packet import ffmpeg_packet

from ..conftest import make_clip

# A decoder with threads is freed while they still decode.
FREED = """
import sys
import av
from brushreel.core.clips.ffmpeg_packet import ffmpeg_packet

with av.open(sys.argv[1]) as clip:
    stream = clip.streams.video[0]
    packets = [bytes(packet) for packet in clip.demux(stream) if packet.size]
    extra = stream.codec_context.extradata
for _ in range(60):
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata, decoder.thread_count, decoder.thread_type = extra, 4, "FRAME"
    for content in packets[:4]:
        decoder.decode(ffmpeg_packet(content))
    del decoder
"""


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 40])
def test_holds_the_bytes(content):
    assert bytes(ffmpeg_packet(content)) == content


def test_a_decoder_can_be_freed_while_its_threads_have_packets(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", size=(320, 240), count=8)
    subprocess.run([sys.executable, "-c", FREED, str(clip)], check=True, timeout=60)
