"""Layout and wiring of each page."""
