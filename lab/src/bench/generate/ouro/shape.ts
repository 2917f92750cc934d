/**
 * A model of Ouro-1.4B's shape with random bfloat16 weights, written tensor by tensor, and the bytes that a token of it reads.
 *
 * The numbers are slices of one random table: what they are changes no speed.
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
    const values = ({ shape }: { shape: readonly number[] }): Tensor =>
      shape.length === 1 ? ones(shape, { dtype: 'bfloat16' }) : table.slice(0, 0, size({ shape })).view(...shape);
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
