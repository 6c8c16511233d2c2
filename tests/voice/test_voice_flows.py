"""The registration flows of RFC 3665 §2 and calls by way of the registrar (§3.2, §3.3, §3.9), with the whole voice server."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import deployment
from engines import Party, World, hop, play
from peers.exchange import ExchangeUM
from tandem.admin.trial.demo import CALLED, CALLER, POOL
from tandem.call.attempt import Attempt
from tandem.call.errors import CallFailed, Ended
from tandem.call.incoming import IncomingCall
from tandem.call.negotiation import MediaPolicy
from tandem.core.counters import families
from tandem.directory import objects as o
from tandem.org.vocabulary import ServerKind
from tandem.sip.aio.flow import Flow
from tandem.sip.headers import digest, fields
from tandem.sip.machines.transaction import cancel_for
from tandem.sip.message.message import Headers, Request, Response
from tandem.sip.message.parse import parse_message
from tandem.sip.sdp.offer import Encryption
from tandem.voice.config import takes_calls
from tandem.voice.proxy.proxy import MOST_REDIRECTIONS
from tandem.voice.server import VoiceFiles, VoiceServer
from tandem.wiring import Home, connect


class Phone(Party):
    """A phone of an account, that registers and calls by way of the pool."""

    def __init__(self, world: World, host: str, address: str, secret: str) -> None:
        super().__init__(world.network, host)
        world.parties[host] = self
        self.address, self.secret = address, secret
        self.server: VoiceServer
        self.policy = MediaPolicy(host="127.0.0.1", encryption=Encryption.REQUIRE)
        self._cseq = 0

    async def register(self, *contacts: str, expires: int | None = 300, authorization: str = "") -> Response:
        """One REGISTER, as it stands; no challenge is answered."""
        self._cseq += 1
        headers = Headers(
            [
                ("Max-Forwards", "70"),
                ("From", f"<sip:{self.address}>;tag=1"),
                ("To", f"<sip:{self.address}>"),
                ("Call-ID", self.endpoint.host),
                ("CSeq", f"{self._cseq} REGISTER"),
            ]
        )
        for contact in contacts:
            headers.add("Contact", contact)
        if expires is not None:
            headers.add("Expires", str(expires))
        if authorization:
            headers.add("Authorization", authorization)
        request = Request(method="REGISTER", uri="sip:example.com", headers=headers)
        return await (await self.endpoint.send(request, hop(POOL))).final()

    async def registered(self, *contacts: str, expires: int | None = 300) -> Response:
        """REGISTER, and again with the answer to the challenge."""
        challenged = await self.register(*contacts, expires=expires)
        assert challenged.status == 401
        value = self._answered(challenged.headers.all("WWW-Authenticate"), "REGISTER", "sip:example.com")
        return await self.register(*contacts, expires=expires, authorization=value)

    def _answered(self, challenges: list[str], method: str, uri: str) -> str:
        cnonce = self.endpoint.ids.token(4)
        given = {"username": self.address, "secret": self.secret, "method": method, "uri": uri, "cnonce": cnonce}
        return digest.answer(challenges, **given) or ""

    @property
    def contact(self) -> str:
        return f"<sip:{self.endpoint.host}@{self.endpoint.host}>"

    async def subscribed(self, *, call_id: str, to_tag: str = "") -> Response:
        """SUBSCRIBE to message waiting, and again with the answer to the challenge."""
        tail = f";tag={to_tag}" if to_tag else ""
        authorization = ""
        for _ in range(2):
            self._cseq += 1
            headers = Headers(
                [
                    ("Max-Forwards", "70"),
                    ("From", f"<sip:{self.address}>;tag=1"),
                    ("To", f"<sip:{self.address}>{tail}"),
                    ("Call-ID", call_id),
                    ("CSeq", f"{self._cseq} SUBSCRIBE"),
                    ("Contact", self.contact),
                    ("Event", "message-summary"),
                ]
            )
            if authorization:
                headers.add("Authorization", authorization)
            request = Request(method="SUBSCRIBE", uri=f"sip:{self.address}", headers=headers)
            response = await (await self.endpoint.send(request, hop(POOL))).final()
            if response.status != 401:
                break
            authorization = self._answered(response.headers.all("WWW-Authenticate"), "SUBSCRIBE", request.uri)
        return response

    async def invited(self, uri: str) -> Response:
        """The final response to an INVITE for any Request-URI, with the answer to the challenge."""
        request = Request(method="INVITE", uri=uri, headers=Headers(self._invite_headers()))
        challenged = await (await self.endpoint.send(request, hop(POOL))).final()
        if challenged.status != 407:
            return challenged
        value = self._answered(challenged.headers.all("Proxy-Authenticate"), "INVITE", uri)
        again = Headers([*self._invite_headers(), ("Proxy-Authorization", value)])
        return await (await self.endpoint.send(Request(method="INVITE", uri=uri, headers=again), hop(POOL))).final()

    def _invite_headers(self) -> list[tuple[str, str]]:
        self._cseq += 1
        return [
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self.address}>;tag=1"),
            ("To", "<sip:x@example.com>"),
            ("Call-ID", f"{self.endpoint.host}-{self._cseq}"),
            ("CSeq", f"{self._cseq} INVITE"),
            ("Contact", self.contact),
        ]

    def call(self, number: str, *headers: tuple[str, str]) -> Attempt:
        return self.calls.place(
            uri=f"sip:{number}@example.com",
            from_=f"<sip:{self.address}>",
            target=hop(POOL),
            policy=self.policy,
            headers=headers,
            credentials=(self.address, self.secret),
        )


def installed(world: World, folder: Path) -> tuple[Phone, Phone]:
    """The voice server, and a phone of each of two users."""
    home = Home(folder=folder)
    voice = VoiceServer(
        fqdn=POOL,
        endpoint=world.network.endpoint(POOL),
        connect=lambda: connect(home, POOL),
        forest="example.com",
        clock=world.loop,
        files=VoiceFiles.below(folder, POOL),
    )
    index = voice.following.index
    changes = index.poll()
    assert changes is not None
    voice.following.take(changes)
    secrets = {user.sip_address: index.sip_secret(user) for user in voice.config.users.values()}
    index.close()
    alice = Phone(world, "desk", CALLED, secrets[f"sip:{CALLED}"] or "")
    bob = Phone(world, "mobile", CALLER, secrets[f"sip:{CALLER}"] or "")
    alice.server = bob.server = voice
    return alice, bob


def changed(voice: VoiceServer, **fields_: object) -> None:
    """The configuration in force is another one in these fields."""
    voice.following.config = dataclasses.replace(voice.config, **fields_)


def contacts(response: Response) -> list[str]:
    return response.headers.all("Contact")


def test_2_1_a_registration_is_challenged_and_then_stands(deployed: Path) -> None:
    async def scene(world: World) -> None:
        alice, _ = installed(world, deployed)
        response = await alice.registered(alice.contact)
        assert (response.status, contacts(response)) == (200, ["<sip:desk@desk>;expires=300"])

    play(scene)


def test_2_2_to_2_4_contacts_are_added_told_and_taken_away(deployed: Path) -> None:
    async def scene(world: World) -> None:
        alice, _ = installed(world, deployed)
        await alice.registered(alice.contact)
        both = await alice.registered("<sip:alice@other>;expires=60")
        assert contacts(both) == ["<sip:desk@desk>;expires=300", "<sip:alice@other>;expires=60"]
        await asyncio.sleep(20)
        assert contacts(await alice.registered(expires=None)) == [
            "<sip:desk@desk>;expires=280",
            "<sip:alice@other>;expires=40",
        ]
        await asyncio.sleep(50)
        assert contacts(await alice.registered(expires=None)) == ["<sip:desk@desk>;expires=230"]
        assert contacts(await alice.registered("*", expires=0)) == []

    play(scene)


def test_2_5_a_wrong_secret_is_challenged_again(deployed: Path) -> None:
    async def scene(world: World) -> None:
        alice, _ = installed(world, deployed)
        alice.secret = "wrong"
        assert (await alice.registered(alice.contact)).status == 401

    play(scene)


def test_a_registration_that_is_too_short_is_told_how_long_it_may_be(deployed: Path) -> None:
    async def scene(world: World) -> None:
        alice, _ = installed(world, deployed)
        response = await alice.registered(alice.contact, expires=5)
        assert (response.status, response.headers.get("Min-Expires")) == (423, "30")

    play(scene)


def test_3_3_a_call_is_challenged_routed_and_everything_within_it_goes_through(deployed: Path) -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = installed(world, deployed)
        assert (await alice.registered(alice.contact)).status == 200
        leg = await bob.call("4101").answered()
        other = await alice.legs.get()
        await asyncio.sleep(1)
        await leg.hold()
        await leg.resume()
        assert (await other.ask()).status == 200
        await other.hangup()
        assert await leg.ended is Ended.REMOTE
        assert alice.incoming[0].headers.all("P-Asserted-Identity")[0] == '"Bob Brown" <sip:bob@example.com>'
        return world.seen("mobile", POOL)

    seen = play(scene)
    assert seen[:6] == [
        "mobile INVITE",
        f"{POOL} 407 INVITE",
        "mobile ACK",
        "mobile INVITE",
        f"{POOL} 100 INVITE",
        f"{POOL} 200 INVITE",
    ]


def test_who_wants_privacy_is_not_told_to_the_phone_that_rings(deployed: Path) -> None:
    async def scene(world: World) -> None:
        alice, bob = installed(world, deployed)
        await alice.registered(alice.contact)
        await (await bob.call("4101", ("Privacy", "id")).answered()).hangup()
        assert "P-Asserted-Identity" not in alice.incoming[0].headers

    play(scene)


def test_a_subscription_is_its_users_own(deployed: Path) -> None:
    async def scene(world: World) -> None:
        alice, bob = installed(world, deployed)
        made = await alice.subscribed(call_id="s1")
        tag = fields.to_tag(made)
        assert made.status == 200 and tag
        assert (await bob.subscribed(call_id="s1", to_tag=tag)).status == 481
        assert (await alice.subscribed(call_id="s1", to_tag=tag)).status == 200

    play(scene)


def test_3_9_who_is_busy_and_has_no_um_within_reach_is_not_there(deployed: Path) -> None:
    async def busy(call: IncomingCall) -> None:
        call.refuse(486)

    async def scene(world: World) -> None:
        alice, bob = installed(world, deployed)
        alice.serve = busy
        await alice.registered(alice.contact)
        attempt = bob.call("4101")
        with pytest.raises(CallFailed, match="480"):
            await attempt.answered()
        assert attempt.provisional == [100, 181]

    play(scene)


def test_all_phones_of_a_user_ring_and_one_answers(deployed: Path) -> None:
    async def rings(call: IncomingCall) -> None:
        await call.ring()
        await call.cancelled.wait()

    async def scene(world: World) -> list[str]:
        alice, bob = installed(world, deployed)
        second = Phone(world, "kitchen", CALLED, alice.secret)
        second.serve = rings
        await alice.registered(alice.contact)
        await second.registered(second.contact)
        leg = await bob.call(CALLED.partition("@")[0]).answered()
        await leg.hangup()
        await world.rest()
        return world.seen("kitchen", POOL)

    assert {f"{POOL} CANCEL", "kitchen 487 INVITE"} <= set(play(scene))


def test_an_extension_that_a_proxy_would_have_to_know_is_refused_by_name(deployed: Path) -> None:
    async def scene(world: World) -> None:
        alice, _ = installed(world, deployed)
        response = await alice.ask("OPTIONS", POOL, ("Proxy-Require", "sec-agree"))
        assert (response.status, response.headers.get("Unsupported")) == (420, "sec-agree")

    play(scene)


def test_a_cancel_that_is_read_with_its_invite_ends_the_call_before_a_phone_rings(deployed: Path) -> None:
    async def scene(world: World) -> tuple[list[str], list[str]]:
        alice, bob = installed(world, deployed)
        await alice.registered(alice.contact)
        pool = world.network.endpoint_of(POOL)
        received = pool.received

        def both(data: bytes, flow: Flow) -> None:
            received(data, flow)
            message = parse_message(data)
            if isinstance(message, Request) and "Proxy-Authorization" in message.headers:
                received(cancel_for(message).to_bytes(), flow)

        pool.received = both  # type: ignore[method-assign]
        with pytest.raises(CallFailed, match="487"):
            await bob.call("4101").answered()
        await world.rest()
        return world.seen("mobile", POOL), [line for line in world.seen("desk", POOL) if "INVITE" in line]

    seen, rung = play(scene)
    assert f"{POOL} 200 CANCEL" in seen and f"{POOL} 487 INVITE" in seen
    assert rung == []


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("urn:service:sos", 416),
        ("http://example.com/", 416),
        ("sip:a@exa..mple.com", 400),
        ("im:alice@example.com", 416),
    ],
)
def test_a_request_uri_that_leads_nowhere_is_refused_and_leaves_nothing_behind(
    deployed: Path, uri: str, status: int
) -> None:
    async def scene(world: World) -> int:
        _, bob = installed(world, deployed)
        return (await bob.invited(uri)).status

    assert play(scene) == status


@pytest.mark.parametrize("registered", [True, False], ids=["ringing", "diverting"])
@pytest.mark.parametrize("after_s", [0.02, 0.1])
def test_a_call_that_is_given_up_at_once_ends_with_487(deployed: Path, registered: bool, after_s: float) -> None:
    async def rings(call: IncomingCall) -> None:
        await call.ring()
        await call.cancelled.wait()

    async def scene(world: World) -> list[str]:
        alice, bob = installed(world, deployed)
        um = world.party("um1.example.com")
        alice.serve = um.serve = rings
        if registered:
            await alice.registered(alice.contact)
        attempt = bob.call("4101")
        task = asyncio.create_task(attempt.answered())
        while f"{POOL} 100 INVITE" not in world.seen("mobile", POOL):
            await asyncio.sleep(0.005)
        await asyncio.sleep(after_s)
        attempt.cancel()
        with pytest.raises(CallFailed, match="487"):
            await task
        assert bool(um.incoming) is not registered
        return world.seen(POOL, "desk" if registered else "um1.example.com")

    assert f"{POOL} CANCEL" in play(scene)


def test_a_cancel_that_is_read_with_a_re_invite_ends_it_and_the_call_goes_on(deployed: Path) -> None:
    async def scene(world: World) -> list[str]:
        alice, bob = installed(world, deployed)
        await alice.registered(alice.contact)
        leg = await bob.call("4101").answered()
        other = await alice.legs.get()
        pool = world.network.endpoint_of(POOL)
        received = pool.received

        def both(data: bytes, flow: Flow) -> None:
            received(data, flow)
            message = parse_message(data)
            if isinstance(message, Request) and message.method == "INVITE":
                received(cancel_for(message).to_bytes(), flow)

        pool.received = both  # type: ignore[method-assign]
        with pytest.raises(CallFailed, match="487"):
            await leg.hold()
        pool.received = received  # type: ignore[method-assign]
        await leg.hangup()
        assert await other.ended is Ended.REMOTE
        return world.seen("mobile", POOL)

    assert f"{POOL} 487 INVITE" in play(scene)


# What UM refuses, and what phones refuse


def refuses(status: int) -> Callable[[IncomingCall], Awaitable[None]]:
    async def serve(call: IncomingCall) -> None:
        call.refuse(status)

    return serve


def no_um() -> float:
    return next(family.total() for family in families() if family.name == "tandem_voice_no_um_total")


def um_servers(world: World, voice: VoiceServer, *names: str) -> list[Party]:
    """These UM servers are in every dial plan."""
    (one,) = {server for servers in voice.config.um_servers.values() for server in servers}
    made = tuple(dataclasses.replace(one, fqdn=name) for name in names)
    changed(voice, um_servers=dict.fromkeys(voice.config.um_servers, made))
    parties = [world.party(name) for name in names]
    for party in parties:
        party.policy = MediaPolicy(host="127.0.0.1", encryption=Encryption.REQUIRE)
    return parties


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, 404, 408, 480, 500, 503])
@pytest.mark.parametrize("turn", [0, 1])
def test_a_um_server_that_does_not_know_the_dial_plan_yet_is_passed_over(
    deployed: Path, status: int, turn: int
) -> None:
    async def scene(world: World) -> None:
        _, bob = installed(world, deployed)
        voice = bob.server
        voice._setup._turn = turn  # type: ignore[attr-defined]
        one, other = um_servers(world, voice, "um-a", "um-b")
        one.serve = refuses(status)
        before = no_um()
        leg = await bob.call("4101").answered()
        assert len(other.incoming) == 1
        await leg.hangup()
        assert no_um() == before

    play(scene)


@pytest.mark.parametrize(("status", "told"), [(404, 404), (480, 480), (503, 480), (603, 603)])
def test_a_call_that_no_um_server_takes_is_counted_and_logged(
    deployed: Path, status: int, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(world: World) -> None:
        _, bob = installed(world, deployed)
        for server in um_servers(world, bob.server, "um-a", "um-b"):
            server.serve = refuses(status)
        before = no_um()
        for _ in range(3):
            with pytest.raises(CallFailed, match=str(told)):
                await bob.call("4101").answered()
        assert no_um() == before + 3

    play(scene)
    assert caplog.text.count("voice.no_um called=alice@example.com") == 3


def exchange(voice: VoiceServer, **roles: tuple[str, ...]) -> None:
    """Servers of Exchange 2013 are in every dial plan, with these roles; names with ``_`` for ``-``."""
    made = tuple(
        o.MessagingServer(fqdn=name.replace("_", "-"), kind=ServerKind.EXCHANGE, version="Exchange 2013", roles=held)
        for name, held in roles.items()
    )
    changed(voice, um_servers=dict.fromkeys(voice.config.um_servers, made))


def exchange_2013(world: World, router: str = "ex-cas", mailbox_server: str = "ex-mbx") -> ExchangeUM:
    """A Client Access and a Mailbox server of Exchange 2013, which takes SRTP only."""
    um = ExchangeUM(world, router, mailbox_server, frozenset({CALLED}))
    for party in um.parties:
        party.policy = MediaPolicy(host="127.0.0.1", encryption=Encryption.REQUIRE)
    return um


@pytest.mark.parametrize("turn", [0, 1])
def test_a_call_goes_where_exchanges_call_router_and_um_service_redirect_it(deployed: Path, turn: int) -> None:
    async def scene(world: World) -> None:
        _, bob = installed(world, deployed)
        bob.server._setup._turn = turn  # type: ignore[attr-defined]
        um = exchange_2013(world)
        exchange(bob.server, ex_mbx=("Mailbox",), ex_cas=("ClientAccess",))
        leg = await bob.call("4101").answered()
        assert um.answered == ["sip:um@ex-mbx:5066;transport=Tls;x-router=ex-cas"]
        assert len(um.router.incoming) == 1 and len(um.mailbox_server.incoming) == 2
        await leg.hold()
        await leg.hangup()
        assert await (await um.mailbox_server.legs.get()).ended is Ended.REMOTE

    play(scene)


@pytest.mark.parametrize(
    "contact",
    [
        "sip:um@elsewhere.example.net:5063;transport=tls",
        "sip:um@ex-mbx:5063;transport=tcp",
        "sip:um@ex-mbx:5063",
        "sip:Main@ex-cas:5061;transport=tls",
    ],
    ids=["an unknown host", "plain TCP", "no transport", "where it came from"],
)
def test_a_redirection_to_anywhere_but_a_server_of_the_dial_plan_by_tls_is_not_followed(
    deployed: Path, contact: str
) -> None:
    async def scene(world: World) -> None:
        _, bob = installed(world, deployed)
        um = exchange_2013(world)
        exchange(bob.server, ex_cas=("ClientAccess",), ex_mbx=("Mailbox",))
        stranger = world.party("elsewhere.example.net")

        async def misleads(call: IncomingCall) -> None:
            call.redirect(contact)

        um.router.serve = misleads
        with pytest.raises(CallFailed) as failed:
            await bob.call("4101").answered()
        assert failed.value.status == 502
        assert not stranger.incoming and not um.mailbox_server.incoming
        assert len(um.router.incoming) == 1

    play(scene)


def test_the_next_call_router_is_tried_where_one_redirects_in_a_circle(deployed: Path) -> None:
    async def scene(world: World) -> None:
        _, bob = installed(world, deployed)
        bob.server._setup._turn = 1  # type: ignore[attr-defined]
        um = exchange_2013(world)
        exchange(bob.server, ex_bad=("ClientAccess",), ex_cas=("ClientAccess",), ex_mbx=("Mailbox",))

        async def circles(call: IncomingCall) -> None:
            port = int(call.request.uri.rpartition(":")[2].partition(";")[0])
            call.redirect(f"sip:um@ex-bad:{port + 1};transport=tls")

        bad = world.party("ex-bad")
        bad.serve = circles
        await (await bob.call("4101").answered()).hangup()
        assert len(bad.incoming) == 1 + MOST_REDIRECTIONS and len(um.answered) == 1

    play(scene)


@pytest.mark.parametrize(
    ("version", "roles", "begins"),
    [
        ("Exchange 2007 SP3", ("UM",), True),
        ("Exchange 2010 SP3", ("Mailbox", "UM"), True),
        ("Exchange 2013", ("Mailbox",), False),
        ("Exchange 2013", ("ClientAccess",), True),
        ("Exchange 2016", ("Mailbox",), True),
    ],
)
def test_calls_begin_at_call_routers_and_um_roles(version: str, roles: tuple[str, ...], begins: bool) -> None:
    server = o.MessagingServer(fqdn="ex1.example.com", kind=ServerKind.EXCHANGE, version=version, roles=roles)
    assert takes_calls(server) is begins


@pytest.mark.parametrize("enabled", [True, False])
def test_a_call_that_nobody_answers_counts_only_where_the_user_should_have_voice_mail(
    deployed: Path, enabled: bool
) -> None:
    async def scene(world: World) -> None:
        _, bob = installed(world, deployed)
        users = dict(bob.server.config.users)
        users[CALLED] = dataclasses.replace(users[CALLED], proxy_addresses=(), um_flags=o.UM_ENABLED if enabled else 0)
        changed(bob.server, users=users)
        before = no_um()
        with pytest.raises(CallFailed, match="is not enabled for UM"):
            await bob.call("alice").answered()
        assert no_um() == before + enabled

    play(scene)


def test_a_call_is_counted_whose_um_servers_are_all_gone(deployed: Path) -> None:
    async def scene(world: World) -> None:
        _, bob = installed(world, deployed)
        before = no_um()
        with pytest.raises(CallFailed, match="480"):
            await bob.call("4101").answered()
        assert no_um() == before + 1

    play(scene)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(302, "deflection"), (401, "unavailable"), (407, "unavailable"), (486, "user-busy"), (603, "deflection")],
)
@pytest.mark.parametrize("has_um", [True, False])
def test_what_a_phone_says_to_us_alone_goes_to_um_and_never_to_the_caller(
    deployed: Path, status: int, reason: str, has_um: bool
) -> None:
    async def scene(world: World) -> None:
        alice, bob = installed(world, deployed)
        (um,) = um_servers(world, bob.server, "um-a")
        if not has_um:
            changed(bob.server, um_servers={})
        alice.serve = refuses(status)
        await alice.registered(alice.contact)
        if has_um:
            await (await bob.call("4101").answered()).hangup()
            assert f"reason={reason}" in (um.incoming[0].headers.get("Diversion") or "")
        else:
            with pytest.raises(CallFailed) as failed:
                await bob.call("4101").answered()
            assert failed.value.status == (480 if status in (302, 401, 407) else status)

    play(scene)


# Several pools (issue 16)


def at_home_elsewhere(voice: VoiceServer, address: str) -> None:
    users = dict(voice.config.users)
    users[address] = dataclasses.replace(users[address], home_pool="pool2.example.com")
    lines = dict(voice.config.lines)
    lines[users[address].line_uri.lower()] = users[address]
    changed(voice, users=users, lines=lines)


def test_a_phone_at_a_pool_that_is_not_its_users_is_refused_with_the_name_of_the_right_one(
    deployed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(world: World) -> None:
        alice, _ = installed(world, deployed)
        at_home_elsewhere(alice.server, CALLED)
        refused = await alice.registered(alice.contact)
        assert refused.status == 403
        assert "is at home in pool pool2.example.com" in (refused.headers.get("Warning") or "")
        assert (await alice.subscribed(call_id="s")).status == 403

    play(scene)
    assert "voice.wrong_pool" in caplog.text


@pytest.mark.parametrize("number", ["4101", "alice"])
def test_a_call_to_a_user_of_another_pool_is_refused_with_the_reason(deployed: Path, number: str) -> None:
    async def scene(world: World) -> None:
        _, bob = installed(world, deployed)
        at_home_elsewhere(bob.server, CALLED)
        with pytest.raises(CallFailed, match="at home in pool pool2") as failed:
            await bob.call(number).answered()
        assert failed.value.status == 480

    play(scene)


def test_another_pool_is_warned_of_at_the_start_and_once(deployed: Path, caplog: pytest.LogCaptureFixture) -> None:
    repository = deployment.context(deployed).repository
    (one,) = repository.all(o.VoicePool)
    repository.add(dataclasses.replace(one, fqdn="pool2.example.com", servers=("pool2.example.com",)))
    repository.session.close()

    async def scene(world: World) -> None:
        alice, _ = installed(world, deployed)
        alice.server.took(alice.server.config)

    play(scene)
    (warned,) = [record.getMessage() for record in caplog.records if "voice.several_pools" in record.getMessage()]
    assert "others=pool2.example.com" in warned
