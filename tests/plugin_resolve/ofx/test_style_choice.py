from __future__ import annotations

import numpy as np
import pytest

from .minihost import FAILED, OK, Image, Properties


def test_a_project_keeps_the_name_of_its_style(host):
    effect = host.create()
    effect.change(style="tiny")
    assert effect.parameters["styleName"].value == "tiny"
    # The library has changed since: its number means another style.
    again = host.create(style=0, styleName="tiny")
    assert again.options("style")[again.parameters["style"].value] == "tiny"


def test_a_project_that_stays_on_the_default_keeps_its_name_without_any_notice(host):
    effect = host.create()
    assert effect.parameters["styleName"].value == "wave"
    assert effect.options("style")[effect.parameters["style"].value] == "wave"


def test_a_host_without_notices_of_change_keeps_it_before_saving(host):
    effect = host.create()
    effect.parameters["style"].value = effect.options("style").index("other")
    assert host.act("OfxActionSyncPrivateData", effect) == OK
    assert effect.parameters["styleName"].value == "other"


def test_a_style_that_is_not_installed_fails_the_render_until_another_is_chosen(host, noise):
    effect = host.create(style=0, styleName="gone")
    status, _ = effect.render(Image(noise()))
    assert status == FAILED
    assert '"gone" is not installed' in effect.shown
    host.act("OfxActionSyncPrivateData", effect)
    assert effect.parameters["styleName"].value == "gone"
    effect.change(style="tiny")
    status, _ = effect.render(Image(noise()))
    assert status == OK


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "tiny.safetensors", "a" * 999])
def test_a_project_can_not_name_a_file(host, noise, name):
    effect = host.create(style=0, styleName=name)
    status, output = effect.render(Image(noise()))
    assert status == FAILED
    assert "not installed" in effect.shown
    assert not output.pixels.any()


def test_a_style_that_was_removed_meanwhile_fails_the_render(host, place, noise):
    path = place.styles / "short.safetensors"
    path.write_bytes((place.styles / "tiny.safetensors").read_bytes())
    host.act("OfxActionLoad")
    host.act("OfxImageEffectActionDescribeInContext", host.descriptor, Properties())
    effect = host.create()
    effect.change(style="short")
    path.unlink()
    status, _ = effect.render(Image(noise()))
    host.act("OfxActionLoad")
    assert status == FAILED
    assert "there is no style named 'short'" in effect.shown


def test_a_damaged_style_fails_the_render(host, place, noise):
    path = place.styles / "tiny.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    effect = host.create()
    effect.change(style="tiny")
    try:
        status, output = effect.render(Image(noise(np.uint8, seed=99)))
    finally:
        path.write_bytes(whole)
    assert status == FAILED
    assert "damaged" in effect.shown
    assert not output.pixels.any()
