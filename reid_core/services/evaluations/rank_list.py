"""A rank-list report: one self-contained HTML page with the pictures inside, to print or to send."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from html import escape

from reid_core.errors import ReidError
from reid_core.services.evaluations.comparison import name_of
from reid_core.services.evaluations.failures import Failure, StripItem, Tags, describe, strip_of
from reid_core.services.evaluations.store import OpenRun, RunImage
from reid_core.services.evaluations.strips import ReadImage

MAX_QUERIES = 300
"""Each takes about 50 kB; more would not open in a browser."""

_MARKS = {
    "true": ("✓", "true match"),
    "false": ("✕", "false match"),
    "junk": ("–", "junk, not counted"),
    "same_camera": ("–", "same person, same camera, not counted"),
    "unknown": ("?", "identity not known"),
}
_STYLE = """
body{font:13px/1.4 system-ui,sans-serif;color:#111827;background:#fff;max-width:1240px}
body{margin:24px auto;padding:0 16px}
h1{font-size:20px;margin:0 0 4px}h2{font-size:13px;margin:0}p{margin:2px 0}
.facts{color:#4b5563}
table{border-collapse:collapse;margin:12px 0}td,th{padding:3px 14px 3px 0;text-align:left}
section{border-top:1px solid #d1d5db;padding:10px 0;break-inside:avoid}
.row{display:flex;flex-wrap:wrap;gap:6px;margin-top:6px;padding:0;list-style:none}
figure{margin:0;width:72px}figure.q{margin-right:10px}
.box{border:3px solid #374151;height:128px;background:#e3e6eb}
.box{display:flex;align-items:center;justify-content:center}
.box img{max-width:100%;max-height:128px}.box span{font-size:11px;color:#4b5563;text-align:center}
.true .box{border-color:#0072B2}.false .box{border-color:#B34A00;border-style:double}
.junk .box,.same_camera .box,.unknown .box{border-color:#6B7280;border-style:dotted}
figcaption{font-size:11px;text-align:center;font-variant-numeric:tabular-nums}
.id{font:11px ui-monospace,monospace;overflow-wrap:anywhere}
@media print{body{margin:0;max-width:none}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""


def write_report(
    run: OpenRun,
    rows: Sequence[int],
    tags: Tags,
    read: ReadImage,
    *,
    k: int,
    caption: Callable[[float], str],
) -> str:
    """The page: what was run, then a section per query with its ``k`` nearest images.

    A picture that cannot be read any more leaves a box that says so. Every text is escaped.

    Args:
        run: The ranking.
        rows: Queries, in the order of the page.
        tags: Failure kinds that people gave.
        read: Gives a picture's bytes.
        k: Images per query.
        caption: Writes a distance.
    """
    info = run.info
    when = datetime.fromtimestamp(info.created_s, tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    scores = "".join(
        f"<tr><th>{escape(row.setting)}</th>"
        + "".join(f"<td>{title} {row.mean[name]:.1%}</td>" for name, title in _SCORES if name in row.mean)
        + "</tr>"
        for row in info.settings
    )
    sections = "".join(
        _section(run, describe(run, row, tags), strip_of(run, row, k), read, caption) for row in rows
    )
    comment = f"<p>{escape(info.comment)}</p>" if info.comment else ""
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f"<title>{escape(name_of(run))}: {len(rows)} rank lists</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(name_of(run))}</h1>{comment}"
        f"<p class=facts>Gallery {escape(info.gallery_title)} ({info.num_queries:,} queries, "
        f"{info.num_gallery:,} images), model {escape(info.model)} ({escape(info.fingerprint[:12])}), "
        f"protocol "
        f"{escape(run.report.protocol.name)}, {escape(run.report.metric)} distance, run {escape(info.id)} of "
        f"{when}.</p><table>{scores}</table>"
        f"<p class=facts>{len(rows):,} of {info.num_queries:,} queries. Solid blue and ✓: true match; double "
        "orange and ✕: false match; dotted grey and –: left out by the protocol. The number is the rank "
        "among "
        "what counts.</p>"
        f"{sections}</body></html>"
    )


_SCORES = (
    ("mean_ap", "mAP"),
    ("rank1", "Rank-1"),
    ("rank5", "Rank-5"),
    ("rank10", "Rank-10"),
    ("mean_inp", "mINP"),
)


def _section(
    run: OpenRun,
    failure: Failure,
    items: Sequence[StripItem],
    read: ReadImage,
    caption: Callable[[float], str],
) -> str:
    facts = [
        f"AP {failure.ap:.3f}" if failure.ap is not None else "no true match",
        f"first true match at rank {failure.first_match_rank}" if failure.first_match_rank else "",
        f"{failure.num_matches} true matches",
        f"person {failure.image.pid}",
        f"camera {failure.image.camid}" if failure.image.camid is not None else "",
        f"{failure.height_px:.0f} px high",
        f"tagged {', '.join(failure.tags)}" if failure.tags else "",
    ]
    figures = "".join(
        _figure(
            item.image,
            item.verdict,
            f"{_MARKS[item.verdict][0]} {item.rank if item.rank else ''} {caption(item.distance)}",
            f"{_MARKS[item.verdict][1]}, {item.image.id}",
            read,
        )
        for item in items
    )
    query = _figure(failure.image, "q", "query", failure.image.id, read)
    return (
        f"<section><h2 class=id>{escape(failure.image.id)}</h2>"
        f"<p class=facts>{escape(' · '.join(fact for fact in facts if fact))}</p>"
        f"<div class=row>{query}{figures}</div></section>"
    )


def _figure(image: RunImage, kind: str, caption: str, title: str, read: ReadImage) -> str:
    try:
        content = base64.b64encode(read(image)).decode()
        picture = f'<img src="data:image/jpeg;base64,{content}" alt="{escape(title)}">'
    except ReidError:  # the file or its whole gallery is gone
        picture = "<span>picture not readable</span>"
    return (
        f'<figure class="{escape(kind)}" title="{escape(title)}"><div class=box>{picture}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
