"""The logits of a model with an adapter that PEFT loads: `python load.py BASE ADAPTER ID…`, as JSON; wants torch, transformers, peft."""

import json
import sys

import peft
import torch
import transformers

base, adapter, *ids = sys.argv[1:]
model = transformers.AutoModelForCausalLM.from_pretrained(base)
model = peft.PeftModel.from_pretrained(model, adapter).eval()
with torch.no_grad():
    print(json.dumps(model(torch.tensor([[int(i) for i in ids]])).logits[0].flatten().tolist()))
