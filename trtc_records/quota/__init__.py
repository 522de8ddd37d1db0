"""The quota of an app: limiters for one process and, through Redis, for several."""
