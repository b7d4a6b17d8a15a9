"""Qdrant as a store: in this process (Edge), or on a server or a cluster."""

from kivuko.search.qdrant.opening import is_address, is_edge_store, open_or_create_qdrant, open_qdrant

__all__ = ["is_address", "is_edge_store", "open_or_create_qdrant", "open_qdrant"]
