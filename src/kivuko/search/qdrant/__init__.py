"""Qdrant as a store: in this process (Edge), or on a server or a cluster."""

from kivuko.search.qdrant.opening import is_address, is_edge_store, open_or_create_qdrant, open_qdrant
from kivuko.search.qdrant.snapshots import Snapshot, restore_snapshot, save_snapshot

__all__ = [
    "Snapshot",
    "is_address",
    "is_edge_store",
    "open_or_create_qdrant",
    "open_qdrant",
    "restore_snapshot",
    "save_snapshot",
]
