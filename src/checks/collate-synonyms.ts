// What the lengths, cuts and padding of token lists are called elsewhere, for hints: sources as in loss-synonyms.ts. Apart from those,
// which every entry carries.

import type { Synonyms } from "./hints.ts";

export const collateSynonyms: Synonyms = [
  [
    "max_length",
    "max_len max_seq_length max_seq_len max_sequence_length max_total_sequence_length sequence_len sequence_length " +
      "seq_length seq_len cutoff_len cutoff_length model_max_length encoder_seq_length block_size",
  ],
  ["max_prompt_length", "max_prompt_len max_source_length prompt_max_len"],
  ["max_completion_length", "max_completion_len max_response_length max_target_length max_answer_length"],
  ["truncation_mode", "truncation truncation_side truncation_strategy"],
  ["pad_to_multiple_of", "pad_multiple pad_to_multiple pad_multiple_of make_sequence_length_divisible_by"],
  ["padding_value pad_token_id", "pad_id padding_id"],
];
