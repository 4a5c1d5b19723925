"""Differences between a timeline file and the one that `brushreel timeline` made from it.

    python benchmarks/plugin_resolve/timeline_differences.py cut.xml styled.xml [more pairs]

Both are opened by OpenTimelineIO with its adapters, and compared track by track: names, places,
ranges, media, markers, effects, transitions, metadata. One table is printed; the exit status is 1
if anything but a new track differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import opentimelineio as otio


def _tracks(path: Path) -> list[list[str]]:
    found = otio.adapters.read_from_file(str(path))
    timeline = found if isinstance(found, otio.schema.Timeline) else found[0]
    # The adapter of .fcpxml names tracks by their lane, which is a place and no name.
    return [
        [track.kind, "" if track.name.isdigit() else track.name, *_lines(track)]
        for track in timeline.tracks
    ]


def _lines(track: otio.schema.Track) -> Iterator[str]:
    for item in track:
        yield f"{type(item).__name__} {item.name} {item.metadata}"
        if isinstance(item, otio.schema.Transition):
            yield f"{item.in_offset} {item.out_offset}"
            continue
        yield f"{item.range_in_parent()} {item.source_range} {item.effects}"
        yield str([(mark.name, mark.marked_range, mark.comment) for mark in item.markers])
        if isinstance(item, otio.schema.Clip):
            reference = item.media_reference
            yield f"{getattr(reference, 'target_url', '')} {reference.available_range}"


def main(arguments: list[str]) -> int:
    """Print the table of every pair of files."""
    print(f"{'file':<24} {'tracks':>6} {'new':>4} {'clips on it':>11} {'other differences':>18}")
    wrong = 0
    for before, after in zip(arguments[::2], arguments[1::2], strict=True):
        old, new = _tracks(Path(before)), _tracks(Path(after))
        added = [track for track in new if any("Brushreel" in line for line in track)]
        rest = [track for track in new if track not in added]
        pairs = zip(old, rest, strict=False)
        differing = abs(len(old) - len(rest)) + sum(one != other for one, other in pairs)
        clips = sum(line.startswith("Clip ") for track in added for line in track)
        name = Path(before).name
        print(f"{name:<24} {len(old):>6} {len(added):>4} {clips:>11} {differing or 'none':>18}")
        wrong |= differing
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
