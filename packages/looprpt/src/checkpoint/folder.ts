/** Checkpoint folders: what the rest of the system uses of this directory. */
export { type LoadOptions, loadModel, readModelConfig } from './load-model.js';
export { copyCompanions, type SaveOptions, saveModel, type WriteOptions, writeModelFiles } from './save-model.js';
