from hypothesis import given
from hypothesis import strategies as st

from ccalib.training.schedule import Plan, plan_for


def test_warm_up_constant_linear():
    plan = Plan(warmup=4, decay_start=10, total=20)
    assert [plan.rate(s) for s in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert [plan.rate(s) for s in (9, 10, 15, 19, 20, 99)] == [1, 1, 0.5, 0.1, 0, 0]


def test_a_new_optimizer_warms_up_wherever_the_steps_begin():
    cold, warm = (plan_for(100, 4, 0.5, start=1000, cold=cold) for cold in (True, False))
    assert [cold.rate(s) for s in range(1000, 1005)] == [0.25, 0.5, 0.75, 1, 1]
    assert warm.rate(1000) == 1 and cold.rate(1075) == warm.rate(1075) == 0.5
    assert plan_for(100, 4, 0.5) == plan_for(100, 4, 0.5, cold=True) != plan_for(100, 4, 0.5, cold=False)


@given(st.integers(1, 10**6), st.integers(0, 500), st.floats(0, 1), st.integers(0, 10**6), st.booleans())
def test_any_plan(steps, warmup, decay, start, cold):
    plan = plan_for(steps, warmup, decay, start, cold=cold)
    assert plan.total == start + steps and start <= plan.decay_start <= plan.total
    assert 0 < plan.rate(start) <= 1 and plan.rate(plan.total) == 0


def test_decaying_at_once():
    plan = plan_for(100, 200, 0.3, start=50, constant=False)
    assert plan.rate(50) == 1 and plan.rate(100) == 0.5
    cold = plan_for(100, 5, 0.3, start=50, constant=False, cold=True)  # a new optimizer warms up there, too
    assert [cold.rate(step) for step in (50, 51, 100)] == [0.2, 0.4, 0.5]


def test_alpha_falls_to_zero():
    plan = Plan(0, 50, 100)
    assert plan.alpha(99, 0.5, 0) == 0.5
    assert plan.alpha(0, 0.5, 0.7) == 0.5 and plan.alpha(70, 0.5, 0.7) == 0 and plan.alpha(90, 0.5, 0.7) == 0
    assert 0.24 < plan.alpha(35, 0.5, 0.7) < 0.26


@given(st.integers(0, 99), st.integers(0, 10**6))
def test_alpha_falls_over_a_plans_own_steps(step, start):
    assert plan_for(100, 0, 0.3, start).alpha(start + step, 0.5, 0.7) == Plan(0, 70, 100).alpha(step, 0.5, 0.7)


def test_the_last_share_of_the_decay_polishes():
    plan = Plan(warmup=0, decay_start=60, total=100)
    assert [plan.polishes(step, 0.25) for step in (59, 89, 90, 99)] == [False, False, True, True]
    assert not any(plan.polishes(step, 0.0) for step in range(100))
