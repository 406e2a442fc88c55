"""OpenStack Swift in one process: `swift_server.py PORT FOLDER`. Run as a program of its own, never imported.

Proxy, account, container and object server with one device and one replica, TempAuth, and the S3 interface, user
`test:tester` with the key `testing`. All of it is Swift's own but the cache, which is a dictionary here, and the log-in
at `/v3`: see `keystone.py`.
"""

import json
import logging
import os
import pwd
import socket
import sys
import time
from pathlib import Path
from typing import Any

_COMMON = """
[DEFAULT]
swift_dir = {conf}
user = {user}
log_level = ERROR
workers = 0
disable_fallocate = true
bind_ip = 127.0.0.1
"""

_STORAGE = """
devices = {devices}
mount_check = false
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
fallocate_reserve = 0
"""

_FILTERS = {
    "catch_errors": "catch_errors", "gatekeeper": "gatekeeper", "healthcheck": "healthcheck",
    "listing_formats": "listing_formats", "bulk": "bulk", "s3api": "s3api", "tempauth": "tempauth", "copy": "copy",
    "slo": "slo", "dlo": "dlo", "versioned_writes": "versioned_writes", "symlink": "symlink",
    "container-quotas": "container_quotas", "account-quotas": "account_quotas",
}  # fmt: skip

_OPTIONS = {
    "tempauth": "user_test_tester = testing .admin\n",
    "s3api": "s3_acl = false\nlocation = us-east-1\nmin_segment_size = 5242880\n",
    "versioned_writes": "allow_versioned_writes = true\nallow_object_versioning = true\n",
}

_PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk identity s3api tempauth copy container-quotas
    account-quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:cache]
paste.filter_factory = __main__:cached
[filter:identity]
paste.filter_factory = keystone:identity
"""


class Cache:
    """As much of a client of memcached as Swift's middleware calls."""

    def __init__(self) -> None:
        self._items: dict[str, tuple[str, float]] = {}

    def get(self, key: str, raise_on_error: bool = False, **_: Any) -> Any:
        """What was set, None when it is gone."""
        value, until = self._items.get(key, ("null", 0.0))
        return None if until and until < time.time() else json.loads(value)

    def set(self, key: str, value: Any, serialize: bool = True, time: float = 0, **_: Any) -> None:
        """Keep a value for that many seconds, for ever when 0."""
        from time import time as now

        self._items[key] = (json.dumps(value), now() + time if time else 0.0)

    def incr(self, key: str, delta: int = 1, time: float = 0, **_: Any) -> int:
        """Count."""
        value = max(int(self.get(key) or 0) + int(delta), 0)
        self.set(key, value, time=time)
        return value

    def decr(self, key: str, delta: int = 1, time: float = 0, **_: Any) -> int:
        """Count back."""
        return self.incr(key, -int(delta), time)

    def delete(self, key: str, **_: Any) -> None:
        """Forget."""
        self._items.pop(key, None)


def cached(global_conf: Any, **local_conf: Any) -> Any:
    """A filter that gives each request the cache."""
    cache = Cache()

    def wrap(app: Any) -> Any:
        def run(env: Any, start_response: Any) -> Any:
            env["swift.cache"] = cache
            return app(env, start_response)

        return run

    return wrap


def prepare(folder: Path, ports: dict[str, int]) -> dict[str, Path]:
    """Write rings and configurations; return the latter by kind of server."""
    from swift.common.ring import RingBuilder

    conf, devices = folder / "etc", folder / "srv"
    conf.mkdir()
    (devices / "d1").mkdir(parents=True)
    (conf / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n"
        "[storage-policy:0]\nname = gold\ndefault = yes\n"
    )
    common = _COMMON.format(conf=conf, user=pwd.getpwuid(os.getuid()).pw_name)
    files = {}
    for kind in ("account", "container", "object"):
        ring = RingBuilder(2, 1, 0)
        ring.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": ports[kind],
                      "replication_ip": "127.0.0.1", "replication_port": ports[kind], "device": "d1",
                      "meta": ""})  # fmt: skip
        ring.rebalance()
        ring.get_ring().save(str(conf / f"{kind}.ring.gz"))
        files[kind] = conf / f"{kind}.conf"
        files[kind].write_text(common + _STORAGE.format(devices=devices, kind=kind))
    text = common + _PROXY
    for name, entry in _FILTERS.items():
        text += f"[filter:{name}]\nuse = egg:swift#{entry}\n{_OPTIONS.get(name, '')}"
    files["proxy"] = conf / "proxy.conf"
    files["proxy"].write_text(text)
    return files


def main(port: int, folder: Path) -> None:
    """Serve until ended."""
    import eventlet
    import eventlet.wsgi
    from swift.common.utils import eventlet_monkey_patch

    eventlet_monkey_patch()
    kinds = ("account", "container", "object", "proxy")
    sockets = {
        kind: eventlet.listen(("127.0.0.1", port if kind == "proxy" else 0), backlog=512) for kind in kinds
    }
    for one in sockets.values():
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    files = prepare(folder, {kind: one.getsockname()[1] for kind, one in sockets.items()})

    from swift.common import constraints, utils
    from swift.common.storage_policy import reload_storage_policies

    utils.set_swift_dir(str(folder / "etc"))
    utils.disable_fallocate()
    reload_storage_policies()
    constraints.reload_constraints()
    from swift.common.wsgi import SwiftHttpProtocol, loadapp

    logging.basicConfig(level="ERROR")
    with open(os.devnull, "w") as quiet:
        for kind in kinds:
            app = loadapp(str(files[kind]))
            eventlet.spawn(
                eventlet.wsgi.server, sockets[kind], app, quiet, custom_pool=eventlet.GreenPool(256),
                protocol=SwiftHttpProtocol, log_output=False, capitalize_response_headers=False,
            )  # fmt: skip
        while True:
            eventlet.sleep(3600)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
