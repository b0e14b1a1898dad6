import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_core.services import FEEDBACK
from webapp.views.address import DEFAULT_K, SearchAddress, read_address

_SECONDS = st.none() | st.integers(-100_000, 100_000).map(lambda n: n / 4)


@given(
    st.builds(
        SearchAddress,
        query_id=st.text(min_size=1).filter(lambda text: text == text.strip()),
        k=st.integers(1, 200),
        cameras=st.sets(st.integers(0, 999)).map(lambda cameras: tuple(sorted(cameras))),
        time_from_s=_SECONDS,
        same_camera=st.booleans(),
        rerank=st.booleans(),
        expand=st.booleans(),
        feedback=st.lists(st.sampled_from(FEEDBACK), unique=True).map(
            lambda used: tuple(name for name in FEEDBACK if name in used)
        ),
    )
)
def test_read_address__what_params_wrote__is_the_same_state(address: SearchAddress) -> None:
    assert read_address(address.params()) == address


def test_read_address__full_link__becomes_the_request() -> None:
    link = {"q": "a.jpg", "g": "city", "m": "demo", "k": "80", "cam": "3,1", "from": "10", "to": "60.5"}
    request = read_address({**link, "same": "1", "rerank": "1"}).request()
    assert (request.query_id, request.gallery, request.model, request.k) == ("a.jpg", "city", "demo", 80)
    assert request.cameras == (1, 3)
    assert (request.time_from_s, request.time_to_s) == (10.0, 60.5)
    assert request.exclude_same_camera is False
    assert request.rerank is True


@pytest.mark.parametrize("k", ["0", "201", "-5", "abc", "1e2", "٣", "5.5", "9" * 40])
def test_read_address__senseless_k__default_and_a_sentence(k: str) -> None:
    address = read_address({"q": "a", "k": k})
    assert address.k == DEFAULT_K
    assert len(address.problems) == 1
    assert "1 to 200" in address.problems[0]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"cam": "1,x"}, "cameras"),
        ({"from": "noon"}, "not a number of seconds"),
        ({"to": "nan"}, "not a number of seconds"),
        ({"from": "inf"}, "not a number of seconds"),
        ({"from": "60", "to": "10"}, "is empty"),
    ],
)
def test_read_address__senseless_filter__left_out_and_named(params: dict[str, str], problem: str) -> None:
    address = read_address(params)
    assert problem in " ".join(address.problems)
    assert (address.time_from_s, address.time_to_s) == (None, None)


def test_read_address__empty_link__defaults_without_problems() -> None:
    assert read_address({}) == SearchAddress()
