"""What goes through the proxy within calls, over real sockets: connections that break, forged routes, and who may send what."""

import dataclasses
import re
from pathlib import Path

import pytest

from tandem.admin.trial.demo import CALLED, CALLER, POOL
from tandem.sip.headers import fields
from tandem.sip.message.body import description_of
from tandem.sip.message.message import Headers, Request, Response
from tandem.voice.proxy.encryption import why_plain_answer, why_plain_offer
from voice.pool import PLAIN, SECURE, Handset, Pool, handsets, serving

CARLA = "carla@example.com"


def warning(response: Response) -> str:
    return response.headers.get("Warning") or ""


async def test_a_phone_that_lost_its_connection_and_registered_again_keeps_its_call(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED, instance="<urn:uuid:1>"), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        assert (await bob.invite("4101")).status == 200
        await alice.received("ACK")
        await alice.lose()
        await alice.connect()
        await alice.register()
        assert (await bob.ask(bob.within("INVITE", body=SECURE))).status == 200
        await alice.received("INVITE")
        assert (await alice.ask(alice.within("INFO"), prove=False)).status == 200
        await bob.received("INFO")
        assert (await bob.ask(bob.within("BYE"))).status == 200
        await alice.received("BYE")


async def test_a_phone_that_calls_and_does_not_register_is_found_while_its_connection_lasts(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    await bob.connect()
    async with handsets(pool, alice):
        assert (await bob.invite("4101")).status == 200
        assert (await alice.ask(alice.within("INFO"), prove=False)).status == 200
        await bob.lose()
        assert (await alice.ask(alice.within("BYE"), prove=False)).status == 430


async def test_a_request_for_a_phone_whose_connection_is_gone_goes_nowhere_else(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        await bob.invite("4101")
        await alice.lose()
        for method in ("INFO", "BYE"):
            assert (await bob.ask(bob.within(method))).status == 430
        assert bob.got.empty()


async def test_a_call_outlives_a_restart_of_the_server(deployed: Path) -> None:
    async with serving(deployed) as first:
        alice, bob = Handset(first, CALLED, instance="<urn:uuid:1>"), Handset(first, CALLER, instance="<urn:uuid:2>")
        async with handsets(first, alice, bob):
            await bob.invite("4101")
    assert (deployed / "state" / "voice" / f"{POOL}.route.key").stat().st_mode & 0o777 == 0o600
    async with serving(deployed) as second:
        alice.pool = bob.pool = second
        async with handsets(second, alice, bob):
            assert (await bob.ask(bob.within("BYE"))).status == 200
            await alice.received("BYE")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_a_route_with_our_address_in_place_of_our_name_is_ours(pool: Pool, transport: str) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER, transport=transport)
    preloaded = ("Route", f"<sip:127.0.0.1:{pool.ports[transport]};transport={transport};lr>")
    async with handsets(pool, alice, bob):
        assert (await bob.invite("4101", preloaded)).status == 200
        assert "Route" not in (await alice.received("INVITE")).headers
        for phone in (bob, alice):
            assert phone.dialog is not None
            phone.dialog.route_set = [each.replace(POOL, "127.0.0.1") for each in phone.dialog.route_set]
        assert (await alice.ask(alice.within("INFO"), prove=False)).status == 200
        assert (await bob.ask(bob.within("BYE"), prove=False)).status == 200
        assert "Route" not in (await alice.received("BYE")).headers


async def test_a_preloaded_route_that_leads_elsewhere_is_not_followed(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        assert (await bob.invite("4101", ("Route", "<sip:192.0.2.1;lr>"))).status == 200
        assert "Route" not in (await alice.received("INVITE")).headers


@pytest.mark.parametrize(
    ("caller", "callee", "recorded"),
    [("udp", "tcp", ["tcp", "udp"]), ("tcp", "udp", ["udp", "tcp"]), ("udp", "udp", ["udp"])],
)
async def test_each_side_is_named_the_transport_and_port_that_it_can_reach(
    pool: Pool, caller: str, callee: str, recorded: list[str]
) -> None:
    alice, bob = Handset(pool, CALLED, transport=callee), Handset(pool, CALLER, transport=caller)
    async with handsets(pool, alice, bob):
        await bob.invite("4101")
        values = fields.recorded_routes(await alice.received("INVITE"))
        found = [re.search(rf"@{POOL}:(\d+);transport=(\w+);lr>", value) for value in values]
        assert [(each[2], int(each[1])) for each in found if each] == [(t, pool.ports[t]) for t in recorded]
        assert (await alice.ask(alice.within("BYE"), prove=False)).status == 200


async def test_who_knows_a_token_may_send_nothing_that_is_not_proved_to_be_a_sides(pool: Pool) -> None:
    alice, bob, carla = Handset(pool, CALLED), Handset(pool, CALLER), Handset(pool, CARLA)
    async with handsets(pool, alice, bob, carla):
        await bob.invite("4101")
        carla.dialog = bob.dialog
        stranger = carla.within("BYE")
        assert (await carla.ask(stranger, prove=False)).status == 407
        assert (await carla.ask(stranger)).status == 403
        await alice.received("ACK")
        assert alice.got.empty()
        # Bob himself, over a connection that is not known as his, proves that he is.
        known = bob.endpoint
        await bob.connect()
        assert (await bob.ask(bob.within("INFO"), prove=False)).status == 407
        assert (await bob.ask(bob.within("INFO"))).status == 200
        assert (await bob.ask(bob.within("BYE"), prove=False)).status == 200
        await alice.received("BYE")
        await known.close()


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("NOTIFY", (("Event", "check-sync;reboot=true"),), 489),
        ("NOTIFY", (("Event", "refer"),), 200),
        ("MESSAGE", (), 405),
        ("REGISTER", (), 405),
        ("PUBLISH", (), 405),
        ("REFER", (("Refer-To", "<sip:4102@example.com>"),), 200),
    ],
)
async def test_only_what_belongs_to_a_call_goes_through(
    pool: Pool, method: str, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        await bob.invite("4101")
        assert (await bob.ask(bob.within(method, *headers))).status == status


async def test_within_a_call_nobody_speaks_as_another_and_trust_headers_are_taken_away(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        await bob.invite("4101", ("From", '"CEO" <sip:bob@example.com>;tag=b'))
        assert (await alice.received("INVITE")).headers.get("From") == '"Bob Brown" <sip:bob@example.com>;tag=b'
        assert bob.last.headers.get("From") == '"CEO" <sip:bob@example.com>;tag=b'
        forged = ("From", "<sip:carla@example.com>;tag=b")
        assert (await bob.ask(bob.within("INFO", forged))).status == 403
        asserted = ("P-Asserted-Identity", "<sip:ceo@example.com>")
        await bob.ask(bob.within("INFO", ("From", '"CEO" <sip:bob@example.com>;tag=b'), asserted))
        info = await alice.received("INFO")
        assert "P-Asserted-Identity" not in info.headers
        assert info.headers.get("From") == '"Bob Brown" <sip:bob@example.com>;tag=b'
        # The one who was called speaks as what was dialled.
        tag = fields.to_tag(bob.last)
        assert (await alice.ask(alice.within("INFO"), prove=False)).status == 200
        assert (await bob.received("INFO")).headers.get("From") == f'"Alice Adams" <sip:4101@example.com>;tag={tag}'


@pytest.mark.parametrize(
    "headers",
    [
        (("Privacy", "id"),),
        (("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=b'),),
    ],
)
async def test_who_calls_anonymously_is_shown_to_nobody(pool: Pool, headers: tuple[tuple[str, str], ...]) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        contact = ("Contact", "<sip:127.0.0.1:9>")
        assert (await bob.invite("4101", *headers, contact)).status == 200
        first = await alice.received("INVITE")
        await bob.ask(bob.within("INFO", contact))
        for request in (first, await alice.received("INFO")):
            assert b"bob" not in request.to_bytes().lower()
        assert (await alice.ask(alice.within("BYE"), prove=False)).status == 200


async def test_an_account_that_is_disabled_may_hang_up_and_nothing_else(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        await bob.invite("4101")
        following = pool.server.following
        users = {address: user for address, user in following.config.users.items() if address != CALLER}
        following.config = dataclasses.replace(following.config, users=users)
        assert (await bob.ask(bob.within("INFO"), prove=False)).status == 403
        assert (await alice.ask(alice.within("INFO"), prove=False)).status == 480
        assert (await bob.ask(bob.within("BYE"), prove=False)).status == 200
        await alice.received("BYE")


async def test_a_sips_call_is_refused_with_the_word_that_makes_phones_try_sip(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        request = bob.request("INVITE", "sips:4101@example.com", body=SECURE)
        response = await bob.ask(request)
        assert response.status == 480 and warning(response).startswith("380 ")


async def test_a_phone_that_registers_by_sips_is_called_by_sip(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        await alice.register(("Contact", alice.contact.replace("sip:", "sips:")), ("Expires", "60"))
        await alice.register(("Contact", f"{alice.contact};expires=0"))
        assert (await bob.invite("4101")).status == 200
        assert (await alice.received("INVITE")).uri.startswith("sip:")


# A registered contact as Request-URI


async def test_a_contact_in_the_request_uri_rings_that_phone_of_its_user_alone(pool: Pool) -> None:
    alice, kitchen, bob = Handset(pool, CALLED), Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, kitchen, bob):
        wanted = bob.request("INVITE", alice.contact[1:-1], body=SECURE)
        assert (await bob.ask(wanted)).status == 200
        assert (await alice.received("INVITE")).uri == alice.contact[1:-1]
        assert kitchen.got.empty()
        alice.status = 486
        assert (await bob.ask(bob.request("INVITE", alice.contact[1:-1], body=SECURE))).status == 486


@pytest.mark.parametrize("contact", ["<sip:4103@example.com>", "<sip:4103@127.0.0.1>"])
async def test_a_contact_that_is_what_others_dial_catches_no_call(pool: Pool, contact: str) -> None:
    bob, carla = Handset(pool, CALLER), Handset(pool, CARLA)
    async with handsets(pool, bob, carla):
        await bob.register(("Contact", contact))
        called = contact[1:-1]
        assert (await bob.ask(bob.request("INVITE", called, body=SECURE))).status == 200
        await carla.received("INVITE")
        assert bob.got.empty()


# RequireEncryption


async def test_an_offer_of_plain_media_is_refused_whenever_it_comes(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        refused = await bob.invite("4101", body=PLAIN)
        assert refused.status == 488 and "SRTP" in warning(refused)
        assert (await bob.invite("4101")).status == 200
        for method in ("INVITE", "UPDATE"):
            refused = await bob.ask(bob.within(method, body=PLAIN))
            assert refused.status == 488 and "SRTP" in warning(refused)
        await alice.received("ACK")
        assert alice.got.empty()


@pytest.mark.parametrize("offer", [SECURE, b""], ids=["answer", "offer"])
async def test_a_phone_that_answers_with_plain_media_gets_no_call(pool: Pool, offer: bytes) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    alice.answer = PLAIN
    async with handsets(pool, alice, bob):
        refused = await bob.invite("4101", body=offer)
        assert refused.status in (480, 488)
        await alice.received("ACK")
        await alice.received("BYE")


async def test_an_answer_within_a_call_does_not_make_it_plain(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        await bob.invite("4101")
        alice.answer = PLAIN
        for offer in (SECURE, b""):
            assert (await bob.ask(bob.within("INVITE", body=offer))).status == 488


@pytest.mark.parametrize(
    ("lines", "offer", "answer"),
    [
        (("m=audio 1 RTP/SAVP 0",), True, True),
        (("m=audio 1 RTP/AVP 0",), False, False),
        (("m=audio 1 rtp/avp 0",), False, False),
        (("m=audio 1 RTP/AVP 0", "m=audio 2 RTP/SAVP 0"), True, False),
        (("m=audio 0 RTP/AVP 0", "m=audio 2 RTP/SAVPF 0"), True, True),
        (("m=audio 1 RTP/SAVP 0", "m=video 2 RTP/AVP 96"), False, False),
        (("m=audio 1 RTP/SAVP 0", "m=video 0 RTP/AVP 96"), True, True),
        (("m=audio 1 UDP/TLS/RTP/SAVPF 0",), True, True),
        (("m=audio 1 RTP/AVP 0", "a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:x"), True, True),
        (("m=audio 1 RTP/AVP 0", "a=crypto:1 X inline:x", "m=audio 2 RTP/AVP 0"), True, False),
        (("a=crypto:1 X inline:x", "m=audio 1 RTP/AVP 0"), False, False),
        (("m=audio 1 RTP/SAVP 0", "m=application 9 TCP/BFCP *"), True, True),
    ],
)
def test_of_a_stream_that_is_offered_twice_the_answer_takes_the_encrypted_one(
    lines: tuple[str, ...], offer: bool, answer: bool
) -> None:
    head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    body = (head + "".join(f"{line}\r\n" for line in lines)).encode()
    request = Request(method="INVITE", uri="sip:x@y", body=body)
    assert (why_plain_offer(request) is None, why_plain_answer(request) is None) == (offer, answer)


@pytest.mark.parametrize(("kind", "passed"), [("application/dtmf-relay", True), ("multipart/mixed;boundary=x", False)])
def test_other_bodies_pass_and_those_that_may_hide_a_description_do_not(kind: str, passed: bool) -> None:
    headers = Headers([("Content-Type", kind)])
    request = Request(method="INFO", uri="sip:x@y", headers=headers, body=b"Signal=1")
    assert (why_plain_offer(request) is None) is passed


@pytest.mark.parametrize("kind", ["", ";a=b", " ; charset=x", "application/sdp ;x", "APPLICATION/SDP"])
def test_what_a_receiver_takes_for_a_description_is_checked(kind: str) -> None:
    request = Request(method="INVITE", uri="sip:x@y", headers=Headers([("Content-Type", kind)]), body=PLAIN)
    assert description_of(request) == PLAIN
    assert why_plain_offer(request) is not None and why_plain_answer(request) is not None


@pytest.mark.parametrize(
    ("parts", "passed"),
    [
        ((("application/isup", b"\1\2"), ("application/sdp", SECURE)), True),
        ((("application/sdp", PLAIN),), False),
        ((("application/sdp", SECURE), ("Application/SDP;x", PLAIN)), False),
        ((("application/sdp", SECURE), ("multipart/mixed;boundary=y", b"")), False),
        ((("application/isup", b"\1\2"),), False),
    ],
)
def test_of_several_parts_every_description_is_checked(parts: tuple[tuple[str, bytes], ...], passed: bool) -> None:
    body = b"".join(b"--x\r\nContent-Type: %s\r\n\r\n%s\r\n" % (kind.encode(), part) for kind, part in parts)
    headers = Headers([("Content-Type", "multipart/mixed;boundary=x")])
    request = Request(method="INVITE", uri="sip:x@y", headers=headers, body=body + b"--x--\r\n")
    assert (why_plain_offer(request) is None) is passed
    assert (why_plain_answer(request) is None) is passed


async def test_an_ack_that_answers_with_plain_media_is_not_passed_on(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        await bob.invite("4101", body=b"")
        await alice.received("ACK")
        for body in (PLAIN, SECURE):
            ack = bob.within("ACK", body=body)
            await bob.endpoint.send_ack(ack, bob.flow)
        assert (await alice.received("ACK")).body == SECURE


async def test_a_call_whose_other_side_is_gone_is_over_for_the_server_when_one_side_hangs_up(pool: Pool) -> None:
    alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
    async with handsets(pool, alice, bob):
        await bob.invite("4101")
        assert len(pool.server._active) == 1
        await alice.lose()
        assert (await bob.ask(bob.within("BYE"))).status == 430
        assert len(pool.server._active) == 0


async def test_a_home_that_cannot_be_written_costs_the_key_and_no_call(
    deployed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (deployed / "state" / "voice" / f"{POOL}.route.key").mkdir(parents=True)
    async with serving(deployed) as pool:
        alice, bob = Handset(pool, CALLED), Handset(pool, CALLER)
        async with handsets(pool, alice, bob):
            assert (await bob.invite("4101")).status == 200
            assert (await bob.ask(bob.within("BYE"))).status == 200
    assert "voice.route_key" in caplog.text
