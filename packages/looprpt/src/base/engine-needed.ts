/** To be imported before whatever imports the engine: without the addon it says how to make it, instead of where it is missing. */
import { requireEngine } from './prepare-engine.js';

requireEngine();
