/** `npm run scale-table`: the table of docs/design/scale.md on standard output. */
import { scaleTable } from './table.js';

process.stdout.write(`${scaleTable()}\n`);
