"""The objects of an OpenFX 1.4 host (properties, images, parameters) and its suites, in ctypes.

Functions with `...` are given as if they had none, which holds on x86-64 (System V) only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_char_p, c_double, c_int, c_void_p
from itertools import count
from typing import Any

import numpy as np

OK, FAILED, UNSUPPORTED, UNKNOWN, REPLY_DEFAULT = 0, 1, 5, 3, 14

DEPTHS = {
    np.dtype(np.uint8): "OfxBitDepthByte",
    np.dtype(np.uint16): "OfxBitDepthShort",
    np.dtype(np.float16): "OfxBitDepthHalf",
    np.dtype(np.float32): "OfxBitDepthFloat",
}

_objects: dict[int, Any] = {}
_next_handle = count(4096)


def _register(thing: Any) -> int:
    handle = next(_next_handle)
    _objects[handle] = thing
    return handle


class Properties:
    def __init__(self, **values: Any):
        self.values: dict[str, dict[int, Any]] = {}
        self.handle = _register(self)
        for name, value in values.items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        items = value if isinstance(value, list | tuple) else [value]
        self.values[name] = {
            index: item.encode() if isinstance(item, str) else item
            for index, item in enumerate(items)
        }

    def __getitem__(self, name: str) -> Any:
        items = self.values[name]
        read = [item.decode() if isinstance(item, bytes) else item for item in items.values()]
        return read[0] if len(read) == 1 else read


class Image(Properties):
    """An image as a host may hold it; `pixels` are (H, W, 4), the top row first."""

    def __init__(
        self,
        pixels: np.ndarray,
        *,
        origin: tuple[int, int] = (0, 0),
        padding: int = 0,
        negative_rows: bool = False,
        alpha: str = "OfxImageAlphaUnpremultiplied",
    ):
        height, width, _ = pixels.shape
        self.kind, self.padding = pixels.dtype, padding
        self.negative_rows = negative_rows
        self.row_bytes = width * 4 * pixels.itemsize + padding
        self.memory = np.full((height, self.row_bytes), 0xAB, np.uint8)
        self.pixels = pixels
        lowest = height - 1 if negative_rows else 0
        super().__init__(
            OfxImagePropData=self.memory.ctypes.data + lowest * self.row_bytes,
            OfxImagePropRowBytes=-self.row_bytes if negative_rows else self.row_bytes,
            OfxImagePropBounds=[*origin, origin[0] + width, origin[1] + height],
            OfxImageEffectPropPixelDepth=DEPTHS[pixels.dtype],
            OfxImageEffectPropComponents="OfxImageComponentRGBA",
            OfxImageEffectPropPreMultiplication=alpha,
        )

    @property
    def pixels(self) -> np.ndarray:
        used = self.memory[:, : self.row_bytes - self.padding] if self.padding else self.memory
        rows = np.ascontiguousarray(used).view(self.kind).reshape(len(used), -1, 4)
        return rows if self.negative_rows else rows[::-1]

    @pixels.setter
    def pixels(self, pixels: np.ndarray) -> None:
        rows = pixels if self.negative_rows else pixels[::-1]
        packed = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
        self.memory[:, : packed.shape[1]] = packed

    def gaps_are_untouched(self) -> bool:
        return bool((self.memory[:, self.row_bytes - self.padding :] == 0xAB).all())


class Parameter(Properties):
    """`value` may be a function of time."""

    def __init__(self, kind: str, name: str):
        super().__init__(OfxParamPropType=kind, OfxPropName=name)
        self.value: Any = None

    def at(self, time: float) -> Any:
        return self.value(time) if callable(self.value) else self.value

    def write(self, address: int, time: float) -> None:
        value = self.at(time)
        if isinstance(value, str):
            self.text = value.encode()  # kept alive for the effect
            c_char_p.from_address(address).value = self.text
        elif self["OfxParamPropType"] == "OfxParamTypeDouble":
            c_double.from_address(address).value = value
        else:
            c_int.from_address(address).value = int(value)


class Clip(Properties):
    def __init__(self, name: str):
        super().__init__(OfxPropName=name)
        self.images: Callable[[float], Image | None] = lambda _: None
        self.region = (0.0, 0.0, 0.0, 0.0)


class Effect(Properties):
    """A descriptor or an instance."""

    def __init__(self) -> None:
        super().__init__()
        self.parameters: dict[str, Parameter] = {}
        self.clips: dict[str, Clip] = {}
        self.shown: str | None = None
        self.asked_to_abort: Callable[[], bool] = lambda: False
        self.parameter_set = _register(self)


def _out(address: int, value: int) -> None:
    if address:
        c_void_p.from_address(address).value = value


def _set(handle: int, name: bytes, index: int, value: Any) -> int:
    _objects[handle].values.setdefault(name.decode(), {})[index] = value
    return OK


def _get(kind: Any) -> Callable[[int, bytes, int, int], int]:
    def get(handle: int, name: bytes, index: int, address: int) -> int:
        values = _objects[handle].values.get(name.decode(), {})
        if index not in values:
            return UNKNOWN
        kind.from_address(address).value = values[index]
        return OK

    return get


def _set_n(kind: Any) -> Callable[[int, bytes, int, int], int]:
    def set_n(handle: int, name: bytes, size: int, address: int) -> int:
        _objects[handle].values[name.decode()] = dict(
            enumerate((kind * size).from_address(address))
        )
        return OK

    return set_n


def _get_n(kind: Any) -> Callable[[int, bytes, int, int], int]:
    def get_n(handle: int, name: bytes, size: int, address: int) -> int:
        values = _objects[handle].values.get(name.decode(), {})
        if len(values) < size:
            return UNKNOWN
        (kind * size).from_address(address)[:] = [values[index] for index in range(size)]
        return OK

    return get_n


def _no(*_: Any) -> int:
    return UNSUPPORTED


def _parameter_set(handle: int, address: int) -> int:
    _out(address, _objects[handle].parameter_set)
    return OK


def _own_properties(handle: int, address: int) -> int:
    _out(address, handle)
    return OK


def _define_clip(handle: int, name: bytes, address: int) -> int:
    clip = _objects[handle].clips.setdefault(name.decode(), Clip(name.decode()))
    _out(address, clip.handle)
    return OK


def _clip_handle(handle: int, name: bytes, clip: int, properties: int) -> int:
    found = _objects[handle].clips[name.decode()].handle
    _out(clip, found)
    _out(properties, found)
    return OK


def _clip_image(handle: int, time: float, _region: int, address: int) -> int:
    image = _objects[handle].images(time)
    if image is None:
        return FAILED
    _out(address, image.handle)
    return OK


def _region(handle: int, _time: float, address: int) -> int:
    (c_double * 4).from_address(address)[:] = _objects[handle].region
    return OK


def _abort(handle: int) -> int:
    return int(_objects[handle].asked_to_abort())


def _define_parameter(handle: int, kind: bytes, name: bytes, address: int) -> int:
    parameter = Parameter(kind.decode(), name.decode())
    _objects[handle].parameters[name.decode()] = parameter
    _out(address, parameter.handle)
    return OK


def _parameter_handle(handle: int, name: bytes, parameter: int, properties: int) -> int:
    found = _objects[handle].parameters.get(name.decode())
    if found is None:
        return UNKNOWN
    _out(parameter, found.handle)
    _out(properties, found.handle)
    return OK


def _value(handle: int, address: int) -> int:
    _objects[handle].write(address, 0.0)
    return OK


def _value_at(handle: int, time: float, address: int) -> int:
    _objects[handle].write(address, time)
    return OK


def _set_value(handle: int, value: int) -> int:
    parameter = _objects[handle]
    if parameter["OfxParamPropType"] == "OfxParamTypeString":
        parameter.value = ctypes.string_at(value).decode()
    else:
        parameter.value = (value or 0) & 0xFFFFFFFF
    return OK


def _say(handle: int, _kind: bytes, _id: bytes, _format: bytes, text: bytes) -> int:
    _objects[handle].shown = text.decode()
    return OK


def _unsay(handle: int) -> int:
    _objects[handle].shown = None
    return OK


_P = c_void_p
_NO = (CFUNCTYPE(c_int, _P), _no)


def _kinds(function: Callable, *arguments: Any) -> tuple[Any, Callable]:
    return CFUNCTYPE(c_int, *arguments), function


_PROPERTY_SUITE = [
    _kinds(_set, _P, c_char_p, c_int, _P),
    _kinds(_set, _P, c_char_p, c_int, c_char_p),
    _kinds(_set, _P, c_char_p, c_int, c_double),
    _kinds(_set, _P, c_char_p, c_int, c_int),
    *[_kinds(_set_n(kind), _P, c_char_p, c_int, _P) for kind in (_P, c_char_p, c_double, c_int)],
    *[_kinds(_get(kind), _P, c_char_p, c_int, _P) for kind in (_P, c_char_p, c_double, c_int)],
    *[_kinds(_get_n(kind), _P, c_char_p, c_int, _P) for kind in (_P, c_char_p, c_double, c_int)],
    _NO,
    _NO,
]
_EFFECT_SUITE = [
    _kinds(_own_properties, _P, _P),
    _kinds(_parameter_set, _P, _P),
    _kinds(_define_clip, _P, c_char_p, _P),
    _kinds(_clip_handle, _P, c_char_p, _P, _P),
    _kinds(_own_properties, _P, _P),
    _kinds(_clip_image, _P, c_double, _P, _P),
    _kinds(lambda _: OK, _P),
    _kinds(_region, _P, c_double, _P),
    _kinds(_abort, _P),
    *[_NO] * 4,
]
_PARAMETER_SUITE = [
    _kinds(_define_parameter, _P, c_char_p, c_char_p, _P),
    _kinds(_parameter_handle, _P, c_char_p, _P, _P),
    _NO,
    _kinds(_own_properties, _P, _P),
    _kinds(_value, _P, _P),
    _kinds(_value_at, _P, c_double, _P),
    _NO,
    _NO,
    _kinds(_set_value, _P, _P),
    *[_NO] * 9,
]
_MESSAGE_SUITE = [
    _kinds(_say, _P, c_char_p, c_char_p, c_char_p, c_char_p),
    _kinds(_say, _P, c_char_p, c_char_p, c_char_p, c_char_p),
    _kinds(_unsay, _P),
]
_SUITES = {
    (b"OfxPropertySuite", 1): _PROPERTY_SUITE,
    (b"OfxImageEffectSuite", 1): _EFFECT_SUITE,
    (b"OfxParameterSuite", 1): _PARAMETER_SUITE,
    (b"OfxMessageSuite", 2): _MESSAGE_SUITE,
}
# Callbacks must live as long as the effects that call them.
_FUNCTIONS = {key: [kind(function) for kind, function in suite] for key, suite in _SUITES.items()}
_TABLES = {
    key: (c_void_p * len(functions))(
        *[ctypes.cast(function, c_void_p).value for function in functions]
    )
    for key, functions in _FUNCTIONS.items()
}


@CFUNCTYPE(c_void_p, c_void_p, c_char_p, c_int)
def fetch_suite(_host: int, name: bytes, version: int) -> int | None:
    table = _TABLES.get((name, version))
    return None if table is None else ctypes.addressof(table)
