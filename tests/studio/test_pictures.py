"""Frames that the page shows: exact ones are those of a render; sound is where it belongs."""

from __future__ import annotations

import io
import json
import struct
import wave

import numpy as np
import pytest
from PIL import Image
from websockets.sync.client import connect
from websockets.typing import Origin

from brushreel.batch.clips.clip import stylize_clip
from brushreel.core import library
from brushreel.core.clips.media import read
from brushreel.core.frames.colour import to_rgb
from brushreel.core.stylizer import Stylizer

from ..batch.media.make import Sound, make_clip

TURNED = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
"""A display matrix of a quarter turn."""


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def codes(frame) -> np.ndarray:
    return (to_rgb(frame)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)


@pytest.mark.parametrize("look", ["", "&stroke_size=2&strength=0.6&keep_colors=1&detail=0.8"])
def test_exact_frame_has_the_pixels_of_a_render(client, styles, tmp_path, look):
    settings = {"stroke_size": 2, "strength": 0.6, "keep_colors": True, "detail": 0.8}
    source, output = client.folder / "a.mp4", tmp_path / "out.mkv"
    stylize_clip(source, output, styles, codec="ffv1", device="cpu", **(settings if look else {}))
    rendered = list(read(output))
    clip = client.clip()
    for number in (7, 3, len(rendered) - 1, 4):
        shown = pixels(client.get(f"clips/{clip}/{number}.png?style=tiny{look}"))
        np.testing.assert_array_equal(shown, codes(rendered[number]))


def test_source_frame_is_the_one_of_that_number(client):
    frames = list(read(client.folder / "a.mp4"))
    clip = client.clip()
    for number in (20, 2, 3, 0):
        shown = pixels(client.get(f"clips/{clip}/{number}.png"))
        np.testing.assert_array_equal(shown, codes(frames[number]))


def test_small_frame_looks_like_the_exact_one(client):
    clip = client.clip()
    exact = pixels(client.get(f"clips/{clip}/5.png?style=tiny")).astype(float)
    small = pixels(client.get(f"clips/{clip}/5.jpg?style=tiny&lines=72")).astype(float)
    assert small.shape == exact.shape
    assert np.abs(small - exact).mean() < 6
    source = pixels(client.get(f"clips/{clip}/5.jpg?lines=72")).astype(float)
    assert np.abs(source - exact).mean() > 20
    assert pixels(client.get(f"clips/{clip}/5.jpg?lines=48&style=tiny")).shape == (48, 86, 3)
    assert pixels(client.get(f"clips/{clip}/thumbnail.jpg")).shape == (72, 128, 3)


def test_sequence_is_a_clip(client):
    for number in range(3):
        Image.new("RGB", (64, 48), (50 * number, 10, 10)).save(client.folder / f"shot.{number}.png")
    clip = client.clip("shot.%d.png")
    assert client.json(f"clips/{clip}")["frames"] == 3
    assert pixels(client.get(f"clips/{clip}/2.png"))[0, 0].tolist() == [100, 10, 10]


def test_rotated_frame_is_upright(client):
    make_clip(client.folder, "turned.mov", display_matrix=TURNED)
    clip = client.clip("turned.mov")
    facts = client.json(f"clips/{clip}")
    for name in ("0.png", "0.png?style=tiny", "0.jpg?lines=1080", "thumbnail.jpg"):
        height, width, _ = pixels(client.get(f"clips/{clip}/{name}")).shape
        assert width / height == pytest.approx(facts["width"] / facts["height"], rel=0.05)
        assert width < height


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("99999.png", "has no frame 99999"),
        ("0.png?style=none", "the library has no style named 'none'"),
        ("0.png?style=/etc/passwd", "the library has no style named '/etc/passwd'"),
        ("0.png?style=tiny&stroke_size=9", "stroke size must be"),
        ("0.png?style=tiny&strength=2", "strength must lie between 0 and 1"),
        ("0.png?style=tiny&detail=x", "must be numbers"),
        ("0.jpg?lines=9999", "48 to 1080 lines"),
        ("0.jpg", "48 to 1080 lines"),
    ],
)
def test_what_makes_no_sense_is_told(client, query, told):
    assert told in client.refusal(f"clips/{client.clip()}/{query}")


def test_style_that_was_deleted_meanwhile_is_told(client):
    clip = client.clip()
    assert client.get(f"clips/{clip}/0.png?style=tiny")
    library.style_paths()["tiny"].unlink()
    assert "has no style named 'tiny'" in client.refusal(f"clips/{clip}/0.png?style=tiny")


def samples(content: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48000, 2, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)


def test_sound_is_as_long_as_the_clip_and_any_part_of_it_can_be_had(client):
    make_clip(client.folder, "s.mov", frames=50, sounds=(Sound("pcm_s16le"),))
    clip = client.clip("s.mov")
    whole = client.get(f"clips/{clip}/sound.wav")
    sound = samples(whole)
    assert len(sound) == round(client.json(f"clips/{clip}")["duration"] * 48000)
    heard = np.abs(sound.astype(int)).max(1) > 300
    assert heard[:23000].mean() > 0.9 and not heard[24100:].any()
    for start, end in ((0, 9), (30, 60), (40000, 50001), (77777, 99999)):
        status, part, headers = client.ask(
            "GET", f"clips/{clip}/sound.wav", Range=f"bytes={start}-{end}"
        )
        assert status == 206 and part == whole[start : end + 1]
        assert headers["Content-Range"] == f"bytes {start}-{end}/{len(whole)}"
    status, part, _ = client.ask("GET", f"clips/{clip}/sound.wav", Range="bytes=1000-")
    assert status == 206 and part == whole[1000:]


def test_clip_without_sound_is_told(client):
    make_clip(client.folder, "mute.mp4")
    assert "has no sound" in client.refusal(f"clips/{client.clip('mute.mp4')}/sound.wav")


class Page:
    """A page's connection for frames."""

    def __init__(self, client, name: str = "play"):
        address = f"ws://{client.guard.host}{client.guard.root}{name}"
        self.socket = connect(address, origin=Origin(f"http://{client.guard.host}"))

    def send(self, **fields) -> None:
        self.socket.send(json.dumps(fields))

    def receive(self) -> tuple[dict, list[bytes]]:
        message = self.socket.recv(60)
        assert isinstance(message, bytes)
        (length,) = struct.unpack(">I", message[:4])
        header = json.loads(message[4 : 4 + length])
        if "error" in header:
            return header, []
        start, middle = 4 + length, 4 + length + header["before"]
        return header, [message[start:middle], message[middle:]]

    def ask(self, **fields) -> tuple[dict, list[bytes]]:
        self.send(**fields)
        return self.receive()


@pytest.fixture
def page(client):
    opened = Page(client)
    yield opened
    opened.socket.close()


def test_player_gives_the_frame_of_a_time(client, page):
    clip, look = client.clip(), {"style": "tiny"}
    rate = client.json(f"clips/{clip}")["rate"]
    for number in (0, 1, 2, 9, 4):
        header, (before, after) = page.ask(
            id=number, clip=clip, time=(number + 0.5) / rate, lines=72, look=look, sides="both"
        )
        assert (header["id"], header["number"]) == (number, number)
        assert header["timecode"] == f"00:00:00:{number:02}"
        assert before == client.get(f"clips/{clip}/{number}.jpg?lines=72")
        assert after == client.get(f"clips/{clip}/{number}.jpg?lines=72&style=tiny")
    assert page.ask(id=1, clip=clip, time=99, lines=72)[0]["number"] == round(rate) - 1


def test_player_gives_the_sides_that_are_asked_for(client, page):
    clip, look = client.clip(), {"style": "tiny"}
    for sides, there in (("before", (1, 0)), ("after", (0, 1)), ("both", (1, 1))):
        _, pictures = page.ask(id=1, clip=clip, number=3, lines=72, look=look, sides=sides)
        assert tuple(bool(picture) for picture in pictures) == there
    _, pictures = page.ask(id=1, clip=clip, number=3, lines=72, look=None)
    assert [bool(picture) for picture in pictures] == [True, False]


def test_frames_are_left_out_and_not_delayed(client, page):
    clip = client.clip()
    for number in range(1, 21):
        page.send(id=number, clip=clip, number=number, lines=72, look={"style": "tiny"})
    answered = []
    while not answered or answered[-1] != 20:
        answered.append(page.receive()[0]["id"])
    assert answered == sorted(answered)
    assert len(answered) < 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"clip": "none"},
        {"time": 1.0},
        {"number": None},
        {"number": "x"},
        {"lines": 5000},
        {"sides": "top"},
        {"look": "tiny"},
        {"look": {"style": "none"}},
        {"look": {"style": "tiny", "stroke_size": 0.01}},
    ],
    ids=str,
)
def test_player_tells_what_is_wrong_and_goes_on(client, page, wrong):
    fine = {"id": 5, "clip": client.clip(), "number": 1, "lines": 72, "look": {"style": "tiny"}}
    header, _ = page.ask(**(fine | wrong))
    assert header["error"]
    assert page.ask(**fine)[0]["number"] == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 5000])
def test_player_survives_what_is_no_request(client, page, text):
    page.socket.send(text)
    assert page.receive()[0]["error"]
    assert page.ask(id=1, clip=client.clip(), number=1, lines=72)[0]["number"] == 1


def test_frame_of_the_camera_comes_back_stylized(client, styles):
    camera = Page(client, "camera")
    rows, columns = np.mgrid[:60, :80].astype(np.uint8)
    frame = np.stack([3 * columns, 4 * rows, 2 * rows + columns], axis=-1)
    content = io.BytesIO()
    Image.fromarray(frame).save(content, "JPEG", quality=100, subsampling=0)
    head = json.dumps({"id": 7, "look": {"style": "tiny"}}).encode()
    camera.socket.send(struct.pack(">I", len(head)) + head + content.getvalue())
    header, (_, after) = camera.receive()
    assert header["id"] == 7
    expected = Stylizer(styles, device="cpu")(pixels(content.getvalue()))
    assert np.abs(pixels(after).astype(float) - expected).mean() < 6
    camera.socket.close()


@pytest.mark.parametrize("look", [{"style": "tiny"}, {"style": "none"}, {}, None])
@pytest.mark.parametrize("content", [b"", b"no JPEG", "large"])
def test_frame_that_is_none_is_told(client, look, content):
    if content == "large":
        file = io.BytesIO()
        Image.new("RGB", (4000, 3000)).save(file, "JPEG")
        content = file.getvalue()
    camera = Page(client, "camera")
    head = json.dumps({"id": 1, "look": look}).encode()
    for message in (struct.pack(">I", len(head)) + head + content, content, "text"):
        camera.socket.send(message)
        assert camera.receive()[0]["error"]
    camera.socket.close()
