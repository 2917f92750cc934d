/**
 * A dense model of a LoopLM's layers as a GGUF file for llama.cpp, with random blocks: four passes through it and one through its
 * head read what a token of the LoopLM does. Its text means nothing.
 *
 * Layout after llama.cpp's GGUF version 3: header, keys, tensors' shapes (fastest side first), then the data at multiples of 32.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { BenchModel } from '../../cases.js';

export type Blocks = 'Q8_0' | 'Q4_0';

/** Blocks of 32 weights: a float16 scale, then the codes. */
const KINDS: Record<Blocks, { type: number; bytes: number; bits: number }> = {
  Q8_0: { type: 8, bytes: 34, bits: 8.5 },
  Q4_0: { type: 2, bytes: 18, bits: 4.5 },
};

export const bitsOf = (blocks: Blocks): number => KINDS[blocks].bits;

const ALIGNMENT = 32;
const SCALE = 0x1400; // about 0.001 in float16

interface GgufTensor {
  name: string;
  shape: readonly number[];
  isVector: boolean;
}

export function writeGguf(path: string, blocks: Blocks, { hidden: E, layers, heads, ffn: F, vocab: V }: BenchModel) {
  const matrix = (name: string, inputs: number, outputs: number): GgufTensor => ({
    name: `${name}.weight`,
    shape: [inputs, outputs],
    isVector: false,
  });
  const norm = (name: string): GgufTensor => ({ name: `${name}.weight`, shape: [E], isVector: true });
  const tensors = [
    matrix('token_embd', E, V),
    norm('output_norm'),
    matrix('output', E, V),
    ...Array.from({ length: layers }, (_, i) => `blk.${i}.`).flatMap((block) => [
      norm(`${block}attn_norm`),
      ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].map((name) => matrix(block + name, E, E)),
      norm(`${block}ffn_norm`),
      matrix(`${block}ffn_gate`, E, F),
      matrix(`${block}ffn_up`, E, F),
      matrix(`${block}ffn_down`, F, E),
    ]),
  ];
  const keys = new Writer();
  let count = 0;
  const key = (name: string, write: (to: Writer) => void): void => {
    keys.string(name);
    write(keys);
    count++;
  };
  const text = (name: string, value: string): void => key(name, (to) => to.u32(8).string(value));
  const number = (name: string, value: number): void => key(name, (to) => to.u32(4).u32(value));
  text('general.architecture', 'llama');
  number('llama.block_count', layers);
  number('llama.context_length', 2048);
  number('llama.embedding_length', E);
  number('llama.feed_forward_length', F);
  number('llama.attention.head_count', heads);
  number('llama.attention.head_count_kv', heads);
  number('llama.rope.dimension_count', E / heads);
  number('llama.vocab_size', V);
  key('llama.attention.layer_norm_rms_epsilon', (to) => to.u32(6).f32(1e-6));
  text('tokenizer.ggml.model', 'llama');
  key('tokenizer.ggml.tokens', (to) => {
    to.u32(9).u32(8).u64(V);
    for (let id = 0; id < V; id++) to.string(TOKENS[id] ?? `t${id}`);
  });
  key('tokenizer.ggml.scores', (to) => {
    to.u32(9).u32(6).u64(V);
    for (let id = 0; id < V; id++) to.f32(-id);
  });
  key('tokenizer.ggml.token_type', (to) => {
    to.u32(9).u32(5).u64(V);
    for (let id = 0; id < V; id++) to.u32(kindOf(id));
  });
  number('tokenizer.ggml.bos_token_id', 1);
  number('tokenizer.ggml.eos_token_id', 2);

  const { type, bytes: blockBytes } = KINDS[blocks];
  const sizeOf = ({ shape, isVector }: GgufTensor): number =>
    isVector ? shape[0]! * 4 : (shape[0]! / 32) * shape[1]! * blockBytes;
  const padded = (size: number): number => Math.ceil(size / ALIGNMENT) * ALIGNMENT;
  const head = new Writer();
  head.bytes(Buffer.from('GGUF')).u32(3).u64(tensors.length).u64(count).bytes(keys.done());
  let offset = 0;
  for (const tensor of tensors) {
    head.string(tensor.name).u32(tensor.shape.length);
    for (const side of tensor.shape) head.u64(side);
    head.u32(tensor.isVector ? 0 : type).u64(offset);
    offset += padded(sizeOf(tensor));
  }
  const file = openSync(path, 'w');
  try {
    const start = head.done();
    writeSync(file, start);
    writeSync(file, Buffer.alloc(padded(start.length) - start.length));
    const block = randomBlocks(blockBytes);
    for (const tensor of tensors) {
      const size = sizeOf(tensor);
      if (tensor.isVector) writeSync(file, new Float32Array(tensor.shape[0]!).fill(1));
      else for (let at = 0; at < size; at += block.length) writeSync(file, block, 0, Math.min(block.length, size - at));
      writeSync(file, Buffer.alloc(padded(size) - size));
    }
  } finally {
    closeSync(file);
  }
}

/** The first tokens: llama.cpp looks for those of the bytes. */
const TOKENS = [
  '<unk>',
  '<s>',
  '</s>',
  ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
];

/** Unknown, control, byte or normal, as GGUF numbers them. */
function kindOf(id: number): number {
  if (id < 3) return id === 0 ? 2 : 3;
  return id < TOKENS.length ? 6 : 1;
}

/** Some thousand blocks with like scales and codes without order. */
function randomBlocks(blockBytes: number): Buffer {
  const bytes = Buffer.alloc(blockBytes * (1 << 15));
  let state = 1;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  for (let at = 0; at < bytes.length; at += blockBytes) bytes.writeUInt16LE(SCALE, at);
  return bytes;
}

/** Little-endian numbers and texts one after the other. */
class Writer {
  readonly #parts: Buffer[] = [];
  bytes(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }
  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    return this.bytes(part);
  }
  f32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeFloatLE(value);
    return this.bytes(part);
  }
  u64(value: number): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    return this.bytes(part);
  }
  string(value: string): this {
    const text = Buffer.from(value);
    return this.u64(text.length).bytes(text);
  }
  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
