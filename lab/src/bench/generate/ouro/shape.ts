/**
 * A model of Ouro-1.4B's shape with random bfloat16 weights, written tensor by tensor, and the bytes that a token of it reads.
 *
 * The numbers are slices of one random table: what they are changes no speed. But how often an early loop has the last one's token
 * decides what drafts are worth, so the norms behind attention and MLP are small: a loop then changes a state as little as makes its
 * tokens agree like those of math-large-base (70, 81 and 91 % after loops 1 to 3).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { empty, Generator, ones, scope, type Tensor } from '@looprpt/engine';
import { writeSafetensors } from 'looprpt/internal/checkpoint/safetensors/write.js';
import { type LoopLMConfig, toOuroConfig } from 'looprpt/internal/model/config.js';
import { upstreamTensors } from 'looprpt/internal/model/weights.js';
import { type BenchModel, modelConfig } from '../../cases.js';

export const OURO: BenchModel = {
  name: 'Ouro-1.4B',
  hidden: 2048,
  layers: 24,
  heads: 16,
  ffn: 5632,
  vocab: 49_152,
};

/** Of the norms behind attention and MLP. */
const AGREEING = 0.02;

const vector = (name: string, shape: readonly number[]): Tensor =>
  ones(shape, { dtype: 'bfloat16' }).mul(/layernorm_2/.test(name) ? AGREEING : 1);

/** Writes a folder of the shape. */
export function writeRandomModel(of: BenchModel, dir: string): void {
  const config = modelConfig(of);
  const tensors = upstreamTensors(config);
  const size = ({ shape }: { shape: readonly number[] }): number => shape.reduce((product, side) => product * side, 1);
  scope(() => {
    const table = scope(() =>
      empty([Math.max(...tensors.map(size))])
        .normal_(0, config.initializerRange, new Generator(1))
        .to({ dtype: 'bfloat16' })
        .persist(),
    );
    const values = ({ name, shape }: { name: string; shape: readonly number[] }): Tensor =>
      shape.length === 1 ? vector(name, shape) : table.slice(0, 0, size({ shape })).view(...shape);
    mkdirSync(dir, { recursive: true });
    writeSafetensors(
      join(dir, 'model.safetensors'),
      tensors.map((tensor) => ({ ...tensor, dtype: 'bfloat16', values: () => values(tensor) })),
    );
    writeFileSync(join(dir, 'config.json'), JSON.stringify(toOuroConfig(config, 'bfloat16')));
    table.dispose();
  });
}

/** Weights of the matrices of all layers, and of the head. */
export function matrixWeights({
  hiddenSize: E,
  intermediateSize: F,
  heads: H,
  kvHeads: G,
  headDim: D,
  layers,
  vocabSize,
}: LoopLMConfig): { layers: number; head: number } {
  const layer = (H + 2 * G) * D * E + E * H * D + 3 * E * F;
  return { layers: layers * layer, head: vocabSize * E };
}

/** Bytes of weights that one pass through all loops and the head reads, whatever the batch. @param bits of a weight, scales included */
export function bytesOfStep(config: LoopLMConfig, bits: number): number {
  const { layers, head } = matrixWeights(config);
  return ((config.loops * layers + head) * bits) / 8;
}
