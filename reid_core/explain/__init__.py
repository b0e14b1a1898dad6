"""What the network looked at: streams and gates of a crop, evidence of a pair, and checks on both.

``records`` holds the plain results; the other modules need PyTorch and are imported where they are used.
"""
