/** Positions in text: Hugging Face counts code points, JavaScript UTF-16 code units. */

/** Turns code-point positions in `text`, in any order, into UTF-16 positions, in place. A lone surrogate counts as one. */
export function codePointToUtf16(text: string, positions: Int32Array): void {
  if (!/[\ud800-\udbff]/.test(text)) return;
  const utf16 = new Int32Array(text.length + 1);
  let point = 0;
  for (let at = 0; at < text.length; point++) {
    utf16[point] = at;
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  utf16[point] = text.length;
  for (let i = 0; i < positions.length; i++) positions[i] = utf16[positions[i]!]!;
}
