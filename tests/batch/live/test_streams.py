"""Streams of the network on loopback: in, out, lost and back."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from fractions import Fraction
from time import sleep

import av
import av.error
import pytest

from brushreel.batch.live.address import input_address, output_address
from brushreel.batch.live.clock import Clock
from brushreel.batch.live.run import LiveJob, stylize_live
from brushreel.batch.live.settings import InputSettings
from brushreel.core.errors import MediaError, OutputError

from .doubles import PATIENCE

STEPS = 25
"""Pieces in which a server sends a clip, and how long it waits after each."""
PAUSE = 0.04


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(content: bytes, times: int):
    """Serve a transport stream to so many callers, one after the other, as if it were live."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(times):
                caller, _ = server.accept()
                size = -(-len(content) // STEPS)
                with caller:
                    for start in range(0, len(content), size):
                        caller.sendall(content[start : start + size])
                        sleep(PAUSE)
            server.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        thread.join(PATIENCE)


@pytest.fixture
def transport(make_clip, sound) -> bytes:
    """A second as a transport stream, with a keyframe every fifth of it."""
    clip = make_clip("sent.ts", frames=25, sounds=(sound(),), options={"g": "5"})
    return clip.read_bytes()


def test_a_source_that_ends_and_comes_back_goes_on_in_one_file(
    transport, untouched, read_clip, tmp_path
):
    output, events = tmp_path / "live.mkv", []
    with served(transport, 2) as address:
        job = LiveJob(
            input_address(address), output_address(str(output)), InputSettings(reconnect=0.5)
        )
        with pytest.raises(MediaError, match=r"has ended, and did not come back in 1 s") as caught:
            stylize_live(job, untouched, events.append, Clock())
    assert str(caught.value).startswith(address)
    names = [event.name for event in events if event.name != "live_status"]
    assert names == ["live_started", "live_lost", "live_back", "live_lost", "live_done"]
    made = read_clip(output)
    assert len(made.times) == events[-1].frames > 5
    assert list(made.times) == sorted(set(made.times))
    # The second time goes on after the first one, by the clock.
    assert made.times[-1] > 1
    starts = made.audio[0].starts
    assert list(starts) == sorted(set(starts))
    assert made.times[-1] - starts[-1] < 1


@pytest.mark.slow
def test_a_stream_by_udp_is_joined_in_its_middle(transport, untouched, read_clip, tmp_path):
    port, ended = free_port(socket.SOCK_DGRAM), threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not ended.is_set():
                for start in range(0, len(transport), 7 * 188):
                    sender.sendto(transport[start : start + 7 * 188], ("127.0.0.1", port))
                    sleep(len(transport[start : start + 7 * 188]) / len(transport))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    output = tmp_path / "live.mkv"
    job = LiveJob(
        input_address(f"udp://127.0.0.1:{port}"),
        output_address(str(output)),
        duration=Fraction(1, 2),
    )
    events = []
    stylize_live(job, untouched, events.append, Clock())
    ended.set()
    thread.join(PATIENCE)
    made = read_clip(output)
    assert len(made.times) == events[-1].frames > 0
    assert 0 <= made.times[0] <= made.times[-1] < 0.5


def test_a_server_of_rtmp_gets_the_stream(make_clip, sound, untouched):
    source = make_clip(frames=12, sounds=(sound(), sound()))
    port, found = free_port(), {}
    address = f"rtmp://name:secret@127.0.0.1:{port}/live/x"

    def receive() -> None:
        listening = av.open(f"rtmp://127.0.0.1:{port}/live/x", options={"listen": "1"})
        # Whoever sends leaves.
        with listening as container, suppress(av.error.FFmpegError):
            for packet in container.demux():
                found.setdefault(packet.stream.type, []).append(packet)

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    sleep(0.3)  # until it listens
    events = []
    job = LiveJob(input_address(str(source)), output_address(address))
    stylize_live(job, untouched, events.append, Clock())
    thread.join(PATIENCE)
    assert sum(packet.size > 0 for packet in found["video"]) == events[-1].frames > 0
    assert found["video"][0].is_keyframe
    assert sum(packet.size > 0 for packet in found["audio"]) > 20
    assert events[0].warnings == ("1 audio stream left out: the output takes one",)
    assert "secret" not in repr(events)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://127.0.0.1:{port}", "can't be opened: nobody accepts the connection"),
        ("rtsp://127.0.0.1:{port}/a", "can't be opened: nobody accepts the connection"),
        ("udp://127.0.0.1:{port}", "nothing comes within 0.2 s"),
        ("srt://127.0.0.1:{port}", "nothing comes within 0.2 s"),
        ("/dev/video99", "there is no such camera"),
    ],
)
def test_a_source_that_does_not_answer_is_one_line(address, words, untouched, tmp_path):
    named = address.format(port=free_port())
    job = LiveJob(
        input_address(named), output_address(str(tmp_path / "a.mkv")), InputSettings(timeout=0.2)
    )
    with pytest.raises(MediaError, match=words) as caught:
        stylize_live(job, untouched, lambda _: None, Clock())
    assert named in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_refuses_is_one_line(make_clip, untouched):
    job = LiveJob(
        input_address(str(make_clip(frames=2))),
        output_address(f"rtmp://127.0.0.1:{free_port()}/live/x"),
    )
    with pytest.raises(OutputError, match="can't be opened: nobody accepts the connection"):
        stylize_live(job, untouched, lambda _: None, Clock())
