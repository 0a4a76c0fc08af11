"""Works and those who want them: joined, begun, told of, and ended when nobody is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from controller.build.client import Client
from controller.build.course import Course
from controller.build.engine import Order
from controller.build.slots import Slots
from controller.build.work import Work
from controller.model.composition import ImageState
from controller.model.kinds import Key

CALM = 1.0
"""Seconds between two wakes for the progress of one work."""
STOP = 15.0
"""Seconds that processes have to end when their work is cancelled."""

Place = tuple[str, str]
"""The digest of a content, and a flavour: there is one work for each."""


class News:
    """Tells those who want a work that it changed."""

    def __init__(self, wake: Callable[[Key], None]) -> None:
        self._wake = wake

    def stir(self, work: Work, *, now: bool = False) -> None:
        """Of mere progress they hear at most once a second."""
        loop = asyncio.get_running_loop()
        due = work.woken + CALM
        if now or loop.time() >= due:
            if work.alarm is not None:
                work.alarm.cancel()
                work.alarm = None
            work.woken = loop.time()
            for requester in work.requesters:
                self._wake(requester)
        elif work.alarm is None:
            work.alarm = loop.call_at(due, self.stir, work)


class Works:
    """All that is wanted now. `ended` is called when a work came to its end, or was left by all."""

    def __init__(self, course: Course, slots: Slots, ended: Callable[[], None]) -> None:
        self._course, self._slots, self._ended = course, slots, ended
        self._works: dict[Place, Work] = {}
        self._ending: dict[Place, asyncio.Task[None]] = {}
        self._arrivals = 0
        self._closed = False

    def __iter__(self) -> Iterator[Work]:
        return iter(self._works.values())

    def progress(self, work: Work) -> str:
        """How far it is, in words."""
        place = self._slots.place(work) if work.state is ImageState.PENDING else None
        return f"place {place} in the queue" if place is not None else work.progress

    def join(self, client: Client, flavour: str, content: str, order: Order) -> Work:
        """The work of this content for a client, begun where nobody did; what the client wanted before, it leaves."""
        before = client.works.get(flavour)
        if before is not None and (before.content, before.flavour) == (content, flavour):
            before.requesters[client.key] = client.terms
            self._terms_changed(before)
            return before
        if before is not None:
            self.part(client, flavour)
        work = self._works.get((content, flavour))
        if work is None:
            self._arrivals += 1
            work = self._works[content, flavour] = Work(content, flavour, client.tree, order, self._arrivals)
        client.works[flavour] = work
        work.requesters[client.key] = client.terms
        if work.task is None:
            self.start(work)
        self._slots.changed()
        self._terms_changed(work)
        return work

    def part(self, client: Client, flavour: str) -> None:
        """A client wants this work no more; work that nobody wants ends."""
        work = client.works.get(flavour)
        if work is None:
            return
        client.works[flavour] = None
        work.requesters.pop(client.key, None)
        if work.requesters:
            self._slots.changed()
            return
        if work.alarm is not None:
            work.alarm.cancel()
        place = (work.content, work.flavour)
        if self._works.get(place) is work:
            del self._works[place]
        if work.task is not None and not work.task.done():
            work.task.cancel()
            self._ending[place] = work.task
            work.task.add_done_callback(lambda task: self._gone(place, task))

    def start(self, work: Work) -> None:
        """Have the work done, or done again."""
        if self._closed:
            return
        if work.task is not None and not work.task.done():
            if work.state is not ImageState.FAILED:
                return  # it is at it already
            work.task.cancel()  # it waits for its next try
        work.task = asyncio.create_task(self._run(work, work.task), name=f"build {work.name}")

    def close(self) -> list[asyncio.Task[None]]:
        """Begin nothing any more, tell nobody; the tasks that are not to go on."""
        self._closed = True
        tasks = [work.task for work in self if work.task is not None]
        tasks += self._ending.values()
        for work in self:
            if work.alarm is not None:
                work.alarm.cancel()
        self._works.clear()
        return tasks

    def _terms_changed(self, work: Work) -> None:
        """A requester may give more time, or ask for more, than those before."""
        if work.limit is not None and not work.limit.expired():
            work.given = work.timeout
            work.limit.reschedule(work.started + work.given.total_seconds())
        ended = work.task is None or work.task.done()
        if ended and work.reason in ("BuildTimeout", "EvaluationTimeout") and work.timeout > work.given:
            self.start(work)
        if ended and self._course.wants_check(work):
            self.start(work)

    async def _run(self, work: Work, before: asyncio.Task[None] | None) -> None:
        """Do the work once whoever was at the same thing before has let go of it."""
        for old in (before, self._ending.get((work.content, work.flavour))):
            if old is not None and not old.done():
                await asyncio.wait([old], timeout=STOP)
        await self._course.run(work)
        self._ended()

    def _gone(self, place: Place, task: asyncio.Task[None]) -> None:
        if self._ending.get(place) is task:
            del self._ending[place]
        self._ended()
