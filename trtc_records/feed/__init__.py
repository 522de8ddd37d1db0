"""The live feed: which window to read when, which calls are new, and where a feed goes on after a restart."""
