"""Parts of live work: addresses, the newest frame, devices, bitrates, the status line."""

from __future__ import annotations

from fractions import Fraction

import pytest

from brushreel.batch.live.address import input_address, muxer_of, output_address
from brushreel.batch.live.encoding import usual_bitrate
from brushreel.batch.live.newest import Newest
from brushreel.batch.live.opening import camera_device
from brushreel.batch.live.status_line import StatusLine
from brushreel.batch.reporting.live_events import LiveBack, LiveDone, LiveLost, LiveStarted
from brushreel.core.clips.media import probe
from brushreel.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("camera", "camera", "camera"),
        ("camera:FaceTime HD", "camera", "camera:FaceTime HD"),
        ("/dev/video2", "camera", "camera:/dev/video2"),
        ("RTSP://me:secret@10.0.0.2/1", "stream", "RTSP://…@10.0.0.2/1"),
        ("srt://host:9000?passphrase=x", "stream", "srt://host:9000?passphrase=x"),
        ("clips/a b.mp4", "file", "clips/a b.mp4"),
    ],
)
def test_inputs(text, kind, shown):
    address = input_address(text)
    assert (address.kind, address.shown) == (kind, shown)


@pytest.mark.parametrize(
    ("text", "muxer"),
    [
        ("rtmp://host/live/key", "flv"),
        ("srt://host:1", "mpegts"),
        ("rtsp://host/a", "rtsp"),
        ("a.mkv", "matroska"),
        ("a/live.M3U8", "hls"),
    ],
)
def test_outputs(text, muxer):
    assert muxer_of(output_address(text)) == muxer


@pytest.mark.parametrize("text", ["a.avi", "a", "gopher://a", "rtmp://", "http://host/a"])
def test_what_is_no_output(text):
    with pytest.raises(UsageError):
        output_address(text)


def test_the_newest_item_takes_the_place():
    place: Newest[int] = Newest()
    for number in range(4):
        place.put(number)
    assert (place.take(), place.left_out) == (3, 3)
    place.put(4)
    place.end()
    place.put(5)
    assert (place.take(), place.take(), place.left_out) == (4, None, 3)


@pytest.mark.parametrize(
    ("name", "system", "device"),
    [
        ("", "linux", "/dev/video0"),
        ("2", "linux", "/dev/video2"),
        ("/dev/video4", "linux", "/dev/video4"),
        ("", "darwin", "0"),
        ("FaceTime", "darwin", "FaceTime"),
        ("Logi", "win32", "video=Logi"),
    ],
)
def test_cameras_by_the_system_s_names(name, system, device):
    assert camera_device(name, system) == device


def test_a_bitrate_goes_by_size_and_rate(make_clip):
    video = probe(make_clip(frames=2, size=(1280, 720))).video
    assert usual_bitrate(video, None) == 3_500_000
    assert usual_bitrate(video, Fraction(50)) == 6_900_000


def test_people_read_what_happens(capsys):
    line, names = StatusLine(), ("rtsp://cam/1", "live.mkv")
    line.handle(LiveStarted(*names, 1280, 720, None, 1, ("is rotated",)))
    line.handle(LiveLost(*names, "rtsp://cam/1: has ended"))
    line.handle(LiveBack(*names, 3.2))
    line.handle(LiveDone(*names, 65.0, 1500, 12, 3, 23.1, 0.0824))
    assert capsys.readouterr().err.splitlines() == [
        "rtsp://cam/1: is rotated",
        "rtsp://cam/1 to live.mkv: 1280x720, 1 audio stream; Ctrl-C ends it",
        "rtsp://cam/1: has ended; it is tried again",
        "rtsp://cam/1: is back after 3 s",
        "live.mkv: 1500 frames, 65 s, 23.1 frames/s · 82 ms · 12 left out · 3 repeated",
    ]
