"""Jobs of the queue: one after the other, stopped and resumed as on the command line."""

from __future__ import annotations

import json

import pytest

from brushreel.batch.clips.work_folder import work_folder
from brushreel.core.clips.media import read
from brushreel.studio import command_options
from brushreel.studio.job_queue import JobQueue

from .conftest import open_studio
from .waiting import wait

LOOK = {"style": "tiny"}
FAST = {"--crf": "30", "--preset": "ultrafast"}


def states(client) -> list[str]:
    return [job["state"] for job in client.jobs()]


def test_job_is_rendered_and_its_result_plays_beside_the_source(client, tmp_path):
    chosen = {"clip": client.clip(), "look": LOOK, "options": FAST, "folder": f"{tmp_path}/out"}
    client.post("jobs", **chosen)
    wait(lambda: states(client) == ["done"])
    (job,) = client.jobs()
    output = tmp_path / "out" / "a.mp4"
    assert job["output"] == str(output)
    assert job["frames"] == job["expected"] == len(list(read(output)))
    assert client.json(f"clips/{job['result']}")["frames"] == job["frames"]
    assert client.get(f"clips/{job['result']}/3.png") != client.get(f"clips/{chosen['clip']}/3.png")

    client.post("jobs", **chosen)
    wait(lambda: states(client) == ["done", "failed"])
    assert "exists already" in client.jobs()[1]["error"]
    for job in client.jobs():
        client.post(f"jobs/{job['id']}/remove")
    assert client.jobs() == []
    assert output.exists()


@pytest.mark.slow
def test_job_that_is_stopped_is_resumed_in_the_next_session(client, long_clip, tmp_path):
    options = {"--segment": "0.4", "--preset": "ultrafast"}
    chosen = {"clip": client.clip("long.mp4"), "look": LOOK, "options": options}
    client.post("jobs", **chosen)
    output = client.folder / "long.tiny.mp4"
    wait(lambda: client.jobs()[0]["frames"] > 30)
    (job,) = client.jobs()
    client.post(f"jobs/{job['id']}/pause")
    wait(lambda: client.jobs()[0]["state"] == "paused")
    client.studio.close()
    assert work_folder(output).exists() and not output.exists()
    with open_studio(client.folder, client.dropped) as other:
        (job,) = other.jobs()
        assert job["state"] == "paused"
        other.post(f"jobs/{job['id']}/resume")
        wait(lambda: states(other) == ["done"])
    assert len(list(read(output))) == job["expected"]
    assert not work_folder(output).exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"look": {"style": "none"}, "clip": "none"}, "not in the studio's folders"),
        ({"look": {"style": "tiny", "stroke_size": 9}}, "stroke size must be"),
        ({"look": "tiny"}, "no valid request"),
        ({"options": {"--log": "/etc/x"}}, "there is no option --log"),
        ({"options": {"--config": "x"}}, "there is no option --config"),
        ({"options": {"--crf": 20}}, "--crf has no value"),
        ({"options": {"--crf": "2\n"}}, "--crf has no value"),
        ({"folder": "relative"}, "named from the root"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(client, fields, told):
    chosen = {"clip": client.clip(), "look": LOOK} | fields
    status, content, _ = client.ask("POST", "jobs", json.dumps(chosen))
    assert status in (400, 404)
    assert told in json.loads(content)["error"]
    assert client.jobs() == []


def test_error_reads_as_on_the_command_line(client):
    client.post("jobs", clip=client.clip(), look=LOOK, options={"--crf": "many"})
    wait(lambda: states(client) == ["failed"])
    assert "invalid int value: 'many'" in client.jobs()[0]["error"]


def test_options_are_those_of_the_command():
    groups = {group["title"]: group["options"] for group in command_options.STYLIZE.groups()}
    encoding = {option["flag"]: option for option in groups["encoding"]}
    assert "prores" in encoding["--codec"]["choices"]
    assert "Default: auto" in encoding["--codec"]["help"]
    assert not any(option["flag"] == "--style" for group in groups.values() for option in group)
    assert command_options.STYLIZE.words({"--delivery": "prores-master"}) == [
        "--delivery=prores-master"
    ]


def test_damaged_list_and_a_second_studio_do_no_harm(tmp_path):
    file = tmp_path / "queue.json"
    file.write_text("{")
    first = JobQueue(file)
    second = JobQueue(file)
    try:
        assert first.jobs() == second.jobs() == []
    finally:
        first.close()
        second.close()


@pytest.mark.slow
def test_folder_is_watched_until_it_is_stopped(client, drawn, tmp_path):
    outputs, options = tmp_path / "out", FAST | {"--settle": "0", "--poll": "0.2"}
    wanted = {"kind": "watch", "inbox": str(client.folder), "folder": str(outputs), "look": LOOK}
    client.post("jobs", **wanted, options=options)
    wait(lambda: client.jobs()[0]["facts"].get("done") == 1 or client.jobs()[0]["error"])
    (client.folder / "b.mp4").write_bytes(drawn)
    wait(lambda: client.jobs()[0]["facts"].get("done") == 2)
    assert (outputs / "a.mp4").exists() and (outputs / "b.mp4").exists()
    (job,) = client.jobs()
    assert (job["state"], job["title"]) == ("running", "clips")
    client.post(f"jobs/{job['id']}/pause")
    wait(lambda: states(client) == ["paused"])


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"inbox": "/etc"}, "outside of the studio's folders"),
        ({"inbox": ""}, "the folder to watch is not chosen"),
        ({"folder": ""}, "name the folder that outputs"),
        ({"options": {"--once": True}}, "there is no option --once"),
    ],
    ids=str,
)
def test_watching_that_makes_no_sense_is_refused(client, tmp_path, fields, told):
    wanted = {"kind": "watch", "inbox": str(client.folder), "folder": str(tmp_path), "look": LOOK}
    status, content, _ = client.ask("POST", "jobs", json.dumps(wanted | fields))
    assert status in (400, 404)
    assert told in json.loads(content)["error"]
