"""Files that lie elsewhere: fsspec URLs (`s3://`, `gs://`, `hf://`, `https://`), copied to disk before they are read.

Each version of a remote file has an identity (an ETag, a checksum, a time), so that a file that was replaced makes
its pieces stale and one that is replaced while it is read stops the task. Credentials come from where each file
system takes them (its environment variables and files). Of the addresses of http and https, redirects included, only
public ones are connected to, unless the source has `allow_private`; where other schemes connect to (an endpoint of S3
that the environment names) is not looked at.
"""

from __future__ import annotations

import errno
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote_plus, urlsplit

from corpus.errors import InputError
from corpus.fetch.addresses import is_public, require_public
from corpus.sources.config import SourceConfig, is_remote
from corpus.sources.inputs import Found, InputFile

T = TypeVar("T")

WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try
CHUNK = 1 << 20
_THREADS = 8
_TIMEOUT = 60  # seconds to connect, and between two parts of an answer
_PREFIX = "remote-"
_HTTP = ("http", "https")
# What file systems call the mark of a version, the surest first; `identity` is the first that is there, and the size.
_MARKS = (
    "ETag", "etag", "Content-MD5", "md5Hash", "md5", "Digest", "checksum", "crc32c", "generation", "blob_id", "sha",
    "Last-Modified", "LastModified", "last_modified", "updated", "modified", "mtime", "modify", "last_write_time",
    "created",
)  # fmt: skip
_WEAK = "size "
_PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs",
    "hf": "huggingface_hub", "http": "'fsspec[http]'", "https": "'fsspec[http]'", "sftp": "paramiko",
    "ssh": "paramiko", "smb": "smbprotocol",
}  # fmt: skip
_SECRET = re.compile(r"sig|token|secret|pass|key|credential|auth|policy|jwt|session|^code$", re.IGNORECASE)
_FINAL = (PermissionError, IsADirectoryError, NotADirectoryError, ValueError, NotImplementedError)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def shown(url: str) -> str:
    """A URL as it may be printed and stored: without user, password, query and fragment; other paths as they are."""
    if not is_remote(url):
        return url
    scheme, _, rest = url.partition("://")
    if scheme.lower() in _HTTP:
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    if "@" in host and scheme != "github":
        host = host.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}"


def is_weak(file: InputFile) -> bool:
    """Whether nothing but its size tells when a remote file has changed."""
    return file.identity.startswith(_WEAK)


def expand(url: str, config: SourceConfig, fits: Callable[[str], bool], where: str) -> list[Found]:
    """The remote files that `url` names: a file, a folder's files whose names fit, or those of a glob.

    Raises InputError for what is not there, cannot be read or listed, or holds a secret; `where` begins the message.
    """
    _refuse_secrets(url, where)
    scheme = _scheme(url)
    fs = filesystem(url, config, where)
    if scheme in _HTTP:
        if "*" in url or urlsplit(url).path.endswith("/") or not urlsplit(url).path:
            raise InputError(f"{where}: a web server cannot be listed; name each file")
        root, infos = shown(url).rpartition("/")[0], {url: _info(fs, url, where)}
    else:
        path = fs._strip_protocol(url)
        if magic := re.search(r"[*?\[]", path):
            # fsspec's glob gives folders too; what lies in them is not asked for.
            listed = _patiently(lambda: fs.glob(path, detail=True), where)
            root = path[: magic.start()].rpartition("/")[0]
            named = True
        else:
            info = _info(fs, path, where)
            named = info["type"] != "directory"
            listed = {path: info} if named else _patiently(lambda: fs.find(path, detail=True), where)
            root = path.rpartition("/")[0] if named else path
        infos = {
            fs.unstrip_protocol(name): info
            for name, info in sorted(listed.items())
            if info["type"] == "file" and (named or (fits(name) and not re.search(r"(^|/)\.", name[len(root) :])))
        }
        root = f"{scheme}://{root.lstrip('/')}"
        first = next(iter(infos), None)
        if first and _identity(infos[first]) != _identity(_info(fs, fs._strip_protocol(first), where)):
            # This file system says less of a file in a listing than when it is asked for that file.
            infos = {name: _info(fs, fs._strip_protocol(name), where) for name in infos}
    if not infos:
        raise InputError(f"{where}: no file of kind {config.kind} there; correct `path` or `kind`")
    return [
        Found(_place(root), _place(shown(name)), name, _size(info, where), 0, _identity(info))
        for name, info in infos.items()
    ]


def identity(url: str, config: SourceConfig) -> str:
    """What tells this version of a remote file from the next, asked anew. Raises InputError."""
    where = f"source {config.name}: {shown(url)}"
    fs = filesystem(url, config, where)
    fs.invalidate_cache()
    return _identity(_info(fs, fs._strip_protocol(url), where))


@contextmanager
def local_copies(
    files: tuple[InputFile, ...], config: SourceConfig, work: Path | None, beat: Callable[[int], None]
) -> Iterator[tuple[InputFile, ...]]:
    """The files as copies on disk, below the folder `work` (else the system's temporary one), removed at the end.

    Local ones stay where they are. `beat(0)` is called for each part that came. Raises InputError for a file that does
    not come whole after five tries; OSError when the disk is full.
    """
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        for left in work.glob(f"{_PREFIX}*"):  # by a try of this task that was killed
            shutil.rmtree(left)
    schemes = {_scheme(file.path): file.path for file in files if is_remote(file.path)}
    systems = {scheme: filesystem(url, config, f"source {config.name}") for scheme, url in schemes.items()}
    # Only the asynchronous file systems of fsspec may be used by several threads.
    threads = _THREADS if all(getattr(fs, "async_impl", False) for fs in systems.values()) else 1
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=work) as name:
        with ThreadPoolExecutor(threads) as pool:
            tasks = [
                pool.submit(_copy, file, systems.get(_scheme(file.path)), Path(name) / f"{number:04d}", config, beat)
                for number, file in enumerate(files)
            ]
            try:
                copies = tuple(task.result() for task in tasks)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        try:
            yield copies
        except InputError as error:
            message = str(error)
            for file, copy in zip(files, copies, strict=True):
                message = message.replace(copy.path, shown(file.path))
            raise InputError(message) from error


def _copy(file: InputFile, fs: Any, folder: Path, config: SourceConfig, beat: Callable[[int], None]) -> InputFile:
    if fs is None:
        return file
    where = f"source {config.name}: {shown(file.path)}"
    folder.mkdir()
    # Readers tell compression and dialects by the suffix.
    target = folder / file.relative.rpartition("/")[2][-100:]

    def once() -> None:
        # A web server's file comes in one answer, from the others by ranges of 8 MB.
        block = 0 if _scheme(file.path) in _HTTP else 8 << 20
        size = 0
        with fs.open(fs._strip_protocol(file.path), "rb", block_size=block) as source, target.open("wb") as out:
            while size <= file.size and (part := source.read(CHUNK)):
                size += len(part)
                out.write(part)
                beat(0)
        if size != file.size:
            more = "more than " if size > file.size else ""
            raise OSError(f"{more}{min(size, file.size):,} bytes came, {file.size:,} were announced")

    _patiently(once, where)
    status = target.stat()
    return InputFile(str(target), file.relative, status.st_size, status.st_mtime_ns)


def filesystem(url: str, config: SourceConfig, where: str) -> Any:
    """The fsspec file system of a URL. Raises InputError where its library is missing or its host is not public."""
    scheme = _scheme(url)
    options: dict[str, Any] = {}
    try:
        import fsspec

        if scheme in _HTTP:
            import aiohttp

            require_public(shown(url), allow_private=config.allow_private)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_TIMEOUT, sock_read=_TIMEOUT)
            options = {
                "get_client": _any_client if config.allow_private else _public_client,
                # The file itself, byte for byte, is what its announced size is the size of.
                "client_kwargs": {"auto_decompress": False, "timeout": timeout},
                "headers": {"Accept-Encoding": "identity"},
            }
        return fsspec.filesystem(scheme, **options)
    except ImportError as error:
        package = _PACKAGES.get(scheme)
        way = f"pip install {package}" if package else " ".join(str(error).split())[:200]
        raise InputError(f"{where}: {scheme}:// needs a library that is not installed: {way}") from error
    except ValueError as error:
        raise InputError(f"{where}: cannot be opened ({_reason(error)}); correct `path`") from error


async def _any_client(**options: Any) -> Any:
    import aiohttp

    options.pop("loop", None)
    return aiohttp.ClientSession(**options)


async def _public_client(**options: Any) -> Any:
    """A session whose every connection, behind redirects and whatever a name then resolves to, is to a public host."""
    import aiohttp

    options.pop("loop", None)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=_public_socket), **options)


def _public_socket(info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise InputError(
            f"leads to {address[0]}, which is not a public address; only when you trust it, allow it with "
            "`allow_private: true`"
        )
    return socket.socket(family, kind, protocol)


def _info(fs: Any, path: str, where: str) -> dict[str, Any]:
    info: dict[str, Any] = _patiently(lambda: fs.info(path), where)
    return info


def _size(info: dict[str, Any], where: str) -> int:
    if info.get("size") is None:
        raise InputError(f"{where}: its server does not say how large it is; download it, and name the copy")
    return int(info["size"])


def _identity(info: dict[str, Any]) -> str:
    for mark in _MARKS:
        value = info.get(mark)
        if value:
            text = str(value.timestamp() if isinstance(value, datetime) else value).strip('"')
            return f"{mark} {text[:200]} {_WEAK}{info.get('size')}"
    return f"{_WEAK}{info.get('size')}"


def _scheme(path: str) -> str:
    return path.partition("://")[0].lower() if is_remote(path) else ""


def _place(url: str) -> str:
    return f"/{_scheme(url)}:/{url.partition('://')[2].strip('/')}"


def _refuse_secrets(url: str, where: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:  # whose text may hold what must not be shown
        raise InputError(f"{where}: is no valid URL; correct `path`") from None
    user, _, _ = parts.netloc.rpartition("@")
    if ":" in user and parts.scheme not in ("github", *_HTTP):
        raise InputError(f"{where}: holds a password; give it by the environment or file that {parts.scheme} reads")
    if parts.scheme in _HTTP:
        if "@" in parts.netloc:
            raise InputError(
                f"{where}: holds a user or password, which would be stored with the recipe; download it, and name the "
                "copy"
            )
        if "#" in url:
            raise InputError(f"{where}: has a fragment, which names no file; leave it out, or write `#` as %23")
        names = (unquote_plus(part.partition("=")[0]) for part in re.split("[&;]", parts.query))
        secret = [name for name in names if _SECRET.search(name)]
        if secret:
            raise InputError(
                f"{where}: its query holds `{secret[0][:40]}`, which looks like a secret and would be stored with the "
                "recipe; name the object by its own scheme (s3://, gs://), or download it"
            )


def _patiently(call: Callable[[], T], where: str) -> T:
    """What `call` returns, tried up to five times. Raises InputError at the end, at once for what no wait can mend."""
    for wait in (*WAITS, None):
        try:
            return call()
        except Exception as caught:  # each file system has its own
            error = _cause(caught)
            if isinstance(error, OSError) and error.errno in _FULL:
                raise
            if isinstance(error, InputError):
                raise InputError(f"{where}: {error}") from caught
            if isinstance(error, FileNotFoundError) or _status(error) in (404, 410):
                raise InputError(f"{where}: no such file or folder; correct `path`") from caught
            if wait is None or _is_final(error):
                raise InputError(
                    f"{where}: cannot be read ({_reason(error)}); check path, credentials and network, then run again"
                ) from caught
        time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _cause(error: BaseException) -> BaseException:
    """fsspec calls whatever went wrong with a web server "not found"; what it was stands behind it."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _is_final(error: BaseException) -> bool:
    status = _status(error)
    if status is not None and 400 <= status < 500:
        return status not in (408, 425, 429)  # timeout, too early, too many requests
    return isinstance(error, _FINAL) or "Credentials" in type(error).__name__


def _reason(error: BaseException) -> str:
    """One line, without the queries of URLs, which may be signed."""
    text = re.sub(r"(\w://[^\s?'\"]*)\?[^\s'\"]*", r"\1", " ".join(str(error).split()))
    return (text or type(error).__name__)[:200]
