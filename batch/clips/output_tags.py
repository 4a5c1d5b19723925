"""Metadata of finished files: what is copied from the source, and what is the program's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import av.error
from av.container import OutputContainer

from ...core.clips.reader import Reader
from ...core.version import __version__

# Written by the muxer itself, or true only of the file they came from.
_OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
# The tags that MP4 and MOV have fields for; others they store only in a list of names (QuickTime's
# `mdta`), as cameras and phones write it.
_COMMON_TAGS = frozenset(
    {
        *("title", "artist", "album", "composer", "date", "comment", "genre", "copyright"),
        *("creation_time", "location", "location-eng", "timecode", "duration", "software"),
    }
)
# Of the source's video stream: where its alpha is, and what Matroska's tools have counted.
_SOURCE_VIDEO_TAGS = ("alpha_mode", "bps", "duration", "number_of_", "_statistics_", "encoder")
# Some languages have two codes (ISO 639-2: ger is the bibliographic one, deu the terminological),
# and FFmpeg's QuickTime muxer knows one of them; for the other it writes none.
_CODES_OF_QUICKTIME = {
    **{"sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "nld": "dut"},
    **{"kat": "geo", "deu": "ger", "ell": "gre", "isl": "ice", "mkd": "mac", "msa": "may"},
    **{"fas": "per", "bod": "tib", "cym": "wel"},
    **{"cze": "ces", "fre": "fra", "rum": "ron", "slo": "slk"},
}
MADE_BY = f"Brushreel {__version__}"
"""What the video stream of every output names as its encoder; MP4 keeps 31 characters of it."""


def copy_metadata(source: Reader, target: OutputContainer) -> None:
    """Copy title, dates, chapters, the start timecode and the reel's name."""
    target.metadata.update({k: v for k, v in source.metadata.items() if k not in _OWN_TAGS})
    target.set_chapters(source.chapters)
    video = target.streams.video[0]
    for key, value in source.video_metadata.items():
        if not key.lower().startswith(_SOURCE_VIDEO_TAGS):
            video.metadata[key] = value
    video.metadata.update(language_tag(video.metadata, target))
    video.metadata["encoder"] = MADE_BY


def language_tag(metadata: Mapping[str, str], target: OutputContainer) -> dict[str, str]:
    """Return a stream's language, if it has one, by the code that the container has for it."""
    language = metadata.get("language")
    if language is None:
        return {}
    if target.format.name == "mov":
        language = _CODES_OF_QUICKTIME.get(language, language)
    return {"language": language}


def same_language(code: str) -> str:
    """Return the code that stands for a language in comparisons, of ISO 639-2's two."""
    return _CODES_OF_QUICKTIME.get(code, code)


def is_output(path: Path) -> bool:
    """Return whether a clip is an output of this program, by what its video stream says."""
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            tags = [stream.metadata for stream in container.streams.video]
    except (av.error.FFmpegError, OSError, ValueError):
        return False
    name = MADE_BY.split(maxsplit=1)[0]
    return any(
        value.startswith(name)
        for tag in tags
        for key, value in tag.items()
        if key.lower() == "encoder"
    )


def has_own_names(metadata: Mapping[str, str]) -> bool:
    """Return whether there are tags that MP4 and MOV have no field for."""
    return any(key.lower() not in _OWN_TAGS | _COMMON_TAGS for key in metadata)
