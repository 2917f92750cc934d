/** What went over the wire. */
import { native } from '../native.js';

/** Bytes that this process's open TCP connections have sent, as the kernel counts them; null where it does not (Linux does). */
export function tcpBytesSent(): number | null {
  const bytes = native.tcpBytesSent();
  return bytes < 0 ? null : bytes;
}
