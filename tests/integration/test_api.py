"""The HTTP interface and its guards, against the real server: a test client would have Gradio's own hole."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from PIL import Image

from tests.integration.conftest import Server, free_port
from tests.service_fakes import WAIT_S, person_image, wait_until_over
from webapp.launch import launch_arguments

SEARCH = "/gradio_api/reid/v1/search"
QUERY = "query/0003_c1s1_000003_00.jpg"


def jpeg(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=95, **options)
    return buffer.getvalue()


def search(server: Server, **fields: Any) -> dict[str, Any]:
    answer = server.client.post(SEARCH, data={"query_id": QUERY, **fields})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_search__uploaded_crop__right_person_first_and_fields_as_promised(server: Server) -> None:
    crop = jpeg(person_image(3, 2, serial=55))
    answer = server.client.post(SEARCH, files={"image": ("x.jpg", crop)}, data={"k": "4"})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) >= {"query", "hits", "gallery", "model", "notes"}
    assert set(body["hits"][0]) >= {
        "rank",
        "id",
        "pid",
        "camid",
        "time_s",
        "similarity",
        "image_url",
        "verdict",
    }
    assert [hit["rank"] for hit in body["hits"]] == [1, 2, 3, 4]
    assert body["hits"][0]["pid"] == 3
    assert body["query"]["id"].startswith("upload:")
    again = search(server, query_id=body["query"]["id"], k="4")
    assert again["hits"] == body["hits"]


def test_search__fields__do_what_the_page_does(server: Server) -> None:
    body = search(server, k="200", camid=["2", "3"], exclude_same_camera="false", rerank="1")
    assert {hit["camid"] for hit in body["hits"]} == {2, 3}
    assert any("k-reciprocal" in note for note in body["notes"])
    assert search(server, k="200", exclude_same_camera="0")["num_filtered"] == 0
    assert search(server, k="200")["num_filtered"] == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"k": "0"}, "k is '0'"),
        ({"k": "201"}, "from 1 to 200"),
        ({"k": "ten"}, "whole number"),
        ({"camid": "x"}, "camid is 'x'"),
        ({"camid": "9"}, "no camera 9"),
        ({"time_from_s": "noon"}, "number of seconds"),
        ({"time_from_s": "nan"}, "time window"),
        ({"time_from_s": "5", "time_to_s": "1"}, "before it starts"),
        ({"rerank": "maybe"}, "true or false"),
        ({"gallery": "../.."}, "no gallery"),
        ({"model": "/etc/passwd"}, "no model"),
        ({"query_id": "/etc/passwd"}, "has no image"),
        ({"query_id": "upload:../../../etc/passwd"}, "not the key"),
        ({"topk": "5"}, "no field 'topk'"),
        ({"k": ["5", "6"]}, "one text"),
    ],
)
def test_search__wrong_field__4xx_with_a_sentence(
    server: Server, fields: dict[str, Any], message: str
) -> None:
    answer = server.client.post(SEARCH, data={"query_id": QUERY, **fields})
    assert 400 <= answer.status_code < 500
    assert message in answer.json()["error"]


def test_search__no_query_or_two__refused(server: Server) -> None:
    crop = jpeg(person_image(3, 2))
    both = server.client.post(SEARCH, files={"image": ("x.jpg", crop)}, data={"query_id": QUERY})
    neither = server.client.post(SEARCH, data={"k": "4"})
    empty = server.client.post(SEARCH)
    as_text = server.client.post(SEARCH, data={"image": "x"})
    for answer in (both, neither, empty, as_text):
        assert answer.status_code == 400
        assert answer.json()["error"]
    assert server.client.get(SEARCH).status_code == 405


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not an image", "could not be read as an image"),
        (b"", "could not be read as an image"),
        (jpeg(Image.effect_noise((64, 128), 90))[:-800], "could not be read as an image"),
        (jpeg(Image.new("RGB", (3, 3))), "3 x 3 pixels"),
        (jpeg(Image.new("RGB", (1500, 1500))), "million are read"),
    ],
)
def test_search__damaged_or_oversized_picture__400(server: Server, content: bytes, message: str) -> None:
    answer = server.client.post(SEARCH, files={"image": ("x.jpg", content)})
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert "object at 0x" not in answer.json()["error"]


def test_search__upload_above_the_limit__413(server: Server) -> None:
    for size in (1_000_001, 2_100_000):  # refused by the route, refused by the body limit
        answer = server.client.post(SEARCH, files={"image": ("x.jpg", b"\xff" * size)})
        assert answer.status_code == 413
        assert "1 MB" in answer.json()["error"] or "2 MB" in answer.json()["error"]

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
        yield from (b"x" * 500_000 for _ in range(6))

    answer = server.client.post(
        SEARCH, content=endless(), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 413


def test_search__exif_of_an_upload__gone_from_what_is_kept_and_served(server: Server) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    crop = jpeg(person_image(2, 2), exif=exif)
    assert b"taken at home" in crop
    body = server.client.post(SEARCH, files={"image": ("x.jpg", crop)}).json()
    served = server.client.get("/" + body["query"]["image_url"])
    assert served.status_code == 200
    assert b"taken at home" not in served.content
    for path in (server.data_dir / "uploads").rglob("*.jpg"):
        assert b"taken at home" not in path.read_bytes()


def test_image__thumbnail__jpeg_bounded_immutable_with_etag(server: Server) -> None:
    url = "/" + search(server, k="1")["hits"][0]["image_url"]
    answer = server.client.get(url, params={"h": "48"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (32, 64)  # never enlarged
    again = server.client.get(url, params={"h": "48"}, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "market/../../../../etc/passwd",
        "market/..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd.jpg",
        "..%2fjobs/" + "0" * 64 + ".jpg",
        "market/" + "0" * 64 + ".jpg",
        "uploads/" + "0" * 32 + ".jpg",
        "market/" + "0" * 64 + ".png",
        "market/query%2f0003_c1s1_000003_00.jpg",
        ".staging/" + "0" * 64 + ".jpg",
    ],
)
def test_image__path_tricks__404_and_no_content(server: Server, path: str) -> None:
    answer = server.client.get(f"/gradio_api/reid/image/{path}")
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "path", ["../routes.py", "..%2froutes.py", "%2e%2e/%2e%2e/app.py", "css/../../shell.py"]
)
def test_static__path_tricks__404(server: Server, path: str) -> None:
    assert server.client.get(f"/gradio_api/reid/static/{path}").status_code == 404


def test_static__with_version__immutable(server: Server) -> None:
    versioned = server.client.get("/gradio_api/reid/static/css/base.css?v=abc")
    plain = server.client.get("/gradio_api/reid/static/css/base.css")
    assert "immutable" in versioned.headers["cache-control"]
    assert plain.headers["cache-control"] == "no-cache"


def test_catalogue__galleries_models_status__as_json(server: Server) -> None:
    galleries = server.client.get("/gradio_api/reid/v1/galleries").json()["galleries"]
    assert [gallery["name"] for gallery in galleries if gallery["is_default"]] == ["market"]
    models = server.client.get("/gradio_api/reid/v1/models").json()["models"]
    assert models[0]["name"] == "demo"
    status = server.client.get("/gradio_api/reid/v1/status").json()
    assert status["gallery"]["state"] == "done"
    answer = server.client.get("/gradio_api/reid/v1/status?gallery=none")
    assert (answer.status_code, "no gallery 'none'" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", SEARCH),
        ("GET", "/gradio_api/reid/v1/galleries"),
        ("GET", "/"),
        ("GET", "/config"),
        ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/reid/v1/galleries/upload"),
    ],
)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_any_address__foreign_origin__403(server: Server, method: str, path: str, origin: str) -> None:
    answer = server.client.request(method, path, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "another origin" in answer.json()["error"]


def test_any_address__own_origin_passes_and_foreign_host_does_not(server: Server) -> None:
    own = str(server.client.base_url).rstrip("/")
    assert server.client.get("/", headers={"Origin": own}).status_code == 200
    assert server.client.get("/", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/openapi.json",
        "/docs",
        "/redoc",
        "/gradio_api/runs",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=app.py",
        "/gradio_api/file=../../../../etc/passwd",
        "/monitoring",
    ],
)
def test_gradio__what_the_app_does_not_need__closed(server: Server, path: str) -> None:
    answer = server.client.get(path)
    assert answer.status_code in (403, 404), (path, answer.status_code)
    assert "root:" not in answer.text


def test_gradio__forged_file_in_an_event__no_foreign_file_is_read(server: Server, tmp_path: Path) -> None:
    """Gradio reads any path that is given as file data where its app is mounted instead of launched.

    Our pages have no file inputs today; this app has, and is launched with the very same arguments.
    """
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret text")
    with gr.Blocks() as demo:
        file, text = gr.File(), gr.Textbox()
        file.change(lambda path: Path(path).read_text(), file, text, api_name="leak")
    settings = server.workbench.settings.model_copy(update={"port": free_port()})
    demo.launch(**launch_arguments(server.workbench, settings), prevent_thread_lock=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=WAIT_S) as client:
            sent = client.post("/gradio_api/upload", files={"files": ("own.txt", b"own text")})
            own = leak(client, sent.json()[0])
            assert "own text" in own
            for path in (
                str(secret),
                f"file://{secret}",
                "app.py",
                f"{settings.data_dir}/jobs/../../secret.txt",
            ):
                assert "the secret text" not in leak(client, path)
                assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)
            kept = next((settings.data_dir / "galleries").rglob("images.jsonl"))
            assert '"content_hash"' not in leak(client, str(kept))
            assert client.get(f"/gradio_api/file={kept}").status_code == 403
    finally:
        demo.close()


def leak(client: httpx.Client, path: str) -> str:
    """What the event answers for a file it is told to read."""
    forged = {"path": path, "orig_name": "x.txt", "meta": {"_type": "gradio.FileData"}}
    answer = client.post("/gradio_api/call/leak", json={"data": [forged]})
    if answer.status_code != 200:
        return answer.text
    return client.get(f"/gradio_api/call/leak/{answer.json()['event_id']}").text


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_upload_gallery__zip__registered_searchable_and_reported(server: Server) -> None:
    files = {
        f"mine/{pid:04d}_c{camid}s1_000001_00.jpg": jpeg(person_image(pid, camid))
        for pid in (1, 2)
        for camid in (1, 2)
    }
    files |= {"mine/../../evil.jpg": jpeg(person_image(1, 1)), "mine/broken.jpg": b"\xff\xd8\xff nothing"}
    answer = server.client.post(
        "/gradio_api/reid/v1/galleries/upload",
        files={"file": ("C:\\temp\\My Gallery <b>.zip", zip_of(files))},
    )
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["job"]
    wait_until_over(server.workbench, job_id)
    job = server.client.get(f"/gradio_api/reid/v1/jobs/{job_id}").json()
    assert job["state"] == "done", job
    assert job["gallery"] == "my-gallery-b"
    assert len(job["refused"]) == 2
    crop = jpeg(person_image(2, 1, serial=9))
    found = server.client.post(
        SEARCH, files={"image": ("x.jpg", crop)}, data={"gallery": job["gallery"]}
    ).json()
    assert len(found["hits"]) == 4
    assert not list((server.data_dir / "incoming").iterdir())
    assert not list(server.data_dir.rglob("evil.jpg"))
    assert not (server.data_dir.parent / "evil.jpg").exists()


def test_upload_gallery__body_itself__works_too(server: Server) -> None:
    content = zip_of({"a.jpg": jpeg(person_image(1, 1)), "b.jpg": jpeg(person_image(2, 1))})
    answer = server.client.post(
        "/gradio_api/reid/v1/galleries/upload?filename=plain.zip&name=Plain", content=content
    )
    assert answer.status_code == 202
    wait_until_over(server.workbench, answer.json()["job"])
    assert server.workbench.job(answer.json()["job"]).gallery == "plain"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("x.exe", b"MZ", 400),
        ("", b"x", 400),
        ("x.zip", b"", 400),
        ("x.zip", b"0" * 3_000_001, 413),
        ("x.zip", b"0" * 4_000_000, 413),
    ],
)
def test_upload_gallery__wrong_kind_or_size__refused_and_nothing_kept(
    server: Server, name: str, content: bytes, status: int
) -> None:
    url = "/gradio_api/reid/v1/galleries/upload"
    answers = [server.client.post(url, params={"filename": name}, content=content)]
    if name:
        answers.append(server.client.post(url, files={"file": (name, content)}))
    for answer in answers:
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]
    incoming = server.data_dir / "incoming"
    assert not incoming.exists() or not list(incoming.iterdir())


def test_upload_gallery__table_that_names_files_of_this_machine__reads_none(
    server: Server, tmp_path: Path
) -> None:
    person_image(1, 1).save(tmp_path / "private.jpg")
    table = f"path,pid,camid\n{tmp_path / 'private.jpg'},1,1\n../../../private.jpg,1,1\n".encode()
    for filename, content in (("t.csv", table), ("t.zip", zip_of({"manifest.csv": table}))):
        answer = server.client.post(
            "/gradio_api/reid/v1/galleries/upload", params={"filename": filename}, content=content
        )
        job_id = answer.json()["job"]
        wait_until_over(server.workbench, job_id)
        assert server.workbench.job(job_id).state == "failed"
    assert not list((server.data_dir / "galleries" / ".staging").iterdir())


def test_job__unknown_id__404(server: Server) -> None:
    assert server.client.get("/gradio_api/reid/v1/jobs/nope").status_code == 404
    assert server.client.get("/gradio_api/reid/v1/jobs/..%2f..%2fx").status_code == 404


def test_ids__markup_in_names__never_markup_in_json_or_page(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    person_image(1, 1).save(folder / '"><img src=x onerror=alert(1)>.jpg')
    job_id = server.workbench.import_gallery(folder, name="<script>alert(2)</script>")
    wait_until_over(server.workbench, job_id)
    name = server.workbench.job(job_id).gallery
    assert name == "script-alert-2-script"
    answer = server.client.get("/gradio_api/reid/v1/galleries")
    assert answer.headers["content-type"] == "application/json"
    page = server.client.get(f"/?g={name}&q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.jpg").text
    assert "<img src=x onerror" not in page
    assert "<script>alert(2)" not in page


def test_data_folder__after_all_this__everything_is_below_it(server: Server) -> None:
    inside = {path.name for path in server.data_dir.iterdir()}
    assert inside <= {"cache", "embeddings", "galleries", "incoming", "jobs", "uploads"}
