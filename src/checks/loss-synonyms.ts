// What losses, their options, tokens and the arrays of a batch are called elsewhere, for hints: src/checks/hints.ts.
//
// Sources: LLaMA-Factory (pref_*), axolotl (rl, rl_beta, dpo_*), torchtune (…Loss), NeMo-Aligner and NeMo RL (*_penalty,
// preference_*), XTuner (dpo_loss_type, loss_beta), open-instruct (dpo_norm), OpenRLHF, AutoTrain, PyTorch; papers.

import type { Synonyms } from "./hints.ts";

export const lossSynonyms: Synonyms = [
  // Losses
  ["sigmoid", "dpo dpo_loss cdpo c_dpo vanilla_dpo standard_dpo dpo_sigmoid logistic log_sigmoid logsigmoid"],
  ["sigmoid_norm", "dpo_norm norm_dpo ln_dpo dpo_ln length_normalized_dpo length_normalised_dpo sigmoid_normalized"],
  ["hinge", "slic slic_hf rso rso_loss hinge_loss dpo_hinge"],
  ["ipo", "ipo_loss ipo_pair dpo_ipo identity_preference_optimization"],
  ["exo_pair", "exo exo_loss"],
  ["nca_pair", "nca nca_loss"],
  ["robust", "robust_dpo dpo_robust"],
  ["bco_pair", "bco bco_loss"],
  ["sppo_hard", "sppo sppo_hard_label"],
  ["aot", "aot_paired aot_pairs paired_aot"],
  ["aot_unpaired", "aot_unpair unpaired_aot"],
  ["apo_zero apo_down", "apo apo_loss apo_pair"],
  ["discopop", "lrml log_ratio_modulated_loss disco_pop"],
  ["sft", "nll nll_loss sft_loss cross_entropy lm_loss"],
  // Divergences
  ["reverse_kl", "kl rkl kl_divergence reverse backward_kl reverse_kl_divergence"],
  ["forward_kl", "fkl forward forward_kl_divergence"],
  ["js_divergence", "js jsd jensen_shannon jensen_shannon_divergence"],
  ["alpha_divergence", "alpha alpha_div"],
  // Options of losses
  ["loss_type", "pref_loss preference_loss dpo_loss_type dpo_loss rl loss loss_name loss_fn loss_function lossname"],
  ["loss_weights", "dpo_loss_weights preference_loss_weight pref_bco_weight"],
  [
    "beta",
    "beat bata bta pref_beta rl_beta dpo_beta loss_beta trl_beta kl_beta kl_coef kl_penalty ref_policy_kl_penalty " +
      "reference_policy_kl_penalty",
  ],
  ["label_smoothing", "dpo_label_smoothing smoothing label_smooth flip_probability"],
  ["f_divergence_type f_divergence", "divergence divergence_type f_div f_div_type"],
  ["f_alpha_divergence_coef f_alpha", "alpha_divergence_coef alpha_divergence_coefficient f_divergence_alpha"],
  ["ld_alpha", "ld_dpo_alpha dpo_ld_alpha"],
  ["use_weighting weighting", "dpo_use_weighting wpo use_wpo dpo_weighting"],
  ["reference_free", "ref_free dpo_reference_free"],
  ["rpo_alpha", "pref_ftx dpo_ftx sft_loss_weight nll_loss_coef nll_coef"],
  ["grad_scale", "loss_scale"],
  ["signal", "abort abort_signal abort_controller"],
  // Arrays and sizes of a batch
  ["policy_chosen", "chosen_logps policy_chosen_logps policy_chosen_log_probs"],
  ["policy_rejected", "rejected_logps policy_rejected_logps policy_rejected_log_probs"],
  ["reference_chosen", "ref_chosen ref_chosen_logps reference_chosen_logps"],
  ["reference_rejected", "ref_rejected ref_rejected_logps reference_rejected_logps"],
  ["pair_weights", "sample_weights example_weights"],
  ["vocab", "vocab_size vocabulary n_vocab"],
  ["hidden_size", "hidden_dim d_model n_embd"],
  ["hidden", "hidden_states last_hidden_state"],
  ["weight", "lm_head lm_head_weight head"],
  ["completion_mask", "loss_mask response_mask"],
];
