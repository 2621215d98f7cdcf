import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olmix.errors import InputError
from olmix.params import PriorParams
from olmix.plan.prior import natural_prior

TOKENS = [600, 300, 60, 40]  # web has two topics, books and code are leaves
SOURCE_OF = [0, 0, 1, 2]
NAMES = ["web", "books", "code"]


def prior_of(**params):
    return natural_prior(TOKENS, SOURCE_OF, NAMES, PriorParams(**params))


def test_the_prior_is_natural_by_default():
    np.testing.assert_allclose(prior_of(), [0.6, 0.3, 0.06, 0.04], rtol=1e-14)


def test_a_manual_weight_is_the_total_of_its_source_and_the_others_share_the_rest_naturally():
    np.testing.assert_allclose(prior_of(manual={"web": 0.3}), [0.2, 0.1, 0.42, 0.28], rtol=1e-14)
    np.testing.assert_allclose(prior_of(manual={"books": 0.1}), [0.9 * 600 / 940, 0.9 * 300 / 940, 0.1, 0.9 * 40 / 940])


def test_manual_weights_of_all_sources_that_sum_to_1_are_taken_as_they_are():
    weights = prior_of(manual={"web": 0.7, "books": 0.2, "code": 0.1})
    np.testing.assert_allclose(weights, [0.7 * 2 / 3, 0.7 / 3, 0.2, 0.1], rtol=1e-14)


def test_manual_weights_of_some_sources_that_sum_to_1_leave_exactly_nothing_to_the_others():
    assert prior_of(manual={"web": 0.7, "books": 0.1 + 0.2})[3] == 0


def test_temperature_is_an_exponent_on_leaves_after_manual_weights():
    expected = np.array([0.2, 0.1, 0.42, 0.28]) ** 0.5
    np.testing.assert_allclose(prior_of(manual={"web": 0.3}, temperature=0.5), expected / expected.sum(), rtol=1e-14)


def test_extreme_temperatures_stay_finite():
    np.testing.assert_allclose(prior_of(temperature=1e4), [1, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(prior_of(temperature=1e-9), [0.25] * 4, rtol=1e-6)


@pytest.mark.parametrize(
    ("manual", "said"),
    [
        ({"wbe": 0.3}, ["prior.manual.wbe", "0.3", "books, code, web"]),
        ({"web": -0.1}, ["prior.manual.web", "-0.1", "0 to 1"]),
        ({"web": 1.5}, ["prior.manual.web", "1.5", "0 to 1"]),
        ({"web": 0.7, "books": 0.5}, ["prior.manual.web", "0.7", "1.2", "at most 1"]),
        ({"web": 0.5, "books": 0.2, "code": 0.2}, ["prior.manual.web", "0.5", "0.9", "sum of 1"]),
    ],
)
def test_wrong_manual_weights_are_named_with_value_and_what_is_allowed(manual, said):
    with pytest.raises(InputError) as error:
        prior_of(manual=manual)
    assert [part for part in said if part not in str(error.value)] == []


def test_a_weight_on_a_source_without_tokens_is_refused():
    with pytest.raises(InputError, match=r"prior\.manual\.books: found 0\.2, but the source has no tokens"):
        natural_prior([10, 0], [0, 1], ["web", "books"], PriorParams(manual={"books": 0.2}))


def test_a_domain_set_without_tokens_is_refused():
    with pytest.raises(InputError, match="0 tokens"):
        natural_prior([0, 0], [0, 1], ["web", "books"], PriorParams())


@given(
    leaves=st.lists(st.tuples(st.integers(1, 10**13), st.integers(0, 3)), min_size=2, max_size=12),
    temperature=st.floats(0.1, 5),
    weight=st.floats(0, 0.9),
    data=st.data(),
)
def test_order_of_leaves_and_of_sources_changes_no_bit_and_the_sum_is_1(leaves, temperature, weight, data):
    tokens, labels = zip(*leaves, strict=True)
    names = sorted({f"s{label}" for label in labels})
    manual = {"s" + str(labels[0]): weight} if len(names) > 1 else {}
    params = PriorParams(temperature=temperature, manual=manual)

    def compute(order, names):
        source_of = [names.index(f"s{labels[j]}") for j in order]
        return natural_prior([tokens[j] for j in order], source_of, names, params)

    order = data.draw(st.permutations(range(len(leaves))))
    straight = compute(range(len(leaves)), names)
    shuffled = compute(order, names[::-1])
    assert np.array_equal(straight[list(order)], shuffled)
    assert abs(straight.sum() - 1) < 1e-12
