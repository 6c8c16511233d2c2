import dataclasses
from typing import Any

from tandem.directory import objects as o
from tandem.org.vocabulary import Transport, UMStatus, UriType, VoIPSecurity
from tandem.service.opencalls import OpenCalls
from tandem.um.config import UmConfig
from tandem.um.identity import CallerIdentity, MailboxCall
from tandem.um.shares import shares_of

GATEWAY = o.UMIPGateway(name="pool", address="pool1.example.com", port=5061, transport=Transport.TLS)
PBX = o.UMIPGateway(name="pbx", address="192.0.2.1", port=5060, transport=Transport.UDP)
CALL = MailboxCall(
    user=o.User(account="alice", container="OU=x,DC=y"),
    dial_plan=o.UMDialPlan(
        name="Main",
        phone_context="Main.example.com",
        uri_type=UriType.SIP_NAME,
        voip_security=VoIPSecurity.SECURED,
        extension_digits=4,
    ),
    gateway=GATEWAY,
    proven=True,
)
BOB = CallerIdentity(number="4103", address="bob@example.com")


def shares(*gateways: o.UMIPGateway, caller: CallerIdentity = BOB, max_calls: int = 400) -> dict[str, tuple[int, int]]:
    found = shares_of(UmConfig(gateways=gateways), CALL, caller, max_calls=max_calls)
    return {share.key: (share.most, share.status) for share in found}


def test_a_caller_and_a_mailbox_have_a_tenth_and_a_gateway_three_quarters() -> None:
    assert shares(GATEWAY, PBX) == {
        "mailbox alice": (40, 486),
        "caller bob@example.com": (40, 486),
        "gateway pool": (300, 503),
    }


def test_a_gateway_without_another_one_has_all_and_a_small_server_gives_ten_to_each() -> None:
    off = dataclasses.replace(PBX, status=UMStatus.DISABLED)
    assert shares(GATEWAY, off, max_calls=20)["gateway pool"] == (20, 503)
    assert shares(GATEWAY, off, max_calls=20)["mailbox alice"] == (10, 486)


def test_callers_who_hide_share_nothing_with_each_other() -> None:
    assert not any(key.startswith("caller") for key in shares(GATEWAY, caller=CallerIdentity()))
    assert "caller 4103" in shares(GATEWAY, caller=CallerIdentity(number="4103"))


class Asked:
    """A transaction, as far as open calls know it."""

    on_ended: Any = None


def test_open_calls_are_counted_by_what_they_count_as_until_they_end() -> None:
    calls, first, second = OpenCalls(), Asked(), Asked()
    calls.begin(first, "mailbox alice", "gateway pool")  # type: ignore[arg-type]
    calls.begin(second, "gateway pool")  # type: ignore[arg-type]
    assert (calls.count("mailbox alice"), calls.count("gateway pool"), len(calls)) == (1, 2, 2)
    first.on_ended()
    assert (calls.count("mailbox alice"), calls.count("gateway pool"), len(calls)) == (0, 1, 1)
    second.on_ended()
    assert (calls.count("gateway pool"), len(calls)) == (0, 0)
