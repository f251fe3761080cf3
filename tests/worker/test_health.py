"""Whom the health loop looks at closely."""

from zcplatform.worker.health import CLOSE_LOOK_EVERY, is_close_look


def test_everybody_is_looked_at_closely_at_the_start_and_once_in_twenty_rounds() -> None:
    for position in range(3 * CLOSE_LOOK_EVERY):
        looks = [round_ for round_ in range(1, 2 * CLOSE_LOOK_EVERY + 2) if is_close_look(position, round_)]
        assert looks[0] == 1
        later = [round_ for round_ in looks if round_ > 1]
        assert len(later) == 2
        assert later[1] - later[0] == CLOSE_LOOK_EVERY
