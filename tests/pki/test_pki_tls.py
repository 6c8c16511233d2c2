import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tandem.pki.authority import SERVER_DAYS, Authority
from tandem.pki.errors import PkiError
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, peer_names, phone_tls_context, server_context

NOW = datetime.now(UTC)


def store_for(folder: Path, authority: Authority, name: str, roots: bytes | None = None) -> CertificateStore:
    store = CertificateStore(folder=folder / name)
    store.install(*authority.issue(name, (), at=NOW), roots or authority.root_pem)
    return store


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open_or_create(tmp_path / "authority", organization="Example", at=NOW)


async def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> frozenset[str]:
    """The names that the server reads from the client's certificate; raises what the client met."""
    seen: asyncio.Future[frozenset[str]] = asyncio.get_running_loop().create_future()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(peer_names(writer.get_extra_info("ssl_object")))
        writer.write(b"x")
        writer.close()

    listener = await asyncio.start_server(met, "127.0.0.1", 0, ssl=server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
        try:
            await reader.readexactly(1)
            return await seen
        finally:
            writer.close()
            await asyncio.sleep(0.05)


async def test_each_side_knows_the_other_by_name(tmp_path: Path, authority: Authority) -> None:
    um = store_for(tmp_path, authority, "um1.example.com")
    pool = store_for(tmp_path, authority, "pool1.example.com")
    names = await handshake(server_context(um, require_client=True), client_context(pool), "um1.example.com")
    assert names == {"pool1.example.com"}


async def test_a_server_of_another_name_is_refused(tmp_path: Path, authority: Authority) -> None:
    um = store_for(tmp_path, authority, "um2.example.com")
    pool = store_for(tmp_path, authority, "pool1.example.com")
    with pytest.raises(ssl.SSLCertVerificationError, match="um1"):
        await handshake(server_context(um, require_client=True), client_context(pool), "um1.example.com")


async def test_a_client_of_another_root_and_one_without_a_certificate_are_refused(
    tmp_path: Path, authority: Authority
) -> None:
    um = store_for(tmp_path, authority, "um1.example.com")
    other = Authority.open_or_create(tmp_path / "other", organization="Other", at=NOW)
    stranger = store_for(tmp_path / "s", other, "pool1.example.com", authority.root_pem)
    for client in (client_context(stranger), phone_tls_context(um.roots)):
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await handshake(server_context(um, require_client=True), client, "um1.example.com")


async def test_a_phone_needs_no_certificate_where_none_is_demanded(tmp_path: Path, authority: Authority) -> None:
    pool = store_for(tmp_path, authority, "pool1.example.com")
    names = await handshake(
        server_context(pool, require_client=False), phone_tls_context(pool.roots), "pool1.example.com"
    )
    assert names == frozenset()


def test_an_authority_is_made_once_and_its_key_is_its_owners(tmp_path: Path, authority: Authority) -> None:
    again = Authority.open_or_create(tmp_path / "authority", organization="Example", at=NOW)
    assert again.root_pem == authority.root_pem
    assert (tmp_path / "authority" / "root.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "authority" / "root.key").unlink()
    with pytest.raises(PkiError, match="restore the key"):
        Authority.open_or_create(tmp_path / "authority", organization="Example", at=NOW)


def test_a_certificate_is_judged_by_names_life_key_and_issuer(tmp_path: Path, authority: Authority) -> None:
    store = CertificateStore(folder=tmp_path / "um1.example.com")
    assert store.problem("um1.example.com", (), at=NOW) == "there is none"
    store.install(*authority.issue("um1.example.com", ("alias.example.com",), at=NOW), authority.root_pem)
    assert store.problem("um1.example.com", ("alias.example.com",), at=NOW) == ""
    assert len(store.thumbprint()) == 40
    assert "not for um2" in store.problem("um2.example.com", (), at=NOW)
    assert "expired" in store.problem("um1.example.com", (), at=NOW + timedelta(days=SERVER_DAYS + 1))
    other = Authority.open_or_create(tmp_path / "other", organization="Other", at=NOW)
    certificate, key = other.issue("um1.example.com", (), at=NOW)
    store.install(certificate, key, authority.root_pem)
    assert "not issued by" in store.problem("um1.example.com", (), at=NOW)
    store.install(certificate, authority.issue("um1.example.com", (), at=NOW)[1], other.root_pem)
    assert "another one's" in store.problem("um1.example.com", (), at=NOW)


def test_no_wildcard_is_issued(authority: Authority) -> None:
    with pytest.raises(PkiError, match="wildcard"):
        authority.issue("*.example.com", (), at=NOW)
