"""New tracks in .xml and .fcpxml: where they lie, what they are called, what they replace."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from brushreel.plugin_resolve.timelines.earlier_run import is_styled_shot, outdated_shots
from brushreel.plugin_resolve.timelines.model import TimelineFile
from brushreel.plugin_resolve.timelines.styling import read_timeline
from brushreel.plugin_resolve.timelines.xml_text import XmlText

from .cuts import FORMATS
from .styled import MEDIA, write_styled

MADE = ("A", "B", "C")


@pytest.fixture
def cut(tmp_path) -> Callable[..., TimelineFile]:
    """A cut, changed by pairs of what to replace by what."""

    def read(suffix: str, *changes: tuple[str, str]) -> TimelineFile:
        path = tmp_path / f"cut{suffix}"
        media = Path("/clips/one.mov"), Path("/clips/two.mov")
        path.write_text(FORMATS[suffix](Fraction(25), *media, 0, "look"), encoding="utf-8")
        return _changed(path, *changes)

    return read


def _changed(path: Path, *changes: tuple[str, str]) -> TimelineFile:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert re.search(old, text)
        text = re.sub(old, new, text, count=1)
    path.write_text(text, encoding="utf-8")
    return read_timeline(path)


def _connected(*inner: str) -> tuple[str, str]:
    """Return a change that connects a clip to clip A of the .fcpxml."""
    return r'(<asset-clip name="A"[^>]*)/>', rf"\1>{''.join(inner)}</asset-clip>"


def _clip(name: str, lane: int) -> str:
    return f'<asset-clip name="{name}" lane="{lane}" ref="r3" offset="0s" duration="5/25s"/>'


def _lanes(path: Path) -> dict[str, int]:
    root = XmlText(path).root
    return {item.get("name", ""): int(item.get("lane", 0)) for item in root.iter("asset-clip")}


def test_above_a_clip_below_the_storyline_is_below_the_storyline(cut, tmp_path):
    old = cut(".fcpxml", _connected(_clip("low", -2), _clip("under", -1), _clip("over", 1)))
    lanes = _lanes(write_styled(old, ["under"], tmp_path / "a.fcpxml"))
    assert lanes["low"] < lanes["under"] < lanes["under (Brushreel: wave)"] < 0
    assert lanes["over"] == 1


def test_lanes_keep_their_order_on_both_sides_of_the_storyline(cut, tmp_path):
    names = ["low", "under", "A", "over"]
    old = cut(".fcpxml", _connected(_clip("low", -2), _clip("under", -1), _clip("over", 1)))
    lanes = _lanes(write_styled(old, names, tmp_path / "a.fcpxml"))
    order = [lanes[shown] for name in names for shown in (name, f"{name} (Brushreel: wave)")]
    assert order == [-4, -3, -2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize(
    "after", ["sync-source", "hidden-clip-marker", "audio-role-source", "metadata"]
)
def test_connected_clips_come_before_what_the_dtd_wants_behind_them(cut, tmp_path, after):
    parent = (
        f'<sync-clip name="sync" offset="0s" duration="1s">{_clip("X", 1)}<{after}/></sync-clip>'
    )
    old = cut(".fcpxml", (r"(?=<gap )", parent))
    root = XmlText(write_styled(old, ["X"], tmp_path / "a.fcpxml")).root
    sync = root.find(".//sync-clip")
    assert sync is not None
    assert [child.tag for child in sync] == ["asset-clip", "asset-clip", after]


def _again(path: Path, names: tuple[str, ...] = MADE) -> Path:
    """Run again, on what the last run wrote."""
    old = read_timeline(path)
    return write_styled(
        old, names, path.with_stem(f"{path.stem}-again"), outdated_shots(old.uses, MEDIA)
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_new_shots_take_the_place_of_an_earlier_runs(cut, tmp_path, suffix):
    first = write_styled(cut(suffix), MADE, tmp_path / f"a{suffix}")
    assert _again(first).read_bytes() == first.read_bytes()
    assert sum(is_styled_shot(use, MEDIA) for use in read_timeline(first).uses) == len(MADE)


@pytest.mark.parametrize("suffix", FORMATS)
def test_tracks_that_lost_their_name_are_known_by_their_files(cut, tmp_path, suffix):
    first = write_styled(cut(suffix), MADE, tmp_path / f"a{suffix}")
    named = first.read_bytes()
    unnamed = named.replace(b'"Brushreel: wave"', b'"V2"').replace(b">Brushreel: wave<", b"><")
    first.write_bytes(unnamed.replace(b' videoRole="Brushreel"', b""))
    assert not any(use.on_styled_track for use in read_timeline(first).uses)
    assert _again(first).read_bytes() == named


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_elsewhere_are_known_by_their_tracks_name(cut, tmp_path, suffix):
    first = write_styled(cut(suffix), MADE, tmp_path / f"a{suffix}")
    text = first.read_text().replace('videoRole="Brushreel"', 'videoRole="Brushreel.Brushreel-1"')
    first.write_text(text)
    uses = read_timeline(first).uses
    assert sum(is_styled_shot(use, tmp_path) for use in uses) == len(MADE)


def test_sources_in_the_media_folder_are_sources(cut):
    old = cut(".xml", ("/clips/one.mov", f"{MEDIA}/one.mov"))
    assert not any(is_styled_shot(use, MEDIA) for use in old.uses)


def test_what_else_was_laid_on_a_styled_track_stays_with_the_track(cut, tmp_path):
    first = write_styled(cut(".xml"), MADE, tmp_path / "a.xml")
    title = "<clipitem><name>mine</name><start>90</start><end>95</end></clipitem>"
    _changed(first, (r'(<track MZ.TrackName="Brushreel.*?>)', rf"\1{title}"))
    again = read_timeline(_again(first))
    assert sum(use.on_styled_track for use in again.uses) == 2 * len(MADE) + 1
    assert "mine" in [use.name for use in again.uses]


@pytest.mark.parametrize("suffix", [".xml", ".fcpxml"])
def test_ids_of_shots_that_stay_are_not_given_again(cut, tmp_path, suffix):
    first = write_styled(cut(suffix), MADE, tmp_path / f"a{suffix}")
    both = write_styled(read_timeline(first), MADE, tmp_path / f"b{suffix}")
    root = XmlText(both).root
    ids = Counter(item.get("id") for item in root.iter() if "id" in item.attrib and len(item))
    assert max(ids.values()) == 1
    files = [use.media for use in read_timeline(both).uses if is_styled_shot(use, MEDIA)]
    assert len(files) == 2 * len(MADE)


def test_files_that_others_name_stay_with_their_track(cut, tmp_path):
    first = write_styled(cut(".xml"), MADE, tmp_path / "a.xml")
    named = re.search(r'<file id="(brushreel-\d+)"', first.read_text())
    assert named is not None
    copy = (
        "<clipitem><name>copy</name><start>90</start><end>95</end><in>0</in><out>5</out>"
        f'<file id="{named[1]}"/></clipitem>'
    )
    _changed(first, (r"(?=</track>\s*</video>)", copy))
    again = _again(first)
    assert {use.name: use.media for use in read_timeline(again).uses}["copy"] is not None
    assert again.read_text().count('<track MZ.TrackName="Brushreel') == 2


def test_links_to_replaced_shots_go_and_others_follow(cut, tmp_path):
    first = write_styled(cut(".xml"), MADE, tmp_path / "a.xml")
    link = "<link><mediatype>video</mediatype><trackindex>{}</trackindex></link>"
    links = "".join(link.format(number) for number in (1, 2, 3))
    _changed(first, ("<audio><track>", f"<audio><track><clipitem>{links}</clipitem>"))
    # V1 and V2 are the cut's now, and the new one lies above V1.
    numbers = re.findall(r"<trackindex>(\d)", _again(first).read_text())
    assert numbers == ["1", "3"]
    # Nothing above: the titles move down.
    cut_again = read_timeline(first)
    output = tmp_path / "titles.xml"
    gone = outdated_shots(cut_again.uses, MEDIA)
    output.write_bytes(cut_again.with_tracks([], gone))
    assert re.findall(r"<trackindex>(\d)", output.read_text()) == ["1", "2"]


def test_links_of_replaced_shots_go_with_them(cut, tmp_path):
    first = write_styled(cut(".xml"), MADE, tmp_path / "a.xml")
    unlinked = first.read_bytes()
    links = "".join(
        f"<link><mediatype>video</mediatype><trackindex>{number}</trackindex></link>"
        for number in (1, 2, 3)
    )
    _changed(first, (r"(?=</clipitem><enabled>)", links))
    gone = outdated_shots(read_timeline(first).uses, MEDIA)
    assert _again(first).read_bytes() == unlinked
    assert cut(".xml").with_tracks([]) == read_timeline(first).with_tracks([], gone)


def test_a_styled_shot_to_which_a_title_is_connected_stays(cut, tmp_path):
    first = write_styled(cut(".fcpxml"), MADE, tmp_path / "a.fcpxml")
    title = '<title name="mine" lane="1" ref="r9" offset="0s" duration="5/25s"/>'
    _changed(first, (r"(A \(Brushreel.*?</note>)", rf"\1{title}"))
    names = [use.name for use in read_timeline(_again(first)).uses]
    assert names.count("A (Brushreel: wave)") == 2
    assert names.count("B (Brushreel: wave)") == names.count("mine") == 1
