"""Ingest: a stream becomes an index as it comes; whether it still shows what its network was made for."""
