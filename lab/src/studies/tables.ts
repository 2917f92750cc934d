/** An outcome for the terminal. */
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import type { StudyResult } from './result.js';
import { armTable, budgetsOf } from './table.js';

export function resultTables(result: StudyResult): string {
  return budgetsOf(result)
    .map((budget) => {
      const { title, columns, rows, note } = armTable(result, budget);
      return `${title}\n\n${renderTable(columns, rows)}\n\n${note}`;
    })
    .join('\n\n');
}
