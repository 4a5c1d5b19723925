"""Dispatch of pieces to workers of a cluster, with retries; the first result of a piece wins."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

from ...core.clips.packet_reader import Packets
from ...core.errors import BrushreelError, ClusterError, unexpected
from ..clips.piece import Made, Met, Piece
from ..reporting.events import (
    ClipProgress,
    Event,
    NodeFigures,
    NodeJoined,
    NodeLeft,
    SegmentDone,
)
from .crew import Call, Crew, Ended, LeftOut, Lost, Slot
from .orders import Abilities, Failed, Progress, Ready, Source, Unfit
from .work import Clip, Member, Pin, Result, Sending, Task
from .worker import Answer

# Times that a piece is tried, and workers of one place that may die one after the other.
_TRIES = 4
# Bytes of a file that are sent at a time; threads that cut clips.
_CHUNK = 16 << 20
_CUTTERS = 2
# Seconds between two looks at the nodes of a cluster.
_BETWEEN_LOOKS = 1.0
# Seconds that are waited for a node to come, when there is none.
PATIENCE = 60.0


class Dispatcher:
    """Dispatcher. One thread calls `step`; `pin` and `begin` are for the threads of clips.

    Args:
        crew: The workers.
        handle: Receiver of events, in the thread that calls `step`.
    """

    def __init__(self, crew: Crew, handle: Callable[[Event], None]):
        self._crew, self._handle = crew, handle
        self._inbox: queue.SimpleQueue[Pin | Clip] = queue.SimpleQueue()
        self._dropped: queue.SimpleQueue[Clip] = queue.SimpleQueue()
        self._pins: list[Pin] = []
        self._clips: dict[int, Clip] = {}
        self._begun: set[int] = set()
        self._members: dict[Slot, Member] = {}
        self._calls: dict[Call, tuple[Member, Pin | Clip | Task | Sending | None]] = {}
        self._deaths: Counter[Slot] = Counter()
        # Cutting a clip takes a while, and reads from a disk.
        self._cutters = ThreadPoolExecutor(_CUTTERS, thread_name_prefix="cut")
        self._supplies: dict[Future[Packets | Sequence[Path]], tuple[Member, Task]] = {}
        self._left_out: dict[str, str] = {}
        self._looked = -_BETWEEN_LOOKS
        self._alone_since: float | None = None
        self._stopped: BaseException | None = None
        self._frames: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}

    # Threads of clips

    def pin(
        self, source: Source, wanted: Mapping[str, Any] | None = None
    ) -> tuple[Abilities, Mapping[str, Any]]:
        """Return the workers' abilities and arithmetic that a clip is to be made with.

        Args:
            source: The clip.
            wanted: Arithmetic of the work that an earlier run has left.

        Raises:
            BrushreelError: No worker can stylize it, or none is left.
        """
        question = Pin(source, wanted, Future())
        self._inbox.put(question)
        return question.answer.result()

    def begin(self, clip: Clip) -> None:
        """Begin with the pieces of a clip; its results come in any order."""
        self._inbox.put(clip)

    def drop(self, clip: Clip) -> None:
        """Make no more pieces of a clip: nobody takes its results any longer."""
        self._dropped.put(clip)

    # The thread that steps

    @property
    def waiting(self) -> int:
        """Pieces that nobody works on."""
        return sum(len(clip.waiting) for clip in self._clips.values())

    def has_begun(self, clip: int) -> bool:
        """Return whether the pieces of a clip are known."""
        return clip in self._begun

    @property
    def workers(self) -> int:
        """Workers that are ready."""
        return sum(member.abilities is not None for member in self._members.values())

    def figures(self) -> tuple[NodeFigures, ...]:
        """Return the work of every node so far, by name."""
        return tuple(
            NodeFigures(
                name,
                self._frames[name],
                round(seconds, 3),
                round(self._frames[name] / max(seconds, 1e-9), 3),
            )
            for name, seconds in sorted(self._seconds.items())
        )

    def step(self, seconds: float) -> None:
        """Deal what waits, and note what is answered, waiting so long at most."""
        if monotonic() - self._looked >= _BETWEEN_LOOKS:
            self._look()
        self._take_in()
        self._deal()
        for future in [future for future in self._supplies if future.done()]:
            self._send(*self._supplies.pop(future), future)
        for call, answer in self._crew.answers(seconds):
            self._hear(call, answer)

    def stop(self, error: BaseException) -> None:
        """End every clip with an error, those too that come later."""
        self._stopped = error
        self._take_in()
        for pin in self._pins:
            pin.answer.set_exception(error)
        self._pins.clear()
        for clip in list(self._clips.values()):
            self._end(clip, error)

    def _take_in(self) -> None:
        while not self._inbox.empty():
            item = self._inbox.get()
            if isinstance(item, Pin):
                if self._stopped:
                    item.answer.set_exception(self._stopped)
                else:
                    self._pins.append(item)
                continue
            self._begun.add(item.order.clip)
            item.left, item.shown = len(item.waiting), item.done
            if self._stopped:
                item.results.put(self._stopped)
            elif item.left:
                item.shared = self._crew.share(item.order)
                self._clips[item.order.clip] = item
        while not self._dropped.empty():
            clip = self._dropped.get()
            if not clip.ended:
                self._forget(clip)

    def _look(self) -> None:
        self._looked = now = monotonic()
        view = self._crew.look()
        for node in view.left_out:
            self._leave_out(node)
        for slot in set(self._members) - set(view.slots):
            self._lose(self._members[slot], Lost("the node is gone"))
        for slot in view.slots:
            if slot not in self._members and self._deaths[slot] < _TRIES:
                member = Member(slot, self._crew.hire(slot))
                self._members[slot] = member
                self._ask(member, None, "start")
        if self._members or view.coming:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > PATIENCE:
            self.stop(self._nobody())
        for clip in list(self._clips.values()):
            self._check_hands(clip, now)

    def _nobody(self) -> ClusterError:
        why = "; ".join(f"{name}: {reason}" for name, reason in self._left_out.items())
        return ClusterError(
            f"no node of the cluster is left that can work{f' ({why})' if why else ''}",
            hint="when there is one, the same command continues",
        )

    def _check_hands(self, clip: Clip, now: float) -> None:
        """End a clip that nobody can go on with."""
        able = any(
            member.abilities in (None, clip.group)
            and not isinstance(member.clips.get(clip.order.clip), Unfit)
            for member in self._members.values()
        )
        if able:
            clip.alone_since = None
        elif clip.alone_since is None:
            clip.alone_since = now
        elif now - clip.alone_since > PATIENCE:
            why = f": {clip.reason}" if clip.reason else ""
            self._end(
                clip,
                ClusterError(
                    f"no node is left that gives the same frames{why}",
                    hint="when there is one, the same command continues",
                ),
            )

    def _leave_out(self, node: LeftOut) -> None:
        if self._left_out.get(node.name) != node.reason:
            self._left_out[node.name] = node.reason
            self._handle(NodeLeft(node.name, node.reason))

    def _ask(
        self,
        member: Member,
        about: Pin | Clip | Task | Sending | None,
        method: str,
        *arguments: object,
    ) -> None:
        self._calls[self._crew.ask(member.worker, method, *arguments)] = member, about

    def _deal(self) -> None:
        for pin in self._pins:
            if not pin.asked:
                self._ask_arithmetic(pin)
        for member in self._members.values():
            if member.idle:
                self._employ(member)

    def _ask_arithmetic(self, pin: Pin) -> None:
        groups = {own.abilities for own in self._members.values() if own.abilities is not None}
        if not groups:
            return
        pin.group = min(groups, key=lambda group: (not _fits(group, pin.wanted), self._load(group)))
        members = [own for own in self._members.values() if own.abilities == pin.group]
        member = min(members, key=lambda own: (own.task is not None, own.slot.name))
        pin.asked = True
        self._ask(member, pin, "arithmetic", pin.source)

    def _load(self, group: Abilities) -> float:
        """Return how long the workers of one kind have work, in arbitrary units."""
        members = [own for own in self._members.values() if own.abilities == group]
        speed = sum(own.fps or _SUPPOSED_FPS[own.slot.gpus > 0] for own in members)
        frames = sum(
            clip.order.source.video.width * clip.order.source.video.height * len(piece)
            for clip in self._clips.values()
            if clip.group == group
            for piece in clip.waiting
        )
        return (1 + frames) / speed

    def _employ(self, member: Member) -> None:
        for clip in self._clips.values():
            if clip.group != member.abilities or not clip.waiting:
                continue
            if self._is_ready(member, clip):
                self._give(member, clip, clip.waiting.popleft())
            if not member.idle:
                return
        late = self._late(member)
        if late is not None and self._is_ready(member, late.clip):
            self._give(member, late.clip, late.piece)

    def _is_ready(self, member: Member, clip: Clip) -> bool:
        """Return whether a worker can make pieces of a clip; the first time it is asked."""
        number = clip.order.clip
        if number not in member.clips:
            member.clips[number] = None
            self._ask(member, clip, "prepare", clip.shared)
        return isinstance(member.clips[number], Ready)

    def _give(self, member: Member, clip: Clip, piece: Piece) -> None:
        member.task = task = Task(clip, piece)
        ready = member.clips[clip.order.clip]
        assert isinstance(ready, Ready)
        if ready.sees:
            self._ask(member, task, "make", clip.order.clip, piece)
        else:
            self._supplies[self._cutters.submit(clip.supply.of, piece)] = member, task

    def _send(self, member: Member, task: Task, found: Future[Packets | Sequence[Path]]) -> None:
        """Send a worker what it needs of a source, and have the piece made then."""
        if self._members.get(member.slot) is not member:
            return
        number = task.clip.order.clip
        try:
            supply = found.result()
            if isinstance(supply, Packets):
                task.sent = supply.size
                self._ask(member, task, "make", number, task.piece, self._crew.share(supply))
                return
            for path in supply:
                if (number, path) not in member.has:
                    task.files += [(path, at) for at in range(0, path.stat().st_size, _CHUNK)]
            self._send_file(member, task)
        except (BrushreelError, OSError) as error:
            member.task = None
            path = task.clip.order.source.path
            known = isinstance(error, BrushreelError)
            self._failed(task, error if known else unexpected(error, path))

    def _send_file(self, member: Member, task: Task) -> None:
        """Send the next part of the files of a source; after the last one the piece is made."""
        number = task.clip.order.clip
        if not task.files:
            self._ask(member, task, "make", number, task.piece)
            return
        path, at = task.files.popleft()
        with path.open("rb") as file:
            file.seek(at)
            content = file.read(_CHUNK)
        task.sent += len(content)
        if not task.clip.order.rate and not task.files:
            # Images are removed when their piece is made; a clip serves the next one, too.
            member.has.add((number, path))
        self._ask(member, Sending(task), "receive", number, path.name, at, content)

    def _late(self, member: Member) -> Task | None:
        """Return a task that this worker would end before the one that has it."""
        now = monotonic()
        tasks = [own.task for own in self._members.values() if own.task is not None]
        alone = [
            task
            for task in tasks
            if task.clip.group == member.abilities
            and not task.clip.ended
            and task.piece.number not in task.clip.finished
            and sum((own.clip, own.piece) == (task.clip, task.piece) for own in tasks) == 1
        ]
        latest = max(alone, key=lambda task: task.seconds_left(now), default=None)
        fps = member.fps
        if latest is None or fps is None or latest.seconds_left(now) < 2 * len(latest.piece) / fps:
            return None
        return latest

    def _hear(self, call: Call, answer: Answer | Ended | Lost) -> None:
        if call not in self._calls:
            # Of a worker that was lost with several calls.
            return
        member, about = self._calls[call]
        if isinstance(answer, Lost):
            self._lose(member, answer)
            return
        if isinstance(answer, Ended):
            del self._calls[call]
        match about:
            case None:
                self._hear_of_start(member, answer)
            case Pin():
                self._hear_of_pin(about, answer)
            case Clip():
                self._hear_of_order(member, about, answer)
            case Task():
                self._hear_of_task(member, about, answer)
            case Sending():
                self._hear_of_file(member, about.task, answer)

    def _hear_of_start(self, member: Member, answer: Answer | Ended) -> None:
        if isinstance(answer, Failed):
            self._deaths[member.slot] = _TRIES
            self._leave_out(LeftOut(member.slot.name, str(answer.error)))
            self._lose(member, Lost(str(answer.error)))
        elif isinstance(answer, Abilities):
            member.abilities = answer
            self._left_out.pop(member.slot.name, None)
            self._handle(NodeJoined(member.slot.name, answer.device, answer.precision))

    def _hear_of_pin(self, pin: Pin, answer: Answer | Ended) -> None:
        if isinstance(answer, Failed):
            self._retry_pin(pin, answer.error)
        elif isinstance(answer, Mapping) and pin in self._pins:
            self._pins.remove(pin)
            assert pin.group is not None
            pin.answer.set_result((pin.group, answer))

    def _retry_pin(self, pin: Pin, error: BrushreelError) -> None:
        pin.tries, pin.asked = pin.tries + 1, False
        if pin.tries >= _TRIES and pin in self._pins:
            self._pins.remove(pin)
            pin.answer.set_exception(error)

    def _hear_of_order(self, member: Member, clip: Clip, answer: Answer | Ended) -> None:
        number = clip.order.clip
        if clip.ended:
            member.clips.pop(number, None)
            if isinstance(answer, Ready):
                self._ask(member, clip, "forget", number)
            return
        if isinstance(answer, Failed):
            answer = Unfit(str(answer.error))
        if isinstance(answer, Unfit):
            clip.reason = answer.reason
            name = f"{member.slot.name}, for {clip.order.source.path.name}"
            self._leave_out(LeftOut(name, answer.reason))
        if isinstance(answer, Ready | Unfit):
            member.clips[number] = answer

    def _hear_of_file(self, member: Member, task: Task, answer: Answer | Ended) -> None:
        if isinstance(answer, Failed):
            member.has.clear()
            task.error = answer.error
            self._failed(task, answer.error)
        elif isinstance(answer, Ended) and task.error is not None:
            member.task = None
        elif isinstance(answer, Ended):
            try:
                self._send_file(member, task)
            except OSError as error:
                member.task, member.has = None, set()
                self._failed(task, unexpected(error, task.clip.order.source.path))

    def _hear_of_task(self, member: Member, task: Task, answer: Answer | Ended) -> None:
        if isinstance(answer, Made):
            answer = _checked(answer)
        match answer:
            case Progress():
                task.done = answer.frames
                self._show(task.clip)
            case Made():
                task.made.append(answer)
            case Met() if task.error is None:
                task.met = answer
                self._done(member, task)
            case Failed():
                task.error = answer.error
                self._failed(task, answer.error)
            case Ended():
                member.task = None
                if task.error is None:
                    # Does nothing for a piece that is done.
                    self._failed(task, ClusterError(f"{member.slot.name} gave no result"))

    def _done(self, member: Member, task: Task) -> None:
        clip, piece = task.clip, task.piece
        seconds = monotonic() - task.since
        member.frames, member.seconds = member.frames + len(piece), member.seconds + seconds
        self._deaths[member.slot] = 0
        if clip.ended or piece.number in clip.finished:
            return
        name = member.slot.name
        self._frames[name] += len(piece)
        self._seconds[name] = self._seconds.get(name, 0.0) + seconds
        clip.finished.add(piece.number)
        clip.done += len(piece)
        clip.left -= 1
        clip.results.put(Result(piece, tuple(task.made), task.met))
        self._handle(
            SegmentDone(
                *clip.names,
                number=piece.number,
                frames=len(piece),
                node=name,
                seconds=round(seconds, 3),
                sent=task.sent,
                received=sum(len(made.content) for made in task.made),
            )
        )
        self._show(clip)
        if not clip.left:
            self._forget(clip)

    def _show(self, clip: Clip) -> None:
        """Report how many frames are done; those of a worker that was lost count once."""
        running: dict[int, int] = {}
        for member in self._members.values():
            task = member.task
            if task is not None and task.clip is clip and task.piece.number not in clip.finished:
                number = task.piece.number
                running[number] = max(running.get(number, 0), task.done)
        frames = clip.done + sum(running.values())
        if frames > clip.shown and not clip.ended:
            clip.shown = frames
            self._handle(ClipProgress(*clip.names, frames))

    def _failed(self, task: Task, error: BrushreelError) -> None:
        """Try a piece again, or end its clip."""
        clip, piece = task.clip, task.piece
        if clip.ended or piece.number in clip.finished:
            return
        clip.tries[piece.number] += 1
        if clip.tries[piece.number] >= _TRIES:
            self._end(clip, error)
        elif not self._runs_elsewhere(task):
            clip.waiting.appendleft(piece)

    def _runs_elsewhere(self, task: Task) -> bool:
        return any(
            (other := member.task) is not None
            and other is not task
            and other.error is None
            and (other.clip, other.piece) == (task.clip, task.piece)
            for member in self._members.values()
        )

    def _lose(self, member: Member, lost: Lost) -> None:
        """Give to others what a worker has had, and end whatever is left of it."""
        if self._members.get(member.slot) is not member:
            return
        del self._members[member.slot]
        self._deaths[member.slot] += 1
        self._handle(NodeLeft(member.slot.name, lost.reason))
        for call, (own, about) in list(self._calls.items()):
            if own is member:
                del self._calls[call]
                if isinstance(about, Pin):
                    self._retry_pin(about, ClusterError(f"{member.slot.name}: {lost.reason}"))
        if member.task is not None and member.task.error is None:
            path = member.task.clip.order.source.path
            error = ClusterError(f"{member.slot.name}: {lost.reason}", path=path)
            member.task.error = error
            self._failed(member.task, error)
        self._crew.dismiss(member.worker)

    def _end(self, clip: Clip, error: BaseException) -> None:
        clip.results.put(error)
        self._forget(clip)

    def _forget(self, clip: Clip) -> None:
        clip.ended = True
        number = clip.order.clip
        self._clips.pop(number, None)
        for member in self._members.values():
            if member.clips.pop(number, None) is not None:
                self._ask(member, clip, "forget", number)


# Of a network, in arbitrary units, with and without a GPU, until it is known.
_SUPPOSED_FPS = {False: 1.0, True: 30.0}


def _checked(made: Made) -> Made | Failed:
    try:
        made.check()
    except BrushreelError as error:
        return Failed(error)
    return made


def _fits(group: Abilities, wanted: Mapping[str, Any] | None) -> bool:
    """Return whether workers can continue what an earlier run has left."""
    if wanted is None:
        return False
    own = wanted.get("stylizer", {})
    return (own.get("device"), own.get("precision")) == (group.device, group.precision)
