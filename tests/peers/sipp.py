"""sipp as a plain gateway: scenarios that are put together from steps, and the program that plays them.

A scenario is the call of one gateway to one pilot identifier; what every request of it has in common stands once, here.
With ``-nr`` sipp neither repeats requests nor swallows what comes again, so that a scenario can wait for a repetition.
"""

import asyncio
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any

from peers.baresip import free_port

_variables, _runs = itertools.count(), itertools.count()


def offer(direction: str = "sendrecv", *, version: int = 1, formats: str = "0 101") -> str:
    """A description of G.711 and telephone-event; media comes to the test's own port, or to sipp's."""
    return f"""\
v=0
o=gw 1 {version} IN IP[media_ip_type] [media_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP {formats}
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a={direction}
"""


def request(
    method: str,
    cseq: int,
    *,
    body: str = "",
    headers: tuple[str, ...] = (),
    first: bool = False,
    branch: str = "[branch]",
    via_route: bool = False,
) -> str:
    """Send a request; the first one of a call goes to the pilot identifier, the others to the peer's Contact."""
    uri = "sip:[service]@[remote_ip]:[remote_port];transport=[transport]" if first else "[next_url]"
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
        "Max-Forwards: 70",
        *(["[routes]"] if via_route else []),
        'From: "Carol" <sip:+14255550199@[local_ip]>;tag=[pid]g[call_number]',
        "To: <sip:[extension]@[remote_ip]>" + ("" if first else "[peer_tag_param]"),
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:gw@[local_ip]:[local_port];transport=[transport]>",
        *headers,
        *(["Content-Type: application/sdp"] if body else []),
        "Content-Length: [len]",
        "",
        body,
    ]
    text = "\n".join(lines)
    retrans = "" if method == "ACK" else ' retrans="500"'
    return f"<send{retrans}><![CDATA[\n{text}\n]]></send>"


def invite(cseq: int = 1, *, body: str | None = None, headers: tuple[str, ...] = (), **more: Any) -> str:
    """The INVITE that begins a call, forwarded from the extension."""
    diversion = "Diversion: <tel:[extension]>;reason=no-answer;counter=1"
    text = offer() if body is None else body
    return request("INVITE", cseq, body=text, headers=(diversion, *headers), first=True, **more)


def receive(status: int, *holds: str, optional: bool = False, keeps: Mapping[str, str] | None = None) -> str:
    """Wait for a response; ``holds`` are regular expressions that have to be found in the message.

    ``keeps`` are variables (``[$name]`` in what follows), each with an expression whose group is kept.
    """
    attributes = (
        f'response="{status}"'
        + (' rrs="true"' if keeps or status == 200 else "")
        + (' optional="true"' if optional else "")
    )
    return f"<recv {attributes}>{_actions(holds, keeps or {})}</recv>"


def _actions(holds: tuple[str, ...], keeps: Mapping[str, str]) -> str:
    found = [(pattern, f"v{next(_variables)}") for pattern in holds]
    found += [(pattern, f"v{next(_variables)},{name}") for name, pattern in keeps.items()]
    checks = "".join(
        f'<ereg regexp="{pattern}" search_in="msg" check_it="true" assign_to="{names}"/>' for pattern, names in found
    )
    return f"<action>{checks}</action>" if checks else ""


def ringing() -> str:
    """What may come before the answer."""
    return receive(100, optional=True) + receive(180, optional=True)


def pause(milliseconds: int) -> str:
    """Let time pass."""
    return f'<pause milliseconds="{milliseconds}"/>'


def play(capture: Path) -> str:
    """Play a capture from sipp's media port (as root); the scenario goes on meanwhile."""
    return f'<nop><action><exec play_pcap_audio="{capture}"/></action></nop>'


def expect(method: str, *holds: str, first: bool = False) -> str:
    """Wait for a request of the peer, and answer it with 200; the ``first`` of a dialog gets a tag of ours."""
    kept = "\n".join(f"[last_{name}:]" for name in ("Via", "From", "Call-ID", "CSeq"))
    to = "[last_To:]" + (";tag=[pid]n[call_number]" if first else "")
    answer = f"<send><![CDATA[\nSIP/2.0 200 OK\n{kept}\n{to}\nContent-Length: 0\n\n]]></send>"
    return f'<recv request="{method}">{_actions(holds, {})}</recv>{answer}'


def bye(cseq: int = 2, **more: Any) -> str:
    """Hang up, and be answered."""
    return request("BYE", cseq, **more) + receive(200)


def _scenario(steps: str, rtp_port: int | None) -> str:
    """A whole scenario; sipp insists that what is assigned is also used."""
    steps = steps.replace("[media_port]", str(rtp_port or "[media_port]"))
    assigned = ",".join(re.findall(r'assign_to="([\w,]+)"', steps))
    used = f'<Reference variables="{assigned}"/>' if assigned else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><scenario name="call">{steps}{used}</scenario>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Where sipp stands, and whom it calls."""

    folder: Path
    address: str
    transport: str
    server_port: int
    server: str = "127.0.0.1"
    extension: str = "201"
    port: int = 0
    """Where it listens; by default on any free port."""

    async def play(self, *steps: str, options: tuple[str, ...] = (), rtp_port: int | None = None) -> str:
        """Play the steps; returns what sipp prints. Fails with sipp's own account of it if a call failed."""
        path = self.folder / f"scenario{next(_runs)}.xml"
        path.write_text(_scenario("".join(steps), rtp_port))
        mode = {"udp": "u1", "tcp": "t1"}[self.transport]
        errors = path.with_suffix(".err")
        process = await asyncio.create_subprocess_exec(
            *("sipp", "-sf", str(path), "-t", mode, "-i", self.address, "-p", str(self.port or free_port())),
            *(
                "-m",
                "1",
                "-nostdin",
                "-timeout",
                "30",
                "-timeout_error",
                "-trace_msg",
                "-trace_err",
                "-error_file",
                str(errors),
            ),
            *(
                "-s",
                "5000",
                "-mi",
                self.address,
                "-mp",
                str(free_port(SOCK_DGRAM)),
                "-key",
                "extension",
                self.extension,
            ),
            *(*options, f"{self.server}:{self.server_port}"),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        told = printed.decode(errors="replace")
        assert process.returncode == 0, told[-3000:] + (errors.read_text()[-4000:] if errors.exists() else "")
        return told
