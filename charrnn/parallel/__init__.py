"""Process groups with shared memory, and their collective operations."""
