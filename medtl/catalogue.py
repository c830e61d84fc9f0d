"""An ordered, closed list of things that can be picked by id. Knows nothing about what it holds."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from medtl.errors import NotFound


class HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=HasId)


class Catalogue(Generic[T]):
    """Members in the order of the screen. Refuses duplicates; a name that is not found lists those that exist."""

    def __init__(self, kind: str, *members: T) -> None:
        self.kind = kind
        self._members: dict[str, T] = {}
        for member in members:
            if member.id in self._members:
                raise ValueError(f"two {kind}s are called {member.id!r}")
            self._members[member.id] = member

    def __getitem__(self, id: str) -> T:
        if id not in self._members:
            raise NotFound(f"There is no {self.kind} called '{id}'.", f"Known: {', '.join(self._members)}.")
        return self._members[id]

    def __contains__(self, id: object) -> bool:
        return id in self._members

    def __iter__(self) -> Iterator[T]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._members)
