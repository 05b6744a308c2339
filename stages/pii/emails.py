"""E-mail addresses."""

import re
from collections.abc import Iterator

from stages.pii.found import Found, Window

# two bytes of UTF-8 hold Latin, Greek, Cyrillic, Hebrew and Arabic letters; longer ones are of scripts that put no blank before
_LETTER = rb"[A-Za-z0-9]|[\xc3-\xdf][\x80-\xbf]"
_LOCAL = re.compile(rb"(?:%s|_)(?:[.+%%-]{0,3}(?:%s|_))*[+-]?\Z" % (_LETTER, _LETTER))
_DOMAIN = re.compile(
    rb"(?:(?:%s)(?:-{0,2}(?:%s))*\.){1,8}([A-Za-z]{2,24}|xn--[a-z0-9-]{2,59}|(?:[\xc3-\xdf][\x80-\xbf]){2,20})"
    % (_LETTER, _LETTER)
)
_NO_TOP_LEVEL = frozenset(
    b"asc bak bin bmp bz2 cfg class conf cpp css csv deb device dll doc docx dot eps exe gif gpg gz hpp htm html ico img ini"
    b" iso jar jpeg jpg js json jsx key lock log mount patch path pdf pem php png pod pyc rb rpm rst scope service slice so"
    b" socket sql svg swap tar target tex tgz tiff timer ts tsx txt wav webp xls xml xz yaml yml".split()
)
"""Endings of files and of systemd's units, none of them a top-level domain: logo@2x.png, getty@tty1.service."""

_MESSAGE_ID = re.compile(rb"(?:message-id|references|in-reply-to|msgid|mid|news|nntp)\s*[:=]\s*<?\Z|\bin <\Z", re.IGNORECASE)
_USER_INFO = re.compile(rb"://[^\s/@]*\Z")
_REMOTE = re.compile(rb"\b(?:ssh|scp|sftp|rsync|mosh|ssh-copy-id)\b[^\n|;]*[\s{]\Z")
_LOGIN = frozenset((b"git", b"hg", b"svn", b"ssh"))


def find_email(window: Window) -> Iterator[Found]:
    """The address around an at sign (RFC 5321 without quoted local parts), or none.

    No address is the user of a URL (`https://user:word@host.org`), a login (`git@host.org:path`, `ssh user@host.org`,
    `user@host.org:/path`), an id of a message behind its header's name or "in", a guest of a chat (`~user@host.org`), or
    what ends as a file does (`logo@2x.png`).
    """
    data, at = window.data, window.data.index(b"@", window.start)
    local = _LOCAL.search(data, window.start, at)
    domain = _DOMAIN.match(data, at + 1, window.stop)
    if local is None or domain is None or at - local.start() > 64:
        return
    start, stop = local.start(), domain.end()
    after = data[stop : stop + 1]
    if after.isalnum() or after in (b"@", b"_") or (start and data[start - 1 : start] in (b"@", b"/", b"~")):
        return
    if domain.group(1).lower() in _NO_TOP_LEVEL or (b"://" in data[:start] and _USER_INFO.search(data, 0, start)):
        return
    head = data[:start].rstrip(b" <")
    if head.endswith((b":", b"=", b"in")) and _MESSAGE_ID.search(data, 0, start):
        return
    beyond = data[stop + 1 : stop + 2]
    if after == b":" and (beyond in (b"/", b"~") or (local.group() in _LOGIN and not beyond.isspace())):
        return
    remote = b"ssh" in head or b"scp" in head or b"sftp" in head or b"rsync" in head or b"mosh" in head
    if remote and _REMOTE.search(data, 0, start):
        return
    yield Found(start, stop, "email", data[start:stop].decode("utf-8", "replace").casefold())
