"""The walk: which page to request next, what to yield, how to divide a window, when a walk ends.

From the top: ``walk`` reads a whole window, divided where one list is not enough; ``division`` chooses the slices;
``listing`` reads one list of pages; ``prefetch`` fetches ahead; ``ledger`` keeps account of one list.
"""
