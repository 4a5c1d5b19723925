"""The style library: the user's folder and the styles that ship."""

from __future__ import annotations

import difflib
import warnings
from contextlib import suppress
from pathlib import Path

from .atomic import atomic_write
from .blend import blend, parse_blend
from .errors import BrushreelWarning, OutputError, StyleError
from .former_name import former_library, renamed
from .style import SUFFIX, Style, check_name, read_style_file
from .user_folders import data_folder

SHIPPED = Path(__file__).parent / "weights"


def user_styles() -> Path:
    """Return the user's style folder, which may not exist yet."""
    return data_folder() / "styles"


def adopt(path: Path) -> list[Path]:
    """Copy style files of the former name into the user's library, under the present one.

    Args:
        path: A style file, or a folder of them.

    Returns:
        The new files.

    Raises:
        StyleError: There is none, or one can't be read or is not a style file of the former name.
        OutputError: The library already has a style of that name, or can't be written.
    """
    sources = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not sources:
        raise StyleError("contains no style file", path=path)
    return [_adopt(source) for source in sources]


def _adopt(source: Path) -> Path:
    try:
        content = renamed(read_style_file(source))
    except (ValueError, AttributeError) as error:
        raise StyleError("is not a style file of the former name", path=source) from error
    output = user_styles() / source.name
    if output.exists():
        raise OutputError("there is a style of that name", path=output, hint="rename one of them")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(output) as file:
            file.write(content)
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=output) from error
    return output


def style_paths() -> dict[str, Path]:
    """Map each style name of the library to its file; the user's styles win over the shipped."""
    found: dict[str, Path] = {}
    for folder in (user_styles(), SHIPPED):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            found.setdefault(path.stem, path)
    return found


def hidden_by(path: Path) -> Path | None:
    """Return the style that ships under the name of a user's style file; None if there is none."""
    shipped = SHIPPED / path.name
    return shipped if path != shipped and shipped.exists() else None


def remove_style(name: str) -> Path:
    """Remove a style from the user's library, and return the path that it had.

    Raises:
        StyleError: It is not there, or ships.
        OutputError: It can't be removed.
    """
    check_name(name)
    path = user_styles() / f"{name}{SUFFIX}"
    if not path.exists():
        if (SHIPPED / path.name).exists():
            raise StyleError(f"{name} ships with Brushreel and can't be removed")
        raise StyleError(
            f"your library has no style named {name!r}", hint="brushreel styles lists them"
        )
    try:
        path.unlink()
    except OSError as error:
        raise OutputError.because(error, "can't be removed", path=path) from error
    return path


def list_styles() -> list[Style]:
    """Load every style of the library; a damaged file is left out with a warning."""
    styles = []
    for path in style_paths().values():
        try:
            styles.append(Style.load(path))
        except StyleError as error:
            warnings.warn(str(error), BrushreelWarning, stacklevel=2)
    return styles


def load_style(name: str | Path) -> Style:
    """Load a style by library name or by path, or blend several.

    Args:
        name: A shipped name, a name in the user's library, the path of a style file, or a blend
            of these: "wave:0.6+udnie:0.4" (`core.blend`; weights are 1 if not given and only
            their ratio counts). A "+" always means a blend, except in a `Path` and in the name
            of an existing style file.

    Raises:
        StyleError: A style is unknown (the nearest name is suggested) or damaged, or the styles
            can't be blended.
        UsageError: The blend makes no sense, or a single style has a weight.
    """
    if isinstance(name, Path) or (name.endswith(SUFFIX) and _is_file(name)):
        return Style.load(Path(name))
    return blend([(_load_one(part), weight) for part, weight in parse_blend(name)])


def _is_file(name: str) -> bool:
    with suppress(OSError):  # raised for a name that is too long, such as a blend of many styles
        return Path(name).is_file()
    return False


def _load_one(name: str) -> Style:
    if name.endswith(SUFFIX) or Path(name).parent != Path():
        return Style.load(Path(name))
    known = style_paths()
    if name in known:
        return Style.load(known[name])
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    there_are = f"known styles: {', '.join(sorted(known))}" if known else "the library is empty"
    hint = f"did you mean {near[0]}?" if near else there_are
    if (former := former_library()) is not None and (former / f"{name}{SUFFIX}").exists():
        hint = f"it is in the library of the former name: brushreel styles --adopt {former}"
    raise StyleError(f"there is no style named {name!r}", hint=hint)
