"""PyTorch and TRL as yardsticks: `yardsticks.py FOLDER`, one thread, one case.

FOLDER has `case.json` (what to compute, and the shape of each array) and a file of numbers for each array. The first line of output is
a JSON object: the forms that there are, and why others are missing. After that a line of input names a form, and the answer is the
milliseconds it took; after the line `results` the last ones are in files `out.<name>`, and the answer is their names.
"""

import json
import os
import sys
import time
import types
from contextlib import nullcontext
from importlib import metadata, util

import torch

# A place for TRL, which is pure Python, beside a PyTorch without it; last of all, so that it shadows nothing.
if "BENCH_TRL" in os.environ:
    sys.path.append(os.environ["BENCH_TRL"])
folder = sys.argv[1]
torch.set_num_threads(1)
with open(f"{folder}/case.json") as file:
    case = json.load(file)
dtypes = {"f32": torch.float32, "i32": torch.int32, "u8": torch.uint8}


def array(name):
    type, shape = case["arrays"][name]
    size = torch.Size(shape).numel()
    return torch.from_file(f"{folder}/{name}", shared=False, size=size, dtype=dtypes[type]).view(shape).clone()


def pairs(beta):
    names = "policyChosen", "policyRejected", "referenceChosen", "referenceRejected"
    chosen, rejected, *references = [array(name) for name in names]
    chosen.requires_grad_()
    rejected.requires_grad_()

    def torch_autograd():
        ratios = (chosen - references[0]) - (rejected - references[1])
        losses = -torch.nn.functional.logsigmoid(beta * ratios)
        loss = losses.mean()
        grads = torch.autograd.grad(loss, (chosen, rejected))
        return {"loss": loss, "losses": losses, "gradChosen": grads[0], "gradRejected": grads[1]}

    return {"torch": torch_autograd}


def rows(beta):
    policy, reference, desirable = array("policy").requires_grad_(), array("reference"), array("desirable") == 1
    references = array("klPolicy"), array("klReference")

    def torch_autograd():
        kl = (references[0] - references[1]).mean().clamp(min=0)
        x = beta * (policy - reference - kl)
        losses = 1 - torch.sigmoid(torch.where(desirable, x, -x))
        loss = losses.mean()
        return {"loss": loss, "losses": losses, "grad": torch.autograd.grad(loss, policy)[0]}

    return {"torch": torch_autograd}


def logits(both):
    x, ids = array("logits"), array("ids").long().view(-1, 1)
    g = array("g").view(-1, 1)

    def log_softmax(x):
        return torch.log_softmax(x, 1).gather(1, ids)

    def torch_forward():
        with torch.no_grad():
            return {"logps": log_softmax(x)}

    def torch_autograd():
        leaf = x.detach().requires_grad_()
        logps = log_softmax(leaf)
        return {"logps": logps, "gradient": torch.autograd.grad(logps, leaf, g)[0]}

    return {"torch": torch_autograd if both else torch_forward}


def linear(both):
    hidden, weight, g = array("hidden"), array("weight"), array("g")
    ids = array("ids").long()

    def whole(h, w):
        return torch.log_softmax(h @ w.t(), 1).gather(1, ids.view(-1, 1)).view(-1)

    def chunked(h, w):
        return head(h, w, None, ids, 1.0, 8192, None, 1.0, ())[0]

    def passes(logps_of):
        def forward():
            with torch.no_grad():
                return {"logps": logps_of(hidden, weight)}

        def backward():
            leaves = hidden.detach().requires_grad_(), weight.detach().requires_grad_()
            logps = logps_of(*leaves)
            grads = torch.autograd.grad(logps, leaves, g)
            return {"logps": logps, "gradHidden": grads[0], "gradWeight": grads[1]}

        return backward if both else forward

    head = trl_head()
    return {"torch": passes(whole), **({"trl": passes(chunked)} if head else {})}


def trl_head():
    """TRL's chunked head: tiles of 4,096 tokens by 8,192 ids, folded by torch's operators where there is no GPU."""
    try:
        try:
            from trl.kernels.chunked_logprob import ChunkedLogProbFunction
        except ImportError:
            ChunkedLogProbFunction = trl_head_alone()
        return ChunkedLogProbFunction.apply
    except Exception as error:
        missing["trl"] = f"{type(error).__name__}: {error}"
        return None


def trl_head_alone():
    """
    TRL's file as it is, over a PyTorch that the rest of TRL refuses, as Debian's 1.13. It asks its surroundings for three things,
    none of which takes part in the computation: whether there is Triton, a gathering of sharded weights, and what autocast says.
    """
    stand_ins = {
        "transformers": {},
        "transformers.utils": {"is_triton_available": lambda: False},
        "trl": {"__path__": []},
        "trl.kernels": {"__path__": []},
        "trl.trainer": {"__path__": []},
        "trl.trainer.utils": {"maybe_gather_lm_head_ctx": lambda *_: nullcontext()},
    }
    for name, members in stand_ins.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)
    if not hasattr(torch, "get_autocast_dtype"):
        enabled = torch.is_autocast_enabled
        torch.is_autocast_enabled = lambda *_: enabled()
    (place,) = [file.locate() for file in metadata.files("trl") if str(file).endswith("kernels/chunked_logprob.py")]
    spec = util.spec_from_file_location("trl.kernels.chunked_logprob", place)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ChunkedLogProbFunction


def optimiser(step, lr, betas, eps, weightDecay, momentum):
    params, m, v = (array(name) for name in ("params", "m", "v"))
    params.grad = array("grads")
    adamw = torch.optim.AdamW([params], lr=lr, betas=betas, eps=eps, weight_decay=weightDecay)
    adamw.state[params] = {"step": torch.tensor(float(step)), "exp_avg": m, "exp_avg_sq": v}

    def torch_step():
        adamw.step()
        return {"params": params}

    return {"torch": torch_step}


missing = {}
kinds = {"pairs": pairs, "rows": rows, "logits": logits, "linear": linear, "optimiser": optimiser}
forms = kinds[case["kind"]](**case["options"])
print(json.dumps({"forms": list(forms), "missing": missing}), flush=True)
results = None
for line in sys.stdin:
    name = line.strip()
    if name == "results":
        for key, result in results.items():
            numbers = result.detach().float().contiguous().view(-1)
            file = f"{folder}/out.{key}"
            torch.from_file(file, shared=True, size=numbers.numel(), dtype=torch.float32).copy_(numbers)
        print(json.dumps(list(results)), flush=True)
        continue
    # What earlier results leave behind is freed before the clock starts, so that memory is reused.
    results = None
    start = time.perf_counter()
    results = forms[name]()
    print(1000 * (time.perf_counter() - start), flush=True)
