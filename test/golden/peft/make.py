"""Writes the folders beside this file: a tiny model, and adapters of it as PEFT saves them, with the logits that they give.

PyTorch 2.15.0, PEFT 0.21.2, transformers 5.23.0 from PyPI; CPU. `python make.py`, in this folder.
"""

import json
import pathlib
import shutil

import peft
import torch
import transformers

here = pathlib.Path(__file__).parent
sizes = dict(vocab_size=11, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
ids = [1, 4, 9, 2, 7, 7, 0, 10]

cases = {
    "plain": dict(r=3, lora_alpha=7, lora_dropout=0.1),
    "rslora": dict(r=4, lora_alpha=6, use_rslora=True),
    "tied": dict(r=2, lora_alpha=4),
    "half": dict(r=3, lora_alpha=3),
    "dora": dict(r=2, use_dora=True),
    "pissa": dict(r=2, init_lora_weights="pissa"),
    "bias": dict(r=2, lora_bias=True),
    "saved": dict(r=2, modules_to_save=["norm"]),
    "attention": dict(r=2, target_modules=["q_proj", "lm_head"]),
    "pattern": dict(r=2, target_modules=r"lm_.*"),
    "ranks": dict(r=2, rank_pattern={"lm_head": 3}),
}


def base(tied=False):
    torch.manual_seed(1)
    config = transformers.LlamaConfig(**sizes, tie_word_embeddings=tied)
    return transformers.LlamaForCausalLM(config).eval()


def adapted(name, options):
    model = base(tied=name == "tied")
    config = peft.LoraConfig(**{"target_modules": ["lm_head"], **options}, task_type="CAUSAL_LM")
    if name == "half":
        model = model.to(torch.bfloat16)
    model = peft.get_peft_model(model, config, autocast_adapter_dtype=False).eval()
    torch.manual_seed(2)
    for key, tensor in model.state_dict().items():
        if "lora_B" in key:
            torch.nn.init.normal_(tensor)
    return model


def main():
    expected = {"ids": ids, "logits": {}}
    model = base()
    model.save_pretrained(here / "base")
    (here / "base" / "generation_config.json").unlink()
    with torch.no_grad():
        hidden = model.model(torch.tensor([ids])).last_hidden_state[0]
        expected["hidden"] = hidden.flatten().tolist()
        expected["weight"] = model.lm_head.weight.flatten().tolist()
        for name, options in cases.items():
            shutil.rmtree(here / name, ignore_errors=True)
            model = adapted(name, options)
            model.save_pretrained(here / name)
            (here / name / "README.md").unlink()
            head = model.base_model.model.lm_head
            expected["logits"][name] = head(hidden.to(head.weight.dtype)).flatten().tolist()
    versions = {library.__name__: library.__version__ for library in (torch, peft, transformers)}
    (here / "expected.json").write_text(json.dumps({"versions": versions, **expected}) + "\n")


main()
