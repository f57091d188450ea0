"""Writes training.json beside this file: short trainings of a head in PyTorch, float64, with what TRL's DPOTrainer does between the
steps: parts of a step, and a reference that is brought nearer to the policy (TR-DPO).

PyTorch 1.13.1 as packaged by Debian 12. `python make.py`, in this folder.

- Parts: transformers divides each part's loss by the number of parts that its step has, fewer at the end of an epoch.
- Clipping: torch.nn.utils.clip_grad_norm_ over all parameters; no weight decay of the bias.
- Reference: SyncRefModelCallback, `target.mul_(1 - alpha).add_(policy, alpha=alpha)` behind every step that sync_steps divides.
"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
here = pathlib.Path(__file__).parent
vocab, hidden_size, pairs = 12, 5, 10
generator = torch.Generator().manual_seed(17)


def numbers(*shape):
    # Exact in float32.
    return torch.randint(-512, 513, shape, generator=generator).double() / 512


def ids(least, most):
    count = int(torch.randint(least, most + 1, (1,), generator=generator))
    return torch.randint(0, vocab, (count,), generator=generator).tolist()


examples = [{"prompt": ids(1, 4), "chosen": ids(1, 5), "rejected": ids(1, 5)} for _ in range(pairs)]
hidden = [
    {side: numbers(len(one["prompt"]) + len(one[side]), hidden_size) for side in ("chosen", "rejected")} for one in examples
]
start = {"weight": numbers(vocab, hidden_size), "bias": numbers(vocab) / 4}


def logps(i, side, head):
    """The sum of the completion's log-probabilities; the state at t predicts token t + 1."""
    tokens = examples[i]["prompt"] + examples[i][side]
    prompt = len(examples[i]["prompt"])
    logits = hidden[i][side][prompt - 1 : len(tokens) - 1] @ head["weight"].T
    if "bias" in head:
        logits = logits + head["bias"]
    targets = torch.tensor(tokens[prompt:])
    return logits.log_softmax(-1).gather(-1, targets[:, None]).sum()


def train(config, with_bias):
    names = ["weight", "bias"] if with_bias else ["weight"]
    head = {name: torch.nn.Parameter(start[name].clone()) for name in names}
    reference = {name: start[name].clone() for name in names}
    decay = config.get("weight_decay", 0)
    groups = [{"params": [head["weight"]], "weight_decay": decay}]
    if with_bias:
        groups.append({"params": [head["bias"]], "weight_decay": 0})
    optimizer = torch.optim.AdamW(groups, lr=config["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    size, parts, beta = config["per_device_train_batch_size"], config["gradient_accumulation_steps"], config["beta"]
    batches = [range(at, min(at + size, pairs)) for at in range(0, pairs, size)]
    windows = [batches[at : at + parts] for at in range(0, len(batches), parts)]
    steps = []
    for step in range(config["max_steps"]):
        window = windows[step % len(windows)]
        optimizer.zero_grad()
        sums = {"loss": 0, "rewards/chosen": 0, "rewards/rejected": 0}
        for batch in window:
            ratios = {}
            for side in ("chosen", "rejected"):
                policy = torch.stack([logps(i, side, head) for i in batch])
                with torch.no_grad():
                    theirs = torch.stack([logps(i, side, reference) for i in batch])
                ratios[side] = policy - theirs
            loss = -torch.nn.functional.logsigmoid(beta * (ratios["chosen"] - ratios["rejected"])).mean()
            (loss / len(window)).backward()
            sums["loss"] += float(loss) / len(window)
            for side, ratio in ratios.items():
                sums[f"rewards/{side}"] += float(beta * ratio.detach().mean()) / len(window)
        norm = torch.nn.utils.clip_grad_norm_(head.values(), config.get("max_grad_norm", 1) or math.inf)
        optimizer.step()
        every, alpha = config.get("ref_model_sync_steps"), config.get("ref_model_mixup_alpha")
        if config.get("sync_ref_model") and (step + 1) % every == 0:
            with torch.no_grad():
                for name in names:
                    reference[name].mul_(1 - alpha).add_(head[name], alpha=alpha)
        steps.append({**sums, "grad_norm": float(norm)})
    final = {name: head[name].detach().flatten().tolist() for name in names}
    return {"steps": steps, "final": final}


base = {
    **{"beta": 0.5, "learning_rate": 0.02, "lr_scheduler_type": "constant", "max_steps": 8},
    **{"per_device_train_batch_size": 2, "gradient_accumulation_steps": 1},
}
sync = {"sync_ref_model": True, "ref_model_sync_steps": 3, "ref_model_mixup_alpha": 0.6}
runs = {
    "parts": ({"gradient_accumulation_steps": 2}, False),
    "parts that a short batch ends": ({"per_device_train_batch_size": 3, "gradient_accumulation_steps": 3}, True),
    "a reference that moves": (sync, False),
    "one that is the policy at each sync": ({**sync, "ref_model_sync_steps": 2, "ref_model_mixup_alpha": 1}, True),
    "all of it": (
        {**sync, "gradient_accumulation_steps": 2, "weight_decay": 0.1, "max_grad_norm": 0.3, "ref_model_sync_steps": 2},
        True,
    ),
}
cases = []
for name, (more, with_bias) in runs.items():
    config = {**base, **more}
    cases.append({"name": name, "config": config, "bias": with_bias, **train(config, with_bias)})
content = {
    "vocab": vocab,
    "hidden_size": hidden_size,
    "examples": examples,
    "hidden": [{side: states.flatten().tolist() for side, states in one.items()} for one in hidden],
    "start": {name: tensor.flatten().tolist() for name, tensor in start.items()},
    "runs": cases,
}
(here / "training.json").write_text(json.dumps(content) + "\n")
