"""Stroke sizes inside exported models: `frames.strokes` for frames of any size.

PyTorch exports the arithmetic, with `Rows` in place of resampling and tensors as long as the sides
that are wanted as inputs. It can't express how the working size follows from a frame's: operators
that compute the sizes and resample are added here and take the place of both.

Rows are resampled in blocks: the source rows that a few target rows take are gathered, those beyond
the border being the outermost one again, and multiplied by the few weights that are not 0. So the
scaling costs a CPU less than the network, with operators that every ONNX program has.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from .errors import extra
from .export_modules import ROWS, SCALED
from .frames.frame import Colour, Frame, Matrix, Range, pixel_format
from .frames.stroke_size import (
    LEAST_SIDE,
    MOST_ENLARGED,
    MULTIPLE,
    NATURAL,
    Size,
    detail_size,
    working_size,
)
from .frames.strokes import from_working, stylized_rgb, to_working
from .options import PixelLayout

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_DOMAIN = ROWS.partition("::")[0]
STROKE_SIZE = "stroke_size"
"""Name of the input of a model that leaves the stroke size open."""

# Target rows of a block: the fewer, the fewer products with weights of 0, and the more blocks.
_BLOCK = 16
# Working size of a frame, see `stroke_size.working_size`: in double precision, as there.
_WORKING_SIZE = """
<domain: "brushreel", opset_import: ["" : OPSET]>
WorkingSize (height, width, lines) => (working_height, working_width)
{
  multiple = Constant <value = double {MULTIPLE}> ()
  least = Constant <value = double {LEAST_SIDE}> ()
  enlarged = Constant <value = double {MOST_ENLARGED}> ()
  h = Cast <to = 11> (height)
  w = Cast <to = 11> (width)
  shorter = Min (h, w)
  most = Mul (enlarged, shorter)
  wanted = Min (lines, most)
  scale = Div (wanted, shorter)
  scaled_h = Mul (h, scale)
  scaled_w = Mul (w, scale)
  parts_h = Div (scaled_h, multiple)
  parts_w = Div (scaled_w, multiple)
  whole_h = Round (parts_h)
  whole_w = Round (parts_w)
  rounded_h = Mul (whole_h, multiple)
  rounded_w = Mul (whole_w, multiple)
  side_h = Max (rounded_h, least)
  side_w = Max (rounded_w, least)
  working_height = Cast <to = 7> (side_h)
  working_width = Cast <to = 7> (side_w)
}
"""
# For each block of target rows: the source rows that it takes, (blocks, window), and their weights,
# (blocks, BLOCK, window), see `resampling`. Places are in double precision, as there.
_WEIGHTS = """
<domain: "brushreel", opset_import: ["" : OPSET]>
Weights (source, target, at_source, at_target) => (weights, windows)
{
  zero = Constant <value_int = 0> ()
  one = Constant <value_int = 1> ()
  block = Constant <value_int = BLOCK> ()
  last_axis = Constant <value_ints = [-1]> ()
  middle_axis = Constant <value_ints = [1]> ()
  in_blocks = Constant <value_ints = [-1, BLOCK]> ()
  least_stretch = Constant <value = double {1}> ()
  support = Constant <value = double {2}> ()
  f0 = Constant <value_float = 0.0> ()
  f05 = Constant <value_float = -0.5> ()
  f1 = Constant <value_float = 1.0> ()
  f15 = Constant <value_float = 1.5> ()
  f2 = Constant <value_float = 2.0> ()
  f25 = Constant <value_float = 2.5> ()
  f4 = Constant <value_float = 4.0> ()
  sources = Cast <to = 11> (source)
  targets = Cast <to = 11> (target)
  ratio = Div (sources, targets)
  stretch = Max (ratio, least_stretch)
  reach = Mul (stretch, support)
  before_block = Sub (block, one)
  rounded_up = Add (target, before_block)
  blocks = Div (rounded_up, block)
  all_rows = Mul (blocks, block)
  counted = Range (zero, all_rows, one)
  last_row = Sub (target, one)
  inside = Min (counted, last_row)
  rows = Reshape (inside, in_blocks)
  numbers = Cast <to = 11> (rows)
  places = Add (numbers, at_target)
  products = Mul (places, sources)
  positions = Div (products, targets)
  centres = Sub (positions, at_source)
  first_centre = ReduceMin (centres, last_axis)
  lowest = Sub (first_centre, reach)
  low = Floor (lowest)
  start = Cast <to = 7> (low)
  steps = Cast <to = 11> (block)
  across = Mul (steps, ratio)
  both_reaches = Mul (reach, support)
  span = Add (across, both_reaches)
  whole_span = Ceil (span)
  width = Cast <to = 7> (whole_span)
  past = Add (width, one)
  offsets = Range (zero, past, one)
  samples = Add (start, offsets)
  last_sample = Sub (source, one)
  not_before = Max (samples, zero)
  windows = Min (not_before, last_sample)
  sample_places = Cast <to = 11> (samples)
  samples_of_block = Unsqueeze (sample_places, middle_axis)
  centres_of_block = Unsqueeze (centres, last_axis)
  distances = Sub (samples_of_block, centres_of_block)
  shrunk = Div (distances, stretch)
  single = Cast <to = 1> (shrunk)
  x = Abs (single)
  n1 = Mul (x, f15)
  n2 = Sub (n1, f25)
  n3 = Mul (n2, x)
  n4 = Mul (n3, x)
  near = Add (n4, f1)
  d1 = Mul (x, f05)
  d2 = Add (d1, f25)
  d3 = Mul (d2, x)
  d4 = Sub (d3, f4)
  d5 = Mul (d4, x)
  far = Add (d5, f2)
  is_near = Less (x, f1)
  is_far = Less (x, f2)
  outer = Where (is_far, far, f0)
  kernel = Where (is_near, near, outer)
  sums = ReduceSum (kernel, last_axis)
  weights = Div (kernel, sums)
}
"""
_ROWS = """
<domain: "brushreel", opset_import: ["" : OPSET]>
Rows (planes, weights, windows, target) => (rows)
{
  zero = Constant <value_ints = [0]> ()
  height_axis = Constant <value_ints = [2]> ()
  kept_and_joined = Constant <value_ints = [0, 0, -1]> ()
  taken = Gather <axis = 2> (planes, windows)
  blocks = MatMul (weights, taken)
  width = Shape <start = 3> (planes)
  joined = Concat <axis = 0> (kept_and_joined, width)
  whole = Reshape (blocks, joined)
  end = Unsqueeze (target, zero)
  rows = Slice (whole, zero, end, height_axis)
}
"""


class _Way(NamedTuple):
    """Resampling from a plane of one size to another.

    Attributes:
        name: Prefix of its names.
        source: "frame", "chroma", "working" or "detail".
        target: The same.
        at_source: Where a source sample sits across, see `resampling.Axis`.
        at_target: The same of a target sample.
    """

    name: str
    source: str
    target: str
    at_source: float = 0.5
    at_target: float = 0.5


class StrokesInModel:
    """Scaling of an exported model for one stroke size, or for any.

    Args:
        network: The style's.
        pixels: Layout of the model's frames.
        stroke_size: A number, see `stroke_size.StrokeSize`; None: an input of the model.
        lines: The style's.
        detail: Share of the source's detail that comes back.
    """

    def __init__(
        self,
        network: nn.Module,
        pixels: PixelLayout,
        *,
        stroke_size: float | None,
        lines: int,
        detail: float,
    ):
        self.network, self.pixels, self.lines = network, pixels, lines
        self.stroke_size, self.detail = stroke_size, detail
        # Where strokes are small, its steps between working size and detail's change nothing.
        self.coarse = coarse = stroke_size is None or stroke_size > NATURAL
        self.module = SCALED[pixels](network, detail, coarse)
        first = "detail" if coarse else "working"
        self._ways = [_Way("down", "frame", "working"), _Way("up", first, "frame")]
        if pixels == "nv12":
            self._ways += [
                _Way("chroma_down", "chroma", "working", at_source=0.25),
                _Way("chroma_up", first, "chroma", at_target=0.25),
            ]
        if coarse:
            self._ways += [_Way("step", "working", "detail")]
        if coarse and detail:
            self._ways += [_Way("luma_down", "frame", "detail")]

    def example_sides(self, height: int, width: int) -> dict[str, Tensor]:
        """Return tensors as long as the sides that a frame of a size is resampled to.

        The working sizes are no multiples of 4, and all sizes differ: from what sizes have in
        common, the exporter would conclude that they always do.
        """
        sizes = {
            "frame": (height, width),
            "chroma": (height // 2, width // 2),
            "working": (38, 54),
            "detail": (46, 62),
        }
        return {
            name: torch.zeros(side)
            for way in self._ways
            for name, side in zip(_names(way), sizes[way.target], strict=True)
        }

    def trial_sizes(self, stroke_size: float) -> list[Size]:
        """Return heights and widths at which a model is tried.

        A frame larger than the working size, its proxy, an odd one, a portrait, and one that is
        too small for such strokes.
        """
        half = self.lines / stroke_size / 2
        odd = 0 if self.pixels == "nv12" else 1
        shares = ((3, 3.5), (1.5, 1.75), (2.2, 2.4), (2.6, 2), (0.1, 0.2))
        whole = [Size(*(2 * max(4, round(half * share / 2)) for share in pair)) for pair in shares]
        whole[2] = Size(whole[2].height + odd, whole[2].width + odd)
        return whole

    def reference(self, *images: Tensor, stroke_size: float) -> tuple[Tensor, ...]:
        """Stylize one frame in the model's layout as `Stylizer` does."""
        if self.pixels == "nv12":
            return self._planes(*images, stroke_size=stroke_size)
        if self.pixels == "rgb8":
            rgb = self._rgb(images[0].permute(0, 3, 1, 2) / 255, stroke_size)
            return ((rgb.permute(0, 2, 3, 1) * 255).round(),)
        return (self._rgb(images[0], stroke_size),)

    def _rgb(self, frames: Tensor, stroke_size: float) -> Tensor:
        height, width = frames.shape[-2:]
        size, first = self._sizes(height, width, stroke_size)
        return stylized_rgb(frames, self.network, size, detail_size=first, detail=self.detail)

    def _planes(self, luma: Tensor, chroma: Tensor, *, stroke_size: float) -> tuple[Tensor, ...]:
        height, width = luma.shape[1:]
        planes = (luma[0], chroma[0, ..., 0].contiguous(), chroma[0, ..., 1].contiguous())
        frame = Frame(
            planes=tuple(plane.numpy() for plane in planes),
            pixel_format=pixel_format("yuv420p"),
            width=width,
            height=height,
            pts=0,
            duration=1,
            time_base=Fraction(1),
            colour=Colour(Matrix.BT709, Range.LIMITED),
        )
        size, first = self._sizes(height, width, stroke_size)
        working = to_working(frame, size, detail_size=first)
        stylized = self.network(working.rgb.clamp(0, 1))
        made = from_working(stylized, working, frame, detail=self.detail)
        y, cb, cr = map(torch.from_numpy, made.planes)
        return y.unsqueeze(0), torch.stack([cb, cr], -1).unsqueeze(0)

    def _sizes(self, height: int, width: int, stroke_size: float) -> tuple[Size, Size]:
        # A model can't refuse a frame: one that is too small gets the smallest strokes it can have.
        lines = self.lines / stroke_size
        working = working_size(width, height, NATURAL, lines=lines)
        first = detail_size(width, height, stroke_size, lines=self.lines)
        assert working and first
        return working, first

    def add_to(self, model: ModelProto, height_index: int) -> ModelProto:
        """Return the model with operators that compute its sizes and resample.

        Args:
            model: From `module`, sides as its last inputs.
            height_index: Of the dimension of height in its first input.
        """
        with extra("onnx"):
            from onnx import TensorProto, helper, inliner, parser  # noqa: PLC0415

        graph, frames = model.graph, model.graph.input[0].name
        sides = {
            name: f"{way.target}_{side}"
            for way in self._ways
            for name, side in zip(_names(way), ("height", "width"), strict=True)
        }
        kept = [value for value in graph.input if value.name not in sides]
        for node in graph.node:
            if node.domain == _DOMAIN:
                planes, name = node.input
                node.input[:] = [planes, f"{name}_weights", f"{name}_windows", sides[name]]
        del graph.input[:]
        graph.input.extend(kept)
        if self.stroke_size is None:
            graph.input.append(helper.make_tensor_value_info(STROKE_SIZE, TensorProto.DOUBLE, []))
        nodes = [*self._size_nodes(frames, height_index), *self._weight_nodes(), *graph.node]
        del graph.node[:]
        graph.node.extend(nodes)
        opset = next(each.version for each in model.opset_import if not each.domain)
        for text in (_WORKING_SIZE, _WEIGHTS, _ROWS):
            model.functions.append(parser.parse_function(_filled(text, opset)))
        if not any(each.domain == _DOMAIN for each in model.opset_import):
            model.opset_import.add(domain=_DOMAIN, version=1)
        inlined = inliner.inline_local_functions(model)
        kept_sets = [each for each in inlined.opset_import if each.domain != _DOMAIN]
        del inlined.opset_import[:]
        inlined.opset_import.extend(kept_sets)
        return inlined

    def _size_nodes(self, frames: str, height_index: int) -> list[NodeProto]:
        """Return operators that compute all sizes, scalars such as "working_height"."""
        with extra("onnx"):
            from onnx import helper  # noqa: PLC0415

        nodes = []
        for index, side in enumerate(("height", "width"), height_index):
            nodes += [
                helper.make_node("Shape", [frames], [f"{side}_alone"], start=index, end=index + 1),
                helper.make_node("Squeeze", [f"{side}_alone"], [f"frame_{side}"]),
            ]
        if self.pixels == "nv12":
            nodes.append(_constant("two", 2, "INT64"))
            for side in ("height", "width"):
                nodes.append(helper.make_node("Div", [f"frame_{side}", "two"], [f"chroma_{side}"]))
        nodes += self._line_nodes()
        for name in ("working", "detail") if self.coarse else ("working",):
            outputs = [f"{name}_height", f"{name}_width"]
            inputs = ["frame_height", "frame_width", f"{name}_lines"]
            nodes.append(helper.make_node("WorkingSize", inputs, outputs, domain=_DOMAIN))
        return nodes

    def _line_nodes(self) -> list[NodeProto]:
        """Return operators that give "working_lines" and "detail_lines"."""
        with extra("onnx"):
            from onnx import helper  # noqa: PLC0415

        if self.stroke_size is not None:
            lines = {"working": self.lines / self.stroke_size, "detail": self.lines}
            return [_constant(f"{name}_lines", most, "DOUBLE") for name, most in lines.items()]
        return [
            _constant("own_lines", self.lines, "DOUBLE"),
            _constant("natural", NATURAL, "DOUBLE"),
            helper.make_node("Div", ["own_lines", STROKE_SIZE], ["working_lines"]),
            helper.make_node("Min", [STROKE_SIZE, "natural"], ["finer"]),
            helper.make_node("Div", ["own_lines", "finer"], ["detail_lines"]),
        ]

    def _weight_nodes(self) -> list[NodeProto]:
        with extra("onnx"):
            from onnx import helper  # noqa: PLC0415

        nodes = [_constant("first", 0, "INT64"), _constant("each", 1, "INT64")]
        for way in self._ways:
            places = (way.at_source, way.at_target)
            for name, side in zip(_names(way), ("height", "width"), strict=True):
                ends = [f"{name}_at_source", f"{name}_at_target"]
                inputs = [f"{way.source}_{side}", f"{way.target}_{side}", *ends]
                for end, place in zip(ends, places if side == "width" else (0.5, 0.5), strict=True):
                    nodes.append(_constant(end, place, "DOUBLE"))
                outputs = [f"{name}_weights", f"{name}_windows"]
                nodes.append(helper.make_node("Weights", inputs, outputs, domain=_DOMAIN))
                # The network's own operators take their sizes from how long this is.
                nodes.append(helper.make_node("Range", ["first", inputs[1], "each"], [name]))
        return nodes


def _names(way: _Way) -> tuple[str, str]:
    """Return the names of the resampling down and across."""
    return f"{way.name}_rows", f"{way.name}_columns"


def _filled(text: str, opset: int) -> str:
    values = {
        "OPSET": opset,
        "BLOCK": _BLOCK,
        "MULTIPLE": MULTIPLE,
        "LEAST_SIDE": LEAST_SIDE,
        "MOST_ENLARGED": MOST_ENLARGED,
    }
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text


def _constant(name: str, value: float, kind: str) -> NodeProto:
    """Return a scalar."""
    with extra("onnx"):
        from onnx import TensorProto, helper  # noqa: PLC0415

    tensor = helper.make_tensor(name, getattr(TensorProto, kind), [], [value])
    return helper.make_node("Constant", [], [name], value=tensor)
