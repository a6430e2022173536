"""A plasticity rule of your own, on two kinds of connections."""

import torch

from snnrl.connections import Conv1d, Dense
from snnrl.plasticity import Rule


class Coincidence(Rule[tuple[()]]):
    """``dw = rate post pre``, of spikes of the same step."""

    def __init__(self, *, rate=1e-3, dt=1.0):
        super().__init__()
        self.rate, self.dt = rate, dt

    def init_state(self, connection, pre_shape, post_shape, batch):
        return ()

    def forward(self, connection, pre, post, state, third):
        return self.rate * connection.hebbian(post, pre).sum(0), state


rule = Coincidence(rate=0.01)
for connection, pre_shape, post_shape in ((Dense(8, 3), (8,), (3,)), (Conv1d(1, 2, 3), (1, 8), (2, 6))):
    pre, post = ((torch.rand(50, 1, *shape) < 0.2).float() for shape in (pre_shape, post_shape))
    change, _ = rule(connection, pre, post, rule.init_state(connection, pre_shape, post_shape, 1))
    connection.apply_(change)
    print(connection, "mean change", round(float(change.mean()), 4))
