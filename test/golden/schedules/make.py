"""Writes schedules.json beside this file: the factors that transformers' schedules give the learning rate, step by step.

transformers 5.24.0 from PyPI, read and not imported, since it wants a newer PyTorch than Debian's 1.13, which does for this:
`python make.py PATH_OF_TRANSFORMERS`, in this folder.
"""

import json
import pathlib
import sys

import torch

here = pathlib.Path(__file__).parent
source = (pathlib.Path(sys.argv[1]) / "optimization.py").read_text()
# What the schedules do not use stays behind.
source = "\n".join(line for line in source.splitlines() if not line.startswith("from ."))
stand_ins = """
class SchedulerType: pass
class LayerWiseDummyOptimizer: pass
class LayerWiseDummyScheduler: pass
class logging:
    get_logger = staticmethod(lambda name: None)
"""
source = source.replace("from torch.optim.lr_scheduler", stand_ins + "from torch.optim.lr_scheduler", 1)
functions = {"__name__": "optimization"}
exec(source.split("TYPE_TO_SCHEDULER_FUNCTION")[0], functions)

of = {
    "linear": "get_linear_schedule_with_warmup",
    "cosine": "get_cosine_schedule_with_warmup",
    "cosine_with_restarts": "get_cosine_with_hard_restarts_schedule_with_warmup",
    "polynomial": "get_polynomial_decay_schedule_with_warmup",
    "inverse_sqrt": "get_inverse_sqrt_schedule",
    "cosine_with_min_lr": "get_cosine_with_min_lr_schedule_with_warmup",
    "cosine_warmup_with_min_lr": "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "warmup_stable_decay": "get_wsd_schedule",
    "constant_with_warmup": "get_constant_schedule_with_warmup",
    "constant": "get_constant_schedule",
}
without_total = ["inverse_sqrt", "constant_with_warmup", "constant"]
peak = 3e-3
kwargs = {
    "cosine": [{}, {"num_cycles": 1.25}],
    "cosine_with_restarts": [{}, {"num_cycles": 3}],
    "polynomial": [{}, {"lr_end": 1e-4, "power": 2}, {"power": 0.5}],
    "inverse_sqrt": [{}, {"timescale": 5}],
    "cosine_with_min_lr": [{"min_lr": 3e-4}, {"min_lr_rate": 0.2}, {"min_lr_rate": 0, "num_cycles": 2}],
    "cosine_warmup_with_min_lr": [{"min_lr": 3e-4}, {"min_lr_rate": 0.2, "warmup_lr_rate": 0.3, "num_cycles": 0.75}],
    "warmup_stable_decay": [
        {"num_decay_steps": 6},
        {"num_decay_steps": 5, "num_stable_steps": 2, "min_lr_ratio": 0.1},
        {"num_decay_steps": 6, "warmup_type": "cosine", "decay_type": "linear", "min_lr_ratio": 0.05},
        {"num_decay_steps": 6, "warmup_type": "1-sqrt", "decay_type": "1-sqrt"},
        {"num_decay_steps": 7, "num_cycles": 1.5},
    ],
}


def rates(name, total, warmup, more):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=peak)
    given = dict(more)
    if name != "constant":
        given["num_warmup_steps"] = warmup
    if name not in without_total:
        given["num_training_steps"] = total
    schedule = functions[of[name]](optimizer, **given)
    found = []
    for _ in range(total):
        found.append(float(schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
    return found


cases = [
    {"type": name, "steps": total, "warmup": warmup, "kwargs": more, "rates": rates(name, total, warmup, more)}
    for name in of
    for more in kwargs.get(name, [{}])
    # One warmup is all of the training; polynomial would divide by 0 at its end.
    for total, warmup in [(17, 0), (17, 4), (1, 0), (9, 1)] + ([] if name == "polynomial" else [(6, 6)])
]
text = ",\n".join(json.dumps(case) for case in cases)
(here / "schedules.json").write_text('{"peak": %r, "cases": [\n%s\n]}\n' % (peak, text))
