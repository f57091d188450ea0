"""The logits of a model with each adapter, loaded by PEFT: `python load.py BASE ID,ID,… ADAPTER…`; wants torch, transformers, peft."""

import json
import sys

import peft
import torch
import transformers

base, ids, *adapters = sys.argv[1:]


def logits(adapter):
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    model = peft.PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        return model(torch.tensor([[int(i) for i in ids.split(",")]])).logits[0].flatten().tolist()


print(json.dumps([logits(adapter) for adapter in adapters]))
