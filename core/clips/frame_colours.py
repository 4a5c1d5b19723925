"""Colours of a clip's frames, which may change after the first one."""

from __future__ import annotations

import av

from ..errors import MediaError
from ..frames.av_frame import repacked
from ..frames.frame import Colour
from .clip_info import ClipInfo, colour_of, colour_tags
from .rising_times import place


class FrameColours:
    """Colours that the frames of a clip state, compared with those of the first.

    Args:
        info: Facts of the clip.
        first: Its first frame.
        packed: Whether frames are brought to the clip's pixel format before they are compared, as
            deinterlacing does.
    """

    def __init__(self, info: ClipInfo, first: av.VideoFrame, *, packed: bool):
        self._info, self._packed = info, packed
        self._tags = colour_tags(self.comparable(first))

    def comparable(self, decoded: av.VideoFrame) -> av.VideoFrame:
        """Return a frame as it is when its colours are compared with the first one's."""
        video = self._info.video
        return repacked(decoded, video.pixel_format, video.colour) if self._packed else decoded

    def of(self, decoded: av.VideoFrame, pts: int, stream: av.VideoStream) -> Colour:
        """Return a frame's own colours.

        Args:
            decoded: It, comparable.
            pts: Its time, in units of the stream's time base.
            stream: The clip's video stream, opened.

        Raises:
            MediaError: They are HDR and the first frame's are not, or the other way round.
        """
        video = self._info.video
        if colour_tags(decoded) == self._tags:
            return video.colour
        own = colour_of(stream, decoded, video.pixel_format, self._info.facts)
        if own.hdr != video.colour.hdr:
            raise MediaError(
                f"changes from {video.colour.hdr or 'SDR'} to {own.hdr or 'SDR'} at "
                f"{place(pts, video.time_base)}",
                hint="split it there and convert the pieces",
            )
        return own
