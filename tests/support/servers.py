"""Real servers for a Git repository, on this machine: OpenSSH's sshd, and lighttpd with CGI.

Both run as the tests' own user, on a free port of the loopback, until their block ends.

Example::

    with over_ssh(folder, folder / "registry.git") as url: ...
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

WAIT_SECONDS = 120


def program(name: str) -> str:
    """Where a daemon is: Debian keeps some where not everybody's PATH leads."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{name} is missing: tools/test_needs.sh"
    return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], port: int, log: Path, env: Mapping[str, str]) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=dict(env)
        )
    try:
        until = time.monotonic() + WAIT_SECONDS
        while True:
            assert process.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


@contextmanager
def over_ssh(folder: Path, repository: Path, **more: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Serves by sshd; yields the address and the environment that a client needs.

    Args:
        folder: for its files; it is made.
        repository: what is served.
        more: variables of the server's git.
    """
    folder.mkdir()
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    port = free_port()
    host_key = (folder / "host.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "yes",
        "MaxStartups": 100,
    }
    if more:
        settings["SetEnv"] = " ".join(f'"{name}={value}"' for name, value in more.items())
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it, and only its service makes it
    ssh = f"ssh -F none -i {folder / 'user'} -o IdentitiesOnly=yes -o UserKnownHostsFile="
    command = [program("sshd"), "-D", "-e", "-f", str(config)]
    with _running(command, port, folder / "log", os.environ):
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True)
        url = f"ssh://{user.stdout.strip()}@127.0.0.1:{port}{repository}"
        yield url, {"GIT_SSH_COMMAND": f"{ssh}{folder / 'known'}"}


@contextmanager
def over_http(folder: Path, repository: Path, **more: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Serves by lighttpd and `git http-backend`; who pushes has a password.

    Args:
        folder: for its files; it is made.
        repository: what is served.
        more: variables of the server's git.
    """
    folder.mkdir()
    (folder / "uploads").mkdir()
    (folder / "users").write_text("anna:secret\n")
    core = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    port = free_port()
    config = folder / "lighttpd.conf"
    variables = {"GIT_PROJECT_ROOT": str(repository.parent), "GIT_HTTP_EXPORT_ALL": "1", **more}
    environment = ", ".join(f'"{name}" => "{value}"' for name, value in variables.items())
    config.write_text(f"""
server.modules = ("mod_alias", "mod_setenv", "mod_auth", "mod_authn_file", "mod_cgi")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}"
server.upload-dirs = ("{folder}/uploads")
server.stream-response-body = 2
alias.url = ("/git/" => "{core.stdout.strip()}/git-http-backend/")
cgi.assign = ("" => "")
setenv.set-environment = ({environment})
auth.backend = "plain"
auth.backend.plain.userfile = "{folder}/users"
auth.require = ("/git/" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
""")
    command = [program("lighttpd"), "-D", "-f", str(config)]
    with _running(command, port, folder / "log", os.environ):
        yield f"http://anna:secret@127.0.0.1:{port}/git/{repository.name}", {}
