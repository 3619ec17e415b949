"""What all tests share: real servers, stores that are installed once, fresh names.

``store``           a store of each kind in turn, with its schema installed
``tenant``          a name that no other test uses; tests share stores, never tenants
``postgresql_url``  the address of a database of the module's own; also ``mongodb_url``
                    and ``mariadb_url``
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import pytest
from hypothesis import settings

from crmcore.testing import servers
from tests.shared_servers import (
    Answer,
    Desk,
    OwnedServers,
    RemoteServers,
    Servers,
    desk,
    required,
)

# No deadlines: the speed of a machine is no property of the code.
settings.register_profile("default_run", deadline=None, print_blob=True)
settings.register_profile("nightly", deadline=None, print_blob=True, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default_run"))

_SERVERS = pytest.StashKey[Servers]()
_OWNED = pytest.StashKey[OwnedServers]()
_DESK = pytest.StashKey[Desk]()
_OPEN = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is not None:
        address, key = given["servers_desk"]
        config.stash[_SERVERS] = RemoteServers(address, key)
        return
    opened = config.stash[_OPEN] = ExitStack()
    owned = config.stash[_OWNED] = config.stash[_SERVERS] = OwnedServers()
    opened.callback(owned.stop)
    config.stash[_DESK] = opened.enter_context(desk(owned))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    place = node.config.stash[_DESK]
    node.workerinput["servers_desk"] = (place.address, place.key)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _OPEN in config.stash:
        config.stash[_OPEN].close()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for name, reason in config.stash[_OWNED].missing():
        terminalreporter.section(f"{name}: NOT RUN", yellow=True, bold=True)
        terminalreporter.line(reason)


class Databases:
    """Hands out addresses of new databases, and drops them in the end."""

    def __init__(self, known: Servers) -> None:
        self._known = known
        self._opened = ExitStack()

    def new(self, server: str) -> str:
        """Return the address of a new database on ``server``."""
        answer = self._known.ask(server)
        if answer.url is None:
            _lacking(server, answer)
        url = servers.create_database(str(answer.url), f"t_{secrets.token_hex(8)}")
        self._opened.callback(servers.drop_database, url)
        return url

    def close(self) -> None:
        """Drop every database that was handed out."""
        self._opened.close()


def _lacking(server: str, answer: Answer) -> None:
    if required(server):
        pytest.fail(f"{server} is needed: {answer.reason}", pytrace=False)
    pytest.skip(f"{server} is not there: {answer.reason}")


@pytest.fixture(scope="session")
def run_databases(pytestconfig: pytest.Config) -> Iterator[Databases]:
    databases = Databases(pytestconfig.stash[_SERVERS])
    yield databases
    databases.close()


@pytest.fixture(scope="module")
def module_databases(pytestconfig: pytest.Config) -> Iterator[Databases]:
    databases = Databases(pytestconfig.stash[_SERVERS])
    yield databases
    databases.close()


@pytest.fixture(scope="module")
def postgresql_url(module_databases: Databases) -> str:
    return module_databases.new("postgresql")


@pytest.fixture(scope="module")
def mongodb_url(module_databases: Databases) -> str:
    return module_databases.new("mongodb")


@pytest.fixture(scope="module")
def mariadb_url(module_databases: Databases) -> str:
    return module_databases.new("mariadb")


def _sql_store(url: str) -> Any:
    return import_module("crmcore_sql").SQLStore(url)


def _mongo_store(url: str) -> Any:
    server, _, options = url.partition("?")
    address, _, database = server.rpartition("/")
    url = f"{address}/?{options}"
    return import_module("crmcore_mongo").MongoStore(url, database=database)


_MAKERS: dict[str, Callable[[Databases, pytest.TempPathFactory], Any]] = {
    "memory": lambda _, __: import_module("crmcore").MemoryStore(),
    "sqlite": lambda _, folder: _sql_store(
        f"sqlite:///{folder.mktemp('sqlite') / 'crm.db'}"
    ),
    "postgresql": lambda databases, _: _sql_store(databases.new("postgresql")),
    "mariadb": lambda databases, _: _sql_store(databases.new("mariadb")),
    "mongodb": lambda databases, _: _mongo_store(databases.new("mongodb")),
}

STORES = [pytest.param(name, marks=pytest.mark.store(name=name)) for name in _MAKERS]


class Stores:
    """The stores of this worker: each made at its first use and installed once."""

    def __init__(self, databases: Databases, folder: pytest.TempPathFactory) -> None:
        self._databases = databases
        self._folder = folder
        self._installed: dict[str, Any] = {}

    def installed(self, name: str) -> Any:
        """Return the store ``name`` with the schema installed."""
        if name not in self._installed:
            store = self.new(name)
            import_module("crmcore").CRM(store).install()
            self._installed[name] = store
        return self._installed[name]

    def new(self, name: str) -> Any:
        """Return an empty store ``name`` without a schema, in a database of its own."""
        return _MAKERS[name](self._databases, self._folder)

    def close(self) -> None:
        """Close every store that can be closed."""
        for store in self._installed.values():
            close = getattr(store, "close", None)
            if close is not None:
                close()


@pytest.fixture(scope="session")
def stores(
    run_databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stores]:
    made = Stores(run_databases, tmp_path_factory)
    yield made
    made.close()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, stores: Stores) -> Any:
    return stores.installed(request.param)


@pytest.fixture
def tenant() -> str:
    return f"tenant-{secrets.token_hex(6)}"
