"""Every error a person can cause or mend. Pages and the command line catch ``ReidError`` and nothing else.

A message says what was being done, what came, what was expected and what to do next. Anything that is not a
``ReidError`` is a bug of ours and keeps its traceback.
"""


class ReidError(Exception):
    """Base of all errors that a person can cause or mend; its text is shown as it is."""


class InputError(ReidError):
    """A value has the wrong shape, type, range or content."""


class ImageReadError(InputError):
    """An image file is damaged, too large, or not an image."""


class DatasetError(ReidError):
    """A data set's files, names or splits are not what its protocol says."""


class WeightsError(ReidError):
    """A weights file is damaged, unsafe, of another network, or not fit for re-identification."""


class DownloadError(ReidError):
    """Known weights could not be fetched, or what came is not what the registry pins."""


class NoValidQueryError(ReidError):
    """No query has a true match that the protocol counts, so no score exists."""


class GalleryNotReadyError(ReidError):
    """The gallery is still being read or embedded, or failed to open."""


class CancelledError(ReidError):
    """A person stopped a long job; what it had finished is kept where it can be reused."""


class LabelConflictError(ReidError):
    """A judgement cannot be stored beside what the log holds already."""


class StaleViewError(ReidError):
    """What a person decided about has changed since it was shown to them; nothing was stored.

    ``changes`` are the log's events that did it.
    """

    def __init__(self, message: str, *, changes: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.changes = changes
