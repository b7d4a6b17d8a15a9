"""Encoding and ingestion of a large collection by many processes, with Ray."""

from kivuko.search.scale.cluster import ray_cluster, require_ray
from kivuko.search.scale.ingest import ingest_by_workers, ingest_with_workers
from kivuko.search.scale.worker import Encoding

__all__ = ["Encoding", "ingest_by_workers", "ingest_with_workers", "ray_cluster", "require_ray"]
