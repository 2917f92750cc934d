/**
 * One pass of the stack over N single tokens, each at its own loop and over its own cached tokens. Which loop a row stands at
 * shows only in where it writes and what it reads; the layers are the same for all.
 *
 * On the CPU in float32 attention and norms are fused operators, and with `reproducible` so are the products, with rows that
 * have the same bits whatever else is in the pass, from a copy of the weights in the order in which they are read: the weights
 * must not change while a step lives. Everywhere else they are plain operators over gathered keys. The loop is the model's.
 *
 * Shapes: N rows, E hidden, S most keys of a row, G key heads, D head size, P = D/2, M slots of all lines.
 */
import {
  arange,
  fusedLinear,
  fusedPagedAttention,
  fusedRowLinear,
  gatherRows,
  linear,
  type PackedWeight,
  packRows,
  scope,
  type Tensor,
  tensor,
} from '@looprpt/engine';
import { type Attention, type KeysValues, passAttention } from '../model/attend.js';
import type { LoopLM } from '../model/loop-lm.js';
import { FUSED, PLAIN } from '../model/operators.js';
import { ropeTables } from '../model/rope.js';
import { runLayers } from '../model/stack.js';
import type { KeptStates } from './kept-states.js';
import type { KVMemory } from './kv-memory.js';
import type { SlotMoves } from './sequence-slots.js';

export interface StepRow {
  id: number;
  position: number;
  /** The row of `before` or the place among the kept states that this row goes on from; null: it starts from its embedding. */
  source: { row: number } | { kept: number } | null;
  /** Where its keys and values go. */
  slot: number;
  /** Slots of positions 0, 1, … as seen from its loop; position + 1 of them are read. */
  line: Int32Array;
}

/** What rows go on from. */
export interface Before {
  /** What the call before returned; null where no row names it. */
  stateNE: Tensor | null;
  kept: Pick<KeptStates, 'table'>;
}

export class Step implements Disposable {
  readonly #model: LoopLM;
  readonly #memory: KVMemory;
  readonly #fused: boolean;
  readonly #angles: { cos: Tensor; sin: Tensor };
  /** x·Wᵀ for x [N, in] and one of the model's weights. */
  readonly product: (xNI: Tensor, weightOI: Tensor) => Tensor;
  readonly #packed = new Map<Tensor, PackedWeight>();
  readonly #noCopies: Tensor;

  /** @param places positions that a sequence can have */
  constructor(model: LoopLM, memory: KVMemory, { places, reproducible }: { places: number; reproducible: boolean }) {
    this.#model = model;
    this.#memory = memory;
    this.#fused = memory.paged;
    if (this.#fused && reproducible && !model.stored) this.#pack();
    if (model.stored) this.product = model.stored.product;
    else this.product = !this.#fused ? linear : reproducible ? this.#rowProduct : fusedLinear;
    this.#angles = scope(() => {
      const { cosBTP, sinBTP } = ropeTables(
        model.config,
        arange(0, places, { device: model.device }).unsqueeze(0),
        model.dtype,
      );
      return { cos: cosBTP.select(0, 0).clone(), sin: sinBTP.select(0, 0).clone() };
    });
    this.#noCopies = tensor(new Int32Array(0), { shape: [0, 2] });
    for (const table of [...Object.values(this.#angles), this.#noCopies]) table.persist();
  }

  /**
   * Runs one loop for every row; keys and values go to their slots. To be called without gradients.
   * @param before what the rows' sources name @param moves what is copied before any row writes
   * @param wanted rows whose states are looked at, the first so many; of the others keys and values are all that is wanted
   * @returns the states of those rows after the loop, normalised, [wanted, E]
   */
  run(rows: readonly StepRow[], before: Before, moves: SlotMoves, wanted = rows.length): Tensor {
    return scope(() => {
      const operators = { ...(this.#fused ? FUSED : PLAIN), product: this.product };
      if (!this.#fused) this.#memory.copy(moves);
      const attention = this.#fused ? this.#paged(rows, moves, wanted) : this.#gathered(rows);
      return runLayers(this.#model, operators, this.states(rows, before), { ...attention, wanted });
    });
  }

  [Symbol.dispose](): void {
    this.#angles.cos.dispose();
    this.#angles.sin.dispose();
    this.#noCopies.dispose();
    for (const { packed } of this.#packed.values()) packed.dispose();
  }

  #pack(): void {
    const { layers, head, gateWeight } = this.#model.weights;
    for (const { qkv, out, gateUp, down } of layers)
      for (const weight of [qkv, out, gateUp, down]) this.#packed.set(weight, packRows(weight));
    for (const weight of [head, gateWeight]) this.#packed.set(weight, packRows(weight));
    for (const { packed } of this.#packed.values()) packed.persist();
  }

  readonly #rowProduct = (xNI: Tensor, weightOI: Tensor): Tensor => fusedRowLinear(xNI, this.#packed.get(weightOI)!);

  /** The rows' states before the loop, [N, E]; arguments as for `run`. */
  states(rows: readonly Pick<StepRow, 'id' | 'source'>[], { stateNE, kept }: Before): Tensor {
    const isSame =
      rows.length === stateNE?.size(0) && rows.every(({ source }, n) => source && 'row' in source && source.row === n);
    if (isSame) return stateNE!;
    const { embedding } = this.#model.weights;
    const from = new Int32Array(2 * rows.length);
    rows.forEach(({ id, source }, n) => {
      if (source === null) from.set([1, id], 2 * n);
      else from.set('row' in source ? [0, source.row] : [2, source.kept], 2 * n);
    });
    return gatherRows([stateNE ?? embedding, embedding, kept.table ?? embedding], from, this.#model.dtype);
  }

  /** Own pages through the fused operator. */
  #paged(rows: readonly StepRow[], moves: SlotMoves, wanted: number): Attention {
    const { heads, kvHeads, windows, layers } = this.#model.config;
    const copies = moves.from.length === 0 ? this.#noCopies : copiesOf(moves);
    const all = { ...pagedRows(rows), copies };
    const last = { ...all, attending: wanted };
    return {
      reads: 'qkv',
      mix: (qkvNC, layer) =>
        fusedPagedAttention(qkvNC, this.#angles, this.#memory.layers[layer]!, layer === layers - 1 ? last : all, {
          heads,
          kvHeads,
          window: windows[layer]!,
        }),
    };
  }

  /** The same by plain operators: every row is a pass of one place over the keys gathered for it. */
  #gathered(rows: readonly StepRow[]): Attention {
    const { config, device } = this.#model;
    const N = rows.length;
    const S = Math.max(...rows.map(({ position }) => position)) + 1;
    const int64 = (data: number[] | number[][]): Tensor => tensor(data, { dtype: 'int64', device });
    const placesN1 = int64(rows.map(({ position }) => [position]));
    // Places after a row's own are masked; its own slot stands for them, because that one holds finite numbers.
    const readNS = int64(
      rows.map(({ line, slot, position }) => Array.from({ length: S }, (_, s) => (s < position ? line[s]! : slot))),
    );
    const writeN = int64(rows.map(({ slot }) => slot));
    const through = (table: Tensor, fresh: Tensor): Tensor => {
      table.indexCopy_(0, writeN, fresh.select(1, 0));
      return table.indexSelect(0, readNS.view(-1)).view(N, S, config.kvHeads, config.headDim);
    };
    const remember = (layer: number, { kBSGD, vBSGD }: KeysValues): KeysValues => {
      const { keys, values } = this.#memory.layers[layer]!;
      return { kBSGD: through(keys, kBSGD), vBSGD: through(values, vBSGD) };
    };
    const shape = { placesBT: placesN1, positionsBT: placesN1, firstKeyBT: null, S };
    const pass = this.#model.contextOf(shape, { cached: true });
    const { reads, mix } = passAttention(config, pass, PLAIN, remember);
    return { reads, mix: (qkvNC, layer) => mix(qkvNC.unsqueeze(1), layer).select(1, 0) };
  }
}

function copiesOf({ from, to }: SlotMoves): Tensor {
  const pairs = Int32Array.from({ length: 2 * from.length }, (_, i) => (i % 2 === 0 ? from : to)[i >> 1]!);
  return tensor(pairs, { shape: [from.length, 2] });
}

/** The rows' metadata as the fused operator takes it; rows with the same line share it. */
function pagedRows(rows: readonly StepRow[]): { rows: Tensor; lines: Tensor } {
  const reach = new Map<Int32Array, number>();
  for (const { line, position } of rows) reach.set(line, Math.max(reach.get(line) ?? 0, position + 1));
  const lines = new Int32Array([...reach.values()].reduce((sum, length) => sum + length, 0));
  const starts = new Map<Int32Array, number>();
  let end = 0;
  for (const [line, length] of reach) {
    lines.set(line.subarray(0, length), end);
    starts.set(line, end);
    end += length;
  }
  const table = new Int32Array(3 * rows.length);
  rows.forEach(({ position, slot, line }, n) => {
    table.set([position, slot, starts.get(line)!], 3 * n);
  });
  return { rows: tensor(table, { shape: [rows.length, 3] }), lines: tensor(lines) };
}
