/** Checkpoint folders: what the rest of the system uses of this directory. */
export { type LoadOptions, loadModel, readModelConfig } from './load-model.js';
export { type SaveOptions, saveModel, type WriteOptions } from './save-model.js';
