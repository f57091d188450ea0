"""Trains on the file that `dpo-kernels score` has written: TRL reads the reference's log-probs instead of computing them."""

import sys

from datasets import load_dataset
from trl import DPOConfig, DPOTrainer


class PrecomputedDPOTrainer(DPOTrainer):
    def _precompute_ref_logps(self, dataset, name, batch_size):
        return dataset  # ref_chosen_logps and ref_rejected_logps are there


model, scored = sys.argv[1:3]
PrecomputedDPOTrainer(
    model=model,
    args=DPOConfig(output_dir="trained", precompute_ref_log_probs=True),
    train_dataset=load_dataset("parquet", data_files=scored, split="train"),
).train()
