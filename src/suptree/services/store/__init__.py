"""A store that lives in memory: `StateOwner` keeps it, `MemoryStore` is how a service reaches it."""

from suptree.services.store.memory import MemoryStore, StateOwner

__all__ = ["MemoryStore", "StateOwner"]
