"""Trust in work of an earlier run: it counts only if it is of this very run, and whole."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from brushreel.batch.clips.work_folder import work_folder
from brushreel.core.errors import OutputError
from brushreel.core.stylizer import Stylizer

from .interruption import FRAMES, SHORT, assert_same, segments

DAMAGE = {
    "absent": lambda path: path.unlink(),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "another's": lambda path: path.write_bytes(path.with_name("000001.segment").read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_segment_is_done_again(run, interrupted, whole, output, read_clip, damage):
    kept = interrupted(18).kept[0].frames
    damage(segments(output)[0])
    report, heard = run()
    assert report.segments_reused == kept // 5 - 1
    # It lies before the ones that are kept, and comes first.
    assert heard.resumed == [kept - 5]
    assert len(heard.frames) == FRAMES - kept + 5
    assert_same(read_clip(output), whole())


def test_files_of_half_segments_are_not_taken_by_their_name(
    run, interrupted, whole, output, read_clip, listing
):
    kept = interrupted(14).kept[0].frames // 5
    folder = work_folder(output)
    for number in range(kept, 5):
        (folder / f"{number:06}.segment").write_bytes(segments(output)[0].read_bytes())
    (folder / ".000004.segment.77.partial").write_bytes(b"half")
    (folder / "whole.mp4").write_bytes(b"half")
    report, _ = run()
    assert report.segments_reused == kept
    assert_same(read_clip(output), whole())
    assert listing(output.parent) == ["o.mp4"]


MANIFESTS = {
    "absent": None,
    "empty": b"",
    "half": b'{"brushreel_segments": 1, "key": {',
    "no object": b"[1, 2]",
    "another format": b'{"brushreel_segments": 2, "key": {}, "segments": []}',
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", MANIFESTS.values(), ids=MANIFESTS)
def test_a_damaged_manifest_is_not_believed(run, interrupted, whole, output, read_clip, content):
    interrupted(14)
    manifest = work_folder(output) / "manifest.json"
    if content is None:
        manifest.unlink()
    else:
        manifest.write_bytes(content)
    report, _ = run()
    assert report.segments_reused == 0
    assert_same(read_clip(output), whole())


def test_a_manifest_that_claims_more_is_found_out(run, interrupted, output):
    interrupted(14)
    manifest = work_folder(output) / "manifest.json"
    about = json.loads(manifest.read_text())
    about["segments"][0]["last"] += 1
    manifest.write_text(json.dumps(about))
    with pytest.raises(OutputError, match="other frames than before"):
        run()
    report, _ = run()
    assert report.segments_reused == 0


def test_another_source_of_the_same_name_is_done_anew(
    run, interrupted, make_clip, sound, whole, output, read_clip
):
    interrupted(14)
    make_clip("in/a.mp4", frames=FRAMES, first=50, sounds=(sound(), sound("libmp3lame")))
    report, _ = run()
    assert report.segments_reused == 0
    assert_same(read_clip(output), whole())


def test_a_source_that_was_touched_is_done_anew(run, interrupted, source):
    interrupted(14)
    os.utime(source, ns=(1, 1))
    assert run()[0].segments_reused == 0


@pytest.mark.parametrize(
    "other",
    [{"strength": 0.5}, {"keep_colors": True}, {"precision": "bf16"}],
    ids=["strength", "colours", "precision"],
)
def test_another_stylizer_starts_anew(
    run, interrupted, tiny_style, whole, output, read_clip, other
):
    interrupted(14)
    stylizer = Stylizer(tiny_style, **({"device": "cpu", "precision": "fp32"} | other))
    assert run(stylizer)[0].segments_reused == 0
    assert_same(read_clip(output), whole(stylizer=stylizer))


def test_another_style_starts_anew(run, interrupted, tiny_style):
    interrupted(14)
    weights = {name: weight.clone() for name, weight in tiny_style.weights.items()}
    next(iter(weights.values())).view(-1)[0] += 1
    other = replace(tiny_style, weights=weights)
    stylizer = Stylizer(other, device="cpu", precision="fp32")
    assert run(stylizer)[0].segments_reused == 0


@pytest.mark.parametrize(
    "settings", [{"crf": 20}, {"codec": "hevc"}, {"write": replace(SHORT, segment=0.4)}], ids=str
)
def test_other_settings_start_anew(run, interrupted, settings):
    interrupted(14)
    assert run(**settings)[0].segments_reused == 0


@pytest.mark.parametrize(
    "library", ["brushreel.batch.clips.resume.__version__", "torch.__version__"]
)
def test_other_versions_start_anew(run, interrupted, monkeypatch, library):
    interrupted(14)
    monkeypatch.setattr(library, "0.0.0")
    assert run()[0].segments_reused == 0


def test_how_it_is_verified_does_not_matter(run, interrupted):
    interrupted(14)
    assert run(write=replace(SHORT, verify="full"))[0].segments_reused > 0
