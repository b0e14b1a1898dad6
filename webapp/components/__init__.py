"""Building blocks of pages: factory functions that return ``gr.HTML``."""
