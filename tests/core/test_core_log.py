import asyncio
import logging

import pytest

from tandem.core.log import NEVER, about, event, get_logger


def test_an_event_is_one_line_of_key_and_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="tandem.test"):
        event(get_logger("test"), logging.INFO, "call.answered", call="a@b", seconds=1.23456, missing=None, count=3)
    assert caplog.messages == ["call.answered call=a@b seconds=1.235 count=3"]


@pytest.mark.parametrize("name", ["Bob\nERROR forged=1", "a b", 'quo"te', "\x1b[31m", "\u2028"])
def test_hostile_text_forges_no_line_and_no_field(caplog: pytest.LogCaptureFixture, name: str) -> None:
    with caplog.at_level(logging.INFO, logger="tandem.test"):
        event(get_logger("test"), logging.INFO, "call", caller=name)
    (message,) = caplog.messages
    assert message.startswith('call caller="') and message.endswith('"')
    assert message.isprintable()


def test_what_is_below_the_level_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("was made into text")

    with caplog.at_level(logging.WARNING, logger="tandem.test"):
        event(get_logger("test"), logging.DEBUG, "call", value=Costly())
    assert caplog.messages == []


async def test_what_is_begun_within_a_call_says_the_call_on_every_line(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("test")

    async def later() -> None:
        await asyncio.sleep(0)
        event(log, logging.INFO, "later")

    with caplog.at_level(logging.INFO, logger="tandem.test"):
        with about(call="a@b", peer="127.0.0.2"):
            task = asyncio.create_task(later())
            with about(account="alice"):
                event(log, logging.INFO, "now", call="its own")
        event(log, logging.INFO, "outside")
        await task
    assert caplog.messages == [
        'now call="its own" peer=127.0.0.2 account=alice',
        "outside",
        "later call=a@b peer=127.0.0.2",
    ]


@pytest.mark.parametrize("name", sorted(NEVER))
def test_a_secret_that_is_logged_by_mistake_is_masked(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="tandem.test"):
        event(get_logger("test"), logging.INFO, "call", **{name: "271828"})
    assert "271828" not in caplog.text and "271828" not in str(caplog.records[0].__dict__)
