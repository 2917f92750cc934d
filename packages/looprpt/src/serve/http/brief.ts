/** What a client sent, as it may stand in an answer: long names are cut. */
const NAME = 80;

/** @param most code points */
export function brief(text: string, most = NAME): string {
  const points = [...text.slice(0, 2 * (most + 1))];
  return points.length <= most ? text : `${points.slice(0, most).join('')}…`;
}
