"""A host in ctypes for a single filter, with switches for what hosts do differently."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from .suites import (
    DEPTHS,
    FAILED,
    OK,
    REPLY_DEFAULT,
    Clip,
    Effect,
    Image,
    Parameter,
    Properties,
    fetch_suite,
)

__all__ = ["DEPTHS", "FAILED", "OK", "REPLY_DEFAULT", "Image", "Instance", "MiniHost", "Properties"]


class _Host(ctypes.Structure):
    _fields_ = (("host", c_void_p), ("fetch_suite", c_void_p))


class _Plugin(ctypes.Structure):
    _fields_ = (
        ("api", c_char_p),
        ("api_version", c_int),
        ("identifier", c_char_p),
        ("major", ctypes.c_uint),
        ("minor", ctypes.c_uint),
        ("set_host", CFUNCTYPE(None, c_void_p)),
        ("main", CFUNCTYPE(c_int, c_char_p, c_void_p, c_void_p, c_void_p)),
    )


class MiniHost:
    """A host that has loaded a bundle and asked its effect to describe itself."""

    def __init__(self, bundle: Path, context: str = "OfxImageEffectContextFilter"):
        library = ctypes.CDLL(str(bundle / "Contents" / "Linux-x86-64" / "Brushreel.ofx"))
        library.OfxGetPlugin.restype = POINTER(_Plugin)
        self.plugin = library.OfxGetPlugin(0).contents
        self._host = _Host(Properties().handle, ctypes.cast(fetch_suite, c_void_p).value)
        self.plugin.set_host(ctypes.addressof(self._host))
        self.descriptor = Effect()
        self.instances: list[Instance] = []
        self.statuses = [
            self.act("OfxActionLoad"),
            self.act("OfxActionDescribe", self.descriptor),
            self.act(
                "OfxImageEffectActionDescribeInContext",
                self.descriptor,
                Properties(OfxImageEffectPropContext=context),
            ),
        ]

    def act(
        self,
        action: str,
        effect: Effect | None = None,
        given: Properties | None = None,
        wanted: Properties | None = None,
    ) -> int:
        handles = [thing.handle if thing else None for thing in (effect, given, wanted)]
        return self.plugin.main(action.encode(), *handles)

    def create(self, **values: Any) -> Instance:
        made = Instance(self, values)
        self.instances.append(made)
        return made

    def unload(self) -> None:
        for instance in self.instances:
            instance.destroy()
        self.act("OfxActionUnload")


class Instance(Effect):
    """An effect on a clip; the arguments are values that a project has kept."""

    def __init__(self, host: MiniHost, values: dict[str, Any]):
        super().__init__()
        self.host = host
        for name, described in host.descriptor.parameters.items():
            parameter = Parameter(described["OfxParamPropType"], name)
            if "OfxParamPropDefault" in described.values:
                parameter.value = described["OfxParamPropDefault"]
            self.parameters[name] = parameter
        for name in host.descriptor.clips:
            self.clips[name] = Clip(name)
        for name, value in values.items():
            self.parameters[name].value = value
        self.created = host.act("OfxActionCreateInstance", self)

    def options(self, name: str) -> list[str]:
        found = self.host.descriptor.parameters[name]["OfxParamPropChoiceOption"]
        return found if isinstance(found, list) else [found]

    def change(self, **values: Any) -> None:
        """Change parameters as a user does in the inspector; a choice may be given by its label."""
        for name, value in values.items():
            by_label = isinstance(value, str) and name in (
                "style",
                "inputTransform",
                "quality",
                "bars",
            )
            chosen = self.options(name).index(value) if by_label else value
            self.parameters[name].value = chosen
            self.host.act(
                "OfxActionInstanceChanged",
                self,
                Properties(OfxPropName=name, OfxPropType="OfxTypeParameter"),
            )

    def render(
        self,
        source: Image | None,
        output: Image | None = None,
        *,
        time: float = 0.0,
        window: list[int] | None = None,
        scale: float = 1.0,
    ) -> tuple[int, Image]:
        """Render into `output`, by default an image like the source; return status and output."""
        if output is None:
            assert source
            output = Image(
                np.zeros_like(source.pixels), origin=tuple(source["OfxImagePropBounds"][:2])
            )
        self.clips["Source"].images = lambda _: source
        self.clips["Output"].images = lambda _: output
        given = Properties(
            OfxPropTime=time,
            OfxImageEffectPropRenderWindow=window or output["OfxImagePropBounds"],
            OfxImageEffectPropRenderScale=[scale, scale],
        )
        return self.host.act("OfxImageEffectActionRender", self, given), output

    def destroy(self) -> int:
        return self.host.act("OfxActionDestroyInstance", self)
