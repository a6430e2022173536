from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.networks.graph import Edge, Loop, loops_in_order

quick = settings(deadline=None, max_examples=60)


def edges(*pairs: str) -> list[Edge]:
    """From the first letter of each pair to the second."""
    return [Edge(f"{pair}{number}", pair[0], pair[1], (1,), (1,)) for number, pair in enumerate(pairs)]


def parts(populations: str, *pairs: str) -> list[str]:
    return ["".join(loop.members) for loop in loops_in_order(populations, edges(*pairs))]


@pytest.mark.parametrize(
    ("populations", "pairs", "order"),
    [
        ("", [], []),
        ("a", [], ["a"]),
        ("abc", ["ab", "bc"], ["a", "b", "c"]),
        ("cba", ["ab", "bc"], ["a", "b", "c"]),
        ("abc", ["ab", "bc", "ca"], ["abc"]),
        ("abcd", ["ab", "bc", "cb", "cd"], ["a", "bc", "d"]),
        ("abcde", ["ab", "ba", "bc", "cd", "dc", "de"], ["ab", "cd", "e"]),
        ("abcd", ["ab", "ac", "bd", "cd", "ad"], None),
    ],
)
def test_parts_come_after_all_that_drive_them(populations: str, pairs: list[str], order: list[str] | None) -> None:
    got = parts(populations, *pairs)
    if order is None:
        assert got in (["a", "b", "c", "d"], ["a", "c", "b", "d"])
    else:
        assert got == order


def test_members_of_a_loop_keep_the_order_in_which_they_were_added() -> None:
    assert parts("zxy", "xy", "yz", "zx") == ["zxy"]


def test_populations_without_connections_are_run_too() -> None:
    assert sorted(parts("abc", "ab")) == ["a", "b", "c"]


def test_connections_inside_a_loop_and_into_it_are_told_apart() -> None:
    first, loop, last = loops_in_order("abcd", edges("ab", "bc", "cb", "cd", "ac"))
    assert [edge.key for edge in loop.inside] == ["bc1", "cb2"]
    assert [edge.key for edge in loop.entering] == ["ab0", "ac4"]
    assert (first.inside, first.entering) == ((), ())
    assert [edge.key for edge in last.entering] == ["cd3"]


def test_a_population_connected_with_itself_is_a_loop_of_one() -> None:
    (loop,) = loops_in_order("a", edges("aa"))
    assert loop == Loop(("a",), tuple(edges("aa")), ())


def test_several_connections_of_one_pair_are_all_there() -> None:
    _, last = loops_in_order("ab", edges("ab", "ab", "ab"))
    assert [edge.key for edge in last.entering] == ["ab0", "ab1", "ab2"]


letters = st.sampled_from("abcdef")


@given(pairs=st.lists(st.tuples(letters, letters), max_size=14))
@quick
def test_any_network_is_cut_into_what_reaches_itself_and_put_in_order(pairs: list[tuple[str, str]]) -> None:
    """Against reachability by repeated search."""
    names = "abcdef"
    reach = {name: {name} for name in names}
    for _ in names:
        for pre, post in pairs:
            for reached in reach.values():
                if pre in reached:
                    reached.add(post)
    found = loops_in_order(names, edges(*(pre + post for pre, post in pairs)))
    assert sorted(name for loop in found for name in loop.members) == sorted(names)
    seen: set[str] = set()
    for loop in found:
        for name in loop.members:
            assert set(loop.members) == {other for other in reach[name] if name in reach[other]}
        assert all(edge.pre in seen for edge in loop.entering), "what drives it was run before"
        assert all(edge.pre in loop.members and edge.post in loop.members for edge in loop.inside)
        seen |= set(loop.members)
    assert sum(len(loop.inside) + len(loop.entering) for loop in found) == len(pairs)
