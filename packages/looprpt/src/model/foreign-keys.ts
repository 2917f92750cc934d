/**
 * Keys of a `config.json` that are not Ouro's: those known to leave the computation alone, and all others, which somebody put there for
 * a reason and which must not be passed over in silence.
 */

/** Whatever their value: what transformers writes about files, classes, training and sampling. */
const HARMLESS = new Set(
  `architectures auto_map transformers_version use_cache max_position_embeddings _name_or_path name_or_path torchscript
  use_bfloat16 output_attentions output_hidden_states return_dict return_dict_in_generate output_scores id2label label2id
  problem_type tokenizer_class prefix finetuning_task task_specific_params is_encoder_decoder tie_encoder_decoder pruned_heads
  chunk_size_feed_forward temperature top_k top_p typical_p min_p max_length min_length max_new_tokens min_new_tokens do_sample
  early_stopping num_beams num_beam_groups diversity_penalty num_return_sequences length_penalty repetition_penalty
  no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids remove_invalid_values exponential_decay_length_penalty
  suppress_tokens begin_suppress_tokens forced_bos_token_id forced_eos_token_id sep_token_id unk_token_id decoder_start_token_id
  attn_implementation _attn_implementation _attn_implementation_autoset _attn_implementation_internal _commit_hash pretraining_tp
  tf_legacy_loss looprpt quantization_config`.split(/\s+/),
);

/** Harmless with these values only. */
const HARMLESS_VALUES = new Map<string, readonly unknown[]>(
  Object.entries({
    attention_bias: [false],
    mlp_bias: [false],
    partial_rotary_factor: [1],
    is_decoder: [false, true],
    add_cross_attention: [false],
    cross_attention_hidden_size: [null],
    use_early_exit_gate: [true],
  }),
);

/** The keys that may change what a model computes and that nothing here reads, sorted. */
export function unexplainedKeys(extra: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(extra)
    .filter(([key, value]) => value !== null && !HARMLESS.has(key) && !HARMLESS_VALUES.get(key)?.includes(value))
    .map(([key]) => key)
    .sort();
}
