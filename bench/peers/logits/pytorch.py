"""Serves pytorch.ts: `pytorch.py FOLDER ROWS VOCAB CLOCK` reads `logits`, `ids`, `g` there, then answers lines on stdin.

A line names a function; the answer is its milliseconds, and its results are in the files `logps` and `gradient`.
"""

import sys
import time

import torch

folder, rows, vocab = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
clock = time.process_time if sys.argv[4] == "cpu" else time.perf_counter
torch.set_num_threads(1)


def file(name, size, dtype=torch.float32):
    return torch.from_file(f"{folder}/{name}", shared=True, size=size, dtype=dtype)


logits = file("logits", rows * vocab).view(rows, vocab).clone()
ids = file("ids", rows, torch.int32).long().view(rows, 1)
g = file("g", rows).view(rows, 1).clone()
outputs = file("logps", rows).view(rows, 1), file("gradient", rows * vocab).view(rows, vocab)


def forward():
    with torch.no_grad():
        return (torch.log_softmax(logits, 1).gather(1, ids),)


def autograd():
    x = logits.detach().requires_grad_()
    logps = torch.log_softmax(x, 1).gather(1, ids)
    return logps, *torch.autograd.grad(logps, x, g)


def by_hand_forward():
    return (torch.softmax(logits, 1).gather(1, ids).log(),)


def by_hand():
    p = torch.softmax(logits, 1)
    logps = p.gather(1, ids).log()
    return logps, p.mul_(-g).scatter_add_(1, ids, g)


functions = {f.__name__: f for f in (forward, autograd, by_hand_forward, by_hand)}
print(torch.__version__, flush=True)
for line in sys.stdin:
    start = clock()
    results = functions[line.strip()]()
    elapsed = 1000 * (clock() - start)
    for output, result in zip(outputs, results):
        output.copy_(result.detach())
    del results, result
    print(elapsed, flush=True)
