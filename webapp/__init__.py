"""The app in the browser. ``shell.build_app`` makes it; nothing here computes what the services can."""
