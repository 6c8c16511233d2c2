"""Runs the handlers of requests, and sees to it that every request is answered.

A handler is called with a server transaction. One that needs time returns a coroutine, which runs as a task of the endpoint.
A handler that raises, is cancelled, or returns without a final response leaves its request answered all the same: with the
status of a :class:`MalformedMessage`, else with 500. What it had answered with a 2xx is then hung up by the call layer
(``transaction.on_failed``). A handler that returns needs no task. One that has not answered an INVITE for minutes is cancelled.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from tandem.core.log import event, get_logger
from tandem.core.tasks import Tasks
from tandem.sip import counts
from tandem.sip.aio.transactions import ServerTransaction
from tandem.sip.errors import MalformedMessage

_log = get_logger("sip")
Handling = Coroutine[Any, Any, object] | None
"""What a handler returns: the rest of its work, or ``None`` where it has answered already."""
Handler = Callable[[ServerTransaction], Handling]


class Handlers:
    """The handlers of one endpoint that still run."""

    def __init__(self) -> None:
        self._running = Tasks(_log)

    def __len__(self) -> int:
        return len(self._running)

    def run(self, handler: Handler, transaction: ServerTransaction) -> None:
        """Hand a request to its handler."""
        try:
            work = handler(transaction)
        except Exception as error:  # a defect in one request must not cost the others
            if not isinstance(error, MalformedMessage):
                _log.exception("sip.defect peer=%s", transaction.flow.remote)
            _end(transaction, error)
            return
        if work is None:
            _end(transaction, None)
            return
        task = self._running.spawn(_await(work), name=f"sip.{transaction.request.method.lower()}")
        transaction.task = task
        transaction.answering.wait()
        task.add_done_callback(functools.partial(_done, transaction, work))

    async def cancel(self) -> None:
        """Cancel every handler that runs, and wait until each has ended and its request is answered."""
        await self._running.stop()

    async def idle(self) -> None:
        """Wait until none runs."""
        await self._running.idle()


async def _await(work: Coroutine[Any, Any, object]) -> MalformedMessage | None:
    """A message that cannot be read is the peer's failure, not the task's."""
    try:
        await work
    except MalformedMessage as error:
        return error
    return None


def _done(
    transaction: ServerTransaction,
    work: Coroutine[Any, Any, object],
    task: asyncio.Task[MalformedMessage | None],
) -> None:
    work.close()  # a task that was cancelled before it began has left it unawaited
    transaction.task = None
    _end(transaction, asyncio.CancelledError() if task.cancelled() else task.exception() or task.result())


def _end(transaction: ServerTransaction, error: BaseException | None) -> None:
    """A handler has ended: answer what it left unanswered, and hang up what it answered and then failed at."""
    status = 500
    if isinstance(error, MalformedMessage):
        status = error.status
        counts.malformed.value += 1
        event(_log, logging.WARNING, "sip.malformed", peer=transaction.flow.remote, why=error)
    unanswered = not transaction.final_sent
    if unanswered:
        event(_log, logging.WARNING, "sip.unanswered", method=transaction.request.method, status=status)
        transaction.respond_with(status)
    failed, ended = transaction.on_failed, transaction.on_ended
    transaction.forget_handler()
    try:
        if unanswered or error is not None:
            failed()
    except Exception:
        _log.exception("sip.defect peer=%s", transaction.flow.remote)
    finally:
        ended()
