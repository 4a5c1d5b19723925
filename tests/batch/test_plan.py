"""Names of outputs: which clip becomes which file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.plan import Job, plan
from brushreel.core.errors import MediaError, UsageError


@pytest.fixture
def tree(tmp_path):
    """Makes empty files: a plan looks at names, never into clips."""

    def make(*names: str) -> Path:
        root = tmp_path / "in"
        root.mkdir(exist_ok=True)
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return root

    return make


def planned(inputs: list[Path], output: Path | None = None, **options) -> dict[str, str]:
    """Return input to output, both below the folder that holds everything."""
    top = inputs[0].parent if inputs[0].name == "in" else inputs[0].parent.parent
    jobs = plan(inputs, output, style_name="wave", **options)
    return {
        str(job.source.relative_to(top)): str(job.output.relative_to(top))
        for job in sorted(jobs, key=lambda job: job.source)
    }


def planned_below(top: Path, inputs: list[Path], output: Path, **options) -> dict[str, str]:
    jobs = plan(inputs, output, style_name="wave", **options)
    return {str(j.source.relative_to(top)): str(j.output.relative_to(top)) for j in jobs}


def test_beside_the_clip(tree):
    root = tree("a.mp4")
    assert planned([root / "a.mp4"]) == {"in/a.mp4": "in/a.wave.mp4"}


def test_beside_each_clip_of_a_folder(tree):
    root = tree("a.mp4", "b.mkv", "notes.txt", "sub/c.mp4", ".hidden.mp4")
    assert planned([root]) == {"in/a.mp4": "in/a.wave.mp4", "in/b.mkv": "in/b.wave.mkv"}


def test_subfolders_only_when_asked(tree):
    root = tree("a.mp4", "sub/deep/c.mov")
    assert planned([root], recursive=True) == {
        "in/a.mp4": "in/a.wave.mp4",
        "in/sub/deep/c.mov": "in/sub/deep/c.wave.mov",
    }


@pytest.mark.parametrize("name", ["result.mp4", "result.MOV", "new/result.mkv"])
def test_one_file_to_a_file(tree, tmp_path, name):
    root = tree("a.mp4")
    assert planned([root / "a.mp4"], tmp_path / name) == {"in/a.mp4": name}


def test_one_file_into_a_folder_that_exists_or_not(tree, tmp_path):
    root = tree("a.mp4")
    assert planned([root / "a.mp4"], tmp_path / "new") == {"in/a.mp4": "new/a.mp4"}
    (tmp_path / "there.mp4").mkdir()
    assert planned([root / "a.mp4"], tmp_path / "there.mp4") == {"in/a.mp4": "there.mp4/a.mp4"}


@pytest.mark.parametrize("name", ["out.mp4", "out.MOV", "out.%04d.png", "out.gif"])
@pytest.mark.parametrize("inputs", [("in/a.mp4", "in/b.mp4"), ("in",)])
def test_a_file_s_name_for_several_clips_is_refused(tree, tmp_path, inputs, name):
    tree("a.mp4", "b.mp4")
    told = r"several may be written \(name a folder, such as .*/out(\.%04d)?\)"
    with pytest.raises(UsageError, match=told):
        plan([tmp_path / path for path in inputs], tmp_path / name, style_name="wave")


def test_an_unknown_suffix_is_no_folder_s_unless_it_exists(tree, tmp_path):
    clip = tree("a.mp4") / "a.mp4"
    with pytest.raises(UsageError, match=r"can't write a \.xyz .*create it first") as caught:
        plan([clip], tmp_path / "out.xyz", style_name="wave")
    assert ".mp4, .mov, .mkv" in str(caught.value)
    (tmp_path / "out.xyz").mkdir()
    assert planned([clip], tmp_path / "out.xyz") == {"in/a.mp4": "out.xyz/a.mp4"}
    assert planned([clip], tmp_path / "v1.2") == {"in/a.mp4": "v1.2/a.mp4"}


def test_a_folder_goes_into_a_folder_as_a_mirrored_tree(tree, tmp_path):
    root = tree("a.mp4", "x/a.mp4", "x/y/b.mkv")
    assert planned([root], tmp_path / "out", recursive=True) == {
        "in/a.mp4": "out/a.mp4",
        "in/x/a.mp4": "out/x/a.mp4",
        "in/x/y/b.mkv": "out/x/y/b.mkv",
    }


def test_several_folders_each_keep_their_name(tree, tmp_path):
    root = tree("day1/a.mp4", "day2/a.mp4", "c.mp4")
    inputs = [root / "day1", root / "day2", root / "c.mp4"]
    assert planned(inputs, tmp_path / "out") == {
        "in/day1/a.mp4": "out/day1/a.mp4",
        "in/day2/a.mp4": "out/day2/a.mp4",
        "in/c.mp4": "out/c.mp4",
    }


def test_several_folders_as_seen_from_inside(tree, tmp_path, monkeypatch):
    root = tree("day1/a.mp4", "day2/a.mp4")
    monkeypatch.chdir(root / "day1")
    jobs = plan([Path(), Path("../day2")], tmp_path / "out", style_name="wave")
    assert {job.output for job in jobs} == {
        tmp_path / "out" / "day1" / "a.mp4",
        tmp_path / "out" / "day2" / "a.mp4",
    }


def test_clips_that_differ_in_their_suffix_keep_it(tree, tmp_path):
    root = tree("a.avi", "a.mpg", "b.avi")
    assert planned([root], tmp_path / "out") == {
        "in/a.avi": "out/a.avi.mp4",
        "in/a.mpg": "out/a.mpg.mp4",
        "in/b.avi": "out/b.mp4",
    }


def test_clips_that_differ_in_their_suffix_keep_it_and_the_style_beside(tree):
    root = tree("a.avi", "a.mpg", "b.avi")
    assert planned([root]) == {
        "in/a.avi": "in/a.avi.wave.mp4",
        "in/a.mpg": "in/a.mpg.wave.mp4",
        "in/b.avi": "in/b.wave.mp4",
    }


def test_a_second_run_finds_the_same_work(tree):
    root = tree("a.avi", "a.mpg", "b.avi")
    first = plan([root], None, style_name="wave")
    for job in first:
        job.output.touch()
    assert plan([root], None, style_name="wave") == first


def test_inputs_of_one_name_keep_the_folders_that_tell_them_apart(tree, tmp_path):
    root = tree("card1/a.mp4", "card2/a.mp4", "card2/b.mp4")
    inputs = [root / "card1/a.mp4", root / "card2/a.mp4", root / "card2/b.mp4"]
    assert planned_below(tmp_path, inputs, tmp_path / "out") == {
        "in/card1/a.mp4": "out/card1/a.mp4",
        "in/card2/a.mp4": "out/card2/a.mp4",
        "in/card2/b.mp4": "out/b.mp4",
    }


def test_folders_of_one_name_keep_the_folders_that_tell_them_apart(tree, tmp_path):
    root = tree("card1/DCIM/x/a.mp4", "card2/DCIM/x/a.mp4", "card3/dcim/a.mp4")
    inputs = [root / "card1/DCIM", root / "card2/DCIM", root / "card3/dcim"]
    assert planned_below(tmp_path, inputs, tmp_path / "out", recursive=True) == {
        "in/card1/DCIM/x/a.mp4": "out/card1/DCIM/x/a.mp4",
        "in/card2/DCIM/x/a.mp4": "out/card2/DCIM/x/a.mp4",
        "in/card3/dcim/a.mp4": "out/card3/dcim/a.mp4",
    }


@pytest.mark.parametrize("pair", [("a.mp4", "A.mp4"), ("caf\u00e9.mp4", "cafe\u0301.mp4")])
def test_names_that_a_file_system_may_take_for_one_are_numbered(tree, tmp_path, pair):
    root = tree(*pair)
    if len(list(root.iterdir())) == 1:
        pytest.skip("this one does")
    first, second = sorted(pair)
    assert planned([root], tmp_path / "out") == {
        f"in/{first}": f"out/{first}",
        f"in/{second}": f"out/{Path(second).stem}.2.mp4",
    }


def test_a_clip_named_twice_is_done_once(tree):
    root = tree("a.mp4", "b.mp4")
    assert len(plan([root / "a.mp4", root], None, style_name="wave")) == 2


@pytest.mark.parametrize("spelling", ["in", "./in", "in/../in", "{absolute}"])
def test_a_clip_named_twice_in_another_spelling_is_done_once(tree, tmp_path, monkeypatch, spelling):
    root = tree("a.mp4")
    monkeypatch.chdir(tmp_path)
    again = Path(spelling.format(absolute=root))
    assert len(plan([Path("in/a.mp4"), again, again], Path("out"), style_name="wave")) == 1


def test_no_two_jobs_write_one_file(tree, tmp_path):
    # "a.avi.mp4" is the name that "a.avi" gets to be told from "a.mpg".
    root = tree("a.avi", "a.mpg", "a.avi.mp4")
    assert planned([root], tmp_path / "out") == {
        "in/a.avi": "out/a.avi.mp4",
        "in/a.avi.mp4": "out/a.avi.2.mp4",
        "in/a.mpg": "out/a.mpg.mp4",
    }


UGLY = [
    *("a.mp4", "A.mp4", "a.MP4", "A.MOV", "a.mov.mp4", "a.2.mp4", "a.avi", "a.mpg", "a.avi.mp4"),
    *("it's 50%.mp4", "-s.mp4", "two\nlines.mp4", " .mp4", "\u00fc.mp4", "u\u0308.mp4", "*.mkv"),
    *("a.wave.mkv", "day/a.mp4", "DAY/a.mp4", "day/a.mp4.mov", "straße.mp4", "STRASSE.mp4"),
]


@pytest.mark.parametrize("options", [{}, {"container": "mkv"}, {"codec": "prores"}])
@pytest.mark.parametrize("beside", [True, False])
def test_ugly_names_never_share_an_output_nor_hit_a_source(tree, tmp_path, beside, options):
    root = tree(*UGLY)
    output = None if beside else tmp_path / "out"
    jobs = plan([root], output, style_name="wave", recursive=True, **options)
    outputs = {str(job.output).casefold() for job in jobs}
    assert len(outputs) == len(jobs) >= len(list(root.rglob("*.*"))) - 1
    assert not {job.output for job in jobs} & {job.source for job in jobs}
    assert plan([root], output, style_name="wave", recursive=True, **options) == jobs


def test_what_an_earlier_run_wrote_is_not_an_input(tree):
    root = tree("a.mp4", "a.wave.mp4", "b.webm", "b.wave.mkv")
    assert planned([root]) == {"in/a.mp4": "in/a.wave.mp4", "in/b.webm": "in/b.wave.mkv"}


@pytest.mark.parametrize("named", [False, True], ids=["a folder", "as a shell does"])
@pytest.mark.parametrize("elsewhere", [False, True])
# Whatever they are called: what they are is written in them.
def test_outputs_of_other_styles_are_no_inputs(make_clip, tmp_path, painter, named, elsewhere):
    source = make_clip("in/a.mp4")
    own = [source.with_name(name) for name in ("a.tiny.mp4", "b.mov", "c.mkv")]
    for output in own:
        convert(source, output, painter)
    inputs = [source, *own] if named else [source.parent]
    left: list[Path] = []
    jobs = plan(
        inputs,
        tmp_path / "out" if elsewhere else None,
        style_name="wave",
        leave_outputs=True,
        pass_over=lambda clip, why: left.append(clip),
    )
    assert [job.source for job in jobs] == [source]
    assert left == own


def test_outputs_alone_are_stylized_again(make_clip, tmp_path, painter):
    source = make_clip("a.mp4")
    convert(source, tmp_path / "out" / "a.mp4", painter)
    for named in (tmp_path / "out", tmp_path / "out" / "a.mp4"):
        assert plan([named], None, style_name="wave", leave_outputs=True, pass_over=_not_called)


def _not_called(clip: Path, why: str) -> None:
    raise AssertionError((clip, why))


def test_names_of_other_styles_are_known_too(tree):
    root = tree("a.mp4", "a.udnie.mp4", "s.0001.png", "s.0002.png")
    tree("s.scream.0001.png", "s.scream.0002.png")
    assert planned([root]) == {
        "in/a.mp4": "in/a.wave.mp4",
        "in/s.%04d.png": "in/s.wave.%04d.png",
    }


def test_what_an_earlier_run_wrote_is_not_an_input_whatever_its_kind(tree):
    root = tree("a.mp4", "a.wave.mkv", "b.avi", "b.mpg", "b.avi.wave.mp4", "heat.wave.mp4")
    assert planned([root]).keys() == {"in/a.mp4", "in/b.avi", "in/b.mpg", "in/heat.wave.mp4"}
    assert planned([root / "a.mp4", root / "a.wave.mkv"]).keys() == {"in/a.mp4"}


def test_a_link_keeps_its_own_name(tree, tmp_path):
    root = tree("a.mp4")
    link = tmp_path / "b.mp4"
    try:
        link.symlink_to(root / "a.mp4")
    except OSError:
        pytest.skip("no links here")
    assert plan([link], tmp_path / "out", style_name="wave") == [
        Job(link, tmp_path / "out" / "b.mp4")
    ]


def test_an_output_folder_inside_the_input_is_not_an_input(tree):
    root = tree("a.mp4", "out/a.mp4", "out/sub/b.mp4")
    assert planned([root], root / "out", recursive=True) == {"in/a.mp4": "in/out/a.mp4"}


def test_an_output_folder_inside_the_input_however_it_is_spelt(tree, monkeypatch):
    root = tree("a.mp4", "out/a.mp4")
    monkeypatch.chdir(root)
    jobs = plan([root], Path("out"), style_name="wave", recursive=True)
    assert [job.source for job in jobs] == [root / "a.mp4"]


@pytest.mark.parametrize(
    ("source", "options", "written"),
    [
        ("a.mp4", {}, ".mp4"),
        ("a.m4v", {}, ".mp4"),
        ("a.MOV", {}, ".mov"),
        ("a.mkv", {}, ".mkv"),
        ("a.webm", {}, ".mkv"),
        ("a.avi", {}, ".mp4"),
        ("a.ts", {}, ".mp4"),
        ("a.mp4", {"container": "mov"}, ".mov"),
        ("a.mkv", {"container": "mp4", "codec": "hevc"}, ".mp4"),
        ("a.mp4", {"codec": "prores"}, ".mov"),
        ("a.mkv", {"codec": "prores"}, ".mkv"),
        ("a.mp4", {"codec": "ffv1"}, ".mkv"),
        ("a.mov", {"codec": "ffv1"}, ".mkv"),
        ("a.mkv", {"codec": "h264"}, ".mkv"),
        ("a.avi", {"codec": "prores"}, ".mov"),
    ],
)
def test_suffix_follows_the_source_and_what_holds_the_codec(tree, source, options, written):
    root = tree(source)
    assert planned([root / source], **options) == {f"in/{source}": f"in/a.wave{written}"}


def test_a_name_with_dots_keeps_them(tree, tmp_path):
    root = tree("take.01.v2.mp4")
    source = root / "take.01.v2.mp4"
    assert planned([source]) == {"in/take.01.v2.mp4": "in/take.01.v2.wave.mp4"}
    assert planned([source], tmp_path / "out") == {"in/take.01.v2.mp4": "out/take.01.v2.mp4"}


@pytest.mark.parametrize("names", [(), ("notes.txt",), ("sub/a.mp4",)])
def test_a_folder_without_clips_is_refused(tree, names):
    root = tree(*names)
    with pytest.raises(UsageError, match="no clips") as caught:
        plan([root], None, style_name="wave")
    assert str(root) in str(caught.value)


def test_a_missing_input_is_left_for_its_own_error(tree, tmp_path):
    # The rest of the batch goes on; the clip itself fails when it is opened.
    root = tree("a.mp4")
    try:
        jobs = plan([tmp_path / "in" / "none.mp4", root / "a.mp4"], None, style_name="wave")
    except MediaError as error:  # pragma: no cover
        pytest.fail(f"stops everything: {error}")
    assert [job.source.name for job in jobs] == ["none.mp4", "a.mp4"]


def test_an_output_folder_around_the_input_leaves_nothing_out(tree, monkeypatch):
    root = tree("a.mp4", "deep/b.mp4")
    monkeypatch.chdir(root.parent)
    jobs = plan([root], Path(), style_name="wave", recursive=True)
    assert [job.output for job in jobs] == [Path("a.mp4"), Path("deep/b.mp4")]


def test_a_clip_given_by_name_may_lie_in_the_output_folder(tree):
    root = tree("a.avi")
    jobs = plan([root / "a.avi"], root, style_name="wave")
    assert jobs == [Job(root / "a.avi", root / "a.mp4")]


class TestSequences:
    @pytest.mark.parametrize(
        ("name", "output"),
        [
            ("shot.%06d.exr", "shot.wave.%06d.exr"),
            ("shot_%04d.png", "shot.wave_%04d.png"),
            ("%04d.tif", "wave.%04d.tif"),
            ("still.png", "still.wave.png"),
        ],
    )
    def test_beside(self, tree, name, output):
        root = tree()
        assert planned([root / name]) == {f"in/{name}": f"in/{output}"}

    @pytest.mark.parametrize("output", ["o.%04d.exr", "o.mov", "o.%04d.tif", "o.%04d.jpg"])
    def test_named_output(self, tree, tmp_path, output):
        name = tree() / "shot.%06d.exr"
        assert plan([name], tmp_path / output, style_name="wave") == [Job(name, tmp_path / output)]

    def test_clip_to_pictures(self, tree, tmp_path):
        clip, output = tree("a.mp4") / "a.mp4", tmp_path / "o.%04d.png"
        assert plan([clip], output, style_name="wave") == [Job(clip, output)]

    def test_into_a_folder_under_the_same_name(self, tree, tmp_path):
        root = tree()
        found = planned([root / "shot.%06d.exr"], tmp_path / "out")
        assert found == {"in/shot.%06d.exr": "out/shot.%06d.exr"}

    @pytest.mark.parametrize(
        ("options", "output"),
        [({"container": "mov"}, "shot.mov"), ({"codec": "prores"}, "shot.mov")],
    )
    def test_a_clip_where_a_codec_or_container_is_asked_for(self, tree, tmp_path, options, output):
        found = planned([tree() / "shot.%06d.exr"], tmp_path / "out", **options)
        assert found == {"in/shot.%06d.exr": f"out/{output}"}

    def test_found_in_folders(self, tree, tmp_path):
        root = tree("day/a.0007.png", "day/a.0008.png", "b.mp4", "alone.0001.png", "cover.png")
        assert planned([root], tmp_path / "out", recursive=True) == {
            "in/b.mp4": "out/b.mp4",
            "in/day/a.%04d.png": "out/day/a.%04d.png",
        }
        assert planned([root], tmp_path / "out", recursive=True, sequences=False) == {
            "in/b.mp4": "out/b.mp4"
        }

    def test_kinds_of_one_name_that_become_clips(self, tree, tmp_path):
        root = tree("a.0.png", "a.1.png", "a.0.exr", "a.1.exr")
        assert planned([root], tmp_path / "out", container="mov") == {
            "in/a.%d.exr": "out/a.exr.mov",
            "in/a.%d.png": "out/a.png.mov",
        }

    def test_what_an_earlier_run_wrote_is_no_input(self, tree):
        root = tree("a.01.png", "a.02.png", "a.wave.01.png", "a.wave.02.png")
        assert planned([root]) == {"in/a.%02d.png": "in/a.wave.%02d.png"}


@pytest.mark.parametrize("container", ["mov", "mkv"])
def test_a_clip_that_was_made_of_pictures_is_not_an_input(tree, container):
    root = tree("shot.0001.png", "shot.0002.png", f"shot.wave.{container}")
    assert planned([root], container=container) == {"in/shot.%04d.png": f"in/shot.wave.{container}"}


def test_a_name_that_contradicts_the_container(tree, tmp_path):
    clip = tree("a.mp4") / "a.mp4"
    with pytest.raises(UsageError, match=r"is not an \.mkv"):
        plan([clip], tmp_path / "o.mp4", style_name="wave", container="mkv")


class TestLongNames:
    def test_outputs_are_shortened_and_told_apart(self, tree):
        names = ["x" * 251 + ".mp4", "ü" * 125 + "1.mp4", "ü" * 125 + "2.mp4"]
        root = tree(*names)
        outputs = [job.output for job in plan([root], None, style_name="wave")]
        assert len(set(outputs)) == 3
        for output in outputs:
            assert len(os.fsencode(output.name)) <= 255
            assert output.name.endswith((".wave.mp4", ".wave.2.mp4"))
            output.touch()

    def test_what_no_file_system_takes_is_refused(self, tree, tmp_path):
        root = tree("a.mp4")
        with pytest.raises(UsageError, match=r"a name of 304 bytes is too long: .*255 bytes"):
            plan([root / f"{'y' * 300}.mp4"], None, style_name="wave")
        with pytest.raises(UsageError, match="is too long"):
            plan([root], tmp_path / ("z" * 256) / "out", style_name="wave")
