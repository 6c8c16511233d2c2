"""Kamailio as the proxy in front of UM servers: UDP towards gateways, mutual TLS towards UM, Record-Route, dispatcher.

Kamailio wants to resolve the name that it advertises, so it runs with a hosts file of its own (a mount namespace, as
root). Pitfalls: the path of the pid file has to be absolute; ``-DD`` keeps its children while it stays in the foreground.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from peers.baresip import free_port
from tandem.pki.store import CertificateStore

NAME = "edge.example.com"

_TLS = """\
[server:default]
method = TLSv1.2+
{common}
[client:default]
method = TLSv1.2+
{common}
"""
_COMMON = """\
verify_certificate = yes
require_certificate = yes
certificate = {certificate}
private_key = {key}
ca_list = {roots}
"""
_CONFIG = """\
debug=1
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
dns=no
rev_dns=no
enable_tls=yes
alias="{name}:{tls}"
listen=udp:{address}:{udp}
listen=tls:{address}:{tls} advertise "{name}":{tls}
use_dns_cache=off
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "dispatcher.so"
modparam("tls", "config", "{folder}/tls.cfg")
modparam("dispatcher", "list_file", "{folder}/dispatcher.list")
modparam("dispatcher", "flags", 2)
modparam("dispatcher", "xavp_dst", "_dsdst_")
modparam("tm", "fr_timer", {patience_ms})

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (has_totag()) {{
        if (!loose_route()) {{ if (!is_method("ACK")) sl_send_reply("404", "Not Here"); exit; }}
        t_relay();
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    record_route();
    if (!ds_select_dst("1", "4")) {{ sl_send_reply("503", "No UM Server"); exit; }}
    t_on_failure("NEXT");
    # A connection that is refused does not come to the failure route (0x02: no answer to the caller yet).
    while (!t_relay_to("0x02")) {{
        if (!ds_next_dst()) {{ t_reply("503", "No UM Server"); exit; }}
    }}
}}

failure_route[NEXT] {{
    if (t_is_canceled()) exit;
    if (t_check_status("408|477|5[0-9][0-9]") && ds_next_dst()) {{ t_on_failure("NEXT"); t_relay(); }}
}}
"""


class Kamailio:
    """Where a running Kamailio listens; :attr:`log` is the file that it writes to."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.udp, self.tls = free_port(), free_port()
        self.log = folder / "log"


@contextlib.asynccontextmanager
async def kamailio(
    proxy: Kamailio, *, store: CertificateStore, servers: Mapping[str, int], patience_ms: int = 5000
) -> AsyncIterator[None]:
    """Run Kamailio with a certificate in front of UM servers of 127.0.0.1, whose TLS ports stand by their FQDNs.

    A server that gives no response within ``patience_ms`` counts as gone.
    """
    _write(proxy, store, servers, patience_ms)
    folder = proxy.folder
    run = f"mount --bind {folder}/hosts /etc/hosts && exec kamailio -DD -E -f {folder}/kamailio.cfg -Y {folder}"
    with proxy.log.open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *("unshare", "--mount", "sh", "-c", f"{run} -P {folder}/pid -m 64 -M 8"),
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(20):
            while not await _listens(proxy):
                assert process.returncode is None, proxy.log.read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _write(proxy: Kamailio, store: CertificateStore, servers: Mapping[str, int], patience_ms: int) -> None:
    proxy.folder.mkdir(parents=True, exist_ok=True)
    common = _COMMON.format(certificate=store.certificate, key=store.key, roots=store.roots)
    (proxy.folder / "tls.cfg").write_text(_TLS.format(common=common))
    places = [f"1 sip:{name}:{port};transport=tls\n" for name, port in servers.items()]
    (proxy.folder / "dispatcher.list").write_text("".join(places))
    hosts = [f"{proxy.address} {NAME}\n", *(f"127.0.0.1 {name}\n" for name in servers)]
    (proxy.folder / "hosts").write_text("".join(hosts))
    where = {"name": NAME, "address": proxy.address, "udp": proxy.udp, "tls": proxy.tls, "folder": proxy.folder}
    (proxy.folder / "kamailio.cfg").write_text(_CONFIG.format(**where, patience_ms=patience_ms))


async def _listens(proxy: Kamailio) -> bool:
    try:
        _, writer = await asyncio.open_connection(proxy.address, proxy.tls)
    except OSError:
        return False
    writer.close()
    return True
