"""The quota of an app: within a process, and, through Redis, between processes."""
