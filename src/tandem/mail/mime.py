"""A mail as bytes, written here alone: no text goes through a generator that reads it again (docs/adr/0029). Pure.

What is not plain ASCII text of one line becomes encoded words (:rfc:`2047`), and a display name that is more than words of
letters does, too: no address depends on how quotes survive folding. Bodies are quoted-printable, attachments base64, neither
of which can hold a boundary. :func:`read_back` reads a mail again as mail programs do, and says what is not as it was meant.
"""

import base64
import binascii
import dataclasses
import email
import email.policy
import re
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses
from urllib.parse import quote

from tandem.mail.headers import decoded

LONGEST_LINE = 998
"""Octets of a line without its end (:rfc:`5322#section-2.1.1`)."""
_LINE = 76
_WORD_OCTETS = 36
"""Of encoded text in a word: the first fits behind the longest name of a header in a line of 76 (:rfc:`2047#section-2`)."""
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*\Z")
_ATOMS = re.compile(r"[A-Za-z0-9'-]+(?: [A-Za-z0-9'-]+)*\Z")
_UNSAFE_IN_WORD = re.compile(rb"[^A-Za-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondent:
    """Who writes or is written to. ``name`` is one line of any text, or empty; ``address`` a plain ``local@domain``."""

    name: str = ""
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file. ``name`` is safe as a file name; ``content_type`` such as ``audio/wav``."""

    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to write.

    Attributes:
        sender: its From.
        recipient: its To; ``None`` if the mailbox has no address that a header can hold.
        raw: headers written as they are, of visible ASCII (Date, Message-ID); what is longer than a line is cut.
        texts: headers of one line of any text, encoded where they are not plain.
        text: the body, lines ended by line feeds.
        html: the same as HTML, or empty.
        attachment: a file, or ``None``.
    """

    sender: Correspondent
    recipient: Correspondent | None
    raw: tuple[tuple[str, str], ...]
    texts: tuple[tuple[str, str], ...]
    text: str
    html: str = ""
    attachment: Attachment | None = None


def write_mail(mail: Mail) -> bytes:
    """The mail as MIME with CRLF."""
    heads = [
        _address_header("From", mail.sender),
        _address_header("To", mail.recipient) if mail.recipient else "To: undisclosed-recipients:;",
        *(_raw_header(name, value) for name, value in mail.raw),
        *(_text_header(name, value) for name, value in mail.texts),
        "MIME-Version: 1.0",
    ]
    body = _body("plain", mail.text)
    if mail.html:
        body = _multipart("alternative", [body, _body("html", mail.html)])
    if mail.attachment:
        body = _multipart("mixed", [body, _file(mail.attachment)])
    return "\r\n".join(heads).encode("ascii") + b"\r\n" + body


def read_back(mail: Mail) -> str:
    """Write a mail (with an empty attachment, which cannot matter), read it, and say what is not as meant; empty if all is."""
    if mail.attachment:
        mail = dataclasses.replace(mail, attachment=dataclasses.replace(mail.attachment, data=b""))
    try:
        return _difference(mail, email.message_from_bytes(write_mail(mail), policy=email.policy.compat32))
    except (ValueError, LookupError) as error:  # what cannot be written at all, or not be read
        return f"{type(error).__name__}: {error}"


def _difference(mail: Mail, found: Message) -> str:
    keys = ["From", "To", *(name for name, _ in (*mail.raw, *mail.texts)), "MIME-Version", "Content-Type"]
    if not mail.html and not mail.attachment:
        keys.append("Content-Transfer-Encoding")
    if found.keys() != keys:
        return f"headers {', '.join(found.keys())}; meant were {', '.join(keys)}"
    for name, who in (("From", mail.sender), ("To", mail.recipient)):
        if who and [address for _, address in getaddresses([str(found[name])])] != [who.address]:
            return f"{name} is {found[name]!r}; meant was {who.address} alone"
        if who and decoded(str(found[name]).rpartition("<")[0].strip()) != who.name:
            return f"{name} is {found[name]!r}; meant was the name {who.name!r}"
    for name, text in mail.texts:
        if decoded(str(found[name])) != text:
            return f"{name} is {found[name]!r}; meant was {text!r}"
    leaves = [part for part in found.walk() if not part.is_multipart()]
    meant = [("text/plain", mail.text)] + ([("text/html", mail.html)] if mail.html else [])
    file = [(mail.attachment.content_type, mail.attachment.name)] if mail.attachment else []
    if [part.get_content_type() for part in leaves] != [type_ for type_, _ in (*meant, *file)]:
        return f"parts {', '.join(part.get_content_type() for part in leaves)}"
    for part, (type_, text) in zip(leaves, meant, strict=False):
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        if payload.replace(b"\r\n", b"\n") != text.encode():
            return f"the part {type_} is not the text that was meant"
    if file and leaves[-1].get_filename() != file[0][1]:
        return f"the attachment is named {leaves[-1].get_filename()!r}; meant was {file[0][1]!r}"
    return ""


def _address_header(name: str, who: Correspondent) -> str:
    if not who.name:
        return f"{name}: <{who.address}>"
    words = who.name.split(" ") if _ATOMS.match(who.name) else _encoded_words(who.name)
    return _folded(name, [*words, f"<{who.address}>"])


def _text_header(name: str, text: str) -> str:
    if _PLAIN.match(text) and "=?" not in text and len(name) + 2 + len(text) <= LONGEST_LINE:
        return f"{name}: {text}"
    return _folded(name, _encoded_words(text)) if text else f"{name}:"


def _raw_header(name: str, value: str) -> str:
    return f"{name}: {value}"[:LONGEST_LINE]


def _folded(name: str, words: list[str]) -> str:
    """A header of words; lines end between them (a mail program takes the end and the blank after it for one blank)."""
    lines, line = [], f"{name}:"
    for word in words:
        if len(line) + 1 + len(word) > _LINE and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line])


def _encoded_words(text: str) -> list[str]:
    """:rfc:`2047`: blanks are within the words, for a reader drops what is between two; a word ends at a blank if it can."""
    words, held = [], b""
    for piece in (part for word in re.split(r"(?<= )", text) for part in _pieces(word)):
        if len(held) + len(piece) > _WORD_OCTETS:
            words.append(held)
            held = b""
        held += piece
    return [f"=?utf-8?q?{word.decode()}?=" for word in (*words, held)]


def _pieces(word: str) -> list[bytes]:
    """A word, encoded: whole where it fits into an encoded word, else each character."""
    whole = [_encoded(character) for character in word]
    return [b"".join(whole)] if sum(map(len, whole)) <= _WORD_OCTETS else whole


def _encoded(character: str) -> bytes:
    return b"_" if character == " " else _UNSAFE_IN_WORD.sub(lambda found: b"=%02X" % found[0][0], character.encode())


def _body(subtype: str, text: str) -> bytes:
    quoted = binascii.b2a_qp(text.encode(), istext=True).replace(b"\n", b"\r\n")
    return (
        f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
        + quoted
    )


def _file(attachment: Attachment) -> bytes:
    """:rfc:`2183`; a name beyond ASCII as :rfc:`2231` writes it."""
    name = attachment.name
    plain = name.isascii() and not re.search(r'["\\\x00-\x1f\x7f]', name)
    parameter = f'filename="{name}"' if plain else f"filename*=utf-8''{quote(name, safe='')}"
    return (
        f"Content-Type: {attachment.content_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; {parameter}\r\n\r\n"
    ).encode("ascii") + base64.encodebytes(attachment.data).replace(b"\n", b"\r\n")


def _multipart(subtype: str, parts: list[bytes]) -> bytes:
    boundary = f"=_{subtype}"
    between = f"\r\n--{boundary}\r\n".encode()
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'.encode()
    return head + between + between.join(parts) + f"\r\n--{boundary}--\r\n".encode()
