"""Training logs of TRL 1.16's trainers, step by step: makes runs.json anew, as shared/golden/trl-1.16-runs.json was made.

pip install trl==1.16.0 transformers==5.24.0 torch==2.15.0 datasets accelerate; python make.py SHARED

The body is frozen; the head, untied, starts as the embedding and alone is trained; the reference is the model as it was. Examples are
those of trl-1.16-runs.json, in order; a row of KTO is the chosen completion, or of every third example the rejected one.
"""

import copy
import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
import trl
from datasets import Dataset
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
shared = sys.argv[1]
target = Path(__file__).with_name("runs.json")
folder = f"{shared}/data/stories260k-hf"
tokens = json.load(open(f"{shared}/golden/trl-1.16-runs.json"))["tokens"]
rows = [
    {"prompt_ids": t["prompt_ids"], "completion_ids": t["chosen_ids" if i % 3 else "rejected_ids"], "label": i % 3 > 0}
    for i, t in enumerate(tokens)
]
common = {
    "max_length": 96,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-3,
    "max_steps": 12,
    "logging_steps": 1,
    "lr_scheduler_type": "linear",
    "warmup_steps": 2,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
}
machine = {"report_to": [], "save_strategy": "no", "use_cpu": True, "bf16": False, "gradient_checkpointing": False, "seed": 7, "disable_tqdm": True}


class InOrder:
    def _get_train_sampler(self, *_, **__):
        return SequentialSampler(self.train_dataset)


class Dpo(InOrder, DPOTrainer):
    def _prepare_dataset(self, dataset, _processing_class, args, _name):
        if args.max_length is None or args.truncation_mode != "keep_start":
            return dataset
        return dataset.filter(lambda e: len(e["prompt_ids"]) < args.max_length)


class Kto(InOrder, KTOTrainer):
    def _prepare_dataset(self, dataset, _processing_class, args, _name):
        dataset = dataset.filter(lambda e: len(e["prompt_ids"]) < args.max_length)
        rotate = lambda e: {"KL_completion_ids": e["completion_ids"][-1:] + e["completion_ids"][:-1]}
        return dataset.map(rotate, batched=True, batch_size=args.per_device_train_batch_size) if self.calculate_KL else dataset


class Tokenized(InOrder):
    """The experimental trainers tokenise texts of their own; here the ids are there, and cut as they cut them."""

    def tokenize_row(self, example, model=None):
        prompt, made = example["prompt_ids"], {}
        for side in ("chosen", "rejected"):
            answer = example[f"{side}_ids"][: max(0, self.max_length - len(prompt))]
            ids = prompt + answer
            made |= {f"{side}_input_ids": ids, f"{side}_attention_mask": [1] * len(ids), f"{side}_labels": [-100] * len(prompt) + answer}
        return made | {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}


class Cpo(Tokenized, CPOTrainer):
    pass


class Orpo(Tokenized, ORPOTrainer):
    pass


kinds = {"dpo": (Dpo, DPOConfig), "kto": (Kto, KTOConfig), "cpo": (Cpo, CPOConfig), "orpo": (Orpo, ORPOConfig)}


def run(kind, given, evaluated=0):
    config = common | given
    model = AutoModelForCausalLM.from_pretrained(folder, tie_word_embeddings=False, dtype=torch.float32)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = torch.nn.Parameter(model.model.embed_tokens.weight.detach().clone())
    more = {}
    if kind in ("dpo", "kto") and not given.get("precompute_ref_log_probs"):
        more["ref_model"] = copy.deepcopy(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name == "lm_head.weight"
    start = model.lm_head.weight.detach().clone()
    examples = rows if kind == "kto" else tokens
    if kind in ("cpo", "orpo"):
        examples = [{**t, "prompt": "p", "chosen": "c", "rejected": "r"} for t in tokens]
    if evaluated:
        more["eval_dataset"] = Dataset.from_list(examples[-evaluated:])
        examples = examples[:-evaluated]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.unk_token
    trainer, trainer_config = kinds[kind]
    with tempfile.TemporaryDirectory() as output:
        args = trainer_config(output_dir=output, **config, **machine, remove_unused_columns=kind in ("dpo", "kto"))
        made = trainer(model=model, args=args, train_dataset=Dataset.from_list(examples), processing_class=tokenizer, **more)
        made.train()
    change = (model.lm_head.weight.detach() - start).flatten()
    skipped = ("epoch", "step", "train_runtime", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second")
    columns = {}
    for entry in made.state.log_history:
        if "train_runtime" not in entry:
            for key, value in entry.items():
                if key not in skipped:
                    columns.setdefault(key, []).append(float(f"{value:.9g}"))
    return {"trainer": kind, "config": config, "evaluated": evaluated, "log": columns, "change_norm": float(f"{change.norm():.9g}")}


def main():
    known = json.loads(target.read_text())["runs"]
    runs = [{"id": it["id"], **run(it["trainer"], it["config"], it["evaluated"])} for it in known]
    versions = {"trl": trl.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
    lines = ",\n".join(json.dumps(it, separators=(",", ":")) for it in runs)
    target.write_text(f'{{"meta":{json.dumps(versions)},"runs":[\n{lines}\n]}}\n')


main()
