"""One cut, as editing programs write it in each format.

V1: A (frames 10 to 30 of one.mov), a gap of 5, B (frames 20 to 30 of two.mov, marked), a dissolve
of 4 frames to C (frames 40 to 50 of one.mov), a retimed clip, a nested timeline and an offline
clip; V2: a title over B; one audio track.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

A, GAP, B, C = 20, 5, 10, 10
AFTER = A + GAP + B + C
MARK = "style={other} strength=0.5"


def xmeml(rate: Fraction, one: Path, two: Path, start: int, mark: str) -> str:
    base, ntsc = round(rate), "TRUE" if rate.denominator > 1 else "FALSE"
    r = f"<rate><timebase>{base}</timebase><ntsc>{ntsc}</ntsc></rate>"

    def file(number: int, path: Path) -> str:
        return (
            f'<file id="file-{number}"><name>{path.name}</name>'
            f"<pathurl>file://localhost{str(path).replace(' ', '%20')}</pathurl>{r}"
            f"<duration>60</duration><timecode>{r}<frame>{start}</frame>"
            "<displayformat>NDF</displayformat></timecode>"
            "<media><video/><audio/></media></file>"
        )

    def item(name: str, at: int, end: int, into: int, out: int, inner: str) -> str:
        return (
            f'<clipitem id="{name}"><name>{name}</name><duration>60</duration>{r}'
            f"<start>{at}</start><end>{end}</end><in>{into}</in><out>{out}</out>{inner}</clipitem>"
        )

    remap = (
        "<filter><effect><name>Time Remap</name><effectid>timeremap</effectid>"
        "<parameter><parameterid>speed</parameterid><value>50</value></parameter></effect></filter>"
    )
    marker = f"<marker><comment>{mark}</comment><name>look</name><in>20</in><out>-1</out></marker>"
    join = A + GAP + B
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE xmeml>
<xmeml version="4">
  <sequence id="sequence-1">
    <name>Über den Fluß &amp; zurück</name>
    <duration>{AFTER + 30}</duration>
    {r}
    <!-- a comment > and "quotes" -->
    <media>
      <video>
        <format><samplecharacteristics>{r}<width>320</width><height>240</height>\
</samplecharacteristics></format>
        <track MZ.TrackTargeted="1">
          {item("A", 0, A, 10, 10 + A, file(1, one))}
          {item("B", A + GAP, -1, 20, 20 + B + 2, file(2, two) + marker)}
          <transitionitem>{r}<start>{join - 2}</start><end>{join + 2}</end>\
<alignment>center</alignment><effect><name>Cross Dissolve</name>\
<effectid>Cross Dissolve</effectid></effect></transitionitem>
          {item("C", -1, AFTER, 38, 40 + C, '<file id="file-1"/>')}
          {item("slow", AFTER, AFTER + 10, 0, 5, '<file id="file-1"/>' + remap)}
          {
        item(
            "nest",
            AFTER + 10,
            AFTER + 20,
            0,
            10,
            '<sequence id="inner"><name>inner</name>' + r + "<media><video/></media></sequence>",
        )
    }
          {item("gone", AFTER + 20, AFTER + 30, 0, 10, file(3, Path("/gone/away.mov")))}
        </track>
        <track>
          <generatoritem id="title"><name>Title</name><duration>90</duration>{r}\
<start>{A + GAP}</start><end>{A + GAP + B}</end><in>0</in><out>{B}</out>\
<effect><name>Text</name><effectid>Text</effectid><effecttype>generator</effecttype></effect>\
</generatoritem>
        </track>
      </video>
      <audio><track>{item("A sound", 0, A, 10, 10 + A, '<file id="file-1"/>')}</track></audio>
    </media>
    <marker><name>cut here</name><comment/><in>7</in><out>-1</out></marker>
    <timecode>{r}<frame>{base * 3600}</frame><displayformat>NDF</displayformat></timecode>
  </sequence>
</xmeml>
"""


def fcpxml(
    rate: Fraction, one: Path, two: Path, start: int, mark: str, version: str = "1.8"
) -> str:
    def t(frames: int) -> str:
        return f"{frames * rate.denominator}/{rate.numerator}s"

    def asset(number: int, path: Path) -> str:
        about = (
            f'id="r{number}" name="{path.stem}" start="{t(start)}" duration="{t(60)}" '
            f'hasVideo="1" hasAudio="1" format="r1"'
        )
        url = f"file://{str(path).replace(' ', '%20')}"
        if version < "1.9":
            return f'<asset {about} src="{url}"/>'
        return f'<asset {about}><media-rep kind="original-media" src="{url}"/></asset>'

    def clip(name: str, ref: int, at: int, into: int, frames: int, inner: str = "") -> str:
        return (
            f'<asset-clip name="{name}" ref="r{ref}" offset="{t(at)}" start="{t(start + into)}" '
            f'duration="{t(frames)}" format="r1">{inner}</asset-clip>'
        )

    title = (
        f'<title name="Title" lane="1" ref="r9" offset="{t(start + 20)}" duration="{t(B)}">'
        "<text>x</text></title>"
    )
    marker = f'<marker start="{t(start + 22)}" duration="{t(1)}" value="{mark}"/>'
    slow = (
        f'<timeMap><timept time="0s" value="0s"/><timept time="{t(10)}" value="{t(5)}"/></timeMap>'
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>

<fcpxml version="{version}">
  <resources>
    <format id="r1" frameDuration="{t(1)}" width="320" height="240"/>
    {asset(2, one)}
    {asset(3, two)}
    {asset(4, Path("/gone/away.mov"))}
    <effect id="r9" name="Basic Title" uid="x"/>
    <media id="r5" name="nest"><sequence format="r1"><spine/></sequence></media>
  </resources>
  <library><event name="e"><project name="Über &amp; zurück">
    <sequence format="r1" tcStart="{t(3600 * round(rate))}" duration="{t(AFTER + 30)}">
      <spine>
        {clip("A", 2, 3600 * round(rate), 10, A)[: -len("</asset-clip>") - 1]}/>
        <gap name="Gap" offset="{t(3600 * round(rate) + A)}" start="{t(7)}" duration="{t(GAP)}"/>
        {clip("B", 3, 3600 * round(rate) + A + GAP, 20, B, title + marker)}
        <transition name="Dissolve" offset="{t(3600 * round(rate) + A + GAP + B - 2)}" \
duration="{t(4)}"/>
        {clip("C", 2, 3600 * round(rate) + A + GAP + B, 40, C)}
        {clip("slow", 2, 3600 * round(rate) + AFTER, 0, 10, slow)}
        <ref-clip name="nest" ref="r5" offset="{t(3600 * round(rate) + AFTER + 10)}" \
duration="{t(10)}"/>
        {clip("gone", 4, 3600 * round(rate) + AFTER + 20, 0, 10)}
      </spine>
    </sequence>
  </project></event></library>
</fcpxml>
"""


def otio_text(rate: Fraction, one: Path, two: Path, start: int, mark: str) -> str:
    otio = pytest.importorskip("opentimelineio")

    schema, rational = otio.schema, otio.opentime.RationalTime

    def span(first: int, frames: int):
        return otio.opentime.TimeRange(rational(first, float(rate)), rational(frames, float(rate)))

    def clip(name: str, path: Path, into: int, frames: int, **about):
        reference = schema.ExternalReference(str(path), span(start, 60))
        return schema.Clip(name, reference, span(start + into, frames), **about)

    said = schema.Marker("look", span(start + 22, 1), comment=mark)
    dissolve = schema.Transition(
        "Dissolve", "SMPTE_Dissolve", rational(2, float(rate)), rational(2, float(rate))
    )
    slow = schema.LinearTimeWarp("slow", 0.5)
    nest = schema.Stack("nest", [schema.Track("in", [schema.Gap(source_range=span(0, 10))])])
    video = schema.Track("V1", kind=schema.TrackKind.Video)
    video.extend(
        [
            clip("A", one, 10, A),
            schema.Gap(source_range=span(0, GAP)),
            clip("B", two, 20, B, markers=[said]),
            dissolve,
            clip("C", one, 40, C),
            clip("slow", one, 0, 10, effects=[slow]),
            nest,
            clip("gone", Path("/gone/away.mov"), 0, 10),
        ]
    )
    title = schema.Clip("Title", schema.GeneratorReference(generator_kind="Text"), span(0, B))
    titles = schema.Track("V2", [schema.Gap(source_range=span(0, A + GAP)), title], kind="Video")
    audio = schema.Track("A1", [clip("A", one, 10, A)], kind=schema.TrackKind.Audio)
    timeline = schema.Timeline("Über & zurück", global_start_time=rational(90000, float(rate)))
    timeline.tracks.extend([video, titles, audio])
    return otio.adapters.write_to_string(timeline, "otio_json")


FORMATS: dict[str, Callable[..., str]] = {".xml": xmeml, ".fcpxml": fcpxml, ".otio": otio_text}


def edl_text(folder: Path) -> str:
    """Return a decision list with a dissolve, a speed, a freeze, black and audio."""
    return f"""TITLE: Über & zurück
FCM: NON-DROP FRAME

001  AX       AA/V  C        10:00:00:10 10:00:01:05 01:00:00:00 01:00:00:20
* FROM CLIP NAME: one.mov
* SOURCE FILE: {folder / "one.mov"}

002  BL       V     C        00:00:00:00 00:00:00:05 01:00:00:20 01:00:01:00
003  AX       V     C        10:00:00:20 10:00:01:05 01:00:01:00 01:00:01:10
* FROM CLIP NAME: two.mov
* COMMENT: style=none
004  AX       V     C        10:00:01:15 10:00:01:15 01:00:01:10 01:00:01:10
004  AX       V     D    004 10:00:01:15 10:00:02:00 01:00:01:10 01:00:01:20
* FROM CLIP NAME: two.mov
* TO CLIP NAME: one.mov
005  REEL1    A     C        10:00:00:10 10:00:01:05 01:00:00:00 01:00:00:20
006  AX       V     C        10:00:00:00 10:00:00:05 01:00:01:20 01:00:02:05
M2   AX       012.5                10:00:00:00
* FROM CLIP NAME: two.mov
007  AX       V     C        10:00:00:00 10:00:00:10 01:00:02:05 01:00:02:15
* FROM CLIP NAME: gone.mov
"""


def at_25() -> dict[str, Callable[[Path, Path], str]]:
    """Return, by suffix, what writes the cut in each format at 25 frames a second.

    The clips' timecode starts at 10:00:00:00.
    """
    rate, start = Fraction(25), 10 * 3600 * 25
    texts = {suffix: partial(_cut, write, rate, start) for suffix, write in FORMATS.items()}
    return {**texts, ".edl": lambda one, _two: edl_text(one.parent)}


def _cut(write: Callable[..., str], rate: Fraction, start: int, one: Path, two: Path) -> str:
    return write(rate, one, two, start, "look")
