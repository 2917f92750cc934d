/** The variables of one block, before those around it. */
import { Undefined, type Value } from './values.js';

export class Scope {
  private readonly names = new Map<string, Value>();

  constructor(private readonly outer: Scope | null) {}

  get(name: string): Value {
    for (let scope: Scope | null = this; scope; scope = scope.outer) {
      const value = scope.names.get(name);
      if (value !== undefined) return value;
    }
    return new Undefined(`'${name}' is undefined`);
  }

  set(name: string, value: Value): void {
    this.names.set(name, value);
  }
}
